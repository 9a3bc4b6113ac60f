import { corruptRecords, type RecordContext } from './corrupt.js';
import { crc32 } from './crc32c.js';
import { readInt32, readInt64 } from './int64.js';
import {
  LEGACY_CRC_AT,
  LENGTH_AT,
  LOG_OVERHEAD_BYTES,
  legacyKeyAt,
  MIN_RECORD_BYTES,
} from './layout.js';
import { Record } from './record.js';
import type { RecordSource } from './record-source.js';
import { MAX_VARLONG_BYTES, readVarint, skipVarint } from './varint.js';

/** What a cursor must know beyond the bytes themselves. */
export interface CursorPlan {
  /** Position of the first record. */
  readonly start: number;
  /** Position after the last. */
  readonly end: number;
  readonly count: number;
  /** The highest offset that a record may have. */
  readonly lastOffset: number;
  /** Check the CRC-32 of each message (magic 0 and 1). */
  readonly isChecked: boolean;
  readonly context: RecordContext;
}

const MAX_VARINT_BYTES = 5;

/**
 * Steps through the records of a batch and tells where their parts lie; allocates nothing for a
 * record. Everything is checked before {@link RecordCursor.next} returns: the parts of a record
 * it has passed can be taken without an error.
 *
 * @example
 * const cursor = batch.cursor();
 * while (cursor.next()) sum += cursor.source.slice(cursor.valueStart, cursor.valueLength)?.length ?? 0;
 */
export class RecordCursor {
  /** Turns positions into values. */
  readonly source: RecordSource;
  /** How many records there are in all. */
  readonly count: number;

  /** Of the current record, relative to {@link RecordSource.baseOffset}. */
  offsetDelta = 0;
  /** Where its own fields start: what {@link RecordSource.timestamp} wants. */
  start = 0;
  keyStart = 0;
  /** -1 for a null key. */
  keyLength = 0;
  valueStart = 0;
  /** -1 for a null value. */
  valueLength = 0;
  /** Position after the record. */
  end = 0;

  private scanned = 0;
  private remaining: number;
  private position: number;
  private readonly limit: number;
  private readonly maxDelta: number;
  private readonly bytes: Buffer;

  constructor(
    source: RecordSource,
    private readonly plan: CursorPlan,
  ) {
    this.source = source;
    this.bytes = source.bytes;
    this.position = plan.start;
    this.limit = plan.end;
    this.count = plan.count;
    this.remaining = plan.count;
    this.maxDelta = plan.lastOffset - source.baseOffset;
  }

  /** Offset of the current record. */
  get offset(): number {
    return this.source.baseOffset + this.offsetDelta;
  }

  /** Where its headers start: what {@link RecordSource.headers} wants. */
  get headersStart(): number {
    return this.valueLength < 0 ? this.valueStart : this.valueStart + this.valueLength;
  }

  /** The current record as an object. */
  record(): Record {
    return new Record(
      this.source,
      this.offsetDelta,
      this.start,
      this.keyStart,
      this.keyLength,
      this.valueStart,
      this.valueLength,
    );
  }

  /**
   * Goes on to the next record; false after the last.
   *
   * @throws CorruptRecordError naming the offset where the bytes stop making sense.
   */
  next(): boolean {
    if (this.remaining === 0) return this.finish();
    this.remaining--;
    if (this.source.magic === 2) this.nextRecord();
    else this.nextMessage();
    this.position = this.end;
    return true;
  }

  private finish(): false {
    if (this.position !== this.limit) {
      this.fail(`${this.limit - this.position} bytes are left after the ${this.count} records`);
    }
    return false;
  }

  /**
   * The varints of one and two bytes are read in place: through a method, which V8 does not inline
   * five times over, a record took 25 ns rather than 14.
   */
  private nextRecord(): void {
    const { bytes } = this;
    let at = this.position;
    let byte = bytes[at++]!;
    let length = (byte >>> 1) ^ -(byte & 1);
    if (byte >= 0x80) {
      const next = bytes[at++]!;
      const zigzag = (byte & 0x7f) | (next << 7);
      length = (zigzag >>> 1) ^ -(zigzag & 1);
      if (next >= 0x80) {
        length = this.longVarint(at - 2);
        at = this.scanned;
      }
    }
    const start = at;
    const end = start + length;
    if (length < MIN_RECORD_BYTES - 1 || end > this.limit) {
      this.fail(`a record claims ${length} bytes, ${this.limit - start} are left`);
    }
    at += 2;
    if (bytes[at - 1]! >= 0x80 && bytes[at++]! >= 0x80) at = this.skipVarlong(at);
    byte = bytes[at++]!;
    let offsetDelta = (byte >>> 1) ^ -(byte & 1);
    if (byte >= 0x80) {
      const next = bytes[at++]!;
      const zigzag = (byte & 0x7f) | (next << 7);
      offsetDelta = (zigzag >>> 1) ^ -(zigzag & 1);
      if (next >= 0x80) {
        offsetDelta = this.longVarint(at - 2);
        at = this.scanned;
      }
    }
    byte = bytes[at++]!;
    let keyLength = (byte >>> 1) ^ -(byte & 1);
    if (byte >= 0x80) {
      keyLength = this.longVarint(at - 1);
      at = this.scanned;
    }
    const keyStart = at;
    if (keyLength > 0) at += keyLength;
    // Here and below: reading outside the buffer would be slow for good.
    if (at >= end) this.fail('a key is longer than its record');
    byte = bytes[at++]!;
    let valueLength = (byte >>> 1) ^ -(byte & 1);
    if (byte >= 0x80) {
      const next = bytes[at++]!;
      const zigzag = (byte & 0x7f) | (next << 7);
      valueLength = (zigzag >>> 1) ^ -(zigzag & 1);
      if (next >= 0x80) {
        valueLength = this.longVarint(at - 2);
        at = this.scanned;
      }
    }
    const valueStart = at;
    if (valueLength > 0) at += valueLength;
    if (at >= end) this.fail('a value is longer than its record');
    at = bytes[at] === 0 ? at + 1 : this.skipHeaders(at, end);
    if (
      at !== end ||
      keyLength < -1 ||
      valueLength < -1 ||
      offsetDelta < 0 ||
      offsetDelta > this.maxDelta
    ) {
      this.failRecord(at - end, keyLength, valueLength, offsetDelta);
    }
    this.start = start;
    this.offsetDelta = offsetDelta;
    this.keyStart = keyStart;
    this.keyLength = keyLength;
    this.valueStart = valueStart;
    this.valueLength = valueLength;
    this.end = end;
  }

  /** Reads a varint of any length; leaves the position after it in `scanned`. */
  private longVarint(start: number): number {
    const end = skipVarint(this.bytes, start, MAX_VARINT_BYTES);
    if (end < 0) this.fail(`a varint does not end within ${MAX_VARINT_BYTES} bytes`);
    this.scanned = end;
    return readVarint(this.bytes, start);
  }

  private skipVarlong(from: number): number {
    const at = skipVarint(this.bytes, from, MAX_VARLONG_BYTES - 2);
    return at < 0 ? this.fail(`a timestamp takes more than ${MAX_VARLONG_BYTES} bytes`) : at;
  }

  /** Returns the position after the headers. */
  private skipHeaders(start: number, end: number): number {
    const count = this.longVarint(start);
    if (count < 0) this.fail(`a record claims ${count} headers`);
    let at = this.scanned;
    for (let i = 0; i < count; i++) {
      if (at >= end) this.fail(`a record claims ${count} headers, it holds ${i}`);
      const keyLength = this.shortVarint(at);
      if (keyLength < 0) this.fail(`the key of a header claims ${keyLength} bytes`);
      at = this.scanned + keyLength;
      if (at >= end) this.fail('a header is longer than its record');
      const valueLength = this.shortVarint(at);
      if (valueLength < -1) this.fail(`the value of a header claims ${valueLength} bytes`);
      at = this.scanned;
      if (valueLength > 0) at += valueLength;
      if (at > end) this.fail('a header is longer than its record');
    }
    return at;
  }

  /** As {@link longVarint}, faster for a single byte. */
  private shortVarint(start: number): number {
    const byte = this.bytes[start]!;
    // Written so that a byte from outside the buffer is not taken.
    if (!(byte < 0x80)) return this.longVarint(start);
    this.scanned = start + 1;
    return (byte >>> 1) ^ -(byte & 1);
  }

  private failRecord(
    excess: number,
    keyLength: number,
    valueLength: number,
    offsetDelta: number,
  ): never {
    if (keyLength < -1) this.fail(`a key claims ${keyLength} bytes`);
    if (valueLength < -1) this.fail(`a value claims ${valueLength} bytes`);
    if (excess !== 0) this.fail(`the parts of a record are ${excess} bytes longer than it is`);
    this.fail(`a record's offset delta is ${offsetDelta}, the batch's last is ${this.maxDelta}`);
  }

  /** The message at the position, which is known to lie within the bytes. */
  private nextMessage(): void {
    const { bytes, position, source } = this;
    const keyAt = position + legacyKeyAt(source.magic);
    const end = position + LOG_OVERHEAD_BYTES + readInt32(bytes, position + LENGTH_AT);
    this.offsetDelta = this.count === 1 ? this.maxDelta : this.legacyDelta();
    this.start = keyAt - 8;
    this.end = end;
    if (this.plan.isChecked) this.checkMessage(position, end);
    this.keyLength = readInt32(bytes, keyAt);
    this.keyStart = keyAt + 4;
    const valueAt = this.keyStart + Math.max(0, this.keyLength);
    if (this.keyLength < -1 || valueAt > end - 4) {
      this.fail(`a key claims ${this.keyLength} bytes`);
    }
    this.valueLength = readInt32(bytes, valueAt);
    this.valueStart = valueAt + 4;
    if (this.valueLength < -1 || this.headersStart !== end) {
      this.fail(`a value claims ${this.valueLength} bytes`);
    }
  }

  /** Offsets inside a wrapper are relative in magic 1, absolute in magic 0. */
  private legacyDelta(): number {
    const { source, position, maxDelta } = this;
    const offset = readInt64(this.bytes, position);
    const delta = source.magic === 0 ? offset - source.baseOffset : offset;
    if (delta < 0 || delta > maxDelta) {
      this.fail(`a message's offset is ${delta} above the first, the last one's is ${maxDelta}`);
    }
    return delta;
  }

  private checkMessage(position: number, end: number): void {
    const { bytes } = this;
    const stored = readInt32(bytes, position + LEGACY_CRC_AT) >>> 0;
    const found = crc32(bytes.subarray(position + LEGACY_CRC_AT + 4, end));
    if (found !== stored) this.fail('a message fails its CRC-32');
  }

  private fail(what: string): never {
    throw corruptRecords(what, this.plan.context, this.source.baseOffset);
  }
}
