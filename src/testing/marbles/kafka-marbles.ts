import type { Observable } from 'rxjs';
import { TestScheduler, type RunHelpers } from 'rxjs/testing';
import type { ConsumerRecord } from '../../core/consumer/record/consumer-record.js';
import type { ConsumerEvent } from '../../core/consumer/events.js';
import type { Clock } from '../../core/util/clock.js';
import { checkRunMode } from './diagram.js';
import { assertSame, type Expectable } from './expectation.js';
import { MarbleKit, type AnyRecords, type MarbleSnapshot } from './kit.js';
import type { LifecycleMoves } from './lifecycle.js';
import type { MarbleRetries } from './marble-retries.js';
import type { MarbleSink, MarbleSinkOptions, SinkAnswers } from './marble-sink.js';
import type { RecordDefinitions, RecordsOptions, RetriesOptions } from './record-definitions.js';
import { virtualClock } from './virtual-clock.js';
import { runAtOnce, runInTurns } from './virtual-run.js';

/** What the diagrams of a test are drawn with, besides RxJS's own helpers. */
export interface KafkaMarbles {
  /**
   * The records of a topic, as a consumer of a group delivers them: real ones, with a real ledger
   * behind them. Letters are records, written when they are drawn; `|` ends the log, and the stream
   * when all is delivered; `#` fails it. Time counts from the beginning of the test.
   *
   * The log and what is committed outlive a subscription. Whoever subscribes later, or again after
   * `retry()` or `repeat()`, gets what is not committed, then what is still to come. Records that are
   * written at once come partition by partition.
   *
   * @param definitions what letters stand for. Without them each is a record of partition 0 whose
   * value is the letter.
   */
  readonly records: <K = Buffer | null, V = Buffer | null>(
    marbles: string,
    definitions?: RecordDefinitions<NoInfer<K>, NoInfer<V>>,
    options?: RecordsOptions<K, V>,
  ) => Observable<ConsumerRecord<K, V>>;
  /**
   * What happens to the consumer of some records: `R` revokes its partitions, `A` assigns them (again,
   * where the group has committed), `L` takes them away without warning, `D` drains the consumer, `F`
   * has the next commit fail. Other letters are what `moves` says. All partitions are assigned from
   * the beginning.
   */
  readonly lifecycle: (records: AnyRecords, marbles: string, moves?: LifecycleMoves) => void;
  /** The events of that consumer, for pipelines that listen to them. */
  readonly lifecycleOf: (records: AnyRecords) => Observable<ConsumerEvent>;
  /**
   * A producer to give to sinks. Each record is answered as drawn: `sink('--r')` acknowledges it after
   * 2 ms, `sink('-#')` fails it; a list is for one record after the other, its last for all others.
   */
  readonly sink: (answers?: SinkAnswers, options?: MarbleSinkOptions) => MarbleSink;
  /**
   * Retry topics to give to `retryTopics()` where a client stands. What is written there is answered
   * as by `sink()`, and comes back when it is due. `retries.records` is what is expected of them, as
   * in `expectAcks(retries.records)`, once the pipeline has been built. Records that wait need
   * {@link kafkaMarblesAsync}.
   *
   * @param options of the consumer of the retry topics, in place of those that `retryTopics()` is given.
   */
  readonly retries: (answers?: SinkAnswers, options?: RetriesOptions) => MarbleRetries;
  /** When records were handed to the pipeline, also those that came once more. */
  readonly expectDeliveries: (records: AnyRecords) => Expectable;
  /** When records were acked, each once. Late acks, of partitions that are gone, don't count. */
  readonly expectAcks: (records: AnyRecords) => Expectable;
  /** When records were acked too late: their partition had been given up or lost. */
  readonly expectLateAcks: (records: AnyRecords) => Expectable;
  /** When records were nacked. */
  readonly expectNacks: (records: AnyRecords) => Expectable;
  /** When records came back that nobody had worked on. */
  readonly expectReturns: (records: AnyRecords) => Expectable;
  /**
   * When commits were made, each as soon as it could be, by the last record that it covers: `c` says
   * that the group goes on after `c`.
   */
  readonly expectCommits: (records: AnyRecords) => Expectable;
  /**
   * When events of some types happened: `A` assigned, `D` draining, `R` revoked, `L` lost, `S`
   * starved, `N` redelivered, `T` record-retried, `X` record-failed, `B` dead-lettered, `K` skipped,
   * `C` committed, `F` commit-failed, `P` position-reset, `U` caught-up, `E` drained, the end of a
   * subscription.
   */
  readonly expectLifecycle: (
    records: AnyRecords,
    ...types: readonly ConsumerEvent['type'][]
  ) => Expectable;
  /** When a sink's records were acknowledged, by what they were made from, or failed: `#`. */
  readonly expectReceipts: (sink: MarbleSink) => Expectable;
  /**
   * What comes out of a pipeline. Subscribes to it, at the beginning or as `subscription` says
   * (`'^---!'`). Records, derived ones, receipts and failed ones (`'a failed'`) are drawn by their
   * letters, lists as lists of them; everything else by `values`.
   */
  readonly expectOutput: (output: Observable<unknown>, subscription?: string) => Expectable;
  /** How a consumer stands at this moment of virtual time: for assertions after `flush()`. */
  readonly snapshot: (records: AnyRecords) => MarbleSnapshot;
  /** Virtual time, as this library's code takes it. */
  readonly clock: Clock;
}

/** All that a test body is given. */
export type KafkaMarbleHelpers = KafkaMarbles & RunHelpers;

/**
 * A test of a pipeline in virtual time, drawn as marbles: records, acks, commits, rebalances and
 * receipts, without a broker, a socket or a timer. What it returns is a function for the test runner:
 * vitest, jest, mocha and node:test take it alike.
 *
 * ```
 * records   -a-b-c--|
 * work       --|
 *              --|
 *                --|
 * acks      ---a-b-c
 * commits   ---a-b-c
 * ```
 *
 * Diagrams are RxJS's: `-` is a millisecond, a letter takes one as well, `(ab)` happens at once, `10ms `
 * with a space behind it is a time.
 *
 * **Errors.** AssertionError with both diagrams where something is not as it was drawn. Error where a
 * test could not fail: wrong characters, letters without a definition, `expect...()` without `toBe()`,
 * records that nobody subscribed to, no expectation at all, time that never ends.
 *
 * Promises don't resolve within a synchronous test: use {@link kafkaMarblesAsync} where a pipeline
 * has some.
 *
 * @example
 * test('orders are acked when they are charged', kafkaMarbles(({ records, cold, expectAcks, expectOutput }) => {
 *   const orders = records('-a-b-|');
 *   expectOutput(orders.pipe(processEach(() => cold('--x|')))).toBe('---x--x|');
 *   expectAcks(orders).toBe('                                ----a--b');
 * }));
 */
export function kafkaMarbles(body: (helpers: KafkaMarbleHelpers) => void): () => void {
  return () => {
    const { scheduler, kit } = newKit();
    const run = (helpers: RunHelpers) => {
      const call: (helpers: KafkaMarbleHelpers) => unknown = body;
      const result = call(helpersOf(kit, helpers));
      if (isPromise(result))
        throw new Error('A test with promises is written with kafkaMarblesAsync()');
    };
    runAtOnce(scheduler, run, () => kit.check());
    checkAsserted(kit);
  };
}

/**
 * As {@link kafkaMarbles}, for pipelines with promises and AbortSignals: time moves on only when all
 * promises that can go on have done so. The body may be asynchronous as well.
 *
 * Time that is real stays outside: a promise that waits for a timer or for I/O is not waited for. Such
 * tests can't run concurrently in one process.
 *
 * @example
 * test('orders are charged one after the other', kafkaMarblesAsync(({ records, expectAcks, expectOutput }) => {
 *   const orders = records('(ab)-|');
 *   const charge = () => lastValueFrom(timer(3));
 *   expectOutput(orders.pipe(processEach(charge))).toBe('---x--(x|)', { x: 0 });
 *   expectAcks(orders).toBe('                            ---a--b');
 * }));
 */
export function kafkaMarblesAsync(
  body: (helpers: KafkaMarbleHelpers) => void | Promise<void>,
): () => Promise<void> {
  return async () => {
    const { scheduler, kit } = newKit();
    const run = (helpers: RunHelpers): unknown => body(helpersOf(kit, helpers));
    await runInTurns(scheduler, run, () => kit.check());
    checkAsserted(kit);
  };
}

/**
 * The helpers of {@link kafkaMarbles} on a TestScheduler of your own, or of another library, within its
 * `run()`. What is expected is checked when the scheduler has run to its end.
 *
 * @example
 * test('as drawn', marbles((m) => {
 *   const { records, expectAcks } = kafkaMarblesOn(m.scheduler);
 *   const orders = records('-a-b-|');
 *   m.expect(orders.pipe(ackEach(), map((order) => order.offset))).toBeObservable('-0-1-|', { 0: 0, 1: 1 });
 *   expectAcks(orders).toBe('-a-b');
 * }));
 */
export function kafkaMarblesOn(scheduler: TestScheduler): KafkaMarbles {
  checkRunMode();
  const kit = new MarbleKit(scheduler, virtualClock(scheduler));
  const flush = scheduler.flush.bind(scheduler);
  scheduler.flush = () => {
    flush();
    kit.check();
  };
  return marblesOf(kit);
}

function newKit(): { readonly scheduler: TestScheduler; readonly kit: MarbleKit } {
  const scheduler = new TestScheduler(assertSame);
  return { scheduler, kit: new MarbleKit(scheduler, virtualClock(scheduler)) };
}

function helpersOf(kit: MarbleKit, helpers: RunHelpers): KafkaMarbleHelpers {
  const asserting = <A extends readonly never[], R>(call: (...given: A) => R) => {
    return (...given: A): R => {
      kit.hasAsserted = true;
      return call(...given);
    };
  };
  return {
    ...helpers,
    ...marblesOf(kit),
    // A test that flushes looks for itself.
    flush: asserting(helpers.flush),
    expectObservable: asserting(helpers.expectObservable as never),
    expectSubscriptions: asserting(helpers.expectSubscriptions),
  };
}

function marblesOf(kit: MarbleKit): KafkaMarbles {
  const { clock } = kit;
  return {
    clock,
    records: (...given) => kit.records(...given),
    lifecycle: (...given) => kit.lifecycle(...given),
    lifecycleOf: (...given) => kit.lifecycleOf(...given),
    sink: (...given) => kit.sink(...given),
    retries: (...given) => kit.retries(...given),
    snapshot: (...given) => kit.snapshot(...given),
    expectDeliveries: (records) => kit.expectNoted('expectDeliveries', 'delivered', records),
    expectAcks: (records) => kit.expectNoted('expectAcks', 'acked', records),
    expectLateAcks: (records) => kit.expectNoted('expectLateAcks', 'acked-late', records),
    expectNacks: (records) => kit.expectNoted('expectNacks', 'nacked', records),
    expectReturns: (records) => kit.expectNoted('expectReturns', 'returned', records),
    expectCommits: (records) => kit.expectNoted('expectCommits', 'committed', records),
    expectLifecycle: (records, ...types) => kit.expectLifecycle(records, types),
    expectReceipts: (...given) => kit.expectReceipts(...given),
    expectOutput: (...given) => kit.expectOutput(...given),
  };
}

function checkAsserted(kit: MarbleKit): void {
  if (kit.hasAsserted) return;
  throw new Error(
    'The test expects nothing, so it can’t fail: say what is to happen, with expectAcks(), ' +
      'expectOutput() or another of them',
  );
}

function isPromise(value: unknown): boolean {
  return typeof (value as Partial<PromiseLike<unknown>> | undefined)?.then === 'function';
}
