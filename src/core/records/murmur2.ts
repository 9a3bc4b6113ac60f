const SEED = 0x9747b28c;
const M = 0x5bd1e995;

/**
 * Murmur2 as Kafka's Java client computes it, so that equal keys land on equal partitions.
 *
 * @param length How many of the bytes count.
 * @returns A signed 32-bit number.
 * @example
 * murmur2(Buffer.from('foobar')); // -790332482
 */
export function murmur2(bytes: Uint8Array, length = bytes.length): number {
  const tail = length & ~3;
  let hash = SEED ^ length;
  for (let at = 0; at < tail; at += 4) {
    let word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    word = Math.imul(word, M);
    word ^= word >>> 24;
    hash = Math.imul(hash, M) ^ Math.imul(word, M);
  }
  const rest = length - tail;
  if (rest === 3) hash ^= bytes[tail + 2]! << 16;
  if (rest >= 2) hash ^= bytes[tail + 1]! << 8;
  if (rest >= 1) hash = Math.imul(hash ^ bytes[tail]!, M);
  hash = Math.imul(hash ^ (hash >>> 13), M);
  return hash ^ (hash >>> 15);
}

/**
 * Drops the sign bit, as Kafka does before it takes a hash modulo the number of partitions. Not the
 * absolute value.
 */
export function toPositive(hash: number): number {
  return hash & 0x7fffffff;
}

/**
 * The partition that Kafka's default partitioner gives a key.
 *
 * @param key The serialized key; a string counts as its UTF-8.
 * @param numPartitions How many partitions the topic has, at least 1.
 * @example
 * partitionForKey(Buffer.from('abc'), 1000); // 107
 */
export function partitionForKey(key: Uint8Array | string, numPartitions: number): number {
  return toPositive(typeof key === 'string' ? murmur2OfText(key) : murmur2(key)) % numPartitions;
}

/** Where text is encoded to look at it only: a view of a record's own would cost more than the hash. */
const scratch = Buffer.allocUnsafeSlow(3 * 1024);

function murmur2OfText(text: string): number {
  if (text.length * 3 > scratch.length) return murmur2(Buffer.from(text));
  return murmur2(scratch, scratch.write(text, 'utf8'));
}
