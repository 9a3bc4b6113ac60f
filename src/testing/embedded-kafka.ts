import type { Duplex } from 'node:stream';
import { Broker } from './broker.js';
import { BrokerFleet, type EmbeddedTransport } from './broker-fleet.js';
import { clusterSettings } from './cluster-settings.js';
import { faultControls, type FaultControls } from './control/fault-controls.js';
import { Faults } from './control/faults.js';
import { groupControls, type GroupControls } from './control/group-controls.js';
import { inspection, type Inspection } from './control/inspection.js';
import { brokerOf } from './control/lookup.js';
import { RequestLog } from './control/request-log.js';
import { topicControls, type TopicControls } from './control/topic-controls.js';
import { transactionControls, type TransactionControls } from './control/transaction-controls.js';
import {
  resolveEmbeddedOptions,
  type EmbeddedKafkaOptions,
  type ResolvedEmbeddedOptions,
} from './options.js';
import { Cluster, type BrokerNode } from './state/cluster.js';

const LOOPBACK = '127.0.0.1';
const MEMORY_PORT = 9092;

/**
 * A running cluster and the controls of it. Made by {@link startEmbeddedKafka}.
 *
 * **Guarantees** A control has taken effect when it returns, or when its promise resolves: the next
 * request that a broker gets is treated accordingly.
 *
 * **Errors** {@link ConfigError} naming a topic, partition or broker that there is not, or a replica
 * that can't do what is asked of it.
 */
export interface EmbeddedKafka
  extends
    FaultControls,
    TopicControls,
    GroupControls,
    TransactionControls,
    Inspection,
    AsyncDisposable {
  /** Connects without sockets. */
  readonly transport: EmbeddedTransport;

  /** Addresses to give to a client, as in `127.0.0.1:40001,127.0.0.1:40002`. */
  readonly bootstrapServers: string;

  /** Ids of all brokers, running or not. */
  readonly brokerIds: readonly number[];

  /** Where a broker listens, or listened before it was stopped. */
  addressOf(broker: number): { readonly host: string; readonly port: number };

  /**
   * A connection to a broker as a Node stream, without a socket, also where the cluster listens on
   * TCP.
   *
   * @example
   * const stream = cluster.connect('broker-1', 9092);
   */
  connect(host: string, port: number): Duplex;

  /**
   * Stops a broker: its connections break, others in the in-sync replicas take over what it led.
   * The log is kept.
   *
   * @example
   * await cluster.stop(2);
   */
  stop(broker: number): Promise<void>;

  /**
   * Starts a stopped broker again, on the same port. It is in sync at once, and leads only what has
   * no leader.
   *
   * @example
   * await cluster.start(2);
   */
  start(broker: number): Promise<void>;

  /** Stops all brokers and forgets all records. */
  close(): Promise<void>;
}

/**
 * Starts a Kafka cluster inside this process, in milliseconds and without Java: real brokers as far
 * as any client can tell, over TCP or in memory, that can be told to misbehave.
 *
 * **Guarantees** Answers come in the order of the requests; what is acknowledged is in the log, and
 * stays there until deleted, truncated or closed. Everything is kept in memory.
 *
 * **Errors** {@link ConfigError} for options that can't work.
 *
 * @example
 * await using cluster = await startEmbeddedKafka({ brokers: 3, topics: { orders: 6 } });
 * const kafka = createKafka({ bootstrapServers: cluster.bootstrapServers });
 *
 * cluster.failNext('Produce', 'NOT_LEADER_OR_FOLLOWER', 2);
 * await cluster.stop(2);
 * console.log(cluster.inspect().topics.orders);
 * @example
 * // The older of the two protocols of transactions:
 * const cluster = await startEmbeddedKafka({ features: { 'transaction.version': 1 } });
 * @example
 * // No socket, and time under control:
 * const cluster = await startEmbeddedKafka({ listen: 'memory', clock });
 * const kafka = createKafka({ bootstrapServers: cluster.bootstrapServers, transport: cluster.transport, clock });
 */
export async function startEmbeddedKafka(
  options: EmbeddedKafkaOptions = {},
): Promise<EmbeddedKafka> {
  const resolved = resolveEmbeddedOptions(options);
  const nodes = nodesOf(resolved);
  const cluster = new Cluster(clusterSettings(resolved), nodes);
  const faults = new Faults();
  const requests = new RequestLog();
  const maxRequestBytes = resolved.socketRequestMaxBytes;
  const brokers = nodes.map(
    (node) => new Broker(node, { cluster, faults, requests, maxRequestBytes }),
  );
  const fleet = new BrokerFleet(cluster, brokers, resolved.listen);
  const topics = topicControls(cluster);
  try {
    await fleet.startAll();
    for (const [name, spec] of Object.entries(resolved.topics)) {
      topics.createTopic(name, typeof spec === 'number' ? { partitions: spec } : spec);
    }
  } catch (error) {
    await fleet.stopAll();
    throw error;
  }
  return {
    ...faultControls(faults),
    ...topics,
    ...groupControls(cluster),
    ...transactionControls(cluster),
    ...inspection({ cluster, brokers, requests }),
    ...fleetControls(cluster, fleet, faults),
  };
}

type FleetControls = Omit<
  EmbeddedKafka,
  keyof (FaultControls & TopicControls & GroupControls & TransactionControls & Inspection)
>;

function fleetControls(cluster: Cluster, fleet: BrokerFleet, faults: Faults): FleetControls {
  const close = async () => {
    await fleet.stopAll();
    faults.clear();
  };
  return {
    transport: fleet.transport,
    bootstrapServers: cluster.nodes.map(({ host, port }) => `${host}:${port}`).join(','),
    brokerIds: cluster.nodes.map(({ id }) => id),
    addressOf(broker) {
      const { host, port } = brokerOf(cluster, broker);
      return { host, port };
    },
    connect: (host, port) => fleet.transport.connect({ host, port }),
    stop: (broker) => fleet.stop(broker),
    start: (broker) => fleet.start(broker),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function nodesOf({ brokers, listen }: ResolvedEmbeddedOptions): BrokerNode[] {
  return brokers.map(({ id, rack, port }) => ({
    id,
    rack: rack ?? null,
    host: listen === 'tcp' ? LOOPBACK : `broker-${id}`,
    port: port ?? (listen === 'tcp' ? 0 : MEMORY_PORT),
    isRunning: false,
  }));
}
