import type { BatchMemory } from '../records/index.js';

const MIN_BYTES = 256;

/**
 * Memory for batches, kept for the next ones: what V8 frees by itself it frees late, for it sees
 * little of what lies outside of its heap. Sizes are powers of two, so that any batch can use what
 * any other is done with; one size more than was asked for is taken before more memory is, for a quarter
 * less of it.
 */
export class BufferPool implements BatchMemory {
  private readonly spare = new Map<number, Buffer[]>();
  private spareBytes = 0;

  /** @param limit tells how much may be kept just now. */
  constructor(private readonly limit: () => number) {}

  /** Bytes that nobody uses. */
  get keptBytes(): number {
    return this.spareBytes;
  }

  take(bytes: number): Buffer {
    const size = sizeFor(bytes);
    const kept = this.reuse(size) ?? this.reuse(size * 2);
    if (kept !== undefined) return kept;
    if (this.spareBytes > this.limit() - size) this.clear();
    return Buffer.allocUnsafeSlow(size);
  }

  give(memory: Buffer): void {
    const size = memory.length;
    if (this.spareBytes + size > this.limit()) return;
    this.spareBytes += size;
    const others = this.spare.get(size);
    if (others === undefined) this.spare.set(size, [memory]);
    else others.push(memory);
  }

  private reuse(size: number): Buffer | undefined {
    const kept = this.spare.get(size)?.pop();
    if (kept !== undefined) this.spareBytes -= size;
    return kept;
  }

  /** Lets go of everything: it is of sizes that are not wanted any more. */
  private clear(): void {
    this.spare.clear();
    this.spareBytes = 0;
  }
}

function sizeFor(bytes: number): number {
  return Math.max(MIN_BYTES, 2 ** Math.ceil(Math.log2(bytes)));
}
