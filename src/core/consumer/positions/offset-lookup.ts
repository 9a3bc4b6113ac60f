import type { TopicPartition } from '../../group/index.js';
import type { ConsumerContext, Patience } from '../context.js';
import { nameOf } from '../errors.js';
import type { PartitionOffset } from '../events.js';
import { listOffsets, type FoundOffset } from './list-offsets.js';
import { checkMs } from '../topics.js';

/** What was found of a partition, with which. */
export type ForPartition<T> = TopicPartition & T;

/** An end of each partition's log. */
export async function lookUpOffsets(
  context: ConsumerContext,
  partitions: readonly TopicPartition[],
  timestamp: bigint,
  patience: Patience,
): Promise<readonly PartitionOffset[]> {
  const queries = partitions.map(({ topic, partition }) => ({ topic, partition, timestamp }));
  const found = await listOffsets(context, queries, patience);
  return withPartitions(partitions, found).map(({ topic, partition, offset }) => ({
    topic,
    partition,
    offset,
  }));
}

/** A time in a partition. */
export interface TimeQuery extends TopicPartition {
  readonly timestamp: number | Date;
}

/** The first record of each partition at or after a time; those that have none are left out. */
export async function lookUpTimes(
  context: ConsumerContext,
  queries: readonly TimeQuery[],
  patience: Patience,
): Promise<readonly ForPartition<FoundOffset>[]> {
  const asked = queries.map(({ topic, partition, timestamp }) => ({
    topic,
    partition,
    timestamp: BigInt(checkMs(Number(timestamp))),
  }));
  const found = await listOffsets(context, asked, patience);
  return withPartitions(queries, found).filter(({ offset }) => offset >= 0);
}

/** What was found, with the partitions that it is of; those of which nothing was found are left out. */
export function withPartitions<T>(
  partitions: readonly TopicPartition[],
  found: ReadonlyMap<string, T>,
): ForPartition<T>[] {
  return partitions.flatMap(({ topic, partition }) => {
    const value = found.get(nameOf({ topic, partition }));
    return value === undefined ? [] : [{ topic, partition, ...value }];
  });
}
