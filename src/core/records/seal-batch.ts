import { TRANSACTIONAL } from './attributes.js';
import type { ResolvedBuilderOptions } from './builder-options.js';
import { useOldLz4Checksum } from './compression/lz4-frame.js';
import { writeInt16, writeInt32, writeInt64 } from './int64.js';
import * as layout from './layout.js';
import { writeMessage } from './legacy-message.js';

/** What the header of a batch says of its records. */
export interface Sealable {
  readonly count: number;
  readonly baseTimestamp: number | bigint;
  readonly maxTimestamp: number | bigint;
}

/** Writes the header in front of the records, but for producer and checksum. */
export function sealV2(
  batch: Buffer,
  records: Sealable,
  { codecId, isTransactional, baseOffset }: ResolvedBuilderOptions,
): void {
  writeInt64(batch, 0, baseOffset);
  writeInt32(batch, layout.LENGTH_AT, batch.length - layout.LOG_OVERHEAD_BYTES);
  writeInt32(batch, layout.LEADER_EPOCH_AT, -1);
  batch[layout.MAGIC_AT] = 2;
  writeInt16(batch, layout.ATTRIBUTES_AT, codecId | (isTransactional ? TRANSACTIONAL : 0));
  writeInt32(batch, layout.LAST_OFFSET_DELTA_AT, Math.max(0, records.count - 1));
  writeInt64(batch, layout.BASE_TIMESTAMP_AT, records.baseTimestamp);
  writeInt64(batch, layout.MAX_TIMESTAMP_AT, records.maxTimestamp);
  writeInt32(batch, layout.COUNT_AT, records.count);
}

/** Makes a message of the room in front of compressed messages, and of them its value. */
export function sealWrapper(
  wrapper: Buffer,
  messages: Sealable,
  magic: 0 | 1,
  { codec, codecId, baseOffset }: ResolvedBuilderOptions,
): void {
  const payload = wrapper.subarray(layout.legacyOverhead(magic));
  if (magic === 0 && codec.name === 'lz4') useOldLz4Checksum(payload);
  const header = {
    magic,
    offset: baseOffset + messages.count - 1,
    attributes: codecId,
    timestamp: messages.maxTimestamp,
  };
  writeMessage(wrapper, 0, header, null, payload);
}
