import type { Claim } from '../transactions/transaction.js';
import { PendingOffsets } from './pending-offsets.js';

/** An offset as a group commits it. */
export interface CommittedOffset {
  readonly offset: number;
  /** -1 where the consumer did not say. */
  readonly leaderEpoch: number;
  readonly metadata: string;
  readonly commitTimestampMs: number;
}

/** Offsets of a topic's partitions by their index. */
type TopicOffsets = Map<number, CommittedOffset>;

/** What a group has committed. */
export class CommittedOffsets {
  private readonly byTopic = new Map<string, TopicOffsets>();
  private readonly pending = new PendingOffsets();
  /** When each was sent: one that a transaction sent earlier may come to be committed later. */
  private readonly orders = new Map<string, number>();
  private sent = 0;

  get isEmpty(): boolean {
    return this.byTopic.size === 0;
  }

  get(topic: string, partition: number): CommittedOffset | undefined {
    return this.byTopic.get(topic)?.get(partition);
  }

  /** Whether an open transaction is about to commit another one. */
  isPending(topic: string, partition: number): boolean {
    return this.pending.has(topic, partition);
  }

  set(topic: string, partition: number, offset: CommittedOffset): void {
    this.orders.set(`${topic}:${partition}`, ++this.sent);
    this.put(topic, partition, offset);
  }

  /** @throws Rejection when somebody else is the producer by now. */
  checkProducer(producer: Claim): void {
    this.pending.check(producer);
  }

  /** Keeps an offset until the producer's transaction ends. */
  stage(producer: Claim, topic: string, partition: number, offset: CommittedOffset): void {
    this.pending.add(producer, { topic, partition, offset, order: ++this.sent });
  }

  /** A producer's transaction has ended. */
  settle(producer: Claim, ending: 'commit' | 'abort'): void {
    const pending = this.pending.take(producer);
    if (ending === 'abort') return;
    for (const { topic, partition, offset, order } of pending) {
      const key = `${topic}:${partition}`;
      if (order < (this.orders.get(key) ?? 0)) continue;
      this.orders.set(key, order);
      this.put(topic, partition, offset);
    }
  }

  delete(topic: string, partition: number): void {
    const offsets = this.byTopic.get(topic);
    offsets?.delete(partition);
    if (offsets?.size === 0) this.byTopic.delete(topic);
  }

  /** Offsets go with their topic. */
  deleteTopic(topic: string): void {
    this.byTopic.delete(topic);
    this.pending.deleteTopic(topic);
  }

  /** All of them, by topic and partition. */
  *[Symbol.iterator](): IterableIterator<readonly [string, ReadonlyMap<number, CommittedOffset>]> {
    yield* this.byTopic;
  }

  private put(topic: string, partition: number, offset: CommittedOffset): void {
    let offsets = this.byTopic.get(topic);
    if (offsets === undefined)
      this.byTopic.set(topic, (offsets = new Map<number, CommittedOffset>()));
    offsets.set(partition, offset);
  }
}
