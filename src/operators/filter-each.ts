import { filter, type MonoTypeOperatorFunction, type OperatorFunction } from 'rxjs';
import type { ConsumerRecord } from '../core/consumer/index.js';
import { checkIsFunction } from '../core/util/options.js';

/**
 * Lets the records through that a predicate holds for, and acks the others: they are done.
 *
 * ```
 * source                 -1--2--3--4-
 * filterEach(isEven)     ----2-----4-
 * acked by it            -1-----3----
 * ```
 *
 * **Guarantees.** Order is kept; nothing is held back. With RxJS's own `filter` what is dropped would
 * stay unacked, and commits would stop there.
 *
 * **Errors.** What the predicate throws ends the stream; that record goes back unacked.
 *
 * @example
 * orders.pipe(filterEach((order) => order.value.total > 100), processEach(review)).subscribe();
 * @see flatMapEach
 */
export function filterEach<K, V, S extends ConsumerRecord<K, V>>(
  predicate: (record: ConsumerRecord<K, V>, index: number) => record is S,
): OperatorFunction<ConsumerRecord<K, V>, S>;
export function filterEach<K, V>(
  predicate: (record: ConsumerRecord<K, V>, index: number) => boolean,
): MonoTypeOperatorFunction<ConsumerRecord<K, V>>;
export function filterEach<K, V>(
  predicate: (record: ConsumerRecord<K, V>, index: number) => boolean,
): MonoTypeOperatorFunction<ConsumerRecord<K, V>> {
  checkIsFunction('filterEach', 'predicate', predicate);
  return filter((record, index) => {
    let isWanted: boolean;
    try {
      isWanted = predicate(record, index);
    } catch (error) {
      record.giveBack();
      throw error;
    }
    if (!isWanted) record.ack();
    return isWanted;
  });
}
