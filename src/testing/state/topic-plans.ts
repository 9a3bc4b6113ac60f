import { Errors } from '../error-codes.js';
import type { BrokerNode, ClusterSettings } from './cluster.js';
import { Rejection } from './rejection.js';
import { complaintOnTopicName, type Topic } from './topic.js';
import { TopicConfig } from './topic-config.js';

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

/** A topic that could be made. */
export interface TopicPlan {
  /** The replicas of each partition. */
  readonly assignments: number[][];
  readonly config: TopicConfig;
}

/** The limit of a KRaft controller, without which a few bytes could demand all memory there is. */
const MAX_PARTITIONS_AT_ONCE = 10_000;

/** What becomes of a request for a topic, or for more partitions of one, before anything is made. */
export class TopicPlans {
  private nextReplica = 0;

  constructor(
    private readonly settings: ClusterSettings,
    private readonly nodes: readonly BrokerNode[],
    private readonly topics: ReadonlyMap<string, Topic>,
  ) {}

  /** Checks what CreateTopics checks. @throws Rejection */
  topic(name: string, spec: TopicSpec): TopicPlan {
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

  /** Grows a topic to `count` partitions. @throws Rejection */
  partitions(
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

  /** Metrics can't tell a dot from an underscore, so names that differ by that alone are refused. */
  private checkCollision(name: string): void {
    if (!/[._]/.test(name)) return;
    const plain = name.replaceAll('.', '_');
    const other = [...this.topics.keys()].find((known) => known.replaceAll('.', '_') === plain);
    if (other === undefined) return;
    const message = `Topic '${name}' collides with existing topic: ${other}`;
    throw new Rejection(Errors.INVALID_TOPIC_EXCEPTION, message);
  }

  private assign(count: number, replicationFactor: number): number[][] {
    const running = this.nodes.filter(({ isRunning }) => isRunning);
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
        replicas.every((id) => this.nodes.some((node) => node.id === id));
      if (isSound) continue;
      throw new Rejection(
        Errors.INVALID_REPLICA_ASSIGNMENT,
        `The manual partition assignment [${replicas.join(', ')}] is invalid`,
      );
    }
    return assignments.map((replicas) => [...replicas]);
  }
}
