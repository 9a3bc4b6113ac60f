import type { Clock } from '../core/util/clock.js';
import { systemClock } from '../core/util/clock.js';
import {
  badOption,
  custom,
  flag,
  integer,
  oneOf,
  resolveOptions,
  type ResolvedOptions,
} from '../core/util/options.js';
import type { TopicSpec } from './state/topic-plans.js';
import type { MigrationPolicy } from './state/groups/settings.js';
import { kafkaReleases, type KafkaRelease } from './versions.js';

/** One broker to start. */
export interface EmbeddedBrokerOptions {
  /** Kafka's `broker.id`, from 0 on. */
  readonly id: number;
  /** Kafka's `broker.rack`. Default: none. */
  readonly rack?: string;
  /** TCP port on loopback. Default: any that is free, and the same again after a restart. */
  readonly port?: number;
}

/**
 * How to start an embedded cluster. Each option has a default, and an empty object will do.
 *
 * @see {@link startEmbeddedKafka}
 */
export interface EmbeddedKafkaOptions {
  /** How many brokers, with ids from 1 on; or the brokers one by one. Default: 1. */
  readonly brokers?: number | readonly EmbeddedBrokerOptions[];
  /** The Kafka line to pass for: versions of requests, record formats, habits. Default: `'4.3'`. */
  readonly version?: KafkaRelease;
  /** `'tcp'` listens on loopback; `'memory'` opens no socket at all. Default: `'tcp'`. */
  readonly listen?: 'tcp' | 'memory';
  /** Topics to begin with: their settings, or just the number of partitions. Default: none. */
  readonly topics?: Readonly<Record<string, TopicSpec | number>>;
  /** Kafka's `auto.create.topics.enable`. Default: true. */
  readonly autoCreateTopicsEnable?: boolean;
  /** Kafka's `num.partitions`. Default: 1. */
  readonly numPartitions?: number;
  /** Kafka's `default.replication.factor`. Default: all brokers, but no more than 3. */
  readonly defaultReplicationFactor?: number;
  /** Kafka's `min.insync.replicas`. Default: 1. */
  readonly minInsyncReplicas?: number;
  /** Send consumers that name their rack to a replica in it (KIP-392). Default: false. */
  readonly rackAwareFetch?: boolean;
  /**
   * Read every record that is produced, compressed or not, as real brokers do. Off, batches are
   * judged by their headers and checksums, which is faster. Default: false.
   */
  readonly validateEachRecord?: boolean;
  /** Kafka's `socket.request.max.bytes`: clients that claim more are hung up on. Default: 100 MiB. */
  readonly socketRequestMaxBytes?: number;
  /** Kafka's `max.incremental.fetch.session.cache.slots`, of each broker. Default: 1000. */
  readonly maxIncrementalFetchSessionCacheSlots?: number;
  /** Kafka's `group.initial.rebalance.delay.ms`. Default: 0, unlike Kafka's 3000. */
  readonly groupInitialRebalanceDelayMs?: number;
  /** Kafka's `group.min.session.timeout.ms`. Default: 6000. */
  readonly groupMinSessionTimeoutMs?: number;
  /** Kafka's `group.max.session.timeout.ms`. Default: 1,800,000. */
  readonly groupMaxSessionTimeoutMs?: number;
  /** Kafka's `group.max.size`, and `group.consumer.max.size`. Default: unlimited. */
  readonly groupMaxSize?: number;
  /** Kafka's `group.consumer.session.timeout.ms`. Default: 45,000. */
  readonly groupConsumerSessionTimeoutMs?: number;
  /** Kafka's `group.consumer.heartbeat.interval.ms`. Default: 5000. */
  readonly groupConsumerHeartbeatIntervalMs?: number;
  /** Kafka's `group.consumer.assignment.interval.ms`. Default: 0, unlike Kafka's 1000. */
  readonly groupConsumerAssignmentIntervalMs?: number;
  /**
   * Kafka's `group.consumer.migration.policy`: whether groups change from the classic to the consumer
   * protocol, and back, with their members. Default: `'bidirectional'`.
   */
  readonly groupConsumerMigrationPolicy?: MigrationPolicy;
  /** Kafka's `offset.metadata.max.bytes`. Default: 4096. */
  readonly offsetMetadataMaxBytes?: number;
  /** Kafka's `transaction.max.timeout.ms`. Default: 900,000. */
  readonly transactionMaxTimeoutMs?: number;
  /**
   * Kafka's `transactional.id.expiration.ms`: how long a transactional id that has nothing under way is
   * remembered. Default: 604,800,000, seven days.
   */
  readonly transactionalIdExpirationMs?: number;
  /** Finalized features that ApiVersions tells, over those of the Kafka line. Default: none. */
  readonly features?: Readonly<Record<string, number>>;
  /** What Metadata calls the cluster. Default: a fixed one. */
  readonly clusterId?: string;
  /** Where time comes from: long polls, delays, LogAppendTime. Default: the machine's. */
  readonly clock?: Clock;
}

const isObject = (value: unknown) => typeof value === 'object' && value !== null;

const rules = {
  brokers: custom<number | readonly EmbeddedBrokerOptions[]>(
    1,
    'a whole number of at least 1, or a list of brokers with distinct ids',
    isBrokers,
  ),
  version: oneOf<KafkaRelease>('4.3', ...kafkaReleases),
  listen: oneOf<'tcp' | 'memory'>('tcp', 'tcp', 'memory'),
  topics: custom<Readonly<Record<string, TopicSpec | number>>>({}, 'topics by name', isObject),
  autoCreateTopicsEnable: flag(true),
  numPartitions: integer(1, { min: 1 }),
  defaultReplicationFactor: integer(0, { min: 1 }),
  minInsyncReplicas: integer(1, { min: 1 }),
  rackAwareFetch: flag(false),
  validateEachRecord: flag(false),
  socketRequestMaxBytes: integer(100 * 1024 * 1024, { min: 1 }),
  maxIncrementalFetchSessionCacheSlots: integer(1000, { min: 0 }),
  groupInitialRebalanceDelayMs: integer(0, { min: 0 }),
  groupMinSessionTimeoutMs: integer(6000, { min: 0 }),
  groupMaxSessionTimeoutMs: integer(1_800_000, { min: 0 }),
  groupMaxSize: integer(0x7fff_ffff, { min: 1 }),
  groupConsumerSessionTimeoutMs: integer(45_000, { min: 1 }),
  groupConsumerHeartbeatIntervalMs: integer(5000, { min: 1 }),
  groupConsumerAssignmentIntervalMs: integer(0, { min: 0 }),
  groupConsumerMigrationPolicy: oneOf<MigrationPolicy>(
    'bidirectional',
    'disabled',
    'upgrade',
    'downgrade',
    'bidirectional',
  ),
  offsetMetadataMaxBytes: integer(4096, { min: 0 }),
  transactionMaxTimeoutMs: integer(900_000, { min: 1 }),
  transactionalIdExpirationMs: integer(604_800_000, { min: 1 }),
  features: custom<Readonly<Record<string, number>>>({}, 'levels by name', isObject),
  clusterId: custom('rx-kafka-embedded-cluster', 'a string', (value) => typeof value === 'string'),
  clock: custom<Clock>(systemClock, 'a Clock', isObject),
};

/** Checked, and complete. */
export type ResolvedEmbeddedOptions = Omit<ResolvedOptions<typeof rules>, 'brokers'> & {
  readonly brokers: readonly EmbeddedBrokerOptions[];
};

/** @throws ConfigError naming the option that does not fit. */
export function resolveEmbeddedOptions(given: EmbeddedKafkaOptions): ResolvedEmbeddedOptions {
  const what = 'startEmbeddedKafka';
  const resolved = resolveOptions(what, rules, { ...given });
  const brokers =
    typeof resolved.brokers === 'number'
      ? Array.from({ length: resolved.brokers }, (_, i) => ({ id: i + 1 }))
      : resolved.brokers;
  const factor = resolved.defaultReplicationFactor;
  if (factor > brokers.length) {
    const complaint = `must not exceed the number of brokers, ${brokers.length}`;
    throw badOption(what, 'defaultReplicationFactor', factor, complaint);
  }
  return Object.freeze({
    ...resolved,
    brokers,
    defaultReplicationFactor: factor === 0 ? Math.min(3, brokers.length) : factor,
  });
}

function isBrokers(value: unknown): boolean {
  if (typeof value === 'number') return Number.isInteger(value) && value >= 1;
  if (!Array.isArray(value) || value.length === 0) return false;
  const ids = (value as readonly EmbeddedBrokerOptions[]).map(({ id }) => id);
  return ids.every((id) => Number.isInteger(id) && id >= 0) && new Set(ids).size === ids.length;
}
