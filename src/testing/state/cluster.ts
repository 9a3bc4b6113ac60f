import { bytesToUuid, type apis, type RequestOf } from '../../core/protocol/index.js';
import type { Clock } from '../../core/util/clock.js';
import type { Feature, Profile } from '../versions.js';
import { Coordinators } from './coordinators.js';
import { FetchSessions } from './fetch-sessions.js';
import { Groups } from './groups/groups.js';
import type { GroupSettings } from './groups/settings.js';
import { NO_LEADER, Partition } from './partition.js';
import type { Topic } from './topic.js';
import { TopicPlans, type TopicSpec } from './topic-plans.js';
import { Transactions } from './transactions/transactions.js';

/** One broker as the others, and clients, know it. */
export interface BrokerNode {
  readonly id: number;
  readonly rack: string | null;
  host: string;
  port: number;
  isRunning: boolean;
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

/** A partition as Fetch asks for it. */
export type FetchQuery = RequestOf<typeof apis.Fetch>['topics'][number]['partitions'][number];

/** What all brokers share: topics, logs, leaders, and who is alive. Knows no connections. */
export class Cluster {
  readonly topics = new Map<string, Topic>();
  readonly groups: Groups;
  readonly transactions: Transactions;
  /** Where partitions of topics that are to be made, or to grow, would lie. */
  readonly plans: TopicPlans;
  private readonly coordinators: Coordinators;
  private readonly topicsById = new Map<string, Topic>();
  private readonly fetchSessions = new Map<number, FetchSessions<FetchQuery>>();
  private nextTopicNumber = 1;

  constructor(
    readonly settings: ClusterSettings,
    readonly nodes: readonly BrokerNode[],
  ) {
    this.plans = new TopicPlans(settings, nodes, this.topics);
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

  /** @throws Rejection when the topic can't be made. */
  createTopic(name: string, spec: TopicSpec = {}): Topic {
    const { assignments, config } = this.plans.topic(name, spec);
    const topic: Topic = { name, id: this.newTopicId(), config, partitions: [] };
    this.topics.set(name, topic);
    this.topicsById.set(topic.id, topic);
    this.addPartitions(topic, assignments);
    return topic;
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

  private isUp(id: number): boolean {
    return this.node(id)?.isRunning === true;
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
