import { invariant } from '../util/assert.js';
import { UnsupportedVersionError } from '../util/errors.js';
import {
  resolveBuilderOptions,
  type BatchBuilderOptions,
  type ResolvedBuilderOptions,
} from './builder-options.js';
import { compressRecords } from './compress-records.js';
import { contentBound, contentLength, type Content, type HeaderContent } from './content.js';
import { BATCH_HEADER_BYTES, legacyOverhead } from './layout.js';
import { messageSize, writeMessage } from './legacy-message.js';
import { NO_PRODUCER, setProducerState, type ProducerState } from './patch-batch.js';
import { sealV2, sealWrapper, type Sealable } from './seal-batch.js';
import { checkTimestamp } from './timestamp.js';
import { recordBound, recordSize, writeRecord } from './v2-record.js';
import { isInt32 } from './varint.js';

const NO_MEMORY = Buffer.alloc(0);

/**
 * Encodes records as they come, straight into one buffer, as a batch of magic 2, or as a message
 * set of magic 0 or 1 for old brokers.
 *
 * @example
 * const builder = new RecordBatchBuilder({ compressionType: 'zstd' });
 * if (builder.sizeWith(key, value, [], now) <= limit) builder.append(key, value, [], now);
 * const bytes = builder.close({ producerId, producerEpoch, baseSequence });
 */
export class RecordBatchBuilder {
  /** The format. */
  readonly magic: 0 | 1 | 2;
  private readonly options: ResolvedBuilderOptions;
  /** In front of the records, while they are added. */
  private readonly headerBytes: number;
  /** In front of the records, when they are compressed. */
  private readonly closedHeaderBytes: number;
  private written: Buffer = NO_MEMORY;
  private position: number;
  private recordCount = 0;
  private baseTimestamp: number | bigint = -1;
  private largestTimestamp: number | bigint = -1;
  private isClosed = false;

  /** @throws ConfigError when options are out of range or do not fit each other. */
  constructor(options: BatchBuilderOptions = {}) {
    this.options = resolveBuilderOptions(options);
    this.magic = this.options.magic;
    this.headerBytes = this.magic === 2 ? BATCH_HEADER_BYTES : 0;
    this.closedHeaderBytes = this.magic === 2 ? BATCH_HEADER_BYTES : legacyOverhead(this.magic);
    this.position = this.headerBytes;
  }

  /** How many records there are. */
  get count(): number {
    return this.recordCount;
  }

  /** Bytes so far, the batch's header included, before compression. */
  get sizeBytes(): number {
    return this.position;
  }

  /** The largest timestamp so far; -1 when there is none. */
  get maxTimestamp(): number | bigint {
    return this.largestTimestamp;
  }

  /** Exactly how many bytes a record would add to {@link RecordBatchBuilder.sizeBytes}. */
  sizeOf(
    key: Content,
    value: Content,
    headers: readonly HeaderContent[],
    timestamp: number | bigint,
  ): number {
    if (this.magic !== 2) {
      return messageSize(this.magic, contentLength(key), contentLength(value));
    }
    const delta = this.recordCount === 0 ? 0 : this.deltaOf(timestamp);
    return recordSize(delta, this.recordCount, key, value, headers);
  }

  /**
   * The most bytes the closed batch can have after one more record: exact without compression, else
   * what the codec makes of data that can't be compressed.
   */
  sizeWith(
    key: Content,
    value: Content,
    headers: readonly HeaderContent[],
    timestamp: number | bigint,
  ): number {
    return this.maxClosedSize(this.position + this.sizeOf(key, value, headers, timestamp));
  }

  private maxClosedSize(size: number): number {
    const { codec, codecId } = this.options;
    if (codecId === 0) return size;
    return this.closedHeaderBytes + codec.maxCompressedBytes(size - this.headerBytes);
  }

  /**
   * Whether the closed batch surely stays within `limitBytes` with one more record. Cheaper than
   * {@link RecordBatchBuilder.sizeWith}, which it asks only when it is close.
   */
  fits(
    key: Content,
    value: Content,
    headers: readonly HeaderContent[],
    timestamp: number | bigint,
    limitBytes: number,
  ): boolean {
    const bound = this.position + recordBound(key, value, headers);
    if (this.maxClosedSize(bound) <= limitBytes) return true;
    return this.sizeWith(key, value, headers, timestamp) <= limitBytes;
  }

  /**
   * Adds a record.
   *
   * @param timestamp Milliseconds since 1970; a bigint only beyond 2^53.
   * @returns Its index in the batch.
   * @throws ProtocolError when the timestamp is no integer of 64 bits.
   * @throws UnsupportedVersionError when there are headers before magic 2.
   */
  append(
    key: Content,
    value: Content,
    headers: readonly HeaderContent[],
    timestamp: number | bigint,
  ): number {
    invariant(!this.isClosed, 'a record was added to a batch after it was closed');
    if (this.recordCount === 0) this.begin(timestamp);
    if (this.magic === 2) this.appendRecord(key, value, headers, timestamp);
    else this.appendMessage(this.magic, key, value, headers, timestamp);
    if (timestamp > this.largestTimestamp) this.largestTimestamp = timestamp;
    return this.recordCount++;
  }

  /**
   * Compresses, writes header and checksum. The result lies in the memory that
   * {@link RecordBatchBuilder.release} gives back.
   *
   * @param producer Written into a batch of magic 2; {@link setProducerState} changes it later.
   */
  close(producer: ProducerState = NO_PRODUCER): Buffer {
    invariant(!this.isClosed, 'a batch was closed twice');
    this.isClosed = true;
    this.ensure(this.position);
    const records: Sealable = {
      count: this.recordCount,
      baseTimestamp: this.baseTimestamp,
      maxTimestamp: this.largestTimestamp,
    };
    const { magic, options } = this;
    const isCompressed = options.codecId !== 0 && (magic === 2 || records.count > 0);
    const batch = isCompressed ? this.compress() : this.written.subarray(0, this.position);
    if (magic === 2) {
      sealV2(batch, records, options);
      setProducerState(batch, producer);
    } else if (isCompressed) {
      sealWrapper(batch, records, magic, options);
    }
    return batch;
  }

  /** Exchanges the memory for some with the records compressed, after room for a header. */
  private compress(): Buffer {
    const { written, headerBytes, position, closedHeaderBytes, options } = this;
    const raw = written.subarray(headerBytes, position);
    const { memory, end } = compressRecords(raw, closedHeaderBytes, options);
    this.release();
    this.written = memory;
    return memory.subarray(0, end);
  }

  /** Gives the memory back to where it came from: nothing may read the batch any more. */
  release(): void {
    const { written } = this;
    if (written === NO_MEMORY) return;
    this.written = NO_MEMORY;
    this.options.memory.give(written);
  }

  /** Begins the next batch with the same options, in the memory of the last one. */
  reset(): void {
    this.position = this.headerBytes;
    this.recordCount = 0;
    this.baseTimestamp = -1;
    this.largestTimestamp = -1;
    this.isClosed = false;
  }

  private begin(timestamp: number | bigint): void {
    checkTimestamp(timestamp);
    this.baseTimestamp = timestamp;
    this.largestTimestamp = timestamp;
  }

  private appendRecord(
    key: Content,
    value: Content,
    headers: readonly HeaderContent[],
    timestamp: number | bigint,
  ): void {
    const delta = this.deltaOf(timestamp);
    const start = this.position;
    this.ensure(start + recordBound(key, value, headers));
    const { written, recordCount } = this;
    this.position = writeRecord(written, start, delta, recordCount, key, value, headers);
  }

  private appendMessage(
    magic: 0 | 1,
    key: Content,
    value: Content,
    headers: readonly HeaderContent[],
    timestamp: number | bigint,
  ): void {
    if (headers.length > 0) {
      throw new UnsupportedVersionError(
        `Records of magic ${magic} have no headers: they need a broker of Kafka 0.11 or later`,
      );
    }
    checkTimestamp(timestamp);
    const { baseOffset, codecId } = this.options;
    // Offsets in a wrapper of magic 1 are relative.
    const firstOffset = magic === 1 && codecId !== 0 ? 0 : baseOffset;
    const offset = firstOffset + this.recordCount;
    this.ensure(this.position + messageSize(magic, contentBound(key), contentBound(value)));
    const header = { magic, offset, attributes: 0, timestamp };
    this.position = writeMessage(this.written, this.position, header, key, value);
  }

  private deltaOf(timestamp: number | bigint): number | bigint {
    const { baseTimestamp } = this;
    if (typeof timestamp === 'number' && typeof baseTimestamp === 'number') {
      const delta = timestamp - baseTimestamp;
      if (isInt32(delta)) return delta;
    }
    checkTimestamp(timestamp);
    // Wraps as Java's long does, which readers undo.
    return BigInt.asIntN(64, BigInt(timestamp) - BigInt(baseTimestamp));
  }

  private ensure(end: number): void {
    if (end <= this.written.length) return;
    const { initialBytes, memory } = this.options;
    const larger = memory.take(Math.max(end, this.written.length * 2, initialBytes));
    this.written.copy(larger, 0, 0, this.position);
    this.release();
    this.written = larger;
  }
}

/** What {@link createBatchBuilder} makes. */
export type BatchBuilder = RecordBatchBuilder;

/** As `new RecordBatchBuilder(options)`. */
export function createBatchBuilder(options?: BatchBuilderOptions): BatchBuilder {
  return new RecordBatchBuilder(options);
}
