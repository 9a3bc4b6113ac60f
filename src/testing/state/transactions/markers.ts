import { encodeControlBatch, readBatches } from '../../../core/records/index.js';
import type { CommittedOffsets } from '../groups/committed-offsets.js';
import { NO_LEADER, type Partition } from '../partition.js';
import { marked, settled, type Ending } from './end-transaction.js';
import type { Place, Transaction } from './transaction.js';

/** Where transactions leave their marks. */
export interface MarkedPlaces {
  /** `undefined` where there is no such partition any more. */
  partitionAt(place: Place): Partition | undefined;
  offsetsOf(groupId: string): CommittedOffsets;
}

export interface MarkerOptions {
  readonly coordinatorEpoch: number;
  readonly nowMs: number;
}

/**
 * Writes the markers of a transaction that is to end, and settles the offsets that are committed
 * along. What is left to be marked, for want of a leader, is left in the transaction.
 */
export function writeMarkers(
  transaction: Transaction,
  places: MarkedPlaces,
  { coordinatorEpoch, nowMs }: MarkerOptions,
): Transaction {
  const { producerId, epoch } = transaction;
  const kind: Ending = transaction.state === 'PrepareCommit' ? 'commit' : 'abort';
  for (const groupId of transaction.groups)
    places.offsetsOf(groupId).settle({ producerId, epoch }, kind);
  const marker = { kind, producerId, producerEpoch: epoch, coordinatorEpoch, timestamp: nowMs };
  let left = settled(transaction);
  for (const place of transaction.partitions) {
    const partition = places.partitionAt(place);
    if (partition?.leaderId === NO_LEADER) continue;
    partition?.append(readBatches(encodeControlBatch(marker)), nowMs);
    left = marked(left, place);
  }
  return left;
}
