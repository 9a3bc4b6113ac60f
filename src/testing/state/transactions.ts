import { readControlRecord, recordsOf, type RecordBatch } from '../../core/records/index.js';

/** A transaction whose records consumers are to skip. */
export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
  /** That of the marker. */
  readonly lastOffset: number;
}

/** Which transactions of a log are open and which were aborted, read from its batches (KIP-98). */
export class Transactions {
  /** First offset of each producer's open transaction. */
  private readonly open = new Map<number, number>();
  /** In the order in which they ended. */
  private aborted: AbortedTransaction[] = [];

  /** The first record that is not decided; `undefined` where all are. */
  get firstUnstableOffset(): number | undefined {
    return this.open.size === 0 ? undefined : Math.min(...this.open.values());
  }

  /** Those that have records or their marker at `from` or later, and begin before `upTo`. */
  abortedBetween(from: number, upTo: number): AbortedTransaction[] {
    return this.aborted.filter(
      ({ firstOffset, lastOffset }) => lastOffset >= from && firstOffset < upTo,
    );
  }

  get hasAborted(): boolean {
    return this.aborted.length > 0;
  }

  /** Takes note of a batch that was appended at an offset. */
  add(batch: RecordBatch, offset: number): void {
    if (batch.isControl) this.end(batch, offset);
    else if (batch.isTransactional && !this.open.has(batch.producerId)) {
      this.open.set(batch.producerId, offset);
    }
  }

  deleteBefore(offset: number): void {
    this.aborted = this.aborted.filter(({ lastOffset }) => lastOffset >= offset);
  }

  clear(): void {
    this.open.clear();
    this.aborted = [];
  }

  private end(batch: RecordBatch, offset: number): void {
    const { producerId } = batch;
    const firstOffset = this.open.get(producerId);
    const kind = markerOf(batch);
    if (firstOffset === undefined || kind === 'other') return;
    this.open.delete(producerId);
    if (kind === 'abort') this.aborted.push({ producerId, firstOffset, lastOffset: offset });
  }
}

function markerOf(batch: RecordBatch): 'abort' | 'commit' | 'other' {
  for (const { key, value } of recordsOf(batch, { checkCrcs: false })) {
    return readControlRecord(key, value).kind;
  }
  return 'other';
}
