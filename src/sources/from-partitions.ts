import type { Observable } from 'rxjs';
import type { Consumer, ConsumerRecord, PartitionStart } from '../core/consumer/index.js';
import type { Kafka } from '../core/kafka.js';
import { withConsumer, type SourceOptions } from './with-consumer.js';

/**
 * The records of certain partitions, each from where it is said: the beginning, the end, an offset, a
 * time, an age, or where the group has stopped. Nothing is shared with other members.
 *
 * ```
 * orders-0, from the beginning    -a--b--c-
 * orders-1, from the last hour    ---y-----
 * fromPartitions                  -a-yb--c-
 * ```
 *
 * **Guarantees.** As {@link fromTopics}; with a `groupId` acked offsets are committed for it, without
 * joining it.
 *
 * **Errors.** As {@link fromTopics}; KafkaError with code `OFFSET_OUT_OF_RANGE` when
 * `autoOffsetReset` is `'none'`.
 *
 * @example
 * fromPartitions(kafka, [
 *   { topic: 'orders', partition: 0, start: 'beginning' },
 *   { topic: 'orders', partition: 1, start: { durationMs: 3_600_000 } },
 * ]).subscribe((record) => console.log(record.offset));
 */
export function fromPartitions<K = Buffer | null, V = Buffer | null>(
  target: Kafka | Consumer<K, V>,
  partitions: readonly PartitionStart[],
  options: SourceOptions<K, V> = {},
): Observable<ConsumerRecord<K, V>> {
  return withConsumer('fromPartitions', target, options, (consumer) =>
    consumer.records({ partitions }),
  );
}
