import { map, type OperatorFunction } from 'rxjs';
import type { ConsumerRecord } from '../core/consumer/index.js';

/** A record that says how many others come after it. */
export type WithLag<R> = R & {
  /** Records between it and the end of its partition, as far as that was known when it came. */
  readonly lag: number;
};

/**
 * Tells with each record how far it is from the end of its partition, as `lag`: 0 for the last one.
 *
 * ```
 * source       -a-b-c-
 * withLag()    -a-b-c-
 * lag           2 1 0
 * ```
 *
 * The end is what the broker said with the last fetch: the high watermark, or with `read_committed`
 * the last stable offset. It counts offsets: markers and compacted records as well.
 *
 * **Guarantees.** Order is kept; nothing is held back; acks are those of the record. Nothing is asked
 * of the broker.
 *
 * **Errors.** Those of its source.
 *
 * @example
 * orders.pipe(
 *   withLag(),
 *   tap(({ lag }) => print(lag)),
 *   processEach((order) => charge(order.value)),
 * ).subscribe();
 */
export function withLag<K, V>(): OperatorFunction<
  ConsumerRecord<K, V>,
  WithLag<ConsumerRecord<K, V>>
> {
  return map((record) => {
    const end = record.owner.endOfLog(record.pipeline.host.isCommittedOnly);
    return Object.assign(record, { lag: Math.max(0, end - record.offset - 1) });
  });
}
