import { writeContent, type Content } from './content.js';
import { crc32 } from './crc32c.js';
import { writeInt32, writeInt64 } from './int64.js';
import * as layout from './layout.js';

/** What a message of magic 0 or 1 carries besides key and value. */
export interface MessageHeader {
  readonly magic: 0 | 1;
  readonly offset: number;
  readonly attributes: number;
  /** Left out of magic 0. */
  readonly timestamp: number | bigint;
}

/** Bytes of a message in all; -1 stands for null. */
export function messageSize(magic: 0 | 1, keyLength: number, valueLength: number): number {
  return layout.legacyOverhead(magic) + Math.max(0, keyLength) + Math.max(0, valueLength);
}

/** Writes a message into memory that has room; returns its end. */
export function writeMessage(
  memory: Buffer,
  start: number,
  { magic, offset, attributes, timestamp }: MessageHeader,
  key: Content,
  value: Content,
): number {
  const keyAt = start + layout.legacyKeyAt(magic);
  const valueAt = writeSized32(memory, keyAt, key);
  const end = writeSized32(memory, valueAt, value);
  writeInt64(memory, start, offset);
  writeInt32(memory, start + layout.LENGTH_AT, end - start - layout.LOG_OVERHEAD_BYTES);
  memory[start + layout.MAGIC_AT] = magic;
  memory[start + layout.LEGACY_ATTRIBUTES_AT] = attributes;
  if (magic === 1) writeInt64(memory, start + layout.LEGACY_TIMESTAMP_AT, timestamp);
  updateMessageCrc(memory.subarray(start, end));
  return end;
}

function writeSized32(memory: Buffer, at: number, content: Content): number {
  const end = writeContent(memory, at + 4, content);
  writeInt32(memory, at, content === null ? -1 : end - at - 4);
  return end;
}

/** Brings the checksum of a message in line with its bytes. */
export function updateMessageCrc(message: Buffer): void {
  writeInt32(message, layout.LEGACY_CRC_AT, crc32(message.subarray(layout.LEGACY_CRC_AT + 4)));
}
