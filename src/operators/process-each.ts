import {
  from,
  Observable,
  Subscription,
  takeWhile,
  type ObservableInput,
  type OperatorFunction,
  type Subscriber,
} from 'rxjs';
import type { ConsumerRecord, Pipeline } from '../core/consumer/index.js';
import { Lanes, type Lane, type LaneOrder } from './lanes.js';
import { checkProcessOptions } from './process-options.js';

export interface ProcessEachOptions {
  /** How many records are worked on at once. Default 1. */
  readonly concurrency?: number;
  /**
   * What is kept in order: the records of each partition, those of each key, or nothing. A record
   * waits for those before it in its lane only. Default `'partition'`.
   */
  readonly order?: LaneOrder;
}

/** What `project` may look at besides the record. */
export interface ProcessContext {
  /** Aborts when the work has become pointless: the partition belongs to another by now. */
  readonly signal: AbortSignal;
  /** 1 for the first delivery of the record, then counting. */
  readonly attempt: number;
}

type Project<K, V, R> = (
  record: ConsumerRecord<K, V>,
  context: ProcessContext,
) => ObservableInput<R> | Nothing;

/** What a function that returns nothing returns, however its type is written. */
// eslint-disable-next-line @typescript-eslint/no-invalid-void-type
type Nothing = undefined | void;

/**
 * Does something with each record and acks it when that is done: when the promise is fulfilled, the
 * Observable completes, or, where nothing is returned, at once. Emits what comes out of it.
 *
 * ```
 * source                              -a-b-c---------
 * a's work                             ----(A|)
 * b's work                               --(B|)
 * c's work                                 ---(C|)
 * processEach(work, { concurrency: 3,  ----BA-C------
 *   order: 'none' })
 * ```
 *
 * **Guarantees.** At most `concurrency` records are worked on at once. Records of one lane (partition
 * or key) are worked on one after the other, in order; lanes don't wait for one another. One that is
 * nacked closes its lane until it has come again, except with order `'none'`. A record whose work has made a derived record is not acked here but by the sink that writes the result. When
 * a partition is being given up, records that were not started go back unacked, and those in work
 * are awaited. What waits here is bounded by the consumer's window.
 *
 * When it is unsubscribed, promises that are under way still ack their record when they are
 * fulfilled, so that work that was done is committed; Observables are unsubscribed, and their records
 * go back.
 *
 * **Errors.** What `project` throws, or its result errors with, ends the stream; that record goes back
 * unacked. A promise that is rejected when the stream has ended is a `record-failed` event.
 *
 * @example
 * fromTopics(kafka, 'orders', { groupId: 'billing', valueDeserializer: json<Order>() })
 *   .pipe(processEach((order, { signal }) => charge(order.value, signal), { concurrency: 16, order: 'key' }))
 *   .subscribe();
 */
export function processEach<K, V, R = never>(
  project: Project<K, V, R>,
  options: ProcessEachOptions = {},
): OperatorFunction<ConsumerRecord<K, V>, R> {
  const { concurrency, order } = checkProcessOptions(options);
  return (source) =>
    new Observable<R>((subscriber) => {
      const lanes = new Lanes<ConsumerRecord<K, V>>(order, concurrency);
      const processing = new Processing(project, lanes, subscriber);
      const isWanted = () => !processing.isStopped;
      const upstream = new Subscription();
      // The source first: then a consumer knows that nothing more is wanted when records come back.
      subscriber.add(upstream);
      subscriber.add(() => processing.stop());
      // One that emits as it is subscribed to can't be unsubscribed yet.
      upstream.add(source.pipe(takeWhile(isWanted, true)).subscribe(processing));
    });
}

/**
 * One subscription. Hand-written, because order by lane, giving back what was not started, and acks
 * that outlive the subscription are more than stock operators can express.
 */
class Processing<K, V, R> {
  isStopped = false;
  private isUpstreamDone = false;
  private isStarting = false;
  private latest: Pipeline | undefined;
  private readonly listening = new Map<Pipeline, () => void>();
  private readonly cancels = new Set<() => void>();

  constructor(
    private readonly project: Project<K, V, R>,
    private readonly lanes: Lanes<ConsumerRecord<K, V>>,
    private readonly subscriber: Subscriber<R>,
  ) {}

  next(record: ConsumerRecord<K, V>): void {
    if (this.isStopped) {
      record.giveBack();
      return;
    }
    record.takeOver();
    const { pipeline } = record.source.owner;
    if (pipeline !== this.latest) this.listenTo(pipeline);
    this.lanes.push(record);
    this.startAll();
  }

  error(error: unknown): void {
    this.subscriber.error(error);
  }

  complete(): void {
    this.isUpstreamDone = true;
    this.checkEnd();
  }

  /** Unsubscribed: what was not started goes back, promises go on. */
  stop(): void {
    if (this.isStopped) return;
    this.isStopped = true;
    for (const stopListening of this.listening.values()) stopListening();
    for (const record of this.lanes.takeWaiting(() => true)) record.giveBack();
    for (const cancel of [...this.cancels]) cancel();
  }

  /** There may be several: consumers that are merged, or that follow one another with retry(). */
  private listenTo(pipeline: Pipeline): void {
    this.latest = pipeline;
    if (this.listening.has(pipeline)) return;
    for (const known of this.listening.keys()) if (known.isOver) this.listening.delete(known);
    const listener = { acksByItself: true, onDraining: () => this.returnDraining() };
    this.listening.set(pipeline, pipeline.listen(listener));
  }

  private startAll(): void {
    // Work that is done at once would recurse as deep as there are records waiting.
    if (this.isStarting) return;
    this.isStarting = true;
    for (let lane = this.lanes.start(); lane !== undefined; lane = this.lanes.start()) {
      // Its partition was taken away, or begun anew elsewhere: nothing done for it would count.
      if (lane.current!.source.ledger.isFenced) this.lanes.finish(lane);
      else this.work(lane);
    }
    this.isStarting = false;
  }

  private work(lane: Lane<ConsumerRecord<K, V>>): void {
    const record = lane.current!;
    let result: PromiseLike<R> | Observable<R> | undefined;
    try {
      result = asResult(this.project(record, new RecordContext(record)));
    } catch (error) {
      this.failed(record, error);
      return;
    }
    if (result === undefined) this.done(lane, record);
    else if (result instanceof Observable) this.observe(lane, record, result);
    else this.await(lane, record, result);
  }

  /** A promise can't be cancelled: its outcome counts also after the stream has ended. */
  private await(
    lane: Lane<ConsumerRecord<K, V>>,
    record: ConsumerRecord<K, V>,
    result: PromiseLike<R>,
  ): void {
    result.then(
      (value) => {
        if (!this.isStopped) this.subscriber.next(value);
        // Nobody is there to write it.
        else if (record.isDerived) record.giveBack();
        this.done(lane, record);
      },
      (error: unknown) => this.failed(record, error),
    );
  }

  private observe(
    lane: Lane<ConsumerRecord<K, V>>,
    record: ConsumerRecord<K, V>,
    result: Observable<R>,
  ): void {
    const subscription = new Subscription();
    const cancel = () => {
      subscription.unsubscribe();
      record.giveBack();
    };
    this.cancels.add(cancel);
    // What emits as it is subscribed to can't be unsubscribed yet.
    const inner = result.pipe(takeWhile(() => !this.isStopped)).subscribe({
      next: (value) => this.subscriber.next(value),
      error: (error: unknown) => {
        this.cancels.delete(cancel);
        this.failed(record, error);
      },
      complete: () => {
        this.cancels.delete(cancel);
        this.done(lane, record);
      },
    });
    subscription.add(inner);
  }

  private done(lane: Lane<ConsumerRecord<K, V>>, record: ConsumerRecord<K, V>): void {
    if (!record.isDerived) record.ack();
    if (record.isToComeAgain) {
      // It has its turn again before the rest of its lane.
      this.lanes.hold(lane);
      record.onGivenUp(() => {
        this.giveBackAfter(record, lane);
        this.lanes.release(lane);
        this.goOn();
      });
    } else {
      if (record.isNacked) this.giveBackAfter(record, lane);
      this.lanes.finish(lane);
    }
    this.goOn();
  }

  /** Whoever gets a nacked record next gets what comes after it in its lane as well: here it would be twice. */
  private giveBackAfter(
    { isDraining }: ConsumerRecord<K, V>,
    lane: Lane<ConsumerRecord<K, V>>,
  ): void {
    if (!isDraining) return;
    for (const record of this.lanes.takeWaitingIn(lane)) record.giveBack();
  }

  private goOn(): void {
    if (this.isStopped || this.isStarting) return;
    this.startAll();
    this.checkEnd();
  }

  private failed(record: ConsumerRecord<K, V>, error: unknown): void {
    if (this.isStopped) {
      record.failUnheard(error);
      return;
    }
    record.giveBack();
    this.subscriber.error(error);
  }

  private returnDraining(): void {
    const isDraining = (record: ConsumerRecord<K, V>) => record.source.owner.isDraining;
    for (const record of this.lanes.takeWaiting(isDraining)) record.giveBack();
    this.checkEnd();
  }

  private checkEnd(): void {
    if (this.isUpstreamDone && this.lanes.isEmpty) this.subscriber.complete();
  }
}

/** The signal is made when it is asked for: most work doesn't look at it. */
class RecordContext implements ProcessContext {
  constructor(private readonly record: ConsumerRecord<unknown, unknown>) {}

  get signal(): AbortSignal {
    return this.record.signal;
  }

  get attempt(): number {
    return this.record.attempt;
  }
}

/** @throws TypeError when it is nothing that can be waited for. */
function asResult<R>(
  given: ObservableInput<R> | Nothing,
): PromiseLike<R> | Observable<R> | undefined {
  if (given === undefined) return undefined;
  return isPromise(given) ? given : from(given);
}

function isPromise<R>(result: ObservableInput<R>): result is PromiseLike<R> {
  return typeof (result as Partial<PromiseLike<R>> | null)?.then === 'function';
}
