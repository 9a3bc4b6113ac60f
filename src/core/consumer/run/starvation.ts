import type { AssignedPartition } from '../assigned-partition.js';

/** Why nothing more can come, though records are out. */
export type Starvation =
  /** Windows or bytes are used up everywhere. */
  | 'exhausted'
  /** As before, or at the end of the log. */
  | 'idle';

/**
 * Whether operators that hold records back have to let go of some before more can come; `undefined`
 * while more may come anyway. A partition at the end of its log may get new records at any time, so
 * that counts only for an operator that can't wait.
 */
export function starvationOf(
  partitions: readonly AssignedPartition[],
  isOutOfBytes: boolean,
  isCommittedOnly: boolean,
): Starvation | undefined {
  let isAnyOut = false;
  let isAnyAtEnd = false;
  for (const partition of partitions) {
    const { ledger } = partition;
    if (ledger.unacked > 0) isAnyOut = true;
    if (partition.isPaused || !partition.isWanted || ledger.free <= 0) continue;
    if (partition.hasRecords && !partition.awaitsBytes) return undefined;
    if (partition.hasRecords || isOutOfBytes) continue;
    if (!isAtEnd(partition, partition.endOfLog(isCommittedOnly))) return undefined;
    isAnyAtEnd = true;
  }
  if (!isAnyOut) return undefined;
  return isAnyAtEnd ? 'idle' : 'exhausted';
}

function isAtEnd({ hasPosition, fetchOffset, endOffset }: AssignedPartition, end: number): boolean {
  return hasPosition && end >= 0 && fetchOffset >= Math.min(end, endOffset);
}
