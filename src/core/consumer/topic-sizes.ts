import type { Cluster } from '../cluster/index.js';
import type { TopicPartition } from '../group/index.js';

/**
 * How many partitions topics had when they were subscribed to. What comes to be later is read from
 * its beginning, whatever `autoOffsetReset` says: `latest` would skip what was written before the
 * consumer noticed.
 */
export class TopicSizes {
  private readonly sizes = new Map<string, number>();
  private isFirst = true;

  constructor(private readonly cluster: Cluster) {}

  /** Takes topics in that were named, as soon as a broker has told of them, were it that there are none. */
  note(topics: readonly string[]): void {
    for (const name of topics) {
      if (this.sizes.has(name)) continue;
      const topic = this.cluster.metadata.topics.get(name);
      if (topic !== undefined) this.sizes.set(name, topic.partitions.length);
    }
  }

  /** Takes topics in that a pattern has matched: the first time they were there before. */
  noteMatched(topics: readonly string[]): void {
    if (this.isFirst) this.note(topics);
    this.isFirst = false;
  }

  /** Takes in what a pattern matches: a topic that it didn't match at first came to be later. */
  noteSizes(sizes: ReadonlyMap<string, number>): void {
    for (const [topic, size] of sizes) {
      if (!this.sizes.has(topic)) this.sizes.set(topic, this.isFirst ? size : 0);
    }
    this.isFirst = false;
  }

  isNew({ topic, partition }: TopicPartition): boolean {
    return partition >= (this.sizes.get(topic) ?? 0);
  }
}
