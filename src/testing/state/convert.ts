import {
  encodeRecords,
  readBatches,
  recordsOf,
  type CompressionType,
  type RecordBatch,
} from '../../core/records/index.js';
import { Errors } from '../error-codes.js';
import { Rejection } from './rejection.js';

/** Records as the given format has them: without headers, without timestamps before magic 1. */
function* recordsFor(batches: Iterable<RecordBatch>, magic: 0 | 1 | 2) {
  for (const batch of batches) {
    for (const record of recordsOf(batch)) {
      const { key, value, headers } = record;
      const isExact = Number.isSafeInteger(record.timestamp);
      const timestamp = isExact ? record.timestamp : record.timestampBigInt;
      yield magic === 2 ? { key, value, headers, timestamp } : { key, value, timestamp };
    }
  }
}

/** What a broker stores when a producer of an older format wrote it: one batch of its own format. */
export function upConvert(batches: readonly RecordBatch[], magic: 0 | 1 | 2): RecordBatch[] {
  const [first] = batches;
  if (first === undefined || batches.every((batch) => batch.magic >= magic)) return [...batches];
  const compressionType = first.compressionType;
  return readBatches(encodeRecords(recordsFor(batches, magic), { magic, compressionType }));
}

/**
 * What a broker sends to a fetcher that knows only older formats. Messages below the offset that was
 * asked for are left out where they can be, outside compressed sets.
 */
export function downConvert(bytes: Buffer, magic: 0 | 1, fromOffset: number): Buffer {
  const batches = readBatches(bytes);
  if (batches.every((batch) => batch.magic <= magic)) return bytes;
  const converted = batches
    .filter(({ isControl }) => !isControl)
    .map((batch) => {
      if (batch.magic <= magic) return batch.bytes;
      const { baseOffset, compressionType } = batch;
      if (compressionType === 'zstd') throw zstdNeedsMagic2();
      const set = encodeRecords(recordsFor([batch], magic), { magic, compressionType, baseOffset });
      return compressionType === 'none' ? messagesFrom(set, fromOffset) : set;
    });
  return Buffer.concat(converted);
}

function messagesFrom(set: Buffer, fromOffset: number): Buffer {
  const skipped = readBatches(set).filter(({ lastOffset }) => lastOffset < fromOffset);
  return set.subarray(skipped.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
}

/** The batches with the codec that the topic's `compression.type` demands. */
export function recompress(
  batches: readonly RecordBatch[],
  wanted: CompressionType,
): RecordBatch[] {
  return batches.flatMap((batch) => {
    if (batch.compressionType === wanted || batch.isControl) return [batch];
    if (batch.magic < 2 && wanted === 'zstd') throw zstdNeedsMagic2();
    const { magic, isTransactional, producerId, producerEpoch, baseSequence } = batch;
    return readBatches(
      encodeRecords(recordsFor([batch], magic), {
        magic,
        compressionType: wanted,
        isTransactional,
        producer: { producerId, producerEpoch, baseSequence },
      }),
    );
  });
}

function zstdNeedsMagic2(): Rejection {
  const message = 'Message sets of old formats have no zstd';
  return new Rejection(Errors.UNSUPPORTED_COMPRESSION_TYPE, message);
}
