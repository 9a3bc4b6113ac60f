/** One partition of a topic. */
export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** A set of partitions, which JavaScript's own sets can't be: they compare objects by identity. */
export class PartitionSet implements Iterable<TopicPartition> {
  private readonly byTopic = new Map<string, Map<number, TopicPartition>>();
  private count = 0;

  constructor(partitions: Iterable<TopicPartition> = []) {
    for (const partition of partitions) this.add(partition);
  }

  get size(): number {
    return this.count;
  }

  has({ topic, partition }: TopicPartition): boolean {
    return this.byTopic.get(topic)?.has(partition) === true;
  }

  add(entry: TopicPartition): void {
    let partitions = this.byTopic.get(entry.topic);
    if (partitions === undefined) {
      partitions = new Map<number, TopicPartition>();
      this.byTopic.set(entry.topic, partitions);
    }
    if (partitions.has(entry.partition)) return;
    partitions.set(entry.partition, entry);
    this.count++;
  }

  delete({ topic, partition }: TopicPartition): void {
    if (this.byTopic.get(topic)?.delete(partition) === true) this.count--;
  }

  *[Symbol.iterator](): IterableIterator<TopicPartition> {
    for (const partitions of this.byTopic.values()) yield* partitions.values();
  }
}

/** Those of `partitions` that are not among `others`, in their order. */
export function without(
  partitions: readonly TopicPartition[],
  others: readonly TopicPartition[],
): TopicPartition[] {
  const excluded = new PartitionSet(others);
  return partitions.filter((partition) => !excluded.has(partition));
}

/** Whether two lists name the same partitions, in whatever order. */
export function samePartitions(
  a: readonly TopicPartition[],
  b: readonly TopicPartition[],
): boolean {
  return a.length === b.length && without(a, b).length === 0;
}

/** By topic in the order of first mention, as messages carry them. */
export function groupByTopic(
  partitions: readonly TopicPartition[],
): { topic: string; partitions: number[] }[] {
  const byTopic = new Map<string, number[]>();
  for (const { topic, partition } of partitions) {
    const numbers = byTopic.get(topic);
    if (numbers === undefined) byTopic.set(topic, [partition]);
    else numbers.push(partition);
  }
  return [...byTopic].map(([topic, numbers]) => ({ topic, partitions: numbers }));
}

/** The reverse of {@link groupByTopic}. */
export function flattenTopics(
  topics: readonly { readonly topic: string; readonly partitions: readonly number[] }[],
): TopicPartition[] {
  return topics.flatMap(({ topic, partitions }) =>
    partitions.map((partition) => ({ topic, partition })),
  );
}

/** As people read them: `orders-0, orders-1`. */
export function formatPartitions(partitions: readonly TopicPartition[]): string {
  return partitions.map(({ topic, partition }) => `${topic}-${partition}`).join(', ');
}

/** The names alone, of whatever has them. */
export function plainPartition({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition };
}
