import { CONTROL, TRANSACTIONAL } from './attributes.js';
import { encodeRecords } from './encode-records.js';
import { readInt16, writeInt16 } from './int64.js';
import { ATTRIBUTES_AT } from './layout.js';
import { setPartitionLeaderEpoch, updateCrc } from './patch-batch.js';

/** What the marker at a transaction's end says. */
export interface TransactionMarker {
  readonly kind: 'abort' | 'commit';
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly coordinatorEpoch: number;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  /** Default: 0. */
  readonly baseOffset?: number;
  /** Default: -1. */
  readonly partitionLeaderEpoch?: number;
}

/**
 * Encodes the control batch that a broker writes at the end of a transaction.
 *
 * @example
 * encodeControlBatch({ kind: 'commit', producerId: 7, producerEpoch: 0, coordinatorEpoch: 1, timestamp: 0 });
 */
export function encodeControlBatch(marker: TransactionMarker): Buffer {
  const key = Buffer.alloc(4);
  writeInt16(key, 2, marker.kind === 'commit' ? 1 : 0);
  const value = Buffer.alloc(6);
  value.writeInt32BE(marker.coordinatorEpoch, 2);
  const { producerId, producerEpoch, timestamp, baseOffset = 0 } = marker;
  const batch = encodeRecords([{ key, value, timestamp }], {
    baseOffset,
    producer: { producerId, producerEpoch, baseSequence: -1 },
  });
  const attributes = readInt16(batch, ATTRIBUTES_AT) | CONTROL | TRANSACTIONAL;
  writeInt16(batch, ATTRIBUTES_AT, attributes);
  setPartitionLeaderEpoch(batch, marker.partitionLeaderEpoch ?? -1);
  updateCrc(batch);
  return batch;
}
