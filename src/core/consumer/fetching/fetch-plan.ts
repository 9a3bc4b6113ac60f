import type { AssignedPartition } from '../assigned-partition.js';

/** How much may be fetched ahead. */
export interface FetchLimits {
  readonly maxPartitionFetchBytes: number;
  readonly fetchMaxBytes: number;
  readonly fetchMinBytes: number;
}

/** What of a broker's partitions a fetch doesn't ask for. */
export interface LeftOut {
  /** Whether there are partitions that may want more before the answer is there. */
  readonly leavesOut: boolean;
  /** Whether work on the broker's partitions went on since the last fetch. */
  readonly isMoving: boolean;
}

/** What stands between a partition and its next fetch. */
export type FetchObstacle =
  /** Nothing. */
  | 'none'
  /** Enough of it waits to be delivered. */
  | 'buffered'
  | 'backing-off'
  /** It is paused, wanted by nobody, being given up, at its end, without a position, or being fetched. */
  | 'other';

/**
 * Whether a partition may be fetched, derived afresh each time: there is no flag that could go
 * stale. It may while at most one answer's worth waits to be delivered, so that the next answer
 * comes while this one is delivered, and never more than two are at hand: a low and a high
 * watermark without memory.
 */
export function obstacleOf(partition: AssignedPartition, now: number): FetchObstacle {
  const { phase, isWanted, isPaused, isDraining, fetch, buffer, retryAt, fetchOffset, endOffset } =
    partition;
  if (phase !== 'active' || !isWanted || isPaused) return 'other';
  if (isDraining || fetch !== undefined) return 'other';
  if (fetchOffset >= endOffset) return 'other';
  if (buffer.sizeBytes > partition.askedBytes) return 'buffered';
  if (!partition.fetchesAhead && partition.hasRecords) return 'buffered';
  // Delivered but unacked records fill the window: one answer ahead is enough.
  if (partition.ledger.free <= 0 && buffer.current !== undefined) return 'buffered';
  return now < retryAt ? 'backing-off' : 'none';
}

/**
 * What is fetched ahead of one broker. More is no faster, and costs: frames that wait for long grow
 * old enough to be freed by full collections only. 12 MiB ahead took 72 of them for 9 million records
 * of 127 bytes, 2 MiB none.
 */
const AHEAD_BYTES = 2 * 1024 * 1024;
/** Less of a partition would make many requests of little. */
const SMALLEST_PARTITION_BYTES = 64 * 1024;

/**
 * The bytes to ask for of each partition, so that all of a broker's together are enough ahead, and as
 * many as it is to wait for.
 */
export function partitionBytesOf(
  bytes: number,
  partitions: number,
  { maxPartitionFetchBytes, fetchMinBytes }: FetchLimits,
): number {
  const ahead = Math.max(AHEAD_BYTES, fetchMinBytes);
  const share = Math.max(SMALLEST_PARTITION_BYTES, Math.ceil(ahead / partitions));
  return Math.min(share, maxPartitionFetchBytes, bytes);
}

/**
 * The bytes that one fetch may bring: a fair share of what is free, so that one broker's long poll
 * leaves room for the others.
 *
 * @param brokers how many brokers have no fetch on the way, this one included: all of them may want
 * one before this one is answered.
 */
export function shareOf(
  freeBytes: number,
  brokers: number,
  partitions: number,
  limits: FetchLimits,
): number {
  const wanted = Math.min(limits.fetchMaxBytes, partitions * limits.maxPartitionFetchBytes);
  return Math.min(wanted, Math.floor(freeBytes / brokers));
}

/** A fetch for less would cost more than it brings. */
const SMALLEST_FETCH_BYTES = 16 * 1024;
/** Of a small budget that much is enough: what a pipeline that hangs holds leaves others the rest. */
const SMALLEST_PART = 1 / 8;

/** Below this a fetch waits for bytes to be given back. */
export function leastOf(fairShare: number, { maxPartitionFetchBytes }: FetchLimits): number {
  const part = Math.ceil(fairShare * SMALLEST_PART);
  return Math.min(SMALLEST_FETCH_BYTES, maxPartitionFetchBytes, part);
}

/** How long the first of several fetches waits that leave partitions out. */
const SHORT_WAIT_MS = 25;

/**
 * How long a fetch may wait for data: a broker that is waiting can't be asked for what was left out.
 * A pipeline that moves wants more at any moment. While none does, waits double up to the whole, so
 * that one that hangs doesn't make its broker poll.
 *
 * @param idleFetches how many fetches have left partitions out of which none had moved.
 */
export function waitOf(
  { leavesOut, isMoving }: LeftOut,
  idleFetches: number,
  fetchMaxWaitMs: number,
): number {
  if (!leavesOut) return fetchMaxWaitMs;
  const doublings = isMoving ? 0 : Math.min(idleFetches, 30);
  return Math.min(fetchMaxWaitMs, SHORT_WAIT_MS * 2 ** doublings);
}
