import { decodeRecords, encodeRecords } from '../records/index.js';
import type { Accumulator } from './accumulator.js';
import type { Batch } from './batch.js';
import type { ResolvedProducerOptions } from './options.js';

/** Which records of a batch to keep: all in two halves, or all but some. */
export type Rebuild = 'halves' | ReadonlyMap<number, unknown>;

/**
 * Packs the records of a batch anew: one that was too large in two halves, one with refused records
 * without them. Rare, so the records are simply read back from the encoded batch.
 */
export function rebuild(accumulator: Accumulator, batch: Batch, how: Rebuild): Batch[] {
  const parts: Batch[] = [];
  const halfBytes = batch.builder.sizeBytes / 2;
  let part: Batch | undefined;
  for (const [index, record] of decodeRecords(batch.bytes!).entries()) {
    if (how !== 'halves' && how.has(index)) continue;
    const isFull = how === 'halves' && part !== undefined && part.builder.sizeBytes >= halfBytes;
    if (part === undefined || isFull) parts.push((part = accumulator.batchLike(batch)));
    part.builder.append(record.key, record.value, record.headers, record.timestamp);
    part.add(batch.submitters[index]!, batch.tokens[index], batch.timestamps[index]!);
    part.attempts = batch.attempts;
  }
  return parts;
}

/**
 * The bytes of a batch in the format of an older broker, where it was begun before the broker's
 * version was known.
 */
export function encodeAs(
  magic: 0 | 1 | 2,
  { builder }: Batch,
  { compressionType, compressionLevel }: ResolvedProducerOptions,
): Buffer {
  if (builder.magic === magic) return builder.close();
  return encodeRecords(decodeRecords(builder.close()), {
    magic,
    compressionType,
    ...(compressionLevel !== undefined && { compressionLevel }),
  });
}
