import { decodeRecords } from '../records/index.js';
import type { KafkaError } from '../util/errors.js';
import type { Accumulator } from './accumulator.js';
import type { Batch } from './batch.js';
import { headersUnsupported } from './errors.js';

/** Which records of a batch to keep: all in parts of half the size at most, or all but some. */
export type Rebuild = 'halves' | ReadonlyMap<number, unknown>;

/**
 * Packs the records of a batch anew: one that was too large in parts, one with refused records
 * without them, one in an old format in the new one. Rare, so the records are simply read back from
 * the encoded batch.
 */
export function rebuild(accumulator: Accumulator, batch: Batch, how: Rebuild): Batch[] {
  const parts: Batch[] = [];
  const halfBytes = batch.builder.sizeBytes / 2;
  let part: Batch | undefined;
  for (const [index, { key, value, headers, timestamp }] of readBack(batch).entries()) {
    if (how !== 'halves' && how.has(index)) continue;
    // A part has one record at least, so all the records never end up in one part again.
    const isFull =
      how === 'halves' &&
      part !== undefined &&
      part.builder.sizeBytes + part.builder.sizeOf(key, value, headers, timestamp) > halfBytes;
    if (part === undefined || isFull) parts.push((part = accumulator.batchLike(batch)));
    const before = part.builder.sizeBytes;
    part.builder.append(key, value, headers, timestamp);
    part.add(batch.submitters.at(index), batch.tokens[index], batch.timestamps.at(index));
    const bytes = part.builder.sizeBytes - before;
    part.heldBytes += batch.submitters.at(index).heldBytes(bytes);
    part.largestRecordBytes = Math.max(part.largestRecordBytes, bytes);
  }
  return parts;
}

/** The records that the format of the brokers has no room for. */
export function unfit({ magic }: Accumulator, batch: Batch): Map<number, KafkaError> {
  const errors = new Map<number, KafkaError>();
  if (magic === 2) return errors;
  for (const [index, { headers }] of readBack(batch).entries()) {
    if (headers.length === 0) continue;
    errors.set(index, headersUnsupported(batch.topic, batch.partition));
  }
  return errors;
}

function readBack(batch: Batch) {
  batch.bytes ??= batch.builder.close();
  return decodeRecords(batch.bytes);
}
