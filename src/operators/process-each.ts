import { Observable, type OperatorFunction } from 'rxjs';
import type { ConsumerRecord } from '../core/consumer/index.js';
import { checkIsFunction } from '../core/util/options.js';
import type { OnProcessError, RetryOptions } from './processing/failure-policy.js';
import type { LaneOrder } from './processing/lanes.js';
import { observe } from './passing/observe.js';
import { checkProcessOptions } from './processing/process-options.js';
import { Processing, type ProcessContext, type Treatment } from './processing/processing.js';
import type { Work, WorkResult } from './processing/work.js';

/** How {@link processEach} works on several records, and what follows when work fails. */
export interface ProcessEachOptions<T, E = never> {
  /** How many records are worked on at once. Default 1. */
  readonly concurrency?: number;
  /**
   * What is kept in order: the records of each partition, those of each key, or nothing. A record
   * waits for those before it in its lane only. Default `'partition'`.
   */
  readonly order?: LaneOrder;
  /**
   * How often work that failed is tried again, with a backoff during which its lane waits and others
   * go on. Each time is told by a `record-retried` event. Default 0.
   */
  readonly retry?: number | RetryOptions;
  /**
   * What to do when work has failed for good.
   * - `'fail'` (default): the stream errors, and the record goes back unacked.
   * - `'skip'`: the record is acked, and a `skipped` event tells why.
   * - `'nack'`: the record is nacked, so that the consumer's `onNack` decides: by default it is
   *   delivered again.
   * - a function: what it returns takes the place of the work, and the record is acked when that is
   *   done. When it fails, the stream errors.
   */
  readonly onError?: OnProcessError<T, E>;
}

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
 * are awaited; by key, those before a record that was started are worked on as well, so that the next
 * owner does nothing twice. Work that fails then is left to the next owner, and what waits behind it in
 * its lane, too. What waits here is bounded by the consumer's window.
 *
 * A record that was nacked, by `project` or by `onError`, comes first in its lane when it is delivered
 * again: what is behind it waits. With `order: 'none'` nothing waits, and it comes when it comes.
 *
 * When it is unsubscribed, promises that are under way still ack their record when they are
 * fulfilled, so that work that was done is committed; Observables are unsubscribed, and their records
 * go back. Where the callback itself ends the stream, what returns nothing is done, and acked; an
 * Observable that it returns is not begun.
 *
 * **Errors.** What `project` throws, or its result errors with, is tried again as often as `retry`
 * says, with the record's lane waiting and the others going on; then `onError` decides. By default it
 * ends the stream, and the record goes back unacked. Work that fails after its signal was aborted
 * concerns nobody any more; what
 * fails when the stream has ended is told by a `record-failed` event.
 *
 * @example
 * fromTopics(kafka, 'orders', { groupId: 'billing', valueDeserializer: json<Order>() })
 *   .pipe(processEach((order, { signal }) => charge(order.value, signal), { concurrency: 16, order: 'key' }))
 *   .subscribe();
 */
export function processEach<
  T extends Work = ConsumerRecord<unknown, unknown>,
  R = never,
  E = never,
>(
  project: (record: T, context: ProcessContext) => WorkResult<R>,
  options: ProcessEachOptions<NoInfer<T>, E> = {},
): OperatorFunction<T, R | E> {
  checkIsFunction('processEach', 'project', project);
  const checked = checkProcessOptions<T, R, E>(options);
  const treatment: Treatment<T, R | E, R | E> = {
    start: project,
    emit: (_, value, subscriber) => subscriber.next(value),
    done: (record) => record.done(),
    doneUnheard: (record) => record.doneUnheard(),
    abandon: (record) => record.giveBack(),
    failUnheard: (record, error) => record.failUnheard(error),
  };
  return (source) =>
    new Observable<R | E>((subscriber) => {
      observe(source, subscriber, new Processing(treatment, checked, subscriber));
    });
}
