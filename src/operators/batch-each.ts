import { Observable, type OperatorFunction } from 'rxjs';
import type { ConsumerRecord } from '../core/consumer/index.js';
import type { Batch } from './batching/batch.js';
import { checkBatchOptions, type BatchEachOptions } from './batching/batch-options.js';
import { Collecting } from './batching/collecting.js';
import { observe } from './passing/observe.js';

/**
 * Collects records into batches, for work that is cheaper on many at once. A batch is let go when it
 * is complete, when it has waited long enough, and whenever nothing more could come before it is.
 *
 * ```
 * source                                        -a-b-c-d--------
 * batchEach({ maxRecords: 3, maxWaitMs: 5 })    -----A------B---
 * A = abc, B = d
 * ```
 *
 * A batch is acked as one, or record by record, and can be given to {@link processEach} in place of a
 * record. RxJS's `bufferCount(1000)` on a window of 500 would wait for ever; this flushes at 500.
 *
 * **Guarantees.** Order is kept within what is collected together. Nothing is acked here. A batch
 * never waits for what can't come: it is let go when windows or bytes are used up, at the end of the
 * topic where there is no `maxWaitMs`, when the source completes, and when one of its partitions is
 * being given up. What waits here is bounded by the consumer's window. Unsubscribing gives it back.
 *
 * **Errors.** What `by` throws ends the stream; records that wait go back unacked.
 *
 * @example
 * orders.pipe(
 *   batchEach({ maxRecords: 100, maxWaitMs: 50 }),
 *   processEach((batch) => charge(batch.records.map((order) => order.value))),
 * ).subscribe();
 * @see aggregateEach
 */
export function batchEach<K, V>(
  options: BatchEachOptions<K, V> = {},
): OperatorFunction<ConsumerRecord<K, V>, Batch<K, V>> {
  const checked = checkBatchOptions('batchEach', options);
  const nothing = { seed: () => undefined, accumulate: () => undefined };
  return (source) =>
    new Observable<Batch<K, V>>((subscriber) => {
      observe(source, subscriber, new Collecting(checked, nothing, subscriber));
    });
}
