import { Observable, type OperatorFunction } from 'rxjs';
import type { ConsumerRecord } from '../core/consumer/index.js';
import type { Batch } from './batching/batch.js';
import { checkBatchOptions, type BatchEachOptions } from './batching/batch-options.js';
import { Collecting } from './batching/collecting.js';
import { observe } from './passing/observe.js';

/**
 * Makes one value of many records: what comes out is their {@link Batch} with that as its `value`.
 * Acking it acks all of them.
 *
 * ```
 * source                                          -1-2-3-4--------
 * aggregateEach(sum, () => 0,                     -----6------4---
 *   { maxRecords: 3, maxWaitMs: 5 })
 * ```
 *
 * The value is made anew for each batch, as its records come; when it is complete is as in
 * {@link batchEach}.
 *
 * **Guarantees.** As {@link batchEach}.
 *
 * **Errors.** What `accumulate`, `seed` or `by` throws ends the stream; records that wait go back
 * unacked.
 *
 * @example
 * orders.pipe(
 *   aggregateEach((sum, order) => sum + order.value.total, () => 0, { by: 'key', maxWaitMs: 1000 }),
 *   map((sum) => sum.derive({ key: sum.rawKey, value: sum.value })),
 *   toTopic(kafka, 'totals', { valueSerializer: json() }),
 * ).subscribe();
 */
export function aggregateEach<K, V, A>(
  accumulate: (value: A, record: ConsumerRecord<K, V>) => A,
  seed: () => A,
  options: BatchEachOptions<K, V> = {},
): OperatorFunction<ConsumerRecord<K, V>, Batch<K, V, A>> {
  const checked = checkBatchOptions('aggregateEach', options);
  return (source) =>
    new Observable<Batch<K, V, A>>((subscriber) => {
      observe(source, subscriber, new Collecting(checked, { seed, accumulate }, subscriber));
    });
}
