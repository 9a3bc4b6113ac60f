/** A batch in the log: where it lies, and what can be asked of it without reading it. */
export interface StoredBatch {
  readonly baseOffset: number;
  readonly lastOffset: number;
  /** Byte position in its segment. */
  readonly position: number;
  readonly sizeBytes: number;
  readonly count: number;
  readonly maxTimestamp: number;
  readonly magic: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
}

/**
 * A stretch of the log in one piece of memory. What is written is never changed again, so that
 * fetches can hand out slices of it.
 */
export class Segment {
  readonly batches: StoredBatch[] = [];
  sizeBytes = 0;
  maxTimestamp = -1;
  private isSealed = false;

  constructor(
    readonly baseOffset: number,
    private readonly memory: Buffer,
  ) {}

  get capacity(): number {
    return this.memory.length;
  }

  /** The offset after the last record. */
  get endOffset(): number {
    const last = this.batches.at(-1);
    return last === undefined ? this.baseOffset : last.lastOffset + 1;
  }

  hasRoomFor(bytes: number): boolean {
    return !this.isSealed && this.sizeBytes + bytes <= this.memory.length;
  }

  append(bytes: Uint8Array, batch: Omit<StoredBatch, 'position' | 'sizeBytes'>): void {
    const position = this.sizeBytes;
    this.memory.set(bytes, position);
    this.batches.push({ ...batch, position, sizeBytes: bytes.length });
    this.sizeBytes += bytes.length;
    if (batch.maxTimestamp > this.maxTimestamp) this.maxTimestamp = batch.maxTimestamp;
  }

  slice(start: number, end: number): Buffer {
    return this.memory.subarray(start, end);
  }

  bytesOf({ position, sizeBytes }: StoredBatch): Buffer {
    return this.memory.subarray(position, position + sizeBytes);
  }

  /** Index of the first batch that reaches an offset; the number of batches when none does. */
  indexOf(offset: number): number {
    return firstIndex(this.batches, ({ lastOffset }) => lastOffset >= offset);
  }

  /** Drops the batches from an index on. Their memory is left alone: answers may still hold it. */
  truncateAt(index: number): void {
    if (index >= this.batches.length) return;
    this.isSealed = true;
    this.sizeBytes = this.batches[index]!.position;
    this.batches.length = index;
    this.maxTimestamp = this.batches.reduce((max, batch) => Math.max(max, batch.maxTimestamp), -1);
  }
}

/** The first index whose item holds, where all after it hold too; the length when none does. */
export function firstIndex<T>(items: readonly T[], holds: (item: T) => boolean): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(items[middle]!)) high = middle;
    else low = middle + 1;
  }
  return low;
}
