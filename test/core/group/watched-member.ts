import { Cluster } from '../../../src/core/cluster/index.js';
import {
  createMember,
  GroupMetrics,
  PartitionSet,
  type GroupEvent,
  type GroupHandler,
  type GroupOptions,
  type Member,
  type Subscription,
  type TopicPartition,
} from '../../../src/core/group/index.js';
import { resolveKafkaOptions, type KafkaOptions } from '../../../src/core/kafka-options.js';
import { systemClock } from '../../../src/core/util/clock.js';
import type { KafkaError } from '../../../src/core/util/errors.js';

export interface WatchedMemberOptions {
  readonly kafka: KafkaOptions;
  readonly group: Partial<GroupOptions> & { readonly groupId: string };
  readonly subscription: Subscription;
  /** What happens when partitions are revoked, before they are handed back. */
  readonly onRevoked?: (removed: readonly TopicPartition[]) => Promise<void>;
  readonly onAssigned?: (added: readonly TopicPartition[]) => Promise<void>;
}

/** A member that keeps what it was told, and complains when that makes no sense. */
export class WatchedMember implements GroupHandler, AsyncDisposable {
  /** In order, as in `+orders-0,orders-1`, `-orders-0`, `!orders-1` (lost). */
  readonly calls: string[] = [];
  readonly events: GroupEvent[] = [];
  /** What was told that contradicts what was told before. */
  readonly contradictions: string[] = [];
  fatal: KafkaError | undefined;
  deadlineMs: number | undefined;
  readonly member: Member;
  readonly cluster: Cluster;
  private readonly held = new PartitionSet();

  constructor(private readonly given: WatchedMemberOptions) {
    const kafka = resolveKafkaOptions(given.kafka);
    this.cluster = new Cluster({ ...kafka, onEvent: () => undefined });
    const clock = given.kafka.clock ?? systemClock;
    this.member = createMember({
      cluster: this.cluster,
      clock,
      metrics: new GroupMetrics(clock),
      options: groupOptions(given.group),
      subscription: given.subscription,
      handler: this,
    });
  }

  /** As in `orders-0`, sorted. */
  get partitions(): string[] {
    return labels([...this.held]);
  }

  get isStable(): boolean {
    return this.member.isJoined;
  }

  join(): this {
    this.member.join();
    return this;
  }

  async onAssigned(
    added: readonly TopicPartition[],
    all: readonly TopicPartition[],
  ): Promise<void> {
    this.calls.push(`+${labels(added).join(',')}`);
    for (const partition of added) {
      if (this.held.has(partition)) this.contradict('assigned again', [partition]);
      this.held.add(partition);
    }
    if (labels(all).join() !== this.partitions.join()) this.contradict('all is not all', all);
    await this.given.onAssigned?.(added);
  }

  async onRevoked(removed: readonly TopicPartition[], deadlineMs: number): Promise<void> {
    this.calls.push(`-${labels(removed).join(',')}`);
    this.deadlineMs = deadlineMs;
    await this.given.onRevoked?.(removed);
    this.remove(removed);
  }

  onLost(lost: readonly TopicPartition[]): void {
    this.calls.push(`!${labels(lost).join(',')}`);
    this.remove(lost);
  }

  onFatal(error: KafkaError): void {
    this.fatal = error;
  }

  onEvent(event: GroupEvent): void {
    this.events.push(event);
  }

  eventsOf<T extends GroupEvent['type']>(type: T): Extract<GroupEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<GroupEvent, { type: T }> => {
      return event.type === type;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.member.leave();
    await this.cluster.close();
  }

  private remove(partitions: readonly TopicPartition[]): void {
    for (const partition of partitions) this.held.delete(partition);
  }

  private contradict(what: string, partitions: readonly TopicPartition[]): void {
    this.contradictions.push(`${what}: ${labels(partitions).join(',')}`);
  }
}

/** Defaults of the Java client, but for quick heartbeats. */
export function groupOptions(
  given: Partial<GroupOptions> & { readonly groupId: string },
): GroupOptions {
  return {
    groupInstanceId: undefined,
    groupProtocol: 'auto',
    groupRemoteAssignor: undefined,
    partitionAssignmentStrategy: undefined,
    sessionTimeoutMs: 45_000,
    heartbeatIntervalMs: 3000,
    rebalanceTimeoutMs: 300_000,
    clientRack: '',
    excludeInternalTopics: true,
    requestTimeoutMs: 30_000,
    retryBackoffMs: 100,
    retryBackoffMaxMs: 1000,
    metadataMaxAgeMs: 300_000,
    ...given,
  };
}

function labels(partitions: readonly TopicPartition[]): string[] {
  return partitions.map(({ topic, partition }) => `${topic}-${partition}`).sort();
}
