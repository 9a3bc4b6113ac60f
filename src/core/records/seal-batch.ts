import { TRANSACTIONAL } from './attributes.js';
import type { ResolvedBuilderOptions } from './builder-options.js';
import { useOldLz4Checksum } from './compression/lz4-frame.js';
import { writeInt16, writeInt32, writeInt64 } from './int64.js';
import * as layout from './layout.js';
import { messageSize, writeMessage } from './legacy-message.js';

/** Encoded records, with room for a header in front when they are of magic 2. */
export interface Sealable {
  readonly bytes: Buffer;
  readonly count: number;
  readonly baseTimestamp: number | bigint;
  readonly maxTimestamp: number | bigint;
}

/** Compresses and writes the header, but for producer and checksum. */
export function sealV2(records: Sealable, options: ResolvedBuilderOptions): Buffer {
  const { codec, codecId, level, isTransactional, baseOffset } = options;
  let batch = records.bytes;
  if (codecId !== 0) {
    const payload = codec.compress(batch.subarray(layout.BATCH_HEADER_BYTES), level);
    batch = Buffer.allocUnsafe(layout.BATCH_HEADER_BYTES + payload.length);
    payload.copy(batch, layout.BATCH_HEADER_BYTES);
  }
  writeInt64(batch, 0, baseOffset);
  writeInt32(batch, layout.LENGTH_AT, batch.length - layout.LOG_OVERHEAD_BYTES);
  writeInt32(batch, layout.LEADER_EPOCH_AT, -1);
  batch[layout.MAGIC_AT] = 2;
  writeInt16(batch, layout.ATTRIBUTES_AT, codecId | (isTransactional ? TRANSACTIONAL : 0));
  writeInt32(batch, layout.LAST_OFFSET_DELTA_AT, Math.max(0, records.count - 1));
  writeInt64(batch, layout.BASE_TIMESTAMP_AT, records.baseTimestamp);
  writeInt64(batch, layout.MAX_TIMESTAMP_AT, records.maxTimestamp);
  writeInt32(batch, layout.COUNT_AT, records.count);
  return batch;
}

/** Puts the messages into a compressed wrapper, if that is wanted. */
export function sealLegacy(
  messages: Sealable,
  magic: 0 | 1,
  options: ResolvedBuilderOptions,
): Buffer {
  const { codec, codecId, level, baseOffset } = options;
  if (codecId === 0 || messages.count === 0) return messages.bytes;
  const payload = codec.compress(messages.bytes, level);
  if (magic === 0 && codec.name === 'lz4') useOldLz4Checksum(payload);
  const wrapper = Buffer.allocUnsafe(messageSize(magic, -1, payload.length));
  const header = {
    magic,
    offset: baseOffset + messages.count - 1,
    attributes: codecId,
    timestamp: messages.maxTimestamp,
  };
  writeMessage(wrapper, 0, header, null, payload);
  return wrapper;
}
