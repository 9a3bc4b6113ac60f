import { firstIndex, type Segment } from './segment.js';

/** So many bytes from a place in a segment on, as far as there are. */
export function sliceOf(
  segments: readonly Segment[],
  index: number,
  position: number,
  maxBytes: number,
): Buffer {
  const first = segments[index]!;
  const bytes = first.slice(position, Math.min(first.sizeBytes, position + maxBytes));
  let left = maxBytes - bytes.length;
  if (left === 0 || index === segments.length - 1) return bytes;
  const parts = [bytes];
  for (let i = index + 1; left > 0 && i < segments.length; i++) {
    const { sizeBytes } = segments[i]!;
    parts.push(segments[i]!.slice(0, Math.min(sizeBytes, left)));
    left -= Math.min(sizeBytes, left);
  }
  return Buffer.concat(parts);
}

/** How many bytes there are from the batch that holds an offset on, up to a limit. */
export function bytesFrom(segments: readonly Segment[], offset: number, limit: number): number {
  let index = firstIndex(segments, ({ endOffset }) => endOffset > offset);
  let segment = segments[index];
  if (segment === undefined) return 0;
  let bytes = segment.sizeBytes - segment.batches[segment.indexOf(offset)]!.position;
  while (bytes < limit && (segment = segments[++index]) !== undefined) {
    bytes += segment.sizeBytes;
  }
  return Math.min(bytes, limit);
}

/** The bytes of the batches from that which holds an offset to that which begins at another. */
export function bytesBetween(segments: readonly Segment[], offset: number, upTo: number): number {
  let bytes = 0;
  for (const { batches, endOffset } of segments) {
    if (endOffset <= offset) continue;
    for (const { baseOffset, lastOffset, sizeBytes } of batches) {
      if (baseOffset >= upTo) return bytes;
      if (lastOffset >= offset) bytes += sizeBytes;
    }
  }
  return bytes;
}

/**
 * The offset that follows when so many bytes were read from the batch that holds `offset`; `undefined`
 * when there are not so many.
 */
export function offsetAfter(
  segments: readonly Segment[],
  offset: number,
  bytes: number,
): number | undefined {
  let left = bytes;
  for (const { batches, endOffset } of segments) {
    if (endOffset <= offset) continue;
    for (const { lastOffset, sizeBytes } of batches) {
      if (lastOffset < offset) continue;
      left -= sizeBytes;
      if (left <= 0) return lastOffset + 1;
    }
  }
  return undefined;
}
