import { Observable, type MonoTypeOperatorFunction } from 'rxjs';
import type {
  Consumer,
  ConsumerRecord,
  PartitionOffset,
  TopicPartition,
} from '../core/consumer/index.js';
import { LeftBehind } from './passing/left-behind.js';
import { observe } from './passing/observe.js';

/** What the operator needs of a consumer. */
type Positioned = Pick<Consumer<unknown, unknown>, 'lifecycle' | 'moves' | 'pause' | 'resume'>;

/**
 * Delivers partitions up to offsets, and completes when all of them are reached.
 *
 * ```
 * partition 0                                -0-1-2-3-
 * partition 1                                --0---1--
 * untilOffsets(consumer, [2 of 0, 1 of 1])   -00-1|
 * ```
 *
 * An offset is reached by position, not by a record that is seen: it may be that of a transaction
 * marker, or compacted away, or where nothing was written yet. A partition that is there is paused
 * until the others are. Partitions without an offset are delivered until the end.
 *
 * **Guarantees.** Records at or after the offset of their partition don't come through, and stay
 * unacked. Order is kept; nothing is held back; nothing is acked here. Completing unsubscribes the
 * source: the consumer waits for work in hand, commits and leaves. A partition that a group gives to
 * another member is waited for.
 *
 * **Errors.** Those of its source.
 *
 * @param consumer the one whose records these are.
 * @param offsets each the first that is not delivered, as `consumer.endOffsets()` gives it.
 * @example
 * const ends = await consumer.endOffsets([{ topic: 'orders', partition: 0 }]);
 * consumer.records('orders').pipe(untilOffsets(consumer, ends), ackEach()).subscribe();
 * @see fromOffsetRange
 */
export function untilOffsets<K, V>(
  consumer: Positioned,
  offsets: readonly PartitionOffset[],
): MonoTypeOperatorFunction<ConsumerRecord<K, V>> {
  return (source) =>
    new Observable<ConsumerRecord<K, V>>((subscriber) => {
      if (offsets.length === 0) {
        subscriber.complete();
        return;
      }
      const ends = new Ends(offsets);
      /** Whoever reads on begins with these. */
      const left = new LeftBehind<ConsumerRecord<K, V>>();
      const paused: TopicPartition[] = [];
      const moved = (partition: TopicPartition, position: number) => {
        if (!ends.reaches(partition, position)) return;
        consumer.pause([partition]);
        paused.push(partition);
        if (ends.areReached) subscriber.complete();
      };
      subscriber.add(() => consumer.resume(paused));
      subscriber.add(consumer.moves.subscribe((moves) => moved(plain(moves), moves.position)));
      subscriber.add(
        consumer.lifecycle.subscribe((event) => {
          if (event.type === 'position-reset') moved(plain(event), event.offset);
        }),
      );
      observe(source, subscriber, {
        next(record) {
          if (record.offset >= ends.of(record)) left.take(record);
          else subscriber.next(record);
          moved(plain(record), record.offset + 1);
        },
        stop: () => left.stop(),
      });
    });
}

function plain({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition };
}

/** The offsets that partitions are to be read up to. */
class Ends {
  private readonly topics = new Map<string, Map<number, number>>();
  private readonly left = new Set<string>();

  constructor(offsets: readonly PartitionOffset[]) {
    for (const { topic, partition, offset } of offsets) {
      const partitions = this.topics.get(topic) ?? new Map<number, number>();
      this.topics.set(topic, partitions.set(partition, offset));
      this.left.add(`${topic}-${partition}`);
    }
  }

  get areReached(): boolean {
    return this.left.size === 0;
  }

  /** Infinity for a partition that has none. */
  of({ topic, partition }: TopicPartition): number {
    return this.topics.get(topic)?.get(partition) ?? Infinity;
  }

  /** Whether a position reaches the end of its partition, for the first time. */
  reaches(where: TopicPartition, position: number): boolean {
    return position >= this.of(where) && this.left.delete(`${where.topic}-${where.partition}`);
  }
}
