/** What a custom partitioner decides on. */
export interface PartitionerInput {
  readonly topic: string;
  /** Serialized. */
  readonly key: Buffer | null;
  /** Serialized. */
  readonly value: Buffer | null;
  readonly partitionCount: number;
  /** Partitions that have a leader now. */
  readonly availablePartitions: readonly number[];
}

/** Returns the partition for a record, from 0 to `partitionCount - 1`. */
export type Partitioner = (input: PartitionerInput) => number;

/**
 * The partition that records without a key stick to until they fill about a batch (KIP-794).
 * Changing it at batch boundaries keeps batches whole; never later than two batches, so that a slow
 * partition can't draw records without end.
 */
export class StickyPartition {
  private current: number | undefined;
  private appendedBytes = 0;

  constructor(private readonly batchSize: number) {}

  /** The partition to use now; `undefined` when it is time for another one. */
  get partition(): number | undefined {
    return this.current;
  }

  /** Goes on with a partition, and returns it. */
  stickTo(partition: number): number {
    this.current = partition;
    this.appendedBytes = 0;
    return partition;
  }

  /** To be told of each record that went to the partition. */
  appended(bytes: number, isAtBatchBoundary: boolean): void {
    this.appendedBytes += bytes;
    const isDue =
      this.appendedBytes >= this.batchSize * 2 ||
      (this.appendedBytes >= this.batchSize && isAtBatchBoundary);
    if (isDue) this.reset();
  }

  /** Forgets the partition: it has no leader, or the number of partitions changed. */
  reset(): void {
    this.current = undefined;
  }
}

/** A partition that may be chosen, with the batches that wait for it. */
export interface PartitionLoad {
  readonly partition: number;
  readonly queuedBatches: number;
}

/**
 * Draws a partition, each with a chance that falls as its queue grows; all alike when the queues
 * are equally long.
 *
 * @param lot at least 0, below 1.
 */
export function choosePartition(loads: readonly PartitionLoad[], lot: number): number {
  const longest = loads.reduce((max, { queuedBatches }) => Math.max(max, queuedBatches), 0);
  const total = loads.reduce((sum, { queuedBatches }) => sum + longest + 1 - queuedBatches, 0);
  let drawn = Math.floor(lot * total);
  for (const { partition, queuedBatches } of loads) {
    drawn -= longest + 1 - queuedBatches;
    if (drawn < 0) return partition;
  }
  return loads[loads.length - 1]?.partition ?? -1;
}
