import { inspect } from 'node:util';
import { ConfigError } from '../util/errors.js';
import { nameOf } from './errors.js';
import type { PartitionRange, RunSource } from './run/run-source.js';
import type { StartPosition } from './positions/positions.js';
import type { TopicPartition } from '../group/index.js';

/** Where to begin in a partition that is consumed without sharing it with a group. */
export type StartAt =
  | 'beginning'
  | 'end'
  /** Where the group has stopped. Needs a `groupId`. */
  | 'committed'
  | { readonly offset: number }
  /** At the first record of that time or later. */
  | { readonly timestamp: number | Date }
  /** At the first record that is younger than this, in ms. */
  | { readonly durationMs: number };

/** A partition to consume. */
export interface PartitionStart extends TopicPartition {
  /** Default: `'committed'` with a group, else as `autoOffsetReset` says. */
  readonly start?: StartAt;
  /** Ends before this offset. Default: never. */
  readonly endOffset?: number;
}

/** What to consume: topics by name, all whose whole name matches, or certain partitions. */
export type ConsumerTopics =
  string | readonly string[] | RegExp | { readonly partitions: readonly PartitionStart[] };

const LEGAL_TOPIC = /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/;

/** @throws ConfigError naming what can't be consumed. */
export function resolveTopics(given: ConsumerTopics, now: number): RunSource {
  if (given instanceof RegExp) return { type: 'pattern', pattern: given };
  if (typeof given === 'string') return { type: 'topics', topics: checkTopics([given]) };
  if (isList(given)) return { type: 'topics', topics: checkTopics([...new Set(given)]) };
  const partitions = partitionsOf(given);
  if (!Array.isArray(partitions) || partitions.length === 0) {
    throw new ConfigError(
      'consumer: there is nothing to consume; give a topic, a list of topics, a RegExp, or partitions',
    );
  }
  checkTopics(given.partitions.map(({ topic }) => topic));
  const ranges = given.partitions.map((each) => rangeOf(each, now));
  const names = new Set<string>();
  const twice = ranges.map(nameOf).find((name) => names.size === names.add(name).size);
  if (twice !== undefined) throw new ConfigError(`consumer: ${twice} is given twice; give it once`);
  return { type: 'partitions', ranges };
}

/** Whoever writes without types may give anything. */
function partitionsOf(given: unknown): unknown {
  return (given as { readonly partitions?: unknown } | null | undefined)?.partitions;
}

function isList(given: Exclude<ConsumerTopics, string | RegExp>): given is readonly string[] {
  return Array.isArray(given);
}

function checkTopics(topics: readonly string[]): readonly string[] {
  if (topics.length === 0) throw new ConfigError('consumer: there are no topics to consume');
  for (const topic of topics) {
    if (typeof topic === 'string' && LEGAL_TOPIC.test(topic)) continue;
    throw new ConfigError(
      `consumer: '${topic}' is not a legal topic name; they have 1 to 249 of the ` +
        `characters a-z, A-Z, 0-9, '.', '_' and '-'`,
      { code: 'INVALID_TOPIC' },
    );
  }
  return topics;
}

function rangeOf(
  { topic, partition, start, endOffset }: PartitionStart,
  now: number,
): PartitionRange {
  if (!Number.isInteger(partition) || partition < 0) {
    throw new ConfigError(`consumer: ${topic} can't have a partition ${String(partition)}`);
  }
  if (endOffset !== undefined) checkOffset(endOffset);
  return {
    topic,
    partition,
    start: startPosition(start ?? 'committed', now),
    ...(endOffset !== undefined && { endOffset: checkOffset(endOffset) }),
  };
}

/** What a start of the public face means at a time. */
export function startPosition(start: StartAt, now: number): StartPosition {
  if (start === 'beginning') return { from: 'earliest' };
  if (start === 'end') return { from: 'latest' };
  if (start === 'committed') return { from: 'committed' };
  if (typeof start === 'object') {
    if ('offset' in start) return { from: 'offset', offset: checkOffset(start.offset) };
    const timestamp = Number(
      'durationMs' in start ? before(now, start.durationMs) : start.timestamp,
    );
    if (isTime(timestamp)) return { from: 'timestamp', timestamp };
  }
  throw new ConfigError(
    `consumer: ${inspect(start)} is nowhere to start; give 'beginning', 'end', 'committed', or an ` +
      `object with a whole number as offset, timestamp or durationMs`,
  );
}

/** Negative times mean something else on the wire. */
function before(now: number, durationMs: number): number {
  return durationMs >= 0 ? Math.max(0, Math.floor(now) - durationMs) : NaN;
}

function isTime(time: number): boolean {
  return Number.isSafeInteger(time) && time >= 0;
}

/** Whole milliseconds since 1970. */
export function checkMs(time: number): number {
  if (isTime(time)) return time;
  throw new ConfigError(`consumer: ${String(time)} is no time in whole milliseconds`);
}

/** @throws ConfigError for what is none. */
export function checkOffset(offset: number): number {
  if (Number.isSafeInteger(offset) && offset >= 0) return offset;
  throw new ConfigError(
    `consumer: ${inspect(offset)} is not an offset; give a whole number of at least 0`,
  );
}
