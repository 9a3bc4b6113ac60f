import type { RecordBatch } from '../../core/records/index.js';

/** A transaction whose records consumers are to skip. */
export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
  /** That of the marker. */
  readonly lastOffset: number;
}

/** Which transactions of a log are open and which were aborted, read from its batches (KIP-98). */
export class OpenTransactions {
  /** First offset of each producer's open transaction. */
  private readonly open = new Map<number, number>();
  /** In the order in which they ended. */
  private aborted: AbortedTransaction[] = [];

  /** The first record that is not decided; `undefined` where all are. */
  get firstUnstableOffset(): number | undefined {
    return this.open.size === 0 ? undefined : Math.min(...this.open.values());
  }

  /** Where a producer's open transaction begins; `undefined` where it has none. */
  startOf(producerId: number): number | undefined {
    return this.open.get(producerId);
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

  /** Takes note of a transaction's batch that was appended at an offset. */
  add({ producerId }: RecordBatch, offset: number): void {
    if (!this.open.has(producerId)) this.open.set(producerId, offset);
  }

  /** Takes note of a marker: the producer's transaction ends with it, if one is open. */
  end({ producerId }: RecordBatch, kind: 'abort' | 'commit', offset: number): void {
    const firstOffset = this.open.get(producerId);
    if (firstOffset === undefined) return;
    this.open.delete(producerId);
    if (kind === 'abort') this.aborted.push({ producerId, firstOffset, lastOffset: offset });
  }

  deleteBefore(offset: number): void {
    this.aborted = this.aborted.filter(({ lastOffset }) => lastOffset >= offset);
  }

  clear(): void {
    this.open.clear();
    this.aborted = [];
  }
}
