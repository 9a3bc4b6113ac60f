import { readBatches, recordsOf } from '../../core/records/index.js';
import type { Segment, StoredBatch } from './segment.js';

/** A record found by its timestamp. */
export interface TimedOffset {
  readonly offset: number;
  readonly timestamp: bigint;
}

/** The first record, of those that are left, that is at least as late as a timestamp. */
export function findByTime(
  segments: readonly Segment[],
  startOffset: number,
  timestamp: bigint,
): TimedOffset | undefined {
  for (const segment of segments) {
    if (segment.maxTimestamp < timestamp) continue;
    for (const stored of segment.batches) {
      if (stored.maxTimestamp < timestamp || stored.lastOffset < startOffset) continue;
      const found = firstRecord(segment, stored, (time) => time >= timestamp, startOffset);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

/** The first record, of those that are left, with the largest timestamp. */
export function findLatest(
  segments: readonly Segment[],
  startOffset: number,
): TimedOffset | undefined {
  let best: { segment: Segment; stored: StoredBatch } | undefined;
  for (const segment of segments) {
    for (const stored of segment.batches) {
      if (stored.lastOffset < startOffset || stored.maxTimestamp < 0) continue;
      if (best === undefined || stored.maxTimestamp > best.stored.maxTimestamp) {
        best = { segment, stored };
      }
    }
  }
  if (best === undefined) return undefined;
  const latest = BigInt(best.stored.maxTimestamp);
  return firstRecord(best.segment, best.stored, (time) => time >= latest, startOffset);
}

function firstRecord(
  segment: Segment,
  stored: StoredBatch,
  fits: (timestamp: bigint) => boolean,
  startOffset: number,
): TimedOffset | undefined {
  for (const batch of readBatches(segment.bytesOf(stored))) {
    for (const { offset, timestampBigInt: timestamp } of recordsOf(batch, { checkCrcs: false })) {
      if (offset >= startOffset && fits(timestamp)) return { offset, timestamp };
    }
  }
  return undefined;
}
