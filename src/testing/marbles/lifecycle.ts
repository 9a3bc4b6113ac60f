import type { TestScheduler } from 'rxjs/testing';
import { parseDiagram } from './diagram.js';
import type { MarbleConsumer } from './marble-consumer.js';
import type { MarbleLog } from './marble-log.js';

/** Something that happens to a consumer from outside. Without `partitions`, to all it has records of. */
export type LifecycleMove =
  /** Partitions are given to it, to go on where the group has committed. */
  | { readonly type: 'assign'; readonly partitions?: readonly number[] }
  /** Partitions are to be handed to another member: work in hand is awaited, then committed. */
  | { readonly type: 'revoke'; readonly partitions?: readonly number[] }
  /** Partitions belong to another already: nothing can be committed. */
  | { readonly type: 'lose'; readonly partitions?: readonly number[] }
  /** The consumer is drained: it finishes what it has, and completes. */
  | { readonly type: 'drain' }
  /** The next commit fails, and what it was about is committed with the one after. */
  | { readonly type: 'fail-commit' };

/** What letters of a lifecycle line stand for. */
export type LifecycleMoves = Readonly<Record<string, LifecycleMove>>;

/** What they stand for by themselves. */
const standardMoves: LifecycleMoves = {
  A: { type: 'assign' },
  R: { type: 'revoke' },
  L: { type: 'lose' },
  D: { type: 'drain' },
  F: { type: 'fail-commit' },
};

/** Makes happen what a line shows, when it is time. */
export function playLifecycle(
  scheduler: TestScheduler,
  consumer: MarbleConsumer,
  marbles: string,
  given: LifecycleMoves,
): void {
  const moves = { ...standardMoves, ...given };
  const moments = parseDiagram(marbles, {
    name: `lifecycle('${marbles}')`,
    ends: 'never',
    explain: (letter) => (letter in moves ? undefined : unknownMove(letter, moves)),
  });
  for (const { frame, marks } of moments) {
    const delay = Math.max(0, frame - scheduler.now());
    scheduler.schedule(() => {
      for (const mark of marks) move(consumer, moves[mark]!);
    }, delay);
  }
}

function move(consumer: MarbleConsumer, what: LifecycleMove): void {
  switch (what.type) {
    case 'assign':
      consumer.assign(logsOf(consumer, what.partitions));
      break;
    case 'revoke':
      consumer.revoke(logsOf(consumer, what.partitions));
      break;
    case 'lose':
      consumer.lose(logsOf(consumer, what.partitions));
      break;
    case 'drain':
      consumer.drain();
      break;
    case 'fail-commit':
      consumer.failNextCommit();
  }
}

function logsOf({ logs }: MarbleConsumer, partitions?: readonly number[]): readonly MarbleLog[] {
  if (partitions === undefined) return logs;
  const unknown = partitions.find((wanted) => !logs.some(({ partition }) => partition === wanted));
  if (unknown !== undefined) {
    const known = logs.map(({ partition }) => partition).join(', ');
    throw new Error(
      `lifecycle(): no record is drawn in partition ${unknown}, only in ${known}; give one ` +
        `{ partition: ${unknown} }`,
    );
  }
  return logs.filter(({ partition }) => partitions.includes(partition));
}

function unknownMove(letter: string, moves: LifecycleMoves): string {
  const known = Object.entries(moves).map(([name, { type }]) => `${name} (${type})`);
  return `${letter} means nothing here: draw ${known.join(', ')}, or define it`;
}
