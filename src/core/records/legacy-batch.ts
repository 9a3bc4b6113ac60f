import { LOG_APPEND_TIME, timestampTypeOf, type TimestampType } from './attributes.js';
import type { OpenOptions, RecordBatch } from './batch.js';
import type { CompressionType } from './compression/codec.js';
import { corruptRecords, type RecordContext } from './corrupt.js';
import { crc32 } from './crc32c.js';
import { readBigInt64, readInt32, readInt64 } from './int64.js';
import * as layout from './layout.js';
import { scanMessages } from './legacy-set.js';
import { codecOf, decompress, isCompressed } from './payload.js';
import { RecordCursor } from './record-cursor.js';
import { RecordSource, type TimestampRule } from './record-source.js';

/**
 * A message of magic 0 or 1: one record, or the compressed wrapper of many. Made by
 * {@link BatchWalker}, which has checked where it ends.
 */
export class LegacyBatch implements RecordBatch {
  readonly partitionLeaderEpoch = -1;
  readonly isTransactional = false;
  readonly isControl = false;
  readonly producerId = -1;
  readonly producerEpoch = -1;
  readonly baseSequence = -1;
  readonly deleteHorizonMs = undefined;
  readonly lastOffset: number;
  readonly attributes: number;
  private firstOffset: number;

  constructor(
    private readonly buffer: Buffer,
    private readonly start: number,
    private readonly end: number,
    readonly magic: 0 | 1,
    private readonly context: RecordContext,
  ) {
    this.lastOffset = readInt64(buffer, start);
    this.firstOffset = this.lastOffset;
    this.attributes = buffer[start + layout.LEGACY_ATTRIBUTES_AT]!;
    if (this.lastOffset < 0 || !Number.isSafeInteger(this.lastOffset + 1)) {
      this.fail('its offset is out of range');
    }
    if (this.sizeBytes < layout.legacyOverhead(magic)) this.fail('it is too short');
  }

  get baseOffset(): number {
    return this.firstOffset;
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

  get crc(): number {
    return readInt32(this.buffer, this.start + layout.LEGACY_CRC_AT) >>> 0;
  }

  get compressionType(): CompressionType {
    return codecOf(this.attributes, this.context, this.lastOffset).name;
  }

  get timestampType(): TimestampType {
    return timestampTypeOf(this.magic, this.attributes);
  }

  get baseTimestamp(): number {
    return this.maxTimestamp;
  }

  get maxTimestamp(): number {
    return this.magic === 0 ? -1 : readInt64(this.buffer, this.start + layout.LEGACY_TIMESTAMP_AT);
  }

  get count(): number {
    return isCompressed(this.attributes) ? -1 : 1;
  }

  verifyCrc(): void {
    const checked = this.buffer.subarray(this.start + layout.LEGACY_CRC_AT + 4, this.end);
    const found = crc32(checked);
    if (found === this.crc) return;
    this.fail(`its CRC-32 is ${found.toString(16)}, its header says ${this.crc.toString(16)}`);
  }

  cursor(options: OpenOptions = {}): RecordCursor {
    if (options.checkCrcs !== false) this.verifyCrc();
    return isCompressed(this.attributes) ? this.openWrapper(options) : this.openMessage();
  }

  private openMessage(): RecordCursor {
    const source = new RecordSource(this.buffer, this.lastOffset, this.magic, this.timestampRule());
    return new RecordCursor(source, {
      start: this.start,
      end: this.end,
      count: 1,
      lastOffset: this.lastOffset,
      isChecked: false,
      context: this.context,
    });
  }

  private openWrapper(options: OpenOptions): RecordCursor {
    const { context, magic, lastOffset } = this;
    const messages = this.unwrap(options);
    const set = scanMessages(messages, magic, context, lastOffset);
    this.firstOffset = this.locate(set.firstOffset, set.lastOffset);
    // The first message of a compacted set of magic 1 is not at 0: deltas count from before it.
    const zero = magic === 0 ? this.firstOffset : this.firstOffset - set.firstOffset;
    const source = new RecordSource(messages, zero, magic, this.timestampRule());
    return new RecordCursor(source, {
      start: 0,
      end: messages.length,
      count: set.count,
      lastOffset: magic === 0 ? set.lastOffset : zero + set.lastOffset,
      isChecked: options.checkCrcs !== false,
      context,
    });
  }

  /** The offset of a wrapper's first message. */
  private locate(first: number, last: number): number {
    if (this.magic === 0) {
      if (first < 0 || first > last || last > this.lastOffset) {
        this.fail(`it holds offsets ${first} to ${last}`);
      }
      return first;
    }
    // Some librdkafka versions left the wrapper's offset 0.
    const zero = this.lastOffset === 0 ? 0 : this.lastOffset - last;
    if (first < 0 || first > last || zero < 0 || zero + last > Number.MAX_SAFE_INTEGER) {
      this.fail(`it holds relative offsets ${first} to ${last}`);
    }
    return zero + first;
  }

  private unwrap(options: OpenOptions): Buffer {
    const { buffer, start, end, context, lastOffset, attributes } = this;
    const codec = codecOf(attributes, context, lastOffset);
    if (codec.name === 'zstd') this.fail('zstd needs magic 2');
    const keyAt = start + layout.legacyKeyAt(this.magic);
    const keyLength = readInt32(buffer, keyAt);
    const valueAt = keyAt + 4 + Math.max(0, keyLength);
    if (keyLength < -1 || valueAt > end - 4) this.fail(`its key claims ${keyLength} bytes`);
    const length = readInt32(buffer, valueAt);
    if (length !== end - valueAt - 4) this.fail(`its value claims ${length} bytes`);
    return decompress(codec, buffer.subarray(valueAt + 4, end), options, context, lastOffset);
  }

  private timestampRule(): TimestampRule {
    if (this.magic === 0) return { kind: 'fixed', timestamp: -1n };
    if ((this.attributes & LOG_APPEND_TIME) === 0) return { kind: 'own' };
    const timestamp = readBigInt64(this.buffer, this.start + layout.LEGACY_TIMESTAMP_AT);
    return { kind: 'fixed', timestamp };
  }

  private fail(what: string): never {
    throw corruptRecords(
      `the message of magic ${this.magic} is invalid: ${what}`,
      this.context,
      this.lastOffset,
    );
  }
}
