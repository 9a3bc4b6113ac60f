import type { Observable } from 'rxjs';
import type { Consumer, ConsumerRecord } from '../core/consumer/index.js';
import type { Kafka } from '../core/kafka.js';
import { withConsumer, type SourceOptions } from './with-consumer.js';

/**
 * The records of topics, given by name or as a pattern that the whole name matches.
 *
 * ```
 * topic 0     -a--b------c-
 * topic 1     ---x---y-----
 * fromTopics  -a-xb--y---c-
 * ```
 *
 * Cold: nothing connects until something subscribes. Given `kafka`, each subscription is a member of
 * its own, which leaves when it ends; given a consumer, it is that one.
 *
 * **Guarantees.** Records of a partition come in order. With a `groupId`, partitions are shared with
 * the other members and each record is delivered at least once: an offset is committed when it and
 * all before it are acked. Without one, all partitions are read and nothing is committed. Memory is
 * bounded by `maxUnackedRecords` a partition and `maxBufferedBytes` in all.
 *
 * Topics that come to match a pattern are found within `metadataMaxAgeMs`, the client's unless `options`
 * say otherwise; by the consumer protocol the broker matches, at most every ten seconds.
 *
 * Unsubscribing stops delivery at once; the member stays until work in hand is acked, at most
 * `drainTimeoutMs`, commits and leaves.
 *
 * **Errors.** What retrying can't cure, after the member has left: AuthorizationError, FencedError,
 * CorruptRecordError, SerializationError, KafkaError. Everything else is retried and shows up in
 * `kafka.lifecycle`.
 *
 * @example
 * fromTopics(kafka, 'orders', { groupId: 'billing', valueDeserializer: json<Order>() })
 *   .pipe(processEach((order) => charge(order.value), { concurrency: 16, order: 'key' }))
 *   .subscribe();
 * @see processEach
 */
export function fromTopics<K = Buffer | null, V = Buffer | null>(
  target: Kafka | Consumer<K, V>,
  topics: string | readonly string[] | RegExp,
  options: SourceOptions<K, V> = {},
): Observable<ConsumerRecord<K, V>> {
  return withConsumer('fromTopics', target, options, (consumer) => consumer.records(topics));
}
