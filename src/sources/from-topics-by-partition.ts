import type { Observable } from 'rxjs';
import type { Consumer, PartitionStream } from '../core/consumer/index.js';
import type { Kafka } from '../core/kafka.js';
import { withConsumer, type SourceOptions } from './with-consumer.js';

/**
 * A stream for each partition that is assigned, which completes when the partition is given up.
 *
 * ```
 * partition 0         -a--b-----|
 * partition 1         ---x---y-----
 * fromTopicsByPartition  0-1----------
 * ```
 *
 * **Guarantees.** As {@link fromTopics}. There are never two streams at once for one partition. One
 * that nobody subscribes to delivers nothing and keeps no other waiting; one that is unsubscribed
 * early delivers nothing more until the partition is assigned anew, and what it left unacked stays
 * uncommitted.
 *
 * **Errors.** As {@link fromTopics}.
 *
 * @example
 * fromTopicsByPartition(kafka, 'orders', { groupId: 'billing' })
 *   .pipe(mergeMap(({ records }) => records.pipe(processEach((order) => charge(order)))))
 *   .subscribe();
 */
export function fromTopicsByPartition<K = Buffer | null, V = Buffer | null>(
  target: Kafka | Consumer<K, V>,
  topics: string | readonly string[] | RegExp,
  options: SourceOptions<K, V> = {},
): Observable<PartitionStream<K, V>> {
  return withConsumer('fromTopicsByPartition', target, options, (consumer) =>
    consumer.partitions(topics),
  );
}
