/**
 * The bytes that a consumer may hold: fetched frames and decompressed batches until their last
 * record is acked, and what fetches on the way may bring. It gates fetches and nothing else, so a
 * batch that is there can always be opened.
 */
export class ByteBudget {
  private held = 0;
  private reserved = 0;
  /** The most that was ever held at once. */
  peakBytes = 0;

  constructor(
    readonly limitBytes: number,
    /** Called when bytes were given back. */
    private readonly onFreed: () => void,
  ) {}

  get heldBytes(): number {
    return this.held;
  }

  /** What may still be reserved; below 0 after an oversized batch. */
  get freeBytes(): number {
    return this.limitBytes - this.held - this.reserved;
  }

  /** Whether all that may be held is held; what fetches may bring doesn't count. */
  get isUsedUp(): boolean {
    return this.held >= this.limitBytes;
  }

  /** Sets bytes aside for a fetch. Give them back when it was answered, or never will be. */
  reserve(bytes: number): void {
    this.reserved += bytes;
  }

  unreserve(bytes: number): void {
    this.reserved -= bytes;
    this.onFreed();
  }

  hold(bytes: number): MemoryLease {
    this.held += bytes;
    if (this.held > this.peakBytes) this.peakBytes = this.held;
    return new MemoryLease(bytes, (freed) => {
      this.held -= freed;
      this.onFreed();
    });
  }
}

/** Memory that several parts hold on to; it counts until the last one lets go. */
export class MemoryLease {
  private holders = 1;

  constructor(
    readonly bytes: number,
    private readonly onReleased: (bytes: number) => void,
  ) {}

  retain(): this {
    this.holders++;
    return this;
  }

  release(): void {
    if (--this.holders === 0) this.onReleased(this.bytes);
  }
}
