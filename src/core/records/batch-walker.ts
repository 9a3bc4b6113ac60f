import type { RecordBatch } from './batch.js';
import { corruptRecords, type RecordContext } from './corrupt.js';
import { readInt32, readInt64 } from './int64.js';
import {
  BATCH_HEADER_BYTES,
  LENGTH_AT,
  LOG_OVERHEAD_BYTES,
  MAGIC_AT,
  MIN_LENGTH,
} from './layout.js';
import { LegacyBatch } from './legacy-batch.js';
import { V2Batch } from './v2-batch.js';

/**
 * Steps through the batches of a fetched buffer, which may mix formats, by their headers alone. A
 * batch that is cut short at the end, as brokers send them, is left out.
 *
 * @example
 * const walker = new BatchWalker(bytes, { topic: 'orders', partition: 3 });
 * for (let batch = walker.next(); batch; batch = walker.next()) deliver(batch);
 */
export class BatchWalker {
  private at = 0;

  /**
   * @param buffer What a broker answered for one partition.
   * @param context What errors shall say about where the bytes came from.
   */
  constructor(
    private readonly buffer: Buffer,
    private readonly context: RecordContext = {},
  ) {}

  /** Byte position of the next batch. */
  get position(): number {
    return this.at;
  }

  /**
   * How many bytes the batch at the position needs in all, when it is cut short; 0 when it is not.
   * A broker before Kafka 0.10.1 that answers nothing else needs a larger fetch.
   */
  get partialBatchBytes(): number {
    const left = this.buffer.length - this.at;
    if (left < LOG_OVERHEAD_BYTES) return left > 0 ? LOG_OVERHEAD_BYTES : 0;
    const size = LOG_OVERHEAD_BYTES + readInt32(this.buffer, this.at + LENGTH_AT);
    return size > left ? size : 0;
  }

  /**
   * The next whole batch; `undefined` at the end.
   *
   * @throws CorruptRecordError on a header that can't be. Where its length makes sense, the walker
   * has moved past the batch and can go on; else it has come to its end.
   */
  next(): RecordBatch | undefined {
    const { buffer, at: start } = this;
    const left = buffer.length - start;
    if (left < LOG_OVERHEAD_BYTES) return undefined;
    const length = readInt32(buffer, start + LENGTH_AT);
    if (length < MIN_LENGTH) {
      this.at = buffer.length;
      throw this.corrupt(start, `its length is ${length}`);
    }
    const size = LOG_OVERHEAD_BYTES + length;
    if (size > left) return undefined;
    this.at = start + size;
    return this.batchAt(start, start + size);
  }

  /** The rest of the batches. */
  *[Symbol.iterator](): IterableIterator<RecordBatch> {
    for (let batch = this.next(); batch !== undefined; batch = this.next()) yield batch;
  }

  private batchAt(start: number, end: number): RecordBatch {
    const magic = this.buffer[start + MAGIC_AT]!;
    if (magic > 2) throw this.corrupt(start, `its magic is ${magic}, not 0, 1 or 2`);
    if (magic < 2) {
      return new LegacyBatch(this.buffer, start, end, magic as 0 | 1, this.context);
    }
    if (end - start < BATCH_HEADER_BYTES) {
      throw this.corrupt(start, `its length is ${end - start - LOG_OVERHEAD_BYTES}`);
    }
    return new V2Batch(this.buffer, start, end, this.context);
  }

  private corrupt(start: number, what: string): Error {
    const offset = readInt64(this.buffer, start);
    return corruptRecords(`the batch at byte ${start} is invalid: ${what}`, this.context, offset);
  }
}

/**
 * The whole batches of a fetched buffer, as a list.
 *
 * @throws CorruptRecordError on a header that can't be.
 * @example
 * readBatches(bytes).map((batch) => batch.baseOffset);
 */
export function readBatches(buffer: Buffer, context?: RecordContext): RecordBatch[] {
  return [...new BatchWalker(buffer, context)];
}
