import type { TimestampType } from './attributes.js';
import type { CompressionType } from './compression/codec.js';
import type { RecordCursor } from './record-cursor.js';

/** How to open a batch. */
export interface OpenOptions {
  /** Verify the checksum first. Kafka's `check.crcs`. Default: true. */
  readonly checkCrcs?: boolean;
  /**
   * The most bytes the records may have when decompressed, against payloads made to exhaust
   * memory. Default: 128 MiB.
   */
  readonly maxDecompressedBytes?: number;
}

/**
 * A record batch as it lies in a buffer: nothing is decoded but what is asked for. The same face
 * for batches of magic 2, for single messages of magic 0 and 1, and for the compressed wrappers of
 * many such messages.
 *
 * @example
 * for (const batch of readBatches(bytes)) {
 *   if (batch.isControl) continue;
 *   const cursor = batch.cursor();
 *   while (cursor.next()) console.log(cursor.offset);
 * }
 */
export interface RecordBatch {
  /** The format: 2 since Kafka 0.11, 1 since 0.10, 0 before. */
  readonly magic: 0 | 1 | 2;
  /**
   * Offset of the first record (magic 2: that it had before compaction). The wrappers of magic 0
   * and 1 don't tell: there it is that of {@link RecordBatch.lastOffset}, until the batch is opened.
   */
  readonly baseOffset: number;
  /** Offset of the last record, or of the last there was before compaction. */
  readonly lastOffset: number;
  /** The offset after the batch: where to fetch from next. */
  readonly nextOffset: number;
  /** Bytes from the start of its header to its end. */
  readonly sizeBytes: number;
  /** All its bytes, on the same memory. */
  readonly bytes: Buffer;
  /** Epoch of the leader that stored it; -1 where unknown, as before magic 2. */
  readonly partitionLeaderEpoch: number;
  /** The stored checksum, unsigned: CRC-32C, CRC-32 before magic 2. */
  readonly crc: number;
  /** The attribute bits as stored. */
  readonly attributes: number;
  /** @throws CorruptRecordError when the attributes name no known codec. */
  readonly compressionType: CompressionType;
  readonly isTransactional: boolean;
  /** Holds a marker of a transaction, or another record of the broker, and no user data. */
  readonly isControl: boolean;
  readonly timestampType: TimestampType;
  /** Milliseconds since 1970 that records are relative to: the first one's. -1 in magic 0. */
  readonly baseTimestamp: number;
  /** The largest timestamp in the batch: the nearest number. -1 in magic 0. */
  readonly maxTimestamp: number;
  /** When compaction may drop the batch's tombstones; `undefined` where none has been set. */
  readonly deleteHorizonMs: number | undefined;
  /** -1 without idempotence, as always before magic 2. */
  readonly producerId: number;
  /** -1 without idempotence. */
  readonly producerEpoch: number;
  /** Sequence number of the first record; -1 without idempotence. */
  readonly baseSequence: number;
  /** How many records the header claims; -1 for a wrapper of magic 0 and 1, which doesn't tell. */
  readonly count: number;

  /**
   * Checks the batch's checksum.
   *
   * @throws CorruptRecordError when it does not match.
   */
  verifyCrc(): void;

  /**
   * Verifies, decompresses, and starts in front of the first record. Costs nothing for a record.
   *
   * @throws CorruptRecordError when the checksum, the payload or the count is wrong.
   */
  cursor(options?: OpenOptions): RecordCursor;
}
