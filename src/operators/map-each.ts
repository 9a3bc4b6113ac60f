import { Observable, type OperatorFunction } from 'rxjs';
import { relay, type ConsumerRecord } from '../core/consumer/index.js';
import { checkIsFunction } from '../core/util/options.js';
import { observe } from './passing/observe.js';

/**
 * Gives each record another value. What comes out is a record still: acking it acks the one that it
 * was made from, and it can be processed, derived from, batched.
 *
 * ```
 * source              -1--2--3-
 * mapEach(x => 2 * x) -2--4--6-
 * ```
 *
 * Topic, partition, offset, key, headers and `rawValue` are those of the origin.
 *
 * **Guarantees.** Order is kept; nothing is held back; nothing is acked here. With RxJS's own `map` to
 * something that is not derived from the record, its ack would be out of reach.
 *
 * **Errors.** What `project` throws ends the stream; that record goes back unacked.
 *
 * @example
 * orders.pipe(
 *   mapEach((order) => order.value.total),
 *   processEach((total) => print(total.value)),
 * ).subscribe();
 * @see flatMapEach
 */
export function mapEach<K, V, V2>(
  project: (record: ConsumerRecord<K, V>, index: number) => V2,
): OperatorFunction<ConsumerRecord<K, V>, ConsumerRecord<K, V2>> {
  checkIsFunction('mapEach', 'project', project);
  return (source) =>
    // Not map(): what is done with the mapped record within its delivery counts for its origin, too.
    new Observable<ConsumerRecord<K, V2>>((subscriber) => {
      let index = 0;
      observe(source, subscriber, {
        next(record) {
          let mapped: ConsumerRecord<K, V2>;
          try {
            mapped = relay(record, record, project(record, index++));
          } catch (error) {
            record.giveBack();
            subscriber.error(error);
            return;
          }
          subscriber.next(mapped);
          record.followed(mapped);
        },
      });
    });
}
