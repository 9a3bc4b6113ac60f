import fc from 'fast-check';

/** What passes records on, with what the work behind it is called then. */
export type Stage =
  | { readonly type: 'map' }
  | { readonly type: 'delay'; readonly ms: number }
  | { readonly type: 'filter'; readonly salt: number }
  | { readonly type: 'dedupe' }
  | { readonly type: 'throttle'; readonly bytesPerSecond: number }
  | { readonly type: 'pause'; readonly fromMs: number; readonly forMs: number }
  | { readonly type: 'tee'; readonly side: ProcessOptions }
  | ({ readonly type: 'flatMap'; readonly results: number; readonly ms: number } & LaneOptions);

/** What acks records, or has them acked. */
export type Terminal =
  | { readonly type: 'ack' }
  | ({ readonly type: 'process' | 'retry' } & ProcessOptions)
  | ({ readonly type: 'retryTopics'; readonly delays: readonly number[] } & ProcessOptions)
  | ({ readonly type: 'batch' | 'aggregate' } & BatchOptions & ProcessOptions)
  | { readonly type: 'switch'; readonly by: Grouping }
  | {
      readonly type: 'exhaust';
      readonly by: Grouping;
      readonly skipped: 'with-current' | 'ack' | 'redeliver';
    }
  | { readonly type: 'sink' | 'route' }
  | { readonly type: 'partitioned'; readonly each: Pipeline }
  | { readonly type: 'fanOut'; readonly branches: readonly Pipeline[] };

export interface Pipeline {
  readonly stages: readonly Stage[];
  readonly terminal: Terminal;
}

export type Grouping = 'all' | 'partition' | 'key';

export interface LaneOptions {
  readonly concurrency: number;
  readonly order: 'partition' | 'key' | 'none';
}

export interface ProcessOptions extends LaneOptions {
  readonly retries: number;
  readonly onError: 'fail' | 'skip' | 'nack' | 'handle' | 'dead-letter';
}

export interface BatchOptions {
  readonly maxRecords: number;
  readonly maxWaitMs: number | undefined;
  readonly by: Grouping;
}

/** What is known of the work on one delivery. */
export interface Known {
  /** Whether work of that name was done, or what has taken its place. */
  isDone(name: string): boolean;
  /** Whether another record with the same id was dealt with by the rest of the pipeline. */
  isRepetition(stage: Stage, rest: Pipeline, name: string): boolean;
}

/** Whether all is done that has to be before a record may be acked. */
export function isDealtWith({ stages, terminal }: Pipeline, name: string, known: Known): boolean {
  const [stage, ...others] = stages;
  const rest = { stages: others, terminal };
  switch (stage?.type) {
    case undefined:
      if (terminal.type === 'partitioned') return isDealtWith(terminal.each, name, known);
      if (terminal.type !== 'fanOut') return known.isDone(name);
      return terminal.branches.every((branch, i) =>
        isDealtWith(branch, branchName(name, i), known),
      );
    case 'filter':
      return !isKept(stage.salt, name) || isDealtWith(rest, name, known);
    case 'flatMap':
      return (
        known.isDone(projectName(name)) &&
        Array.from({ length: stage.results }).every((_, i) =>
          isDealtWith(rest, resultName(name, i), known),
        )
      );
    case 'tee':
      return known.isDone(sideName(name)) && isDealtWith(rest, name, known);
    case 'dedupe':
      return isDealtWith(rest, name, known) || known.isRepetition(stage, rest, name);
    case 'map':
    case 'delay':
    case 'throttle':
    case 'pause':
      return isDealtWith(rest, name, known);
  }
}

export const branchName = (name: string, branch: number) => `${name}@${branch}`;
export const sideName = (name: string) => `${name}|`;
export const resultName = (name: string, result: number) => `${name}/${result}`;
export const projectName = (name: string) => `${name}/`;

/** Keeps two of three, always the same ones. */
export function isKept(salt: number, name: string): boolean {
  let hash = salt;
  for (const char of name) hash = (Math.imul(hash, 31) + char.charCodeAt(0)) >>> 0;
  return hash % 3 > 0;
}

/** Where a record is written to: one topic, or two, always the same ones. */
export function topicsOf(name: string): readonly string[] {
  return isKept(7, name) ? ['results', 'audit'] : ['results'];
}

const grouping = fc.constantFrom('all' as const, 'partition' as const, 'key' as const);

const lanes = {
  concurrency: fc.integer({ min: 1, max: 4 }),
  order: fc.constantFrom('partition', 'key', 'none'),
} as const;

const processing = {
  ...lanes,
  retries: fc.integer({ min: 0, max: 2 }),
  onError: fc.constantFrom('fail', 'skip', 'nack', 'handle', 'dead-letter'),
} as const;

const stage: fc.Arbitrary<Stage> = fc.oneof(
  fc.record({ type: fc.constant('map' as const) }),
  fc.record({ type: fc.constant('delay' as const), ms: fc.integer({ min: 0, max: 4 }) }),
  fc.record({ type: fc.constant('filter' as const), salt: fc.nat(9) }),
  fc.record({ type: fc.constant('dedupe' as const) }),
  fc.record({
    type: fc.constant('throttle' as const),
    bytesPerSecond: fc.integer({ min: 1000, max: 9000 }),
  }),
  fc.record({ type: fc.constant('pause' as const), fromMs: fc.nat(9), forMs: fc.nat(30) }),
  fc.record({ type: fc.constant('tee' as const), side: fc.record(processing) }),
  fc.record({
    type: fc.constant('flatMap' as const),
    results: fc.nat(3),
    ms: fc.nat(4),
    ...lanes,
  }),
);

const { pipeline } = fc.letrec<{ pipeline: Pipeline; terminal: Terminal }>((tie) => ({
  pipeline: fc.record({
    stages: fc.array(stage, { maxLength: 3 }),
    terminal: tie('terminal'),
  }),
  terminal: fc.oneof(
    { maxDepth: 2 },
    fc.record({ type: fc.constantFrom('process' as const, 'retry' as const), ...processing }),
    fc.record({
      type: fc.constant('retryTopics' as const),
      delays: fc.array(fc.nat(30), { minLength: 1, maxLength: 2 }),
      ...processing,
    }),
    fc.record({ type: fc.constant('ack' as const) }),
    fc.record({ type: fc.constantFrom('sink' as const, 'route' as const) }),
    fc.record({ type: fc.constant('switch' as const), by: grouping }),
    fc.record({
      type: fc.constant('exhaust' as const),
      by: grouping,
      skipped: fc.constantFrom('with-current' as const, 'ack' as const, 'redeliver' as const),
    }),
    fc.record({
      type: fc.constantFrom('batch' as const, 'aggregate' as const),
      maxRecords: fc.integer({ min: 1, max: 4 }),
      maxWaitMs: fc.option(fc.nat(6), { nil: undefined }),
      by: grouping,
      ...processing,
    }),
    fc.record({ type: fc.constant('partitioned' as const), each: tie('pipeline') }),
    fc.record({
      type: fc.constant('fanOut' as const),
      branches: fc.array(tie('pipeline'), { minLength: 1, maxLength: 3 }),
    }),
  ),
}));

/** Pipelines of our operators, but for those that would go on for ever. */
export const pipelines = pipeline.map((each) => withoutLivelock(each, false));

/**
 * Parts of one record that keep each other out have the whole record come again, and again: that is
 * what such a pipeline says.
 */
function withoutLivelock({ stages, terminal }: Pipeline, isDivided: boolean): Pipeline {
  const divides = isDivided || stages.some(({ type }) => type === 'flatMap' || type === 'tee');
  if (terminal.type === 'fanOut') {
    const branches = terminal.branches.map((branch) => withoutLivelock(branch, divides));
    return { stages, terminal: { ...terminal, branches } };
  }
  if (terminal.type === 'partitioned') {
    const each = withoutSinks(withoutLivelock(terminal.each, divides));
    return { stages, terminal: { ...terminal, each } };
  }
  if (terminal.type !== 'exhaust' || !divides) return { stages, terminal };
  return { stages, terminal: { ...terminal, skipped: 'with-current' } };
}

/**
 * A sink completes with a promise, and the next pipeline of a partition waits for that; retry topics
 * belong to one pipeline.
 */
function withoutSinks({ stages, terminal }: Pipeline): Pipeline {
  switch (terminal.type) {
    case 'sink':
    case 'route':
    case 'retryTopics':
      return { stages, terminal: { type: 'ack' } };
    case 'fanOut':
      return { stages, terminal: { ...terminal, branches: terminal.branches.map(withoutSinks) } };
    default:
      return { stages, terminal };
  }
}
