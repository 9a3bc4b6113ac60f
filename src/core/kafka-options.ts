import { parseBootstrapServers, type ClusterOptions } from './cluster/index.js';
import { tcpTransport, type Transport } from './network/index.js';
import { systemClock, type Clock } from './util/clock.js';
import { checkIsObject, custom, flag, integer, oneOf, resolveOptions } from './util/options.js';

/** How a client finds its cluster. Names, meanings and defaults are those of the Java client 4.x. */
export interface KafkaOptions {
  /** `host:port`, several separated by commas or as a list. Tried until one answers. */
  readonly bootstrapServers: string | readonly string[];
  /** Shows up in the brokers' logs, metrics and quotas. Default `rx-kafka`. */
  readonly clientId?: string;
  /**
   * How long a broker may take to answer what the client itself asks, such as metadata and `kafka.request()`,
   * in ms; producers and consumers have the same option for theirs. Default 30,000.
   */
  readonly requestTimeoutMs?: number;
  /**
   * What is known of the cluster is asked anew after this long, in ms; consumers that subscribe by pattern
   * look for new topics as often. Default 300,000.
   */
  readonly metadataMaxAgeMs?: number;
  /** Topics nobody has used for this long are forgotten, in ms. Default 300,000 (KIP-526). */
  readonly metadataMaxIdleMs?: number;
  /** First wait before connecting again, in ms; it doubles each time. Default 50 (KIP-144). */
  readonly reconnectBackoffMs?: number;
  /** Longest wait before connecting again, in ms. Default 1,000. */
  readonly reconnectBackoffMaxMs?: number;
  /**
   * First wait before a request of the client itself is repeated, in ms; it doubles each time. Default 100
   * (KIP-580).
   */
  readonly retryBackoffMs?: number;
  /** Longest wait before a request is repeated, in ms. Default 1,000. */
  readonly retryBackoffMaxMs?: number;
  /** How long connecting may take at first, in ms; it doubles each time. Default 10,000 (KIP-601). */
  readonly socketConnectionSetupTimeoutMs?: number;
  /** How long connecting may take at most, in ms. Default 30,000. */
  readonly socketConnectionSetupTimeoutMaxMs?: number;
  /** Connections nobody has used for this long are closed, in ms. Default 540,000. */
  readonly connectionsMaxIdleMs?: number;
  /** What to do when no known broker can be reached: start again from the bootstrap servers, or not. Default `'rebootstrap'` (KIP-899). */
  readonly metadataRecoveryStrategy?: 'rebootstrap' | 'none';
  /** Start again from the bootstrap servers after this long without metadata, in ms. Default 300,000 (KIP-1102). */
  readonly metadataRecoveryRebootstrapTriggerMs?: number;
  /** Let brokers create topics that are asked for, if their own setting allows. Default true. */
  readonly allowAutoCreateTopics?: boolean;
  /** Longest response that is believed, in bytes. Default 256 MiB. */
  readonly maxResponseBytes?: number;
  /** How bytes reach brokers. Default TCP. */
  readonly transport?: Transport;
  /** Time and chance. Default the machine's. */
  readonly clock?: Clock;
}

const MAX_INT32 = 0x7fff_ffff;
const isObject = (value: unknown) => typeof value === 'object' && value !== null;

const rules = {
  clientId: custom('rx-kafka', 'a string', (value) => typeof value === 'string'),
  requestTimeoutMs: integer(30_000, { min: 1, max: MAX_INT32 }),
  metadataMaxAgeMs: integer(300_000, { max: MAX_INT32 }),
  metadataMaxIdleMs: integer(300_000, { min: 5000, max: MAX_INT32 }),
  reconnectBackoffMs: integer(50, { max: MAX_INT32 }),
  reconnectBackoffMaxMs: integer(1000, { max: MAX_INT32 }),
  retryBackoffMs: integer(100, { max: MAX_INT32 }),
  retryBackoffMaxMs: integer(1000, { max: MAX_INT32 }),
  socketConnectionSetupTimeoutMs: integer(10_000, { min: 1, max: MAX_INT32 }),
  socketConnectionSetupTimeoutMaxMs: integer(30_000, { min: 1, max: MAX_INT32 }),
  connectionsMaxIdleMs: integer(540_000, { min: 1, max: MAX_INT32 }),
  metadataRecoveryStrategy: oneOf<'rebootstrap' | 'none'>('rebootstrap', 'rebootstrap', 'none'),
  metadataRecoveryRebootstrapTriggerMs: integer(300_000, { max: MAX_INT32 }),
  allowAutoCreateTopics: flag(true),
  maxResponseBytes: integer(256 * 1024 * 1024, { min: 1024, max: MAX_INT32 }),
  transport: custom<Transport | undefined>(undefined, 'a Transport', isObject),
  clock: custom<Clock>(systemClock, 'a Clock', isObject),
} as const;

/** Checks and completes what {@link KafkaOptions} leaves open. */
export function resolveKafkaOptions(given: KafkaOptions): Omit<ClusterOptions, 'onEvent'> {
  checkIsObject('createKafka', given);
  const { bootstrapServers, ...rest } = given;
  const options = resolveOptions('createKafka', rules, rest, ['bootstrapServers']);
  return {
    ...options,
    bootstrapServers: parseBootstrapServers(bootstrapServers),
    transport: options.transport ?? tcpTransport({ clock: options.clock }),
  };
}
