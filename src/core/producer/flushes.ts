import type { Accumulator } from './accumulator.js';

interface Flush {
  /** Batches up to this one are waited for. */
  readonly order: number;
  readonly resolve: () => void;
}

/** Waits for what was submitted up to a moment to be settled. */
export class Flushes {
  private waiting: Flush[] = [];
  private count = 0;

  constructor(private readonly accumulator: Accumulator) {}

  /** Somebody waits: nothing is to linger. */
  get isUnderWay(): boolean {
    return this.count > 0;
  }

  /** @param begin has all that is waited for sent; resolves with the order of the last batch of it. */
  async run(begin: () => Promise<number>): Promise<void> {
    this.count++;
    try {
      const order = await begin();
      if (this.isSettledUpTo(order)) return;
      await new Promise<void>((resolve) => this.waiting.push({ order, resolve }));
    } finally {
      this.count--;
    }
  }

  /** To be called whenever a batch was settled. */
  check(): void {
    if (this.waiting.length === 0) return;
    const rest: Flush[] = [];
    for (const flush of this.waiting) {
      if (this.isSettledUpTo(flush.order)) flush.resolve();
      else rest.push(flush);
    }
    this.waiting = rest;
  }

  private isSettledUpTo(order: number): boolean {
    for (const queue of this.accumulator.active) {
      for (const batch of queue.all()) if (!batch.isSettled && batch.order <= order) return false;
    }
    return true;
  }
}
