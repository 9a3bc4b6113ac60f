import { bytesToUuid, type apis, type RequestOf } from '../../core/protocol/index.js';
import type { Clock } from '../../core/util/clock.js';
import { Errors } from '../error-codes.js';
import type { Feature, Profile } from '../versions.js';
import { Coordinators } from './coordinators.js';
import { FetchSessions } from './fetch-sessions.js';
import { Groups } from './groups/groups.js';
import type { GroupSettings } from './groups/settings.js';
import { NO_LEADER, Partition } from './partition.js';
import { Rejection } from './rejection.js';
import { complaintOnTopicName, type Topic } from './topic.js';
import { TopicConfig } from './topic-config.js';
import { Transactions } from './transactions/transactions.js';

/** One broker as the others, and clients, know it. */
export interface BrokerNode {
  readonly id: number;
  readonly rack: string | null;
  host: string;
  port: number;
  isRunning: boolean;
}

/** How a topic is made. */
export interface TopicSpec {
  /** Default: the cluster's `numPartitions`. */
  readonly partitions?: number;
  /** Default: the cluster's `defaultReplicationFactor`. */
  readonly replicationFactor?: number;
  /** Broker ids of each partition's replicas, the preferred leader first; instead of the above. */
  readonly assignments?: readonly (readonly number[])[];
  /** Topic settings under Kafka's names, as in `{ 'cleanup.policy': 'compact' }`. */
  readonly configs?: Readonly<Record<string, string>>;
}

/** What a cluster is made of and how it behaves; complete. */
export interface ClusterSettings {
  readonly clusterId: string;
  readonly profile: Profile;
  readonly clock: Clock;
  readonly numPartitions: number;
  readonly defaultReplicationFactor: number;
  readonly autoCreateTopicsEnable: boolean;
  readonly rackAwareFetch: boolean;
  readonly validatesEachRecord: boolean;
  readonly features: readonly Feature[];
  /** Topic settings where topics have none of their own. */
  readonly topicDefaults: ReadonlyMap<string, string>;
  readonly groups: GroupSettings;
  /** Kafka's `max.incremental.fetch.session.cache.slots`, of each broker. */
  readonly maxFetchSessions: number;
  /** Kafka's `transaction.max.timeout.ms`. */
  readonly maxTransactionTimeoutMs: number;
  readonly transactionalIdExpirationMs: number;
}

/** The limit of a KRaft controller, without which a few bytes could demand all memory there is. */
const MAX_PARTITIONS_AT_ONCE = 10_000;

/** A partition as Fetch asks for it. */
export type FetchQuery = RequestOf<typeof apis.Fetch>['topics'][number]['partitions'][number];

/** What all brokers share: topics, logs, leaders, and who is alive. Knows no connections. */
export class Cluster {
  readonly topics = new Map<string, Topic>();
  readonly groups: Groups;
  readonly transactions: Transactions;
  private readonly coordinators: Coordinators;
  private readonly topicsById = new Map<string, Topic>();
  private readonly fetchSessions = new Map<number, FetchSessions<FetchQuery>>();
  private nextReplica = 0;
  private nextTopicNumber = 1;

  constructor(
    readonly settings: ClusterSettings,
    readonly nodes: readonly BrokerNode[],
  ) {
    this.coordinators = new Coordinators(nodes);
    this.groups = new Groups(settings.groups, this.coordinators, settings.clock, this.topics);
    this.transactions = new Transactions({
      clock: settings.clock,
      coordinators: this.coordinators,
      risesAtEnd: settings.features.some(
        ({ name, finalized }) => name === 'transaction.version' && finalized >= 2,
      ),
      maxTimeoutMs: settings.maxTransactionTimeoutMs,
      idExpirationMs: settings.transactionalIdExpirationMs,
      partitionAt: ({ topic, index }) => this.topics.get(topic)?.partitions[index],
      offsetsOf: (groupId) => this.groups.offsetsOf(groupId),
    });
  }

  get clock(): Clock {
    return this.settings.clock;
  }

  get profile(): Profile {
    return this.settings.profile;
  }

  get runningNodes(): BrokerNode[] {
    return this.nodes.filter(({ isRunning }) => isRunning);
  }

  get controllerId(): number {
    return this.runningNodes[0]?.id ?? NO_LEADER;
  }

  node(id: number): BrokerNode | undefined {
    return this.nodes.find((node) => node.id === id);
  }

  topicById(id: string): Topic | undefined {
    return this.topicsById.get(id);
  }

  /** The fetch sessions that a broker keeps until it stops. */
  fetchSessionsOf(brokerId: number): FetchSessions<FetchQuery> {
    let sessions = this.fetchSessions.get(brokerId);
    if (sessions === undefined) {
      sessions = new FetchSessions(this.clock, this.settings.maxFetchSessions);
      this.fetchSessions.set(brokerId, sessions);
    }
    return sessions;
  }

  /** Every partition there is. */
  *partitions(): IterableIterator<Partition> {
    for (const { partitions } of this.topics.values()) yield* partitions;
  }

  /** Checks what CreateTopics checks. @throws Rejection */
  planTopic(name: string, spec: TopicSpec): { assignments: number[][]; config: TopicConfig } {
    const complaint = complaintOnTopicName(name);
    if (complaint !== undefined) {
      throw new Rejection(Errors.INVALID_TOPIC_EXCEPTION, `Topic name is invalid: ${complaint}`);
    }
    if (this.topics.has(name)) {
      throw new Rejection(Errors.TOPIC_ALREADY_EXISTS, `Topic '${name}' already exists.`);
    }
    this.checkCollision(name);
    const config = new TopicConfig(this.settings.topicDefaults, spec.configs);
    const assignments =
      spec.assignments === undefined
        ? this.assign(
            spec.partitions ?? this.settings.numPartitions,
            spec.replicationFactor ?? this.settings.defaultReplicationFactor,
          )
        : this.checkAssignments(spec.assignments);
    return { assignments, config };
  }

  /** @throws Rejection when the topic can't be made. */
  createTopic(name: string, spec: TopicSpec = {}): Topic {
    const { assignments, config } = this.planTopic(name, spec);
    const topic: Topic = { name, id: this.newTopicId(), config, partitions: [] };
    this.topics.set(name, topic);
    this.topicsById.set(topic.id, topic);
    this.addPartitions(topic, assignments);
    return topic;
  }

  /** Grows a topic to `count` partitions. @throws Rejection */
  planPartitions(
    topic: Topic,
    count: number,
    given?: readonly (readonly number[])[] | null,
  ): number[][] {
    const existing = topic.partitions.length;
    if (count <= existing) {
      throw new Rejection(
        Errors.INVALID_PARTITIONS,
        `The topic ${topic.name} currently has ${existing} partition(s); ${count} would not be an increase.`,
      );
    }
    if (given == null) return this.assign(count - existing, topic.partitions[0]!.replicas.length);
    if (given.length !== count - existing) {
      throw new Rejection(
        Errors.INVALID_REPLICA_ASSIGNMENT,
        `Attempted to add ${count - existing} additional partition(s), but only ${given.length} assignment(s) were specified.`,
      );
    }
    return this.checkAssignments(given);
  }

  addPartitions(topic: Topic, assignments: readonly (readonly number[])[]): void {
    const rules = this.profile.sequenceRules;
    for (const replicas of assignments) {
      const index = topic.partitions.length;
      const partition = new Partition(topic.name, index, replicas, topic.config, rules);
      topic.partitions.push(partition);
      const inSync = replicas.filter((id) => this.node(id)!.isRunning);
      if (inSync.length > 0) partition.isr = inSync;
      partition.elect(inSync[0] ?? NO_LEADER);
    }
  }

  deleteTopic(topic: Topic): void {
    this.topics.delete(topic.name);
    this.topicsById.delete(topic.id);
    for (const partition of topic.partitions) partition.elect(NO_LEADER);
    this.groups.topicDeleted(topic.name);
    this.transactions.finishAll();
  }

  /** A broker is gone: it leaves the in-sync replicas and others lead what it led. */
  brokerStopped(id: number): void {
    for (const partition of this.partitions()) {
      if (!partition.isr.includes(id)) continue;
      const others = partition.isr.filter((other) => other !== id);
      // The last one in sync stays in the list: only it may lead again.
      if (others.length > 0) partition.isr = others;
      if (partition.leaderId === id) partition.elect(others[0] ?? NO_LEADER);
    }
    this.reassign();
    this.fetchSessions.delete(id);
  }

  /** A broker is back: it catches up at once and leads what has no leader. */
  brokerStarted(id: number): void {
    for (const partition of this.partitions()) {
      if (!partition.replicas.includes(id)) continue;
      if (partition.leaderId === NO_LEADER) {
        if (!partition.isr.includes(id)) continue;
        partition.elect(id);
        // Those that came back earlier had nobody to catch up with until now.
        partition.isr = partition.replicas.filter((replica) => this.isUp(replica));
      } else if (!partition.isr.includes(id)) {
        const { isr } = partition;
        partition.isr = partition.replicas.filter(
          (replica) => replica === id || isr.includes(replica),
        );
      }
    }
    this.reassign();
  }

  /** The broker that coordinates a group or a transactional id; `undefined` while none runs. */
  coordinatorOf(key: string): BrokerNode | undefined {
    const id = this.coordinators.of(key);
    return id === undefined ? undefined : this.node(id);
  }

  /** Has another broker coordinate a group or a transactional id. */
  moveCoordinator(key: string, brokerId: number): void {
    this.coordinators.move(key, brokerId);
    this.reassign();
  }

  /** Groups and transactions move to brokers that run, and go on with what waited for them. */
  private reassign(): void {
    this.groups.reassign();
    this.transactions.reassign();
  }

  /** Metrics can't tell a dot from an underscore, so names that differ by that alone are refused. */
  private checkCollision(name: string): void {
    if (!/[._]/.test(name)) return;
    const plain = name.replaceAll('.', '_');
    const other = [...this.topics.keys()].find((known) => known.replaceAll('.', '_') === plain);
    if (other === undefined) return;
    const message = `Topic '${name}' collides with existing topic: ${other}`;
    throw new Rejection(Errors.INVALID_TOPIC_EXCEPTION, message);
  }

  private isUp(id: number): boolean {
    return this.node(id)?.isRunning === true;
  }

  private assign(count: number, replicationFactor: number): number[][] {
    const running = this.runningNodes;
    if (count < 1) {
      const message = `Number of partitions was set to an invalid non-positive value.`;
      throw new Rejection(Errors.INVALID_PARTITIONS, message);
    }
    if (count > MAX_PARTITIONS_AT_ONCE) {
      const message = 'Excessively large number of partitions per request.';
      throw new Rejection(Errors.POLICY_VIOLATION, message);
    }
    if (replicationFactor < 1 || replicationFactor > running.length) {
      throw new Rejection(
        Errors.INVALID_REPLICATION_FACTOR,
        `Unable to replicate the partition ${replicationFactor} time(s): only ${running.length} broker(s) are registered.`,
      );
    }
    return Array.from({ length: count }, () => {
      const first = this.nextReplica++;
      return Array.from(
        { length: replicationFactor },
        (_, i) => running[(first + i) % running.length]!.id,
      );
    });
  }

  private checkAssignments(assignments: readonly (readonly number[])[]): number[][] {
    for (const replicas of assignments) {
      const isSound =
        replicas.length > 0 &&
        new Set(replicas).size === replicas.length &&
        replicas.every((id) => this.node(id) !== undefined);
      if (isSound) continue;
      throw new Rejection(
        Errors.INVALID_REPLICA_ASSIGNMENT,
        `The manual partition assignment [${replicas.join(', ')}] is invalid`,
      );
    }
    return assignments.map((replicas) => [...replicas]);
  }

  /** An id that no topic has. */
  newTopicId(): string {
    const bytes = Buffer.alloc(16);
    for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor(this.clock.random() * 256);
    // Version 4, and thereby neither of the ids that Kafka reserves.
    bytes[6] = (bytes[6]! & 0x0f) | 0x40;
    bytes[8] = (bytes[8]! & 0x3f) | 0x80;
    // Distinct even where a test's clock has no luck at all.
    bytes.writeUInt32BE(this.nextTopicNumber++, 12);
    return bytesToUuid(bytes);
  }
}
