import type { Duplex } from 'node:stream';
import {
  apis,
  brokerError,
  resolveApi,
  type Api,
  type ApiOrName,
  type Resolved,
} from '../core/protocol/index.js';
import { readBatches } from '../core/records/index.js';
import { ConfigError, KafkaError } from '../core/util/errors.js';
import { Broker } from './broker.js';
import {
  Faults,
  type DropMoment,
  type FaultScope,
  type Interceptor,
  type Undo,
} from './control/faults.js';
import {
  recordsIn,
  snapshotTopics,
  type ClusterSnapshot,
  type StoredRecord,
} from './control/inspect.js';
import { snapshotGroups, snapshotOffsets, type OffsetsSnapshot } from './control/inspect-groups.js';
import { RequestLog } from './control/request-log.js';
import { handlers } from './handlers/index.js';
import { MemoryNetwork, type MemoryLink, type MemoryLinkEvents } from './network/memory-network.js';
import { TcpListener } from './network/tcp-listener.js';
import { resolveEmbeddedOptions, type EmbeddedKafkaOptions } from './options.js';
import { Cluster, type BrokerNode, type TopicSpec } from './state/cluster.js';
import type { Group } from './state/groups/group.js';
import type { Partition } from './state/partition.js';
import { orRejection, Rejection } from './state/rejection.js';
import { profileOf, type Feature } from './versions.js';

/** Connections to the brokers that need no socket: give it to a client as its transport. */
export interface EmbeddedTransport {
  /** What rx-kafka's own `transport` option asks for. */
  open(
    address: { readonly host: string; readonly port: number },
    events: MemoryLinkEvents,
    options?: object,
  ): MemoryLink;
  /** The same as a Node stream; it emits `connect`, or `error` when nobody listens there. */
  connect(address: { readonly host: string; readonly port: number }): Duplex;
}

const LOOPBACK = '127.0.0.1';
const MEMORY_PORT = 9092;

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
 * // No socket, and time under control:
 * const cluster = await startEmbeddedKafka({ listen: 'memory', clock });
 * const kafka = createKafka({ bootstrapServers: cluster.bootstrapServers, transport: cluster.transport, clock });
 */
export async function startEmbeddedKafka(
  options: EmbeddedKafkaOptions = {},
): Promise<EmbeddedKafka> {
  const cluster = new EmbeddedKafka(options);
  try {
    await cluster.startAll();
    return cluster;
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

/**
 * A running cluster and the controls of it. Made by {@link startEmbeddedKafka}.
 *
 * **Guarantees** A control has taken effect when it returns, or when its promise resolves: the next
 * request that a broker gets is treated accordingly.
 *
 * **Errors** {@link ConfigError} naming a topic, partition or broker that there is not, or a replica
 * that can't do what is asked of it.
 */
export class EmbeddedKafka implements AsyncDisposable {
  /** Connects without sockets. */
  readonly transport: EmbeddedTransport;
  private readonly options;
  private readonly cluster: Cluster;
  private readonly brokers: readonly Broker[];
  private readonly faults = new Faults();
  private readonly requests = new RequestLog();
  private readonly memory = new MemoryNetwork();
  private readonly closers = new Map<number, () => Promise<void>>();
  private readonly turns = new Map<number, Promise<void>>();

  /** @internal Use {@link startEmbeddedKafka}. */
  constructor(given: EmbeddedKafkaOptions) {
    const options = resolveEmbeddedOptions(given);
    this.options = options;
    const profile = profileOf(options.version, new Set(handlers.keys()));
    const nodes = options.brokers.map(({ id, rack, port }): BrokerNode => ({
      id,
      rack: rack ?? null,
      host: options.listen === 'tcp' ? LOOPBACK : `broker-${id}`,
      port: port ?? (options.listen === 'tcp' ? 0 : MEMORY_PORT),
      isRunning: false,
    }));
    this.cluster = new Cluster(
      {
        clusterId: options.clusterId,
        profile,
        clock: options.clock,
        numPartitions: options.numPartitions,
        defaultReplicationFactor: options.defaultReplicationFactor,
        autoCreateTopicsEnable: options.autoCreateTopicsEnable,
        rackAwareFetch: options.rackAwareFetch,
        validatesEachRecord: options.validateEachRecord,
        features: withLevels(profile.features, options.features),
        topicDefaults: new Map([
          ...profile.topicDefaults,
          ['min.insync.replicas', String(options.minInsyncReplicas)],
        ]),
        maxFetchSessions: options.maxIncrementalFetchSessionCacheSlots,
        maxTransactionTimeoutMs: options.transactionMaxTimeoutMs,
        groups: {
          initialRebalanceDelayMs: options.groupInitialRebalanceDelayMs,
          minSessionTimeoutMs: options.groupMinSessionTimeoutMs,
          maxSessionTimeoutMs: options.groupMaxSessionTimeoutMs,
          maxSize: options.groupMaxSize,
          consumerSessionTimeoutMs: options.groupConsumerSessionTimeoutMs,
          consumerHeartbeatIntervalMs: options.groupConsumerHeartbeatIntervalMs,
          assignmentIntervalMs: options.groupConsumerAssignmentIntervalMs,
          migrationPolicy: options.groupConsumerMigrationPolicy,
          offsetMetadataMaxBytes: options.offsetMetadataMaxBytes,
        },
      },
      nodes,
    );
    const environment = {
      cluster: this.cluster,
      faults: this.faults,
      requests: this.requests,
      maxRequestBytes: options.socketRequestMaxBytes,
    };
    this.brokers = nodes.map((node) => new Broker(node, environment));
    const { memory } = this;
    this.transport = {
      open: (address, events) => memory.open(address, events),
      connect: (address) => memory.connect(address),
    };
  }

  /** @internal */
  async startAll(): Promise<void> {
    for (const { node } of this.brokers) await this.start(node.id);
    for (const [name, spec] of Object.entries(this.options.topics)) {
      this.createTopic(name, typeof spec === 'number' ? { partitions: spec } : spec);
    }
  }

  /** Addresses to give to a client, as in `127.0.0.1:40001,127.0.0.1:40002`. */
  get bootstrapServers(): string {
    return this.cluster.nodes.map(({ host, port }) => `${host}:${port}`).join(',');
  }

  /** Ids of all brokers, running or not. */
  get brokerIds(): readonly number[] {
    return this.cluster.nodes.map(({ id }) => id);
  }

  /** Where a broker listens, or listened before it was stopped. */
  addressOf(broker: number): { readonly host: string; readonly port: number } {
    const { host, port } = this.broker(broker).node;
    return { host, port };
  }

  /**
   * A connection to a broker as a Node stream, without a socket, also where the cluster listens on
   * TCP.
   *
   * @example
   * const stream = cluster.connect('broker-1', 9092);
   */
  connect(host: string, port: number): Duplex {
    return this.transport.connect({ host, port });
  }

  /**
   * Has a function see each request of an API before the broker does. What it returns is the
   * answer; with `undefined` the broker answers itself. The newest interceptor is asked first. One
   * that throws ends the connection, and a process warning tells.
   *
   * @returns A function that takes it back.
   * @example
   * cluster.intercept('Metadata', ({ body }) => {
   *   console.log(body.topics);
   *   return undefined;
   * });
   * @example
   * const undo = cluster.intercept('FindCoordinator', async () => {
   *   await gate;
   *   return undefined;
   * });
   */
  intercept<A extends ApiOrName>(
    api: A,
    handler: Interceptor<Resolved<A>>,
    scope: FaultScope = {},
  ): Undo {
    return this.faults.intercept(api, handler, scope);
  }

  /**
   * Fails the next requests of an API: they change nothing, and the answer has the error wherever
   * an error can stand.
   *
   * @param error Kafka's name of it, or its code.
   * @returns A function that takes back what is left.
   * @example
   * cluster.failNext('Produce', 'NOT_LEADER_OR_FOLLOWER', 2);
   */
  failNext(api: ApiOrName, error: string | number, times = 1, scope: FaultScope = {}): Undo {
    return this.faults.failNext(api, error, times, scope);
  }

  /**
   * Holds back the answers of an API, and with them all that follow on the same connection. What is
   * asked for is carried out at once. The longest of several delays counts.
   *
   * @returns A function that takes it back; answers that wait already go on waiting.
   * @example
   * const undo = cluster.delay('Fetch', 500, { broker: 2 });
   */
  delay(api: ApiOrName, ms: number, scope: FaultScope = {}): Undo {
    return this.faults.delay(api, ms, scope);
  }

  /**
   * Cuts the connection instead of answering the next requests of an API.
   *
   * @param options `when: 'before'` cuts it before anything was done, `'after'` when only the answer
   * is lost. Default: `'before'`.
   * @returns A function that takes back what is left.
   * @example
   * cluster.drop('Produce', 1, { when: 'after' }); // written, but the producer can't know
   */
  drop(api: ApiOrName, times = 1, options: FaultScope & { readonly when?: DropMoment } = {}): Undo {
    return this.faults.drop(api, times, options.when ?? 'before', options);
  }

  /**
   * Throttles an API as a quota does: the answer says so, and the connection is read no further for
   * that long (KIP-219; before Kafka 2.0 the answer itself is late).
   *
   * @returns A function that takes it back.
   * @example
   * cluster.throttle('Produce', 100);
   */
  throttle(api: ApiOrName, ms: number, scope: FaultScope = {}): Undo {
    return this.faults.throttle(api, ms, scope);
  }

  /**
   * Takes back all interceptors, failures, delays, drops and throttles.
   *
   * @example
   * afterEach(() => cluster.clearFaults());
   */
  clearFaults(): void {
    this.faults.clear();
  }

  /**
   * Makes a topic.
   *
   * @throws KafkaError with the code that CreateTopics would answer.
   * @example
   * cluster.createTopic('orders', { partitions: 6, configs: { 'cleanup.policy': 'compact' } });
   */
  createTopic(name: string, spec: TopicSpec = {}): void {
    orKafkaError(() => this.cluster.createTopic(name, spec));
  }

  /**
   * Deletes a topic; one that is made anew has another id.
   *
   * @example
   * cluster.deleteTopic('orders');
   */
  deleteTopic(name: string): void {
    const topic = this.cluster.topics.get(name);
    if (topic === undefined) throw noSuch(`topic ${name}`);
    this.cluster.deleteTopic(topic);
  }

  /**
   * Makes another replica lead a partition, which begins a new leader epoch.
   *
   * @param broker One of the partition's replicas that runs.
   * @example
   * cluster.moveLeader('orders', 0, 2);
   */
  moveLeader(topic: string, partition: number, broker: number): void {
    const moved = this.partition(topic, partition);
    if (!moved.replicas.includes(broker)) {
      const replicas = moved.replicas.join(', ');
      throw new ConfigError(
        `Broker ${broker} can't lead ${topic}-${partition}: its replicas are ${replicas}`,
      );
    }
    if (!this.broker(broker).node.isRunning) {
      throw new ConfigError(`Broker ${broker} can't lead ${topic}-${partition}: it is stopped`);
    }
    if (!moved.isr.includes(broker)) moved.isr = [...moved.isr, broker];
    moved.elect(broker);
  }

  /**
   * Sets which replicas are in sync, for `min.insync.replicas` to bite while all brokers run.
   *
   * @example
   * cluster.setIsr('orders', 0, [1]); // acks=all fails where two are wanted
   */
  setIsr(topic: string, partition: number, isr: readonly number[]): void {
    const target = this.partition(topic, partition);
    const strangers = isr.filter((id) => !target.replicas.includes(id));
    if (strangers.length > 0 || isr.length === 0) {
      throw new ConfigError(
        `The in-sync replicas of ${topic}-${partition} can't be [${isr.join(', ')}]: they are some ` +
          `of its replicas, ${target.replicas.join(', ')}`,
      );
    }
    target.isr = target.replicas.filter((id) => isr.includes(id));
  }

  /**
   * Loses the end of a log, as an unclean election does: records from `offset` on are gone and a
   * new leader epoch begins. A batch that holds `offset` goes as a whole.
   *
   * @example
   * cluster.truncate('orders', 0, 100);
   */
  truncate(topic: string, partition: number, offset: number): void {
    this.partition(topic, partition).truncateTo(offset);
  }

  /**
   * Writes batches into a log as they are, of any format and also control batches, without the
   * checks that Produce makes but for those of a producer's sequence.
   *
   * @returns The offset of the first record.
   * @throws KafkaError with the code that Produce would answer.
   * @example
   * cluster.append('orders', 0, encodeRecords([{ value: 'hello' }]));
   */
  append(topic: string, partition: number, batches: Uint8Array): number {
    const target = this.partition(topic, partition);
    const parsed = readBatches(Buffer.from(batches));
    return orKafkaError(() => target.append(parsed, this.cluster.clock.now())).baseOffset;
  }

  /**
   * Stops a broker: its connections break, others in the in-sync replicas take over what it led.
   * The log is kept.
   *
   * @example
   * await cluster.stop(2);
   */
  async stop(broker: number): Promise<void> {
    const { node } = this.broker(broker);
    await this.inTurn(broker, () => this.halt(node));
  }

  /**
   * Starts a stopped broker again, on the same port. It is in sync at once, and leads only what has
   * no leader.
   *
   * @example
   * await cluster.start(2);
   */
  async start(broker: number): Promise<void> {
    const stopped = this.broker(broker);
    await this.inTurn(broker, () => this.launch(stopped));
  }

  /**
   * Everything about the cluster at this moment, as plain data.
   *
   * @example
   * expect(cluster.inspect().topics.orders?.partitions[0]).toMatchObject({ leader: 2, records: 10 });
   */
  inspect(): ClusterSnapshot {
    const { settings, controllerId } = this.cluster;
    const brokers = this.brokers.map(({ node, connectionCount }) => ({
      ...node,
      connections: connectionCount,
      requests: this.requests.of(node.id),
    }));
    const counted = Object.values(apis).map(({ name, key }) => [name, this.requests.total(key)]);
    return {
      clusterId: settings.clusterId,
      version: settings.profile.release,
      controllerId,
      brokers,
      topics: snapshotTopics(this.cluster),
      groups: snapshotGroups(this.cluster),
      requests: Object.fromEntries(counted.filter(([, count]) => count !== 0)) as Record<
        string,
        number
      >,
      complaints: [...this.requests.complaints],
    };
  }

  /**
   * The records of a topic, or of one partition, that consumers can read, decoded.
   *
   * @example
   * cluster.records('orders').map(({ value }) => String(value));
   */
  records(topic: string, partition?: number): StoredRecord[] {
    if (partition !== undefined) return recordsIn(this.partition(topic, partition));
    const found = this.cluster.topics.get(topic);
    if (found === undefined) throw noSuch(`topic ${topic}`);
    return found.partitions.flatMap((each) => recordsIn(each));
  }

  /**
   * What a group has committed, by topic and partition; nothing for a group that there is not.
   *
   * @example
   * cluster.groupOffsets('billing').orders?.[0]?.offset; // 42
   */
  groupOffsets(groupId: string): OffsetsSnapshot {
    return snapshotOffsets(this.cluster.groups.offsetsOf(groupId));
  }

  /**
   * Has the members of a group meet, or be assigned, anew.
   *
   * @example
   * cluster.rebalance('billing');
   */
  rebalance(groupId: string): void {
    this.group(groupId).rebalance();
  }

  /**
   * Ends a member's session, as if no heartbeat had come for too long.
   *
   * @example
   * const [member] = cluster.inspect().groups.billing!.members;
   * cluster.expireMember('billing', member!.memberId);
   */
  expireMember(groupId: string, memberId: string): void {
    const group = this.group(groupId);
    if (!group.hasMember(memberId)) throw noSuch(`member ${memberId} of group ${groupId}`);
    group.expire(memberId);
  }

  /**
   * Has another broker coordinate a group or a transactional id: the former one answers
   * NOT_COORDINATOR from now on. Others that are hashed alike move along.
   *
   * @param broker One that runs.
   * @example
   * cluster.moveCoordinator('billing', 2);
   */
  moveCoordinator(key: string, broker: number): void {
    if (!this.broker(broker).node.isRunning) {
      throw new ConfigError(`Broker ${broker} can't coordinate ${key}: it is stopped`);
    }
    this.cluster.moveCoordinator(key, broker);
  }

  /**
   * Resolves when an API has been called `count` times since the start, over all brokers: what tests
   * wait for instead of sleeping.
   *
   * @example
   * await cluster.whenRequested('Fetch');
   */
  whenRequested(api: ApiOrName, count = 1): Promise<void> {
    return this.requests.whenTotal((resolveApi(api) as Api).key, count);
  }

  /** Stops all brokers and forgets all records. */
  async close(): Promise<void> {
    await Promise.all(this.cluster.nodes.map(({ id }) => this.stop(id)));
    this.faults.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async halt(node: BrokerNode): Promise<void> {
    if (!node.isRunning) return;
    const broker = node.id;
    node.isRunning = false;
    this.cluster.brokerStopped(broker);
    const close = this.closers.get(broker)!;
    this.closers.delete(broker);
    await close();
  }

  private async launch(stopped: Broker): Promise<void> {
    const { node } = stopped;
    if (node.isRunning) return;
    const accept = stopped.accept.bind(stopped);
    const tcp =
      this.options.listen === 'tcp'
        ? await TcpListener.listen(node.host, node.port, accept)
        : undefined;
    if (tcp !== undefined) node.port = tcp.port;
    const endMemory = this.memory.listen(node.host, node.port, accept);
    this.closers.set(node.id, async () => {
      endMemory();
      await tcp?.close();
    });
    node.isRunning = true;
    this.cluster.brokerStarted(node.id);
  }

  /** Starts and stops of one broker, one after the other, however they are called. */
  private inTurn(broker: number, task: () => Promise<void>): Promise<void> {
    const before = this.turns.get(broker);
    const turn = before === undefined ? task() : before.then(task);
    // Whoever called is told of a failure; the next one has its turn all the same.
    const settled = turn.catch(() => undefined);
    this.turns.set(broker, settled);
    void settled.then(() => {
      if (this.turns.get(broker) === settled) this.turns.delete(broker);
    });
    return turn;
  }

  private broker(id: number): Broker {
    const broker = this.brokers.find(({ node }) => node.id === id);
    if (broker === undefined) throw noSuch(`broker ${id}`);
    return broker;
  }

  private group(groupId: string): Group {
    const group = this.cluster.groups.get(groupId);
    if (group === undefined) throw noSuch(`group ${groupId}`);
    return group;
  }

  private partition(topic: string, index: number): Partition {
    const partition = this.cluster.topics.get(topic)?.partitions[index];
    if (partition === undefined) throw noSuch(`partition ${topic}-${index}`);
    return partition;
  }
}

/** A refusal as an error that tests can match on. */
function orKafkaError<T>(attempt: () => T): T {
  const outcome = orRejection(attempt);
  if (!(outcome instanceof Rejection)) return outcome;
  throw new KafkaError(outcome.message, { code: brokerError(outcome.errorCode).name });
}

function noSuch(what: string): ConfigError {
  return new ConfigError(`The embedded cluster has no ${what}`, { code: 'NOT_FOUND' });
}

/** The features of a Kafka line with some of them at other levels. */
function withLevels(
  features: readonly Feature[],
  levels: Readonly<Record<string, number>>,
): Feature[] {
  const known = features.map((feature) => {
    const finalized = levels[feature.name] ?? feature.finalized;
    return { ...feature, finalized, maxVersion: Math.max(feature.maxVersion, finalized) };
  });
  const added = Object.entries(levels)
    .filter(([name]) => features.every((feature) => feature.name !== name))
    .map(([name, level]) => ({ name, minVersion: 0, maxVersion: level, finalized: level }));
  return [...known, ...added];
}
