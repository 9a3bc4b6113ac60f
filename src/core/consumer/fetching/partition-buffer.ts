import type { RecordBatch } from '../../records/index.js';
import { Queue } from '../../util/queue.js';
import type { FetchedChunk } from './fetched-chunk.js';

/** What was fetched of a partition and waits to be delivered. */
export class PartitionBuffer {
  private readonly chunks = new Queue<FetchedChunk>();
  private bytes = 0;

  /** Bytes that wait to be opened. */
  get sizeBytes(): number {
    return this.bytes;
  }

  /** The chunk that is being used up. */
  get current(): FetchedChunk | undefined {
    return this.chunks.peek();
  }

  push(chunk: FetchedChunk): void {
    this.bytes += chunk.sizeBytes;
    this.chunks.push(chunk);
  }

  /**
   * The next batch of the current chunk; `undefined` at its end.
   *
   * @throws CorruptRecordError on a header that can't be.
   */
  next(): RecordBatch | undefined {
    const chunk = this.chunks.peek();
    if (chunk === undefined) return undefined;
    const before = chunk.remainingBytes;
    try {
      return chunk.next();
    } finally {
      this.bytes -= before - chunk.remainingBytes;
    }
  }

  /**
   * Where to go on after the batch that came last, when it can't be read: what its header says of its
   * end may be as wrong as the rest, and must pass nothing that follows.
   */
  endOf({ nextOffset }: RecordBatch): number {
    return Math.min(nextOffset, this.current?.nextBaseOffset ?? Infinity);
  }

  /** Lets the current chunk go. */
  shift(): void {
    const chunk = this.chunks.shift();
    if (chunk === undefined) return;
    this.bytes -= chunk.remainingBytes;
    chunk.memory.release();
  }

  clear(): void {
    while (this.chunks.length > 0) this.shift();
  }
}
