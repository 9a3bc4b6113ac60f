import type { ConsumerRecord } from '../../core/consumer/index.js';
import type { Producer } from '../../core/producer/index.js';
import type { TransactionLane } from './lane.js';

/**
 * The transactions of one partition while it is assigned. Its id is taken over first; then it begins
 * anew from what is committed, for what a predecessor had under way may have counted after all.
 */
export class PartitionLane<K, V> {
  private isReady = false;
  private isOver = false;
  /**
   * What came before the id was taken over. It goes back when that is done, not before, so that the
   * partition isn't handed over meanwhile: a late take-over would fence the next owner.
   */
  private early: ConsumerRecord<K, V>[] = [];

  constructor(
    private readonly owner: ConsumerRecord['owner'],
    private readonly producer: Producer,
    private readonly lane: TransactionLane<K, V>,
  ) {}

  /** The partition is, or is going to be, another member's. */
  get isLeaving(): boolean {
    return this.owner.isDraining;
  }

  /** Until the partition is given up. Never rejects. */
  async run(onFailed: (error: unknown) => void): Promise<void> {
    try {
      await this.producer.initTransactions();
    } catch (error) {
      this.returnEarly();
      onFailed(error);
      return;
    }
    this.isReady = true;
    this.returnEarly();
    if (!this.isOver && !this.isLeaving) {
      this.owner.pipeline.host.group!.beginAnew(this.owner);
    }
    await this.lane.run();
  }

  push(record: ConsumerRecord<K, V>): void {
    if (this.isReady) this.lane.push(record);
    else this.early.push(record);
  }

  cut(): void {
    this.lane.cut();
  }

  drain(): void {
    this.lane.drain();
  }

  complete(): void {
    this.isOver = true;
    this.lane.complete();
  }

  stop(): void {
    this.isOver = true;
    this.lane.stop();
  }

  private returnEarly(): void {
    for (const record of this.early.splice(0)) record.giveBack();
  }
}
