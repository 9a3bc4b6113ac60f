import fc from 'fast-check';
import type { LifecycleMove, RecordDefinitions } from '../../../src/testing/index.js';
import { pipelines, type Pipeline } from './pipeline.js';

/** How one piece of work goes. */
export interface Attempt {
  readonly ms: number;
  readonly how: 'at once' | 'later';
  readonly result: 'done' | 'fails' | 'nacked';
}

/** All that is random about a run. */
export interface Scenario {
  readonly pipeline: Pipeline;
  /** What is written, as a diagram, whose letters are records. */
  readonly marbles: string;
  readonly definitions: RecordDefinitions;
  readonly lifecycle: string;
  readonly moves: Readonly<Record<string, LifecycleMove>>;
  /** How work goes, one piece after the other; then it is always done. */
  readonly attempts: readonly Attempt[];
  readonly unsubscribeAt: number | undefined;
  readonly maxUnackedRecords: number;
  readonly drainTimeoutMs: number;
  /** How often the pipeline is subscribed to again when it fails. */
  readonly retries: number;
}

const letters = 'abcdefghijklmnopqrst';

const attempt: fc.Arbitrary<Attempt> = fc.record({
  ms: fc.nat(8),
  how: fc.constantFrom('at once', 'later'),
  result: fc.oneof(
    { weight: 3, arbitrary: fc.constant('done' as const) },
    { weight: 2, arbitrary: fc.constant('fails' as const) },
    { weight: 1, arbitrary: fc.constant('nacked' as const) },
  ),
});

/** Where something happens after what was before it, and how much at once. */
const moment = fc.record({ gap: fc.nat(6), count: fc.integer({ min: 1, max: 3 }) });

const records = fc
  .record({
    moments: fc.array(moment, { minLength: 1, maxLength: 8, size: 'max' }),
    places: fc.array(
      fc.record({ partition: fc.nat(2), key: fc.constantFrom('k', 'l', undefined) }),
      {
        minLength: letters.length,
        maxLength: letters.length,
      },
    ),
    isEnding: fc.boolean(),
  })
  .map(({ moments, places, isEnding }) => {
    const left = Array.from(letters);
    const groups = moments.map(({ gap, count }) => draw(gap, left.splice(0, count)));
    const definitions: Record<string, { key?: string; value: string; partition: number }> = {};
    const drawn = Array.from(letters.slice(0, letters.length - left.length));
    const ends = new Map<number, number>();
    for (const [i, letter] of drawn.entries()) {
      const { partition, key } = places[i]!;
      const offset = ends.get(partition) ?? 0;
      ends.set(partition, offset + 1);
      const value = `${partition}:${offset}`;
      definitions[letter] = { partition, value, ...(key !== undefined && { key }) };
    }
    return { marbles: groups.join('') + (isEnding ? '-|' : '-'), definitions };
  });

const moveTypes = ['revoke', 'revoke', 'lose', 'assign', 'assign', 'fail-commit', 'drain'] as const;

const lifecycle = fc
  .array(
    fc.record({
      gap: fc.nat(12),
      type: fc.constantFrom(...moveTypes),
      partition: fc.nat(2),
      isForAll: fc.boolean(),
    }),
    { maxLength: 5 },
  )
  .map((given) => ({ given }));

/** Runs of pipelines with everything that can come in between. */
export const scenarios: fc.Arbitrary<Scenario> = fc
  .record({
    pipeline: pipelines,
    records,
    lifecycle,
    attempts: fc.array(attempt, { maxLength: 24, size: 'max' }),
    // As often never, or what comes late would hardly be seen.
    unsubscribeAt: fc.option(fc.nat(60), { nil: undefined, freq: 1 }),
    maxUnackedRecords: fc.integer({ min: 1, max: 6 }),
    drainTimeoutMs: fc.integer({ min: 1, max: 20 }),
    retries: fc.nat(3),
  })
  .map(({ records: { marbles, definitions }, lifecycle: { given }, ...rest }) => {
    const partitions = new Set(Object.values(definitions).map(({ partition }) => partition));
    const moves: Record<string, LifecycleMove> = {};
    let line = '';
    for (const [i, { gap, type, partition, isForAll }] of given.entries()) {
      const letter = letters[i]!;
      line += draw(gap, [letter]);
      const isKnown = partitions.has(partition) && !isForAll;
      moves[letter] =
        type === 'drain' || type === 'fail-commit'
          ? { type }
          : { type, ...(isKnown && { partitions: [partition] }) };
    }
    return { ...rest, marbles, definitions, lifecycle: line, moves };
  });

function draw(gap: number, marks: readonly string[]): string {
  const drawn = marks.length === 1 ? marks[0]! : `(${marks.join('')})`;
  return '-'.repeat(gap) + (marks.length === 0 ? '' : drawn);
}
