import type { ConsumerRecord } from '../../core/consumer/index.js';
import { custom, integer, resolveOptions } from '../../core/util/options.js';

/** When a batch of `batchEach` or `aggregateEach` is complete, and what is collected together. */
export interface BatchEachOptions<K = unknown, V = unknown> {
  /** A batch of so many records is complete. Default 500. */
  readonly maxRecords?: number;
  /** Keys and values of a batch have at most so many bytes, one record excepted. Default: no limit. */
  readonly maxBytes?: number;
  /**
   * A batch waits at most so long for further records, from its first on. Default: as long as records
   * come; at the end of the topic it is complete at once.
   */
  readonly maxWaitMs?: number;
  /**
   * What is collected together: everything, what is of one partition, of one key in a partition, or
   * of one group as a function says. Default `'all'`.
   */
  readonly by?: 'all' | 'partition' | 'key' | ((record: ConsumerRecord<K, V>) => unknown);
}

const scopes = new Set<unknown>(['all', 'partition', 'key']);

const rules = {
  maxRecords: integer(500, { min: 1 }),
  maxBytes: integer(Number.MAX_SAFE_INTEGER, { min: 1 }),
  maxWaitMs: custom<number | undefined>(undefined, 'a number of at least 0', (value) =>
    Number.isFinite(value) ? (value as number) >= 0 : false,
  ),
  by: custom<unknown>(
    'all',
    "one of 'all', 'partition', 'key', a function",
    (value) => scopes.has(value) || typeof value === 'function',
  ),
} as const;

/** Complete options of an operator that collects. */
export interface CollectOptions<K, V> {
  readonly maxRecords: number;
  readonly maxBytes: number;
  /** `undefined` to wait as long as records come. */
  readonly maxWaitMs: number | undefined;
  readonly by: NonNullable<BatchEachOptions<K, V>['by']>;
}

/** @throws ConfigError naming the option that does not fit. */
export function checkBatchOptions<K, V>(
  operator: string,
  given: BatchEachOptions<K, V>,
): CollectOptions<K, V> {
  return resolveOptions(operator, rules, given) as CollectOptions<K, V>;
}
