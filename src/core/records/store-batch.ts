import { LOG_APPEND_TIME } from './attributes.js';
import type { RecordBatch } from './batch.js';
import { readBatches } from './batch-walker.js';
import { encodeRecords } from './encode-records.js';
import { readInt16, writeInt16, writeInt64 } from './int64.js';
import * as layout from './layout.js';
import { updateMessageCrc } from './legacy-message.js';
import { setPartitionLeaderEpoch, updateCrc } from './patch-batch.js';
import { recordsOf } from './decode-records.js';

/** What a broker decides when it stores batches. */
export interface StoreOptions {
  /** Offset of the first record. */
  readonly baseOffset: number;
  /** Written into batches of magic 2. Default: left as it is. */
  readonly partitionLeaderEpoch?: number;
  /** The broker's clock, with `message.timestamp.type=LogAppendTime`. Default: left as it is. */
  readonly logAppendTime?: number;
}

/**
 * Does to produced bytes what a broker does: gives them offsets, and its own time if wanted. In
 * place, but for compressed sets of magic 0, which have to be written anew.
 *
 * @returns The bytes to store.
 * @throws CorruptRecordError when the bytes make no sense.
 * @example
 * log.push(storeBatches(produced, { baseOffset: log.endOffset, partitionLeaderEpoch: 4 }));
 */
export function storeBatches(bytes: Buffer, options: StoreOptions): Buffer {
  const stored: Buffer[] = [];
  let offset = options.baseOffset;
  for (const batch of readBatches(bytes)) {
    const count = batch.magic === 2 ? batch.lastOffset - batch.baseOffset + 1 : countOf(batch);
    stored.push(storeBatch(batch, offset, count, options));
    offset += count;
  }
  return stored.length === 1 ? stored[0]! : Buffer.concat(stored);
}

function countOf(batch: RecordBatch): number {
  return batch.count >= 0 ? batch.count : batch.cursor().count;
}

function storeBatch(
  batch: RecordBatch,
  offset: number,
  count: number,
  { partitionLeaderEpoch, logAppendTime }: StoreOptions,
): Buffer {
  const { bytes } = batch;
  switch (batch.magic) {
    case 2:
      writeInt64(bytes, 0, offset);
      if (partitionLeaderEpoch !== undefined) setPartitionLeaderEpoch(bytes, partitionLeaderEpoch);
      if (logAppendTime !== undefined) stampBatch(bytes, logAppendTime);
      return bytes;
    case 1:
      writeInt64(bytes, 0, offset + count - 1);
      if (logAppendTime !== undefined) stampMessage(bytes, logAppendTime);
      return bytes;
    case 0:
      if (batch.count === -1) return rewrite(batch, offset);
      writeInt64(bytes, 0, offset);
      return bytes;
  }
}

function stampBatch(batch: Buffer, timestamp: number): void {
  const attributes = readInt16(batch, layout.ATTRIBUTES_AT) | LOG_APPEND_TIME;
  writeInt16(batch, layout.ATTRIBUTES_AT, attributes);
  writeInt64(batch, layout.MAX_TIMESTAMP_AT, timestamp);
  updateCrc(batch);
}

function stampMessage(message: Buffer, timestamp: number): void {
  message[layout.LEGACY_ATTRIBUTES_AT]! |= LOG_APPEND_TIME;
  writeInt64(message, layout.LEGACY_TIMESTAMP_AT, timestamp);
  updateMessageCrc(message);
}

function rewrite(batch: RecordBatch, baseOffset: number): Buffer {
  const { compressionType } = batch;
  return encodeRecords(recordsOf(batch), { magic: 0, compressionType, baseOffset });
}
