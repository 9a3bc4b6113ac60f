import {
  concatMap,
  delay,
  EMPTY,
  finalize,
  ignoreElements,
  lastValueFrom,
  map,
  merge,
  tap,
  timer,
  type Observable,
  type ObservableInput,
  type OperatorFunction,
} from 'rxjs';
import {
  ackEach,
  aggregateEach,
  batchEach,
  deadLetter,
  dedupeEach,
  exhaustEach,
  fanOut,
  filterEach,
  flatMapEach,
  mapEach,
  pauseWhile,
  processEach,
  processPartitioned,
  retryEach,
  retryHeaders,
  retryTopics,
  string,
  switchEach,
  tee,
  throttleBytes,
  toTopic,
  toTopics,
  type Batch,
  type ConsumerRecord,
  type DerivedRecord,
  type ProcessFailure,
} from '../../../src/index.js';
import type {
  KafkaMarbleHelpers,
  LifecycleMove,
  MarbleRetries,
  MarbleSink,
} from '../../../src/testing/index.js';
import {
  branchName,
  isKept,
  projectName,
  resultName,
  sideName,
  topicsOf,
  type Grouping,
  type Pipeline,
  type ProcessOptions,
  type Stage,
  type Terminal,
} from './pipeline.js';
import type { Attempt, Scenario } from './scenario.js';
import type { Truth } from './truth.js';

type Named = ConsumerRecord<unknown, string>;
type Derived = DerivedRecord<unknown, string>;
type Operator = (source: Observable<Named>) => Observable<unknown>;

const always: Attempt = { ms: 1, how: 'later', result: 'done' };

/** Puts pipelines together whose work goes as a scenario says and is reported when it is done. */
export class Builder {
  /** What was made to be tried again later. */
  readonly retries: MarbleRetries[] = [];
  private next = 0;
  private readonly tries = new Map<string, number>();

  constructor(
    private readonly t: KafkaMarbleHelpers,
    private readonly truth: Truth,
    private readonly scenario: Scenario,
    private readonly kind: 'Observables' | 'promises',
  ) {}

  build(pipeline: Pipeline): Operator {
    const stages = pipeline.stages.map((stage) => this.stage(stage));
    const terminal = this.terminal(pipeline.terminal);
    return (source) => terminal(stages.reduce((before, stage) => stage(before), source));
  }

  private stage(stage: Stage): (source: Observable<Named>) => Observable<Named> {
    switch (stage.type) {
      case 'map':
        return mapEach((record: Named) => record.value);
      case 'delay':
        return delay(stage.ms);
      case 'filter':
        return filterEach((record: Named) => isKept(stage.salt, record.value));
      case 'dedupe':
        return (source) =>
          source.pipe(
            dedupeEach(),
            tap((record) => this.truth.passed(stage, record)),
          );
      case 'throttle':
        return throttleBytes(stage.bytesPerSecond, { burstBytes: 10 });
      case 'pause': {
        const ends = timer(stage.fromMs + stage.forMs).pipe(map(() => false));
        return pauseWhile(merge(timer(stage.fromMs).pipe(map(() => true)), ends));
      }
      case 'tee': {
        const side = this.terminal({ type: 'process', ...stage.side });
        return tee((records: Observable<Named>) =>
          side(records.pipe(mapEach((record) => sideName(record.value)))),
        );
      }
      case 'flatMap': {
        const { concurrency, order, results, ms } = stage;
        const project = (record: Named) => {
          const names = Array.from({ length: results }, (_, i) => resultName(record.value, i));
          const done = () => this.truth.done(record, projectName(record.value));
          return timer(ms).pipe(
            concatMap(() => names),
            tap({ complete: done }),
          );
        };
        return flatMapEach(project, { concurrency, order });
      }
    }
  }

  private terminal(terminal: Terminal): Operator {
    switch (terminal.type) {
      case 'ack':
        return (source) =>
          source.pipe(
            tap((record) => this.truth.done(record, record.value)),
            ackEach(),
          );
      case 'process':
        return processEach(
          (record: Named) => this.work([record], terminal),
          this.options(terminal),
        );
      case 'retry': {
        const { retry, ...options } = this.options(terminal);
        return retryEach((record: Named) => this.work([record], terminal), {
          ...options,
          ...retry,
        });
      }
      case 'retryTopics':
        return this.retrying(terminal);
      case 'batch':
      case 'aggregate': {
        const { maxRecords, maxWaitMs, by } = terminal;
        const options = { maxRecords, by, ...(maxWaitMs !== undefined && { maxWaitMs }) };
        const collect =
          terminal.type === 'batch'
            ? batchEach<unknown, string>(options)
            : aggregateEach<unknown, string, number>(
                (sum) => sum + 1,
                () => 0,
                options,
              );
        type AnyBatch = Batch<unknown, string, number | undefined>;
        const work = (batch: AnyBatch) => this.work(batch.records, terminal);
        return (source) =>
          source
            .pipe(collect as OperatorFunction<Named, AnyBatch>)
            .pipe(processEach(work, this.options(terminal) as object));
      }
      case 'switch':
        return this.exclusive(terminal.by, (project) => switchEach(project, { by: terminal.by }));
      case 'exhaust':
        return this.exclusive(
          terminal.by,
          (project) => exhaustEach(project, { by: terminal.by, skipped: terminal.skipped }),
          terminal.skipped,
        );
      case 'sink':
        return this.toSink(['results'], (sink) =>
          toTopic(sink, 'results', { onError: () => EMPTY }),
        );
      case 'route':
        return this.toSink(undefined, (sink) =>
          toTopics(sink, ({ value }: Derived) => topicsOf(value) as ('results' | 'audit')[], {
            results: {},
            audit: {},
          }),
        );
      case 'partitioned':
        return processPartitioned((records: Observable<Named>) =>
          this.build(terminal.each)(records),
        );
      case 'fanOut': {
        const branches = terminal.branches.map((branch, i): Operator => {
          const built = this.build(branch);
          return (source) => built(source.pipe(mapEach((record) => branchName(record.value, i))));
        });
        return fanOut<unknown, string, unknown>(...branches);
      }
    }
  }

  /** Writes records; the outcome of each is the next of the scenario's. */
  private toSink(
    topics: readonly string[] | undefined,
    make: (sink: MarbleSink) => OperatorFunction<Derived, unknown>,
  ): Operator {
    const sink = this.newSink();
    return (source) =>
      source.pipe(
        map((record) => {
          const derived = record.derive({ key: null });
          const { value } = derived;
          this.truth.willBeWritten(sink, record, value, topics ?? topicsOf(value));
          return derived;
        }),
        make(sink),
      );
  }

  private newSink(): MarbleSink {
    return this.t.sink(() => this.answer());
  }

  private answer(): string {
    const { ms, result } = this.attempt();
    return '-'.repeat(ms) + (result === 'done' ? 'r' : '#');
  }

  /** A record is done when the record that is to be tried again in its place is written. */
  private retrying(terminal: Terminal & { readonly type: 'retryTopics' }): Operator {
    const { maxUnackedRecords, drainTimeoutMs, lifecycle, moves } = this.scenario;
    const retries = this.t.retries(() => this.answer(), {
      maxUnackedRecords,
      drainTimeoutMs,
      nackBackoffMs: 3,
      nackBackoffMaxMs: 6,
    });
    const topics = terminal.delays.map((delayMs, i) => ({ topic: `retry${i}`, delayMs }));
    const options = {
      consumer: { groupId: 'retries', valueDeserializer: string() },
      ...this.options(terminal),
    };
    const operator = retryTopics(retries, topics, options as never, (record: Named) => {
      const at = topics.findIndex(({ topic }) => topic === record.topic);
      if (at >= 0) {
        const earlyMs = Number(record.header(retryHeaders.dueAt)) - this.t.clock.now();
        this.truth.deliveredAgain(record, terminal, earlyMs);
      }
      const next = topics[at + 1];
      if (next !== undefined) {
        this.truth.willBeWritten(retries, record, String(record.rawValue), [next.topic]);
      }
      return this.work([record], next === undefined ? terminal : { ...terminal, onError: 'fail' });
    });
    const all = ({ type }: LifecycleMove): LifecycleMove => ({ type });
    const moved = Object.entries(moves).map(([letter, move]) => [letter, all(move)] as const);
    this.t.lifecycle(retries.records, lifecycle, Object.fromEntries(moved));
    this.retries.push(retries);
    return operator;
  }

  /** A record is done when its letter is written, which says what was stored. */
  private deadLetters() {
    const sink = this.newSink();
    const write = deadLetter(sink, { topic: 'dead' });
    return (failure: ProcessFailure<Named | Batch<unknown, string>>) => {
      for (const record of recordsOf(failure.record)) {
        this.truth.willBeWritten(sink, record, String(record.rawValue), ['dead']);
      }
      return write(failure);
    };
  }

  /** Work on one record of a group at a time. */
  private exclusive(
    by: Grouping,
    operator: (project: (record: Named) => ObservableInput<unknown> | undefined) => Operator,
    skipped?: 'with-current' | 'ack' | 'redeliver',
  ): Operator {
    const current = new Map<string, Named>();
    let before: Named | undefined;
    const work = operator((record) => {
      const group = groupOf(by, record);
      if (before !== undefined) this.truth.superseded(before, record);
      current.set(group, record);
      const leave = () => {
        if (current.get(group) === record) current.delete(group);
      };
      try {
        const result = this.work([record], { retries: 0, onError: 'fail' });
        if (result === undefined) leave();
        if (result instanceof Promise) return result.finally(leave);
        return result?.pipe(finalize(leave));
      } catch (error) {
        leave();
        throw error;
      }
    });
    const note = (record: Named) => {
      const busy = current.get(groupOf(by, record));
      if (skipped === undefined) before = busy;
      else if (skipped === 'with-current' && busy !== undefined)
        this.truth.superseded(record, busy);
      else if (skipped === 'ack' && busy !== undefined) this.truth.done(record, record.value);
    };
    return (source) => source.pipe(tap(note), work);
  }

  private options({ concurrency, order, retries, onError }: ProcessOptions) {
    const retry = { count: retries, backoffMs: 4 };
    return { concurrency, order, retry, onError: this.onError(onError) };
  }

  private onError(policy: ProcessOptions['onError']) {
    switch (policy) {
      case 'handle':
        return ({ record }: { record: Named | Batch<unknown, string> }) =>
          timer(2).pipe(tap({ complete: () => this.allDone(recordsOf(record)) }), ignoreElements());
      case 'dead-letter':
        return this.deadLetters();
      default:
        return policy;
    }
  }

  private work(
    records: readonly Named[],
    { retries, onError }: Pick<ProcessOptions, 'retries' | 'onError'>,
  ) {
    const { ms, how, result } = this.attempt();
    const finish = () => {
      if (result === 'done') {
        this.allDone(records);
        return;
      }
      if (result === 'nacked') {
        for (const record of records) record.nack('nacked');
        return;
      }
      // What is passed over for good counts as done.
      const name = records.map((record) => this.truth.nameOf(record, record.value)).join();
      const tries = (this.tries.get(name) ?? 0) + 1;
      this.tries.set(name, tries);
      if (onError === 'skip' && tries > retries) this.allDone(records);
      throw new Error('failed');
    };
    if (how === 'at once') {
      finish();
      return undefined;
    }
    const later = timer(ms).pipe(
      map(finish),
      map(() => 'result'),
    );
    return this.kind === 'promises' ? lastValueFrom(later) : later;
  }

  private allDone(records: readonly Named[]): void {
    for (const record of records) this.truth.done(record, record.value);
  }

  private attempt(): Attempt {
    return this.scenario.attempts[this.next++] ?? always;
  }
}

function recordsOf(work: Named | Batch<unknown, string>): readonly Named[] {
  return 'records' in work ? work.records : [work];
}

function groupOf(by: Grouping, { partition, rawKey }: Named): string {
  if (by === 'all') return '';
  return by === 'partition' ? String(partition) : `${partition} ${rawKey?.toString() ?? ''}`;
}
