import { Queue } from '../util/queue.js';
import type { Accumulator } from './accumulator.js';
import type { ResolvedProducerOptions } from './options.js';
import type { ReadAhead } from './read-ahead.js';

/** How many more records may be at hand, and who waits until there are fewer. */
export class Room {
  private readonly listeners = new Queue<() => void>();

  constructor(
    private readonly accumulator: Accumulator,
    private readonly options: Pick<ResolvedProducerOptions, 'bufferMemory' | 'batchSize'>,
    private readonly readAhead: ReadAhead,
  ) {}

  /** Whether another record may be taken; the last one may exceed the buffer. */
  get isLeft(): boolean {
    return this.accumulator.bufferedBytes < this.options.bufferMemory;
  }

  /**
   * Whether there is less at hand than keeps the brokers busy. Of all partitions together there is
   * always enough to fill a batch, so that none is left to linger.
   */
  get wantsMore(): boolean {
    if (!this.isLeft) return false;
    const { encodedBytes, active } = this.accumulator;
    return (
      encodedBytes < this.readAhead.bytes || encodedBytes < 2 * this.options.batchSize * active.size
    );
  }

  /** Calls back once when there may be some. */
  whenLeft(callback: () => void): void {
    this.listeners.push(callback);
  }

  /** To be called when there may be some again. */
  tell(): void {
    // Those who find none wait again: once around, then.
    for (let left = this.listeners.length; left > 0 && this.isLeft; left--) {
      this.listeners.shift()!();
    }
  }

  /** Nobody has to wait any more. */
  tellAll(): void {
    for (let left = this.listeners.length; left > 0; left--) this.listeners.shift()!();
  }
}
