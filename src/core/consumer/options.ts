import type { ObservableInput } from 'rxjs';
import {
  isAssignor,
  type Assignor,
  type BuiltInAssignor,
  type TopicPartition,
} from '../group/index.js';
import type { KafkaError } from '../util/errors.js';
import {
  badOption,
  custom,
  flag,
  integer,
  oneOf,
  resolveOptions,
  type ResolvedOptions,
} from '../util/options.js';
import { parseOffsetReset, type OffsetReset } from './positions/offset-reset.js';
import type { PartitionOffset } from './events.js';

/** A record that a deserializer could not read. */
export interface DeserializationFailure extends PartitionOffset {
  readonly part: 'key' | 'value';
  /** What could not be read. */
  readonly bytes: Buffer;
  readonly error: KafkaError;
}

/** A record that was given back with `nack()`. */
export interface NackFailure extends PartitionOffset {
  /** 1 for the first delivery. */
  readonly attempt: number;
  /** What `nack()` was given. */
  readonly reason: unknown;
}

/**
 * How a consumer works. Names, meanings and defaults are those of the Java client 4.x; where they
 * differ, it says so.
 */
export interface ConsumerOptions {
  /** The group to share partitions and committed offsets with. Default: none, nothing is committed. */
  readonly groupId?: string;
  /** Makes the member static: it keeps its partitions over a restart (KIP-345). Default: none. */
  readonly groupInstanceId?: string;
  /** `'auto'` uses the protocol of KIP-848 where the cluster has it. Default `'auto'` (Java: classic). */
  readonly groupProtocol?: 'auto' | 'classic' | 'consumer';
  /** The broker's assignor, with the protocol `consumer`: `'uniform'`, `'range'`. Default: the broker's choice. */
  readonly groupRemoteAssignor?: string;
  /** The client-side assignors by preference, with the protocol `classic`. Default range, cooperative-sticky. */
  readonly partitionAssignmentStrategy?: readonly (BuiltInAssignor | Assignor)[];
  /** A member that is silent for so long is expelled, in ms; classic groups only. Default 45,000. */
  readonly sessionTimeoutMs?: number;
  /** How often the member shows that it lives, in ms; classic groups only. Default 3,000. */
  readonly heartbeatIntervalMs?: number;
  /**
   * With records unacked and no progress for so long, in ms, the member leaves its group, so that
   * a hung pipeline doesn't hold partitions for ever. Also how long a rebalance waits. Default
   * 300,000.
   */
  readonly maxPollIntervalMs?: number;
  /** What then: join anew, or end the stream with an error. Default `'rejoin'`. */
  readonly onMaxPollInterval?: 'rejoin' | 'fail';
  /** Records that are delivered in a row before another partition has its turn. Default 500. */
  readonly maxPollRecords?: number;
  /**
   * Where to begin without a committed offset, or when it is out of range: `'earliest'`,
   * `'latest'`, `'none'` (an error), or `'by_duration:PT1H'` (KIP-1106). Default `'latest'`.
   */
  readonly autoOffsetReset?: 'earliest' | 'latest' | 'none' | `by_duration:${string}`;
  /** Whether acked offsets are committed by themselves. Default true, with a group. */
  readonly enableAutoCommit?: boolean;
  /** How often, in ms. Default 5,000. */
  readonly autoCommitIntervalMs?: number;
  /** Commit earlier, when so many records were acked since the last time; 0 never. Default 0. Not in Java. */
  readonly autoCommitRecords?: number;
  /** `'read_committed'` hides records of transactions that are open or were aborted. Default `'read_uncommitted'`. */
  readonly isolationLevel?: 'read_uncommitted' | 'read_committed';
  /** Bytes that a broker waits for before it answers. Default 1. */
  readonly fetchMinBytes?: number;
  /** How long it waits for them, in ms. Default 500. */
  readonly fetchMaxWaitMs?: number;
  /** Bytes of an answer, a first batch excepted. Default 50 MiB. */
  readonly fetchMaxBytes?: number;
  /** Bytes of a partition in an answer, a first batch excepted. Default 1 MiB. */
  readonly maxPartitionFetchBytes?: number;
  /** Ask brokers for what has changed only (KIP-227). Default true. */
  readonly enableIncrementalFetchSessions?: boolean;
  /** Verify checksums. Default true. */
  readonly checkCrcs?: boolean;
  /** Where this consumer is, to read from followers nearby (KIP-392). Default: unknown. */
  readonly clientRack?: string;
  /** Patterns don't match internal topics. Default true. */
  readonly excludeInternalTopics?: boolean;
  /** How long a broker may take to answer, in ms. Default 30,000. */
  readonly requestTimeoutMs?: number;
  /** How long calls such as `committed()` may take, in ms. Default 60,000. */
  readonly defaultApiTimeoutMs?: number;
  /**
   * How often a pattern is matched against the cluster's topics, but where the broker does that, and how
   * long a follower is read from before the leader is asked for a better one (KIP-392), in ms; at least
   * `retryBackoffMs`. Default the client's `metadataMaxAgeMs`.
   */
  readonly metadataMaxAgeMs?: number;
  /** First wait before something is repeated, in ms; it doubles each time (KIP-580). Default 100. */
  readonly retryBackoffMs?: number;
  /** Longest wait before something is repeated, in ms. Default 1,000. */
  readonly retryBackoffMaxMs?: number;

  /**
   * `'manual'`: a record is done when it is acked. `'auto'`: when the synchronous delivery returns,
   * which is at most once; memory is bounded for synchronous pipelines only. Default `'manual'` with
   * a group, else `'auto'`. Not in Java.
   */
  readonly ack?: 'manual' | 'auto';
  /** Records of a partition between the oldest unacked and the newest delivered. Default 2 x `maxPollRecords`. Not in Java. */
  readonly maxUnackedRecords?: number;
  /** Bytes that are fetched or decompressed and not acked, of all partitions. Default 64 MiB. Not in Java. */
  readonly maxBufferedBytes?: number;
  /** A full window whose oldest record isn't acked for so long, in ms, is reported. Default 30,000. Not in Java. */
  readonly stallTimeoutMs?: number;
  /** How long work in hand is awaited when leaving, in ms. Default a third of `maxPollIntervalMs`, at most 30,000. Not in Java. */
  readonly drainTimeoutMs?: number;
  /** Leave at once when unsubscribed; what is in hand is delivered again to others. Default false. Not in Java. */
  readonly abandonOnUnsubscribe?: boolean;
  /**
   * What to do with batches that can't be read. `'skip'` emits a `skipped` event; a header that
   * doesn't even tell where the batch ends, ends the stream all the same. Under `read_committed` what
   * follows a skipped batch is fetched anew, since it may have been the marker of an aborted
   * transaction: what is committed is delivered, what is aborted is not. Default `'fail'`. Not in Java.
   */
  readonly onCorruptRecord?: 'fail' | 'skip';
  /**
   * What to do with a record that a deserializer can't read: end the stream, pass over it with a
   * `skipped` event, or take what a function returns, or a promise of it, in its place. Default `'fail'`. Not in Java.
   */
  readonly onDeserializationError?:
    'fail' | 'skip' | ((failure: DeserializationFailure) => unknown);
  /**
   * What to do with a record that is nacked: deliver it again after a backoff, end the stream, or
   * hand it to a function and take it as acked when that has completed. Default `'redeliver'`. Not
   * in Java.
   */
  readonly onNack?: 'redeliver' | 'fail' | ((failure: NackFailure) => ObservableInput<unknown>);
  /** First wait before a nacked record is delivered again, in ms; it doubles each time. Default 100. Not in Java. */
  readonly nackBackoffMs?: number;
  /** Longest such wait, in ms. Default 10,000. Not in Java. */
  readonly nackBackoffMaxMs?: number;
  /** Awaited, with the drain, before partitions are handed back. Not in Java in this form. */
  readonly beforeRevoke?: (partitions: readonly TopicPartition[]) => ObservableInput<unknown>;
  /** Awaited before new partitions are consumed; may emit offsets to begin at. Not in Java in this form. */
  readonly onAssign?: (
    partitions: readonly TopicPartition[],
  ) => ObservableInput<readonly PartitionOffset[] | undefined>;
}

const MAX_INT32 = 0x7fff_ffff;
const MIB = 1024 * 1024;
const text = (value: unknown) => typeof value === 'string' && value !== '';
const isFunction = (value: unknown) => typeof value === 'function';
const optional = <T>(expected: string, isValid: (value: unknown) => boolean) =>
  custom<T | undefined>(undefined, expected, isValid);

const rules = {
  groupId: optional<string>('a text that is not empty', text),
  groupInstanceId: optional<string>('a text that is not empty', text),
  groupProtocol: oneOf<'auto' | 'classic' | 'consumer'>('auto', 'auto', 'classic', 'consumer'),
  groupRemoteAssignor: optional<string>('a text that is not empty', text),
  partitionAssignmentStrategy: optional<readonly (BuiltInAssignor | Assignor)[]>(
    "a list, that is not empty, of 'range', 'roundrobin', 'sticky', 'cooperative-sticky', or objects " +
      'with name, supportedProtocols and assign()',
    (value) => Array.isArray(value) && value.length > 0 && value.every(isAssignor),
  ),
  sessionTimeoutMs: integer(45_000, { min: 1, max: MAX_INT32 }),
  heartbeatIntervalMs: integer(3000, { min: 1, max: MAX_INT32 }),
  maxPollIntervalMs: integer(300_000, { min: 1, max: MAX_INT32 }),
  onMaxPollInterval: oneOf<'rejoin' | 'fail'>('rejoin', 'rejoin', 'fail'),
  maxPollRecords: integer(500, { min: 1, max: MAX_INT32 }),
  autoOffsetReset: custom<string>(
    'latest',
    "'earliest', 'latest', 'none' or 'by_duration:' with an ISO 8601 duration, as by_duration:PT1H",
    (value) => parseOffsetReset(value) !== undefined,
  ),
  enableAutoCommit: flag(true),
  autoCommitIntervalMs: integer(5000, { min: 1, max: MAX_INT32 }),
  autoCommitRecords: integer(0, { max: MAX_INT32 }),
  isolationLevel: oneOf<'read_uncommitted' | 'read_committed'>(
    'read_uncommitted',
    'read_uncommitted',
    'read_committed',
  ),
  fetchMinBytes: integer(1, { max: MAX_INT32 }),
  fetchMaxWaitMs: integer(500, { max: MAX_INT32 }),
  fetchMaxBytes: integer(50 * MIB, { min: 1, max: MAX_INT32 }),
  maxPartitionFetchBytes: integer(MIB, { min: 1, max: MAX_INT32 }),
  enableIncrementalFetchSessions: flag(true),
  checkCrcs: flag(true),
  clientRack: custom('', 'a text', (value) => typeof value === 'string'),
  excludeInternalTopics: flag(true),
  requestTimeoutMs: integer(30_000, { min: 1, max: MAX_INT32 }),
  defaultApiTimeoutMs: integer(60_000, { min: 1, max: MAX_INT32 }),
  metadataMaxAgeMs: integer(300_000, { max: MAX_INT32 }),
  retryBackoffMs: integer(100, { max: MAX_INT32 }),
  retryBackoffMaxMs: integer(1000, { max: MAX_INT32 }),
  ack: custom<'manual' | 'auto' | undefined>(
    undefined,
    "'manual' or 'auto'",
    (value) => value === 'manual' || value === 'auto',
  ),
  maxUnackedRecords: integer(0, { min: 1, max: 2 ** 28 }),
  maxBufferedBytes: integer(64 * MIB, { min: 1024 }),
  stallTimeoutMs: integer(30_000, { min: 1, max: MAX_INT32 }),
  drainTimeoutMs: integer(-1, { max: MAX_INT32 }),
  abandonOnUnsubscribe: flag(false),
  onCorruptRecord: oneOf<'fail' | 'skip'>('fail', 'fail', 'skip'),
  onDeserializationError: custom<'fail' | 'skip' | ((failure: DeserializationFailure) => unknown)>(
    'fail',
    "'fail', 'skip' or a function",
    (value) => value === 'fail' || value === 'skip' || isFunction(value),
  ),
  onNack: custom<'redeliver' | 'fail' | ((failure: NackFailure) => ObservableInput<unknown>)>(
    'redeliver',
    "'redeliver', 'fail' or a function",
    (value) => value === 'redeliver' || value === 'fail' || isFunction(value),
  ),
  nackBackoffMs: integer(100, { max: MAX_INT32 }),
  nackBackoffMaxMs: integer(10_000, { max: MAX_INT32 }),
  beforeRevoke: optional<NonNullable<ConsumerOptions['beforeRevoke']>>('a function', isFunction),
  onAssign: optional<NonNullable<ConsumerOptions['onAssign']>>('a function', isFunction),
} as const;

/** Complete and consistent. */
export interface ResolvedConsumerOptions extends Omit<
  ResolvedOptions<typeof rules>,
  'ack' | 'autoOffsetReset'
> {
  readonly ack: 'manual' | 'auto';
  readonly offsetReset: OffsetReset;
}

const DEFAULT_MAX_DRAIN_MS = 30_000;
const DESERIALIZERS = ['keyDeserializer', 'valueDeserializer'];

/** What a consumer takes over from its client where it is given none of its own. */
export type InheritedOptions = Pick<ConsumerOptions, 'metadataMaxAgeMs'>;

/** Checks and completes what {@link ConsumerOptions} leaves open. */
export function resolveConsumerOptions(
  given: ConsumerOptions,
  client: InheritedOptions = {},
): ResolvedConsumerOptions {
  const { metadataMaxAgeMs = client.metadataMaxAgeMs } = given;
  const options = resolveOptions('consumer', rules, { ...given, metadataMaxAgeMs }, DESERIALIZERS);
  const { groupId, autoOffsetReset, ack, maxPollIntervalMs } = options;
  checkGroupOptions(given, options);
  checkWaits(given, options);
  const longestDrainMs = Math.floor(maxPollIntervalMs / 3);
  const drainTimeoutMs =
    options.drainTimeoutMs < 0
      ? Math.min(DEFAULT_MAX_DRAIN_MS, longestDrainMs)
      : options.drainTimeoutMs;
  if (drainTimeoutMs >= maxPollIntervalMs) {
    const complaint = `must be below maxPollIntervalMs, here ${maxPollIntervalMs}`;
    throw badOption('consumer', 'drainTimeoutMs', drainTimeoutMs, complaint);
  }
  return Object.freeze({
    ...options,
    ack: ack ?? (groupId === undefined ? 'auto' : 'manual'),
    offsetReset: parseOffsetReset(autoOffsetReset)!,
    enableAutoCommit: options.enableAutoCommit && groupId !== undefined,
    metadataMaxAgeMs: Math.max(options.metadataMaxAgeMs, options.retryBackoffMs),
    maxUnackedRecords: options.maxUnackedRecords || options.maxPollRecords * 2,
    drainTimeoutMs,
  });
}

const GROUP_OPTIONS = [
  'groupInstanceId',
  'groupProtocol',
  'groupRemoteAssignor',
  'partitionAssignmentStrategy',
  'sessionTimeoutMs',
  'heartbeatIntervalMs',
  'autoCommitIntervalMs',
  'autoCommitRecords',
] as const;

const COMMIT_OPTIONS = ['autoCommitIntervalMs', 'autoCommitRecords'] as const;

/** Pairs of a first and a longest wait. */
const BACKOFFS = [
  ['retryBackoffMs', 'retryBackoffMaxMs'],
  ['nackBackoffMs', 'nackBackoffMaxMs'],
] as const;

function checkWaits(given: ConsumerOptions, options: ResolvedOptions<typeof rules>): void {
  for (const [first, longest] of BACKOFFS) {
    if (options[first] <= options[longest]) continue;
    // Whichever was set is the one to complain of.
    const isFirst = given[first] !== undefined;
    const [name, bound] = isFirst ? [first, longest] : [longest, first];
    const complaint = `must not be ${isFirst ? 'above' : 'below'} ${bound}, here ${options[bound]}`;
    throw badOption('consumer', name, options[name], complaint);
  }
}

function checkGroupOptions(given: ConsumerOptions, options: ResolvedOptions<typeof rules>): void {
  const { groupId, groupProtocol, heartbeatIntervalMs, sessionTimeoutMs } = options;
  if (groupId === undefined) {
    for (const name of GROUP_OPTIONS) {
      if (given[name] === undefined) continue;
      throw badOption('consumer', name, given[name], 'needs a groupId');
    }
    if (given.enableAutoCommit === true) {
      throw badOption('consumer', 'enableAutoCommit', true, 'needs a groupId');
    }
  }
  if (!options.enableAutoCommit) {
    for (const name of COMMIT_OPTIONS) {
      if (given[name] === undefined) continue;
      throw badOption('consumer', name, given[name], 'needs enableAutoCommit');
    }
  }
  if (groupProtocol === 'classic' && options.groupRemoteAssignor !== undefined) {
    const complaint = `needs groupProtocol 'consumer'; with 'classic' use partitionAssignmentStrategy`;
    throw badOption('consumer', 'groupRemoteAssignor', options.groupRemoteAssignor, complaint);
  }
  if (groupProtocol === 'consumer') {
    for (const name of [
      'partitionAssignmentStrategy',
      'sessionTimeoutMs',
      'heartbeatIntervalMs',
    ] as const) {
      if (given[name] === undefined) continue;
      const complaint = `is of the protocol 'classic': with 'consumer' the broker decides`;
      throw badOption('consumer', name, given[name], complaint);
    }
  }
  if (heartbeatIntervalMs >= sessionTimeoutMs) {
    const complaint = `must be below sessionTimeoutMs, here ${sessionTimeoutMs}`;
    throw badOption('consumer', 'heartbeatIntervalMs', heartbeatIntervalMs, complaint);
  }
}
