import { defer, switchMap, type Observable } from 'rxjs';
import {
  Consumer,
  type ConsumerRecord,
  type PartitionStart,
  type StartAt,
} from '../core/consumer/index.js';
import type { Kafka } from '../core/kafka.js';
import { ConfigError } from '../core/util/errors.js';
import { badOption } from '../core/util/options.js';
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
 * **Errors.** As {@link fromTopics}; KafkaError with code `OFFSET_OUT_OF_RANGE` where the log doesn't
 * have what was asked for: `autoOffsetReset` is `'none'` here unless it is given, for a range that
 * begins elsewhere is another one.
 *
 * @example
 * fromOffsetRange(kafka, [{ topic: 'orders', partition: 0, from: { durationMs: 3_600_000 } }])
 *   .pipe(count())
 *   .subscribe((records) => console.log(`${records} within the last hour`));
 */
export function fromOffsetRange<K = Buffer | null, V = Buffer | null>(
  target: Kafka | Consumer<K, V>,
  ranges: readonly OffsetRange[],
  options: SourceOptions<K, V> = {},
): Observable<ConsumerRecord<K, V>> {
  checkRanges(ranges);
  const own: SourceOptions<K, V> =
    target instanceof Consumer ? options : { autoOffsetReset: 'none', ...options };
  return withConsumer('fromOffsetRange', target, own, (consumer) => {
    const between = (ends: readonly (number | undefined)[]) =>
      consumer.records({ partitions: ranges.map((range, i) => startOf(range, ends[i])) });
    // Says now what is wrong with the ranges.
    between(ranges.map(({ to }) => (to === 'end' ? undefined : to)));
    return defer(() => endsOf(consumer, ranges)).pipe(switchMap(between));
  });
}

function startOf(
  { topic, partition, from: start = 'beginning' }: OffsetRange,
  endOffset: number | undefined,
): PartitionStart {
  return { topic, partition, start, ...(endOffset !== undefined && { endOffset }) };
}

function checkRanges(ranges: readonly OffsetRange[]): void {
  const isList: boolean = Array.isArray(ranges);
  if (!isList) throw badOption('fromOffsetRange', 'ranges', ranges, 'must be a list');
  for (const { topic, partition, from: start, to } of ranges) {
    if (typeof start !== 'object' || !('offset' in start) || typeof to !== 'number') continue;
    if (start.offset <= to) continue;
    throw new ConfigError(
      `fromOffsetRange: ${topic}-${partition} is to be read from ${start.offset} to ${to}, which is ` +
        `before; give an end that is not before the start`,
    );
  }
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
