import {
  CONTROL,
  DELETE_HORIZON,
  LOG_APPEND_TIME,
  timestampTypeOf,
  TRANSACTIONAL,
  type TimestampType,
} from './attributes.js';
import type { OpenOptions, RecordBatch } from './batch.js';
import type { CompressionType } from './compression/codec.js';
import { corruptRecords, type RecordContext } from './corrupt.js';
import { crc32c } from './crc32c.js';
import { readBigInt64, readInt16, readInt32, readInt64 } from './int64.js';
import * as layout from './layout.js';
import { codecOf, decompress, isCompressed } from './payload.js';
import { RecordCursor } from './record-cursor.js';
import { RecordSource, type TimestampRule } from './record-source.js';

/** A batch of magic 2. Made by {@link BatchWalker}, which has checked where it ends. */
export class V2Batch implements RecordBatch {
  readonly magic = 2;
  readonly baseOffset: number;
  readonly lastOffset: number;

  constructor(
    private readonly buffer: Buffer,
    private readonly start: number,
    private readonly end: number,
    private readonly context: RecordContext,
  ) {
    this.baseOffset = readInt64(buffer, start);
    const lastDelta = readInt32(buffer, start + layout.LAST_OFFSET_DELTA_AT);
    this.lastOffset = this.baseOffset + lastDelta;
    if (lastDelta < 0) this.fail(`its last offset delta is ${lastDelta}`);
    if (this.baseOffset < 0 || !Number.isSafeInteger(this.lastOffset + 1)) {
      this.fail('its offsets are out of range');
    }
  }

  get nextOffset(): number {
    return this.lastOffset + 1;
  }

  get sizeBytes(): number {
    return this.end - this.start;
  }

  get bytes(): Buffer {
    return this.buffer.subarray(this.start, this.end);
  }

  get partitionLeaderEpoch(): number {
    return readInt32(this.buffer, this.start + layout.LEADER_EPOCH_AT);
  }

  get crc(): number {
    return readInt32(this.buffer, this.start + layout.CRC_AT) >>> 0;
  }

  get attributes(): number {
    return readInt16(this.buffer, this.start + layout.ATTRIBUTES_AT);
  }

  get compressionType(): CompressionType {
    return codecOf(this.attributes, this.context, this.baseOffset).name;
  }

  get isTransactional(): boolean {
    return (this.attributes & TRANSACTIONAL) !== 0;
  }

  get isControl(): boolean {
    return (this.attributes & CONTROL) !== 0;
  }

  get timestampType(): TimestampType {
    return timestampTypeOf(2, this.attributes);
  }

  get baseTimestamp(): number {
    return readInt64(this.buffer, this.start + layout.BASE_TIMESTAMP_AT);
  }

  get maxTimestamp(): number {
    return readInt64(this.buffer, this.start + layout.MAX_TIMESTAMP_AT);
  }

  get deleteHorizonMs(): number | undefined {
    return (this.attributes & DELETE_HORIZON) === 0 ? undefined : this.baseTimestamp;
  }

  get producerId(): number {
    const id = readInt64(this.buffer, this.start + layout.PRODUCER_ID_AT);
    return Number.isSafeInteger(id) ? id : this.fail('its producer id is out of range');
  }

  get producerEpoch(): number {
    return readInt16(this.buffer, this.start + layout.PRODUCER_EPOCH_AT);
  }

  get baseSequence(): number {
    return readInt32(this.buffer, this.start + layout.BASE_SEQUENCE_AT);
  }

  get count(): number {
    return readInt32(this.buffer, this.start + layout.COUNT_AT);
  }

  verifyCrc(): void {
    const found = crc32c(this.buffer.subarray(this.start + layout.ATTRIBUTES_AT, this.end));
    const stored = this.crc;
    if (found === stored) return;
    this.fail(`its CRC-32C is ${found.toString(16)}, its header says ${stored.toString(16)}`);
  }

  cursor(options: OpenOptions = {}): RecordCursor {
    if (options.checkCrcs !== false) this.verifyCrc();
    const { count, attributes, context } = this;
    const start = this.start + layout.BATCH_HEADER_BYTES;
    // As Java does: what compaction left empty may still name a codec.
    if (count === 0 && start === this.end) return this.over(this.buffer, start, start, 0);
    if (!isCompressed(attributes)) return this.over(this.buffer, start, this.end, count);
    const codec = codecOf(attributes, context, this.baseOffset);
    const payload = this.buffer.subarray(start, this.end);
    const records = decompress(codec, payload, options, context, this.baseOffset);
    return this.over(records, 0, records.length, count);
  }

  private over(records: Buffer, start: number, end: number, count: number): RecordCursor {
    if (count < 0 || count * layout.MIN_RECORD_BYTES > end - start) {
      this.fail(`it claims ${count} records in ${end - start} bytes`);
    }
    const source = new RecordSource(records, this.baseOffset, 2, this.timestampRule());
    return new RecordCursor(source, {
      start,
      end,
      count,
      lastOffset: this.lastOffset,
      isChecked: false,
      context: this.context,
    });
  }

  private timestampRule(): TimestampRule {
    return (this.attributes & LOG_APPEND_TIME) === 0
      ? { kind: 'delta', base: readBigInt64(this.buffer, this.start + layout.BASE_TIMESTAMP_AT) }
      : {
          kind: 'fixed',
          timestamp: readBigInt64(this.buffer, this.start + layout.MAX_TIMESTAMP_AT),
        };
  }

  private fail(what: string): never {
    throw corruptRecords(`the batch is invalid: ${what}`, this.context, this.baseOffset);
  }
}
