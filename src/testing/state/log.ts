import { readBatches, storeBatches, type RecordBatch } from '../../core/records/index.js';
import { Errors } from '../error-codes.js';
import type { SequenceRules } from '../versions.js';
import { LeaderEpochs } from './leader-epochs.js';
import { LogProducers } from './log-producers.js';
import type { AbortedTransaction } from './open-transactions.js';
import { Rejection } from './rejection.js';
import { firstIndex, Segment, type StoredBatch } from './segment.js';
import { bytesBetween, bytesFrom, offsetAfter, sliceOf } from './segment-bytes.js';
import { findByTime, findLatest, type TimedOffset } from './segment-times.js';
import type { TopicConfig } from './topic-config.js';

/** What became of an append. */
export interface Appended {
  readonly baseOffset: number;
  /** -1 when the records kept their own timestamps. */
  readonly logAppendTimeMs: number;
  readonly isDuplicate: boolean;
}

/** What a read found. */
export interface LogSlice {
  readonly records: Buffer;
  /** The limit cut the very first batch short, so that nothing can be made of the bytes. */
  readonly isFirstBatchCut: boolean;
}

const MIN_SEGMENT_BYTES = 16 * 1024;
const MAX_SEGMENT_BYTES = 4 * 1024 * 1024;
const EMPTY: LogSlice = { records: Buffer.alloc(0), isFirstBatchCut: false };

/**
 * The records of a partition, in memory: batches as they were received, in segments, with the
 * leader epochs and the producers' sequences that belong to them.
 */
export class Log {
  readonly epochs = new LeaderEpochs();
  readonly producers: LogProducers;
  private segments: Segment[] = [];
  private start = 0;
  private end = 0;

  constructor(
    private readonly config: TopicConfig,
    rules: SequenceRules,
  ) {
    this.producers = new LogProducers(rules);
  }

  /** The first offset there is. */
  get startOffset(): number {
    return this.start;
  }

  /** The offset that the next record will get. */
  get endOffset(): number {
    return this.end;
  }

  /** Everything below is decided: no open transaction has records there. */
  get lastStableOffset(): number {
    return Math.max(this.start, this.producers.firstUnstableOffset ?? this.end);
  }

  get sizeBytes(): number {
    return this.segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  get batches(): StoredBatch[] {
    return this.segments.flatMap(({ batches }) => batches);
  }

  /** Where each segment begins: what ListOffsets v0 counts in. */
  get segmentStarts(): readonly { baseOffset: number; maxTimestamp: number }[] {
    return this.segments;
  }

  /**
   * Appends batches that were validated, after checking the producer's sequence.
   *
   * @throws Rejection when the sequence is not the next one, or when no segment may be that large.
   */
  append(batches: readonly RecordBatch[], leaderEpoch: number, nowMs: number): Appended {
    this.checkSize(batches);
    const [first] = batches;
    if (first !== undefined && first.producerId >= 0) {
      const duplicate = this.producers.findDuplicate(first);
      if (duplicate !== undefined) {
        // As the Java broker does, with the batch's own time even where that is CreateTime.
        const { firstOffset, timestamp } = duplicate;
        return { baseOffset: firstOffset, logAppendTimeMs: timestamp, isDuplicate: true };
      }
      if (!first.isControl) this.producers.check(first);
    }
    const baseOffset = first === undefined ? -1 : this.end;
    for (const batch of batches) this.store(batch, leaderEpoch, nowMs);
    this.enforceRetention();
    const logAppendTimeMs = this.config.usesLogAppendTime ? nowMs : -1;
    return { baseOffset, logAppendTimeMs, isDuplicate: false };
  }

  /**
   * Reads from the batch that holds `offset`, up to `maxBytes`, like a file: the last batch may be
   * cut short.
   *
   * @param atLeastOne reads the first batch whole even when it exceeds the limit (KIP-74).
   * @param upTo where to stop: the start of a batch.
   */
  read(offset: number, maxBytes: number, atLeastOne: boolean, upTo = this.end): LogSlice {
    if (offset < this.start || offset > this.end) {
      throw new Rejection(
        Errors.OFFSET_OUT_OF_RANGE,
        `Received request for offset ${offset}, but we only have log segments in the range ` +
          `${this.start} to ${this.end}.`,
      );
    }
    const index = firstIndex(this.segments, ({ endOffset }) => endOffset > offset);
    const segment = this.segments[index];
    if (segment === undefined || offset >= upTo) return EMPTY;
    const first = segment.batches[segment.indexOf(offset)]!;
    const allowed = atLeastOne ? Math.max(maxBytes, first.sizeBytes) : maxBytes;
    const wanted =
      upTo < this.end ? Math.min(allowed, bytesBetween(this.segments, offset, upTo)) : allowed;
    const records = sliceOf(this.segments, index, first.position, wanted);
    return { records, isFirstBatchCut: records.length < first.sizeBytes };
  }

  /** The aborted transactions that concern a reader of so many bytes from an offset on. */
  abortedIn(offset: number, bytes: number): AbortedTransaction[] {
    if (!this.producers.hasAborted) return [];
    const upTo = offsetAfter(this.segments, offset, bytes) ?? this.end;
    return this.producers.abortedBetween(offset, upTo);
  }

  /** How many bytes there are to read from an offset on, up to a limit. */
  bytesFrom(offset: number, limit: number, upTo = this.end): number {
    if (upTo < this.end) return Math.min(limit, bytesBetween(this.segments, offset, upTo));
    return bytesFrom(this.segments, offset, limit);
  }

  /** The first record that is at least as late as a timestamp. */
  findByTime(timestamp: bigint): TimedOffset | undefined {
    return findByTime(this.segments, this.start, timestamp);
  }

  /** The first record with the largest timestamp. */
  findLatest(): TimedOffset | undefined {
    return findLatest(this.segments, this.start);
  }

  /** Deletes records at the start: nothing below `offset` can be read any more. */
  deleteBefore(offset: number): void {
    if (offset <= this.start) return;
    this.start = offset;
    while (this.segments.length > 0 && this.segments[0]!.endOffset <= offset) {
      this.segments.shift();
    }
    this.epochs.deleteBefore(offset);
    this.producers.recordsDeletedBefore(offset);
  }

  /** Cuts the log off in front of the batch that holds `offset`, as an unclean election does. */
  truncateTo(offset: number): void {
    if (offset >= this.end) return;
    while (this.segments.length > 0 && this.segments.at(-1)!.baseOffset >= offset) {
      this.segments.pop();
    }
    const last = this.segments.at(-1);
    last?.truncateAt(last.indexOf(offset));
    this.end = last?.endOffset ?? offset;
    this.start = Math.min(this.start, this.end);
    this.epochs.truncateTo(this.end);
    this.rememberProducersAnew();
  }

  /** Deletes whole segments while the rest is still as large as `retention.bytes` allows. */
  enforceRetention(): void {
    const { retentionBytes } = this.config;
    if (retentionBytes < 0) return;
    let excess = this.sizeBytes - retentionBytes;
    let keepFrom = this.start;
    for (const segment of this.segments.slice(0, -1)) {
      if (excess < segment.sizeBytes) break;
      excess -= segment.sizeBytes;
      keepFrom = segment.endOffset;
    }
    this.deleteBefore(keepFrom);
  }

  private checkSize(batches: readonly RecordBatch[]): void {
    const { segmentBytes } = this.config;
    const size = batches.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    if (size <= segmentBytes) return;
    throw new Rejection(
      Errors.RECORD_LIST_TOO_LARGE,
      `The ${size} bytes of the append exceed the segment size of ${segmentBytes}.`,
    );
  }

  private store(batch: RecordBatch, leaderEpoch: number, nowMs: number): void {
    const placing = {
      baseOffset: this.end,
      partitionLeaderEpoch: leaderEpoch,
      ...(this.config.usesLogAppendTime && !batch.isControl ? { logAppendTime: nowMs } : {}),
    };
    const count = countOf(batch);
    const isRewritten = batch.magic === 0 && batch.count === -1;
    const bytes = isRewritten ? storeBatches(Buffer.from(batch.bytes), placing) : batch.bytes;
    const segment = this.segmentFor(bytes.length);
    segment.append(bytes, {
      baseOffset: this.end,
      lastOffset: this.end + count - 1,
      count,
      maxTimestamp: placing.logAppendTime ?? batch.maxTimestamp,
      magic: batch.magic,
      producerId: batch.producerId,
      producerEpoch: batch.producerEpoch,
      baseSequence: batch.baseSequence,
    });
    if (!isRewritten) storeBatches(segment.bytesOf(segment.batches.at(-1)!), placing);
    this.producers.remember(batch, batch, this.end);
    this.end += count;
  }

  private segmentFor(bytes: number): Segment {
    const last = this.segments.at(-1);
    if (last?.hasRoomFor(bytes) === true) return last;
    const wanted = last === undefined ? MIN_SEGMENT_BYTES : last.capacity * 2;
    const capacity = Math.min(wanted, MAX_SEGMENT_BYTES, this.config.segmentBytes);
    const memory = Buffer.allocUnsafeSlow(Math.max(capacity, bytes));
    const segment = new Segment(this.end, memory);
    this.segments.push(segment);
    return segment;
  }

  private rememberProducersAnew(): void {
    this.producers.clear();
    for (const segment of this.segments) {
      for (const stored of segment.batches) {
        if (stored.producerId < 0) continue;
        const [batch] = readBatches(segment.bytesOf(stored));
        this.producers.remember(batch!, stored, stored.baseOffset);
      }
    }
  }
}

function countOf(batch: RecordBatch): number {
  if (batch.magic === 2) return batch.lastOffset - batch.baseOffset + 1;
  return batch.count >= 0 ? batch.count : batch.cursor().count;
}
