import {
  from,
  Observable,
  Subscription,
  type ObservableInput,
  type OperatorFunction,
  type Subscriber,
} from 'rxjs';
import type { ConsumerRecord } from '../core/consumer/index.js';
import { Lanes, type LaneOrder } from './lanes.js';
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
 * or key) are worked on one after the other, in order; lanes don't wait for one another. A record
 * whose work has made a derived record is not acked here but by the sink that writes the result. When
 * a partition is being given up, records that were not started go back unacked, and those in work
 * are awaited. What waits here is bounded by the consumer's window.
 *
 * When it is unsubscribed, promises that are under way still ack their record when they are
 * fulfilled, so that work that was done is committed; Observables are unsubscribed, and their records
 * go back.
 *
 * **Errors.** What `project` throws, or its result errors with, ends the stream; that record goes back
 * unacked.
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
      const processing = new Processing(project, new Lanes(order, concurrency), subscriber);
      const subscription = source.subscribe(processing);
      return () => {
        subscription.unsubscribe();
        processing.stop();
      };
    });
}

/**
 * One subscription. Hand-written, because order by lane, giving back what was not started, and acks
 * that outlive the subscription are more than stock operators can express.
 */
class Processing<K, V, R> {
  private isUpstreamDone = false;
  private isStopped = false;
  private isStarting = false;
  private stopListening: (() => void) | undefined;
  private readonly cancels = new Set<() => void>();

  constructor(
    private readonly project: Project<K, V, R>,
    private readonly lanes: Lanes<ConsumerRecord<K, V>>,
    private readonly subscriber: Subscriber<R>,
  ) {}

  next(record: ConsumerRecord<K, V>): void {
    record.takeOver();
    this.stopListening ??= record.source.owner.pipeline.listen({
      onDraining: () => this.returnDraining(),
    });
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
    this.stopListening?.();
    for (const record of this.lanes.takeWaiting(() => true)) record.giveBack();
    for (const cancel of [...this.cancels]) cancel();
  }

  private startAll(): void {
    // Work that is done at once would recurse as deep as there are records waiting.
    if (this.isStarting) return;
    this.isStarting = true;
    for (let next = this.lanes.start(); next !== undefined; next = this.lanes.start()) {
      this.work(next);
    }
    this.isStarting = false;
  }

  private work(record: ConsumerRecord<K, V>): void {
    let result: ObservableInput<R> | Nothing;
    try {
      result = this.project(record, new RecordContext(record));
    } catch (error) {
      this.failed(record, error);
      return;
    }
    if (result === undefined) this.done(record);
    else if (isPromise(result)) this.await(record, result);
    else this.observe(record, result);
  }

  /** A promise can't be cancelled: its outcome counts also after the stream has ended. */
  private await(record: ConsumerRecord<K, V>, result: PromiseLike<R>): void {
    result.then(
      (value) => {
        // Before the result is emitted: a sink behind may ack a derived record at once.
        const isHandedOver = record.isDerived;
        if (!this.isStopped) this.subscriber.next(value);
        else if (isHandedOver) record.giveBack();
        this.done(record);
      },
      (error: unknown) => this.failed(record, error),
    );
  }

  private observe(record: ConsumerRecord<K, V>, result: ObservableInput<R>): void {
    const subscription = new Subscription();
    const cancel = () => {
      subscription.unsubscribe();
      record.giveBack();
    };
    this.cancels.add(cancel);
    const inner = from(result).subscribe({
      next: (value) => this.subscriber.next(value),
      error: (error: unknown) => {
        this.cancels.delete(cancel);
        this.failed(record, error);
      },
      complete: () => {
        this.cancels.delete(cancel);
        this.done(record);
      },
    });
    subscription.add(inner);
  }

  private done(record: ConsumerRecord<K, V>): void {
    if (!record.isDerived) record.ack();
    this.lanes.finish(record);
    if (this.isStopped) return;
    this.startAll();
    this.checkEnd();
  }

  private failed(record: ConsumerRecord<K, V>, error: unknown): void {
    record.giveBack();
    if (!this.isStopped) this.subscriber.error(error);
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

function isPromise<R>(result: ObservableInput<R>): result is PromiseLike<R> {
  return typeof (result as Partial<PromiseLike<R>>).then === 'function';
}
