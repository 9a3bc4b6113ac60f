import { encodeRecords } from '../../src/core/records/index.js';
import {
  BATCH_HEADER_BYTES,
  COUNT_AT,
  LAST_OFFSET_DELTA_AT,
  LENGTH_AT,
  LOG_OVERHEAD_BYTES,
} from '../../src/core/records/layout.js';
import { updateCrc } from '../../src/core/records/patch-batch.js';

/** A batch of which compaction has left nothing but its header: it spans so many offsets. */
export function emptiedBatch(span: number): Buffer {
  const batch = encodeRecords([{ value: '', timestamp: 0 }]).subarray(0, BATCH_HEADER_BYTES);
  batch.writeInt32BE(BATCH_HEADER_BYTES - LOG_OVERHEAD_BYTES, LENGTH_AT);
  batch.writeInt32BE(span - 1, LAST_OFFSET_DELTA_AT);
  batch.writeInt32BE(0, COUNT_AT);
  updateCrc(batch);
  return batch;
}

/** A batch that spans so many offsets, of which compaction has left some of the first 64. */
export function thinnedBatch(span: number, kept: readonly number[]): Buffer {
  const batch = encodeRecords(kept.map((offset) => ({ value: `${offset}`, timestamp: 0 })));
  let at = BATCH_HEADER_BYTES;
  for (const offset of kept) {
    // A short record: its length is one byte, then attributes and the timestamp delta, one each.
    const size = 1 + (batch[at]! >> 1);
    batch[at + 3] = offset * 2;
    at += size;
  }
  batch.writeInt32BE(span - 1, LAST_OFFSET_DELTA_AT);
  updateCrc(batch);
  return batch;
}
