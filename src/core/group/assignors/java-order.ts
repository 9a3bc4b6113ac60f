import type { TopicPartition } from '../topic-partition.js';

/**
 * The order in which Java's hash tables give their keys back. It decides some of what Java's
 * assignors answer, and a member of ours that leads a group is to answer as a Java member would.
 */

const SMALLEST_TABLE = 16;
const LOAD_FACTOR = 0.75;

/** `String.hashCode`. */
function hashOf(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0;
  return hash;
}

/** `TopicPartition.hashCode`. */
function hashOfPartition({ topic, partition }: TopicPartition): number {
  return (Math.imul(31, 31 + partition) + hashOf(topic)) | 0;
}

function bucketOf(hash: number, tableSize: number): number {
  return (hash ^ (hash >>> 16)) & (tableSize - 1);
}

/** The size to which a `HashMap` has grown that has held so many entries. */
export function tableSizeFor(entries: number): number {
  let size = SMALLEST_TABLE;
  while (entries > size * LOAD_FACTOR) size *= 2;
  return size;
}

/** Things in the order of a `HashMap` that they were put into by a string each. */
export function inHashOrder<T>(things: readonly T[], keyOf: (thing: T) => string): T[] {
  const tableSize = tableSizeFor(things.length);
  return things
    .map((thing) => ({ thing, bucket: bucketOf(hashOf(keyOf(thing)), tableSize) }))
    .sort((a, b) => a.bucket - b.bucket)
    .map(({ thing }) => thing);
}

/** What the iterator of a `HashSet` of partitions begins with. */
export function firstInHashOrder(
  partitions: Iterable<TopicPartition>,
  tableSize: number,
): TopicPartition | undefined {
  let first: TopicPartition | undefined;
  let lowest = Infinity;
  for (const partition of partitions) {
    const bucket = bucketOf(hashOfPartition(partition), tableSize);
    if (bucket >= lowest) continue;
    lowest = bucket;
    first = partition;
  }
  return first;
}

/** As Java compares strings, by their 16-bit units. */
export function compareStrings(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
