/** Partitions of several topics by topic id; no set in it is empty. */
export type Partitions = ReadonlyMap<string, ReadonlySet<number>>;

export const NO_PARTITIONS: Partitions = new Map();

/** As a request or an answer lists them. */
export interface TopicPartitions {
  readonly topicId: string;
  readonly partitions: readonly number[];
}

export function fromList(list: readonly TopicPartitions[]): Partitions {
  return filled(list.map(({ topicId, partitions }) => [topicId, new Set(partitions)]));
}

export function toList(partitions: Partitions): TopicPartitions[] {
  return [...partitions].map(([topicId, indexes]) => ({
    topicId,
    partitions: [...indexes].sort((a, b) => a - b),
  }));
}

/** Those that are in both. */
export function common(a: Partitions, b: Partitions): Partitions {
  return filter(a, (topicId, index) => contains(b, topicId, index));
}

/** Those of `a` that are not in `b`. */
export function without(a: Partitions, b: Partitions): Partitions {
  return filter(a, (topicId, index) => !contains(b, topicId, index));
}

/** Those that are in either. */
export function union(a: Partitions, b: Partitions): Partitions {
  const topicIds = new Set([...a.keys(), ...b.keys()]);
  return filled(
    [...topicIds].map((topicId) => [
      topicId,
      new Set([...(a.get(topicId) ?? []), ...(b.get(topicId) ?? [])]),
    ]),
  );
}

export function filter(
  partitions: Partitions,
  isWanted: (topicId: string, index: number) => boolean,
): Partitions {
  return filled(
    [...partitions].map(([topicId, indexes]) => [
      topicId,
      new Set([...indexes].filter((index) => isWanted(topicId, index))),
    ]),
  );
}

export function contains(partitions: Partitions, topicId: string, index: number): boolean {
  return partitions.get(topicId)?.has(index) === true;
}

export function isSame(a: Partitions, b: Partitions): boolean {
  return countOf(a) === countOf(b) && without(a, b).size === 0;
}

export function countOf(partitions: Partitions): number {
  let count = 0;
  for (const { size } of partitions.values()) count += size;
  return count;
}

export function* each(partitions: Partitions): IterableIterator<readonly [string, number]> {
  for (const [topicId, indexes] of partitions) {
    for (const index of indexes) yield [topicId, index];
  }
}

function filled(entries: readonly (readonly [string, ReadonlySet<number>])[]): Partitions {
  return new Map(entries.filter(([, { size }]) => size > 0));
}
