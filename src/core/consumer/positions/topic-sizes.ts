import type { Cluster } from '../../cluster/index.js';
import type { TopicPartition } from '../../group/index.js';

/**
 * How many partitions topics had when they were subscribed to. What comes to be later is read from
 * its beginning, whatever `autoOffsetReset` says: `latest` would skip what was written before the
 * consumer noticed.
 */
export class TopicSizes {
  private readonly sizes = new Map<string, number>();
  /** Topics that were subscribed to before a broker has told of them. */
  private readonly untold = new Set<string>();
  private isFirst = true;

  constructor(private readonly cluster: Cluster) {}

  /** Topics are subscribed to by name: what a broker tells of them first counts, were it that there are none. */
  subscribed(topics: readonly string[]): void {
    for (const topic of topics) {
      this.cluster.topic(topic);
      this.untold.add(topic);
    }
    this.note();
    if (this.untold.size > 0) this.cluster.requestMetadataUpdate();
  }

  /** Takes in what brokers have told meanwhile. */
  note(): void {
    for (const name of this.untold) {
      const topic = this.cluster.metadata.topics.get(name);
      if (topic === undefined) continue;
      this.sizes.set(name, topic.partitions.length);
      this.untold.delete(name);
    }
  }

  /** Takes topics in that were assigned: those that come first a pattern has matched from the start. */
  noteAssigned(topics: readonly string[]): void {
    if (this.isFirst) this.subscribed(topics.filter((topic) => !this.sizes.has(topic)));
    this.isFirst = false;
  }

  /** Takes in what a pattern matches: a topic that it didn't match at first came to be later. */
  noteMatched(sizes: ReadonlyMap<string, number>): void {
    for (const [topic, size] of sizes) {
      if (!this.sizes.has(topic)) this.sizes.set(topic, this.isFirst ? size : 0);
    }
    this.isFirst = false;
  }

  /** Resolves when it can be told of partitions whether they are new, or when it is called off. */
  known(partitions: readonly TopicPartition[], signal: AbortSignal): Promise<void> {
    const isKnown = () => partitions.every(({ topic }) => !this.untold.has(topic));
    if (isKnown()) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        stop();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const stop = this.cluster.onMetadata(() => {
        this.note();
        if (isKnown()) done();
        else this.cluster.requestMetadataUpdate();
      });
      signal.addEventListener('abort', done, { once: true });
      this.cluster.requestMetadataUpdate();
    });
  }

  isNew({ topic, partition }: TopicPartition): boolean {
    return partition >= (this.sizes.get(topic) ?? 0);
  }
}
