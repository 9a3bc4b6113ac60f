import { checkCompression } from '../records/index.js';
import {
  badOption,
  custom,
  flag,
  integer,
  oneOf,
  resolveOptions,
  type ResolvedOptions,
} from '../util/options.js';
import type { Partitioner } from './partitioner.js';

/**
 * How a producer works. Names, meanings and defaults are those of the Java client 4.x unless said
 * otherwise.
 */
export interface ProducerOptions {
  /** Who must have a record before it counts: 0 nobody, 1 the leader, `'all'` (-1) the in-sync replicas. Default `'all'`. */
  readonly acks?: 'all' | -1 | 0 | 1;
  /**
   * Numbers the batches, so that a retry is neither written twice nor out of order (KIP-98).
   * Default true, and then silently given up, with a `warning` event, where the broker is older than
   * 0.11 or the principal may not; asked for explicitly, that is an error.
   */
  readonly enableIdempotence?: boolean;
  /**
   * Makes the producer transactional: what it sends counts only once its transaction is committed.
   * The id belongs to one running instance: whoever begins with it fences those who had it before
   * (KIP-98). Needs Kafka 0.11.
   */
  readonly transactionalId?: string;
  /**
   * How long a transaction may take before the coordinator aborts it, in ms. The broker's
   * `transaction.max.timeout.ms` limits it. Default 60,000.
   */
  readonly transactionTimeoutMs?: number;
  /** How long a batch waits for more records, in ms. Default 5. */
  readonly lingerMs?: number;
  /**
   * Bytes at which a batch no longer waits. It may grow beyond while the broker is busy with earlier
   * ones, up to `maxRequestSize`. Default 16,384.
   */
  readonly batchSize?: number;
  /**
   * Bytes that may wait to be acknowledged before `send()` has to wait. Not the encoded records alone
   * count, as in Java, but what is kept for their outcomes as well: 400 for a promise; in a sink 896,
   * and what it was given, taken to be as large as its record. Default 32 MiB: in a sink about 29,000
   * records of 100 bytes, or 11,400 of 1,000.
   */
  readonly bufferMemory?: number;
  /** How long `send()` waits for metadata and for room, in ms. Default 60,000. */
  readonly maxBlockMs?: number;
  /** How many `send()` calls may wait for room at once before further ones fail. Default 10,000. */
  readonly maxBlockedSends?: number;
  /** Time from acceptance of a record to its acknowledgement or failure, in ms. Default 120,000 (KIP-91). */
  readonly deliveryTimeoutMs?: number;
  /** How long the broker may take to answer a request, in ms. Default 30,000. */
  readonly requestTimeoutMs?: number;
  /** Requests on the way to one broker, 1 to 5. Default 5. */
  readonly maxInFlightRequestsPerConnection?: number;
  /** Bytes of the largest request, and of the largest record. Default 1,048,576. */
  readonly maxRequestSize?: number;
  /** Attempts after the first. Default unlimited: `deliveryTimeoutMs` is the bound. */
  readonly retries?: number;
  /** First wait before an attempt is repeated, in ms; it doubles each time (KIP-580). Default 100. */
  readonly retryBackoffMs?: number;
  /** Longest wait before an attempt is repeated, in ms. Default 1,000. */
  readonly retryBackoffMaxMs?: number;
  /** Codec of the batches. Default `'none'`. */
  readonly compressionType?: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';
  /** Level of the codec in use: gzip 1 to 9, lz4 1 to 17, zstd -131072 to 22 (KIP-390). Default the codec's own. */
  readonly compressionLevel?: number;
  /** Chooses the partition of records that name none. Default: by hash of the key as in Java, sticky without one. */
  readonly partitioner?: Partitioner;
  /** Spread records that have a key like those that have none. Default false (KIP-794). */
  readonly partitionerIgnoreKeys?: boolean;
  /** Give partitions with shorter queues more records. Default true (KIP-794). */
  readonly partitionerAdaptivePartitioningEnable?: boolean;
  /** Leave partitions out whose broker takes nothing for this long, in ms; 0 never. Default 0 (KIP-794). */
  readonly partitionerAvailabilityTimeoutMs?: number;
}

const MAX_INT32 = 0x7fff_ffff;

const rules = {
  acks: oneOf<'all' | -1 | 0 | 1>('all', 'all', -1, 0, 1),
  enableIdempotence: custom<boolean | undefined>(
    undefined,
    'true or false',
    (value) => typeof value === 'boolean',
  ),
  transactionalId: custom<string | undefined>(
    undefined,
    'a text that is not empty',
    (value) => typeof value === 'string' && value !== '',
  ),
  transactionTimeoutMs: integer(60_000, { min: 1, max: MAX_INT32 }),
  lingerMs: integer(5, { max: MAX_INT32 }),
  batchSize: integer(16_384, { max: MAX_INT32 }),
  bufferMemory: integer(32 * 1024 * 1024, { min: 1 }),
  maxBlockMs: integer(60_000, { max: MAX_INT32 }),
  maxBlockedSends: integer(10_000),
  deliveryTimeoutMs: integer(120_000, { min: 1, max: MAX_INT32 }),
  requestTimeoutMs: integer(30_000, { min: 1, max: MAX_INT32 }),
  maxInFlightRequestsPerConnection: integer(5, { min: 1, max: 5 }),
  maxRequestSize: integer(1024 * 1024, { min: 1, max: MAX_INT32 }),
  retries: integer(MAX_INT32, { max: MAX_INT32 }),
  retryBackoffMs: integer(100, { max: MAX_INT32 }),
  retryBackoffMaxMs: integer(1000, { max: MAX_INT32 }),
  compressionType: oneOf('none', 'none', 'gzip', 'snappy', 'lz4', 'zstd'),
  compressionLevel: custom<number | undefined>(undefined, 'a whole number', Number.isInteger),
  partitioner: custom<Partitioner | undefined>(
    undefined,
    'a function',
    (value) => typeof value === 'function',
  ),
  partitionerIgnoreKeys: flag(false),
  partitionerAdaptivePartitioningEnable: flag(true),
  partitionerAvailabilityTimeoutMs: integer(0, { max: MAX_INT32 }),
} as const;

/** Complete and consistent. */
export interface ResolvedProducerOptions extends Omit<
  ResolvedOptions<typeof rules>,
  'acks' | 'enableIdempotence'
> {
  /** -1 stands for all. */
  readonly acks: -1 | 0 | 1;
  readonly enableIdempotence: boolean;
  /** Whether the caller insisted on idempotence. */
  readonly requiresIdempotence: boolean;
}

/**
 * Throws a ConfigError, naming who was given the options, if no producer can be made with them.
 *
 * @param others names that stand in the same object and are checked elsewhere.
 */
export function checkProducerOptions(
  what: string,
  given: ProducerOptions,
  others: readonly string[],
): void {
  resolveProducerOptions(given, what, others);
}

/** Checks and completes what {@link ProducerOptions} leaves open. */
export function resolveProducerOptions(
  given: ProducerOptions,
  what: string,
  others: readonly string[],
): ResolvedProducerOptions {
  const options = resolveOptions(what, rules, given as Record<string, unknown>, others);
  const acks = options.acks === 'all' ? -1 : options.acks;
  const { lingerMs, requestTimeoutMs, deliveryTimeoutMs, enableIdempotence } = options;
  if (enableIdempotence === true && acks !== -1) {
    throw badOption(what, 'acks', options.acks, "must be 'all' with enableIdempotence");
  }
  if (enableIdempotence === true && options.retries === 0) {
    throw badOption(what, 'retries', 0, 'must be at least 1 with enableIdempotence');
  }
  checkTransactional(what, options, acks);
  const { retryBackoffMs, retryBackoffMaxMs } = options;
  if (retryBackoffMs > retryBackoffMaxMs) {
    const complaint = `must not be more than retryBackoffMaxMs, here ${retryBackoffMaxMs}`;
    throw badOption(what, 'retryBackoffMs', retryBackoffMs, complaint);
  }
  const shortest = lingerMs + requestTimeoutMs;
  if (deliveryTimeoutMs < shortest && given.deliveryTimeoutMs !== undefined) {
    const complaint = `must be at least lingerMs + requestTimeoutMs, here ${shortest}`;
    throw badOption(what, 'deliveryTimeoutMs', deliveryTimeoutMs, complaint);
  }
  const { compressionType, compressionLevel } = options;
  checkCompression({ compressionType, compressionLevel });
  return Object.freeze({
    ...options,
    acks,
    deliveryTimeoutMs: Math.max(deliveryTimeoutMs, shortest),
    enableIdempotence: enableIdempotence ?? acks === -1,
    requiresIdempotence: enableIdempotence === true,
  });
}

/** A transaction stands on numbered batches that all in-sync replicas have. */
function checkTransactional(
  what: string,
  options: Pick<ResolvedOptions<typeof rules>, 'transactionalId' | 'enableIdempotence' | 'retries'>,
  acks: -1 | 0 | 1,
): void {
  if (options.transactionalId === undefined) return;
  if (acks !== -1) throw badOption(what, 'acks', acks, "must be 'all' with a transactionalId");
  if (options.enableIdempotence === false) {
    throw badOption(what, 'enableIdempotence', false, 'must be true with a transactionalId');
  }
  if (options.retries === 0) {
    throw badOption(what, 'retries', 0, 'must be at least 1 with a transactionalId');
  }
}
