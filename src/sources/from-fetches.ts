import type { Observable } from 'rxjs';
import type { Consumer, FetchHandle } from '../core/consumer/index.js';
import type { Kafka } from '../core/kafka.js';
import { withConsumer, type SourceOptions } from './with-consumer.js';

/**
 * What is fetched, as cold handles: subscribing to `handle.records` delivers, and its completion is
 * what lets the next handle of that partition come. So stock operators make the pace:
 * `concatMap((fetch) => fetch.records)` is backpressure.
 *
 * ```
 * fromFetches              A-----------B----
 * A.records                (a|)
 * concatMap(A => A.records) a-----------b----
 * ```
 *
 * **Guarantees.** As {@link fromTopics}; one handle of a partition is out at a time. What a handle
 * that is unsubscribed early has left comes with the next.
 *
 * **Errors.** As {@link fromTopics}.
 *
 * @example
 * fromFetches(kafka, 'orders', { groupId: 'billing' })
 *   .pipe(concatMap((fetch) => fetch.records), ackEach())
 *   .subscribe();
 */
export function fromFetches<K = Buffer | null, V = Buffer | null>(
  target: Kafka | Consumer<K, V>,
  topics: string | readonly string[] | RegExp,
  options: SourceOptions<K, V> = {},
): Observable<FetchHandle<K, V>> {
  return withConsumer('fromFetches', target, options, (consumer) => consumer.fetches(topics));
}
