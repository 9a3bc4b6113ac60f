import { defer, EMPTY, from, switchMap, type Observable } from 'rxjs';
import type { Consumer } from '../core/consumer/index.js';
import { type ConsumerRecord, type StartAt } from '../core/consumer/index.js';
import type { Kafka } from '../core/kafka.js';
import { withConsumer, type SourceOptions } from './with-consumer.js';

/** A stretch of one partition. */
export interface OffsetRange {
  readonly topic: string;
  readonly partition: number;
  /** Default `'beginning'`. */
  readonly from?: Exclude<StartAt, 'end'>;
  /** Ends before this offset; `'end'` is the end at the time of the subscription. Default `'end'`. */
  readonly to?: number | 'end';
}

/**
 * The records of stretches of partitions; completes when all have been delivered.
 *
 * ```
 * partition 0      -a--b--c--d--e-
 * from 1 to 3      ----b--(c|)
 * ```
 *
 * **Guarantees.** Records of a partition come in order. It completes by position, not by a record
 * seen: the last offsets may be markers of transactions, or compacted away. With `read_committed`
 * `'end'` is the last stable offset.
 *
 * **Errors.** As {@link fromTopics}.
 *
 * @example
 * fromOffsetRange(kafka, [{ topic: 'orders', partition: 0, from: { offset: 100 }, to: 200 }])
 *   .pipe(count())
 *   .subscribe((records) => console.log(records));
 */
export function fromOffsetRange<K = Buffer | null, V = Buffer | null>(
  target: Kafka | Consumer<K, V>,
  ranges: readonly OffsetRange[],
  options: SourceOptions<K, V> = {},
): Observable<ConsumerRecord<K, V>> {
  return withConsumer('fromOffsetRange', target, options, (consumer) =>
    defer(() => from(endsOf(consumer, ranges))).pipe(
      switchMap((ends) => {
        const partitions = ranges.map(({ topic, partition, from: start = 'beginning' }, i) => ({
          topic,
          partition,
          start,
          endOffset: ends[i]!,
        }));
        return partitions.length === 0 ? EMPTY : consumer.records({ partitions });
      }),
    ),
  );
}

async function endsOf<K, V>(
  consumer: Consumer<K, V>,
  ranges: readonly OffsetRange[],
): Promise<number[]> {
  const open = ranges.filter(({ to = 'end' }) => to === 'end');
  const found = open.length === 0 ? [] : await consumer.endOffsets(open);
  return ranges.map(({ topic, partition, to = 'end' }) => {
    if (to !== 'end') return to;
    return found.find((each) => each.topic === topic && each.partition === partition)!.offset;
  });
}
