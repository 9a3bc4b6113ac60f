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

  get isEmpty(): boolean {
    return this.byTopic.size === 0;
  }

  get(topic: string, partition: number): CommittedOffset | undefined {
    return this.byTopic.get(topic)?.get(partition);
  }

  set(topic: string, partition: number, offset: CommittedOffset): void {
    let offsets = this.byTopic.get(topic);
    if (offsets === undefined)
      this.byTopic.set(topic, (offsets = new Map<number, CommittedOffset>()));
    offsets.set(partition, offset);
  }

  delete(topic: string, partition: number): void {
    const offsets = this.byTopic.get(topic);
    offsets?.delete(partition);
    if (offsets?.size === 0) this.byTopic.delete(topic);
  }

  /** Offsets go with their topic. */
  deleteTopic(topic: string): void {
    this.byTopic.delete(topic);
  }

  /** All of them, by topic and partition. */
  *[Symbol.iterator](): IterableIterator<readonly [string, ReadonlyMap<number, CommittedOffset>]> {
    yield* this.byTopic;
  }
}
