import type { TopicPartition } from '../topic-partition.js';

/**
 * How a group of the classic protocol moves partitions: `eager` members give up all they have before
 * every rebalance; `cooperative` ones keep what stays theirs (KIP-429).
 */
export type RebalanceProtocol = 'eager' | 'cooperative';

/** What a member has told the leader of its group. */
export interface MemberSubscription {
  readonly memberId: string;
  /** The name of a static member, `null` for a dynamic one. */
  readonly groupInstanceId: string | null;
  readonly topics: readonly string[];
  /** What {@link Assignor.subscriptionUserData} gave on its side. */
  readonly userData: Buffer | null;
  /** What it holds already. Empty for members of old clients, and under the eager protocol. */
  readonly ownedPartitions: readonly TopicPartition[];
  /** The generation in which it got them; `undefined` where it didn't say (KIP-792). */
  readonly generationId: number | undefined;
  /** Where it runs; `undefined` where it didn't say (KIP-881). */
  readonly rackId: string | undefined;
}

/** A topic that is to be shared out. */
export interface TopicLayout {
  readonly partitionCount: number;
  /** The racks of each partition's replicas, by partition; empty where brokers have no racks. */
  readonly racks: readonly (readonly string[])[];
}

/** One member's share. */
export interface MemberAssignment {
  readonly partitions: readonly TopicPartition[];
  /** Handed to {@link Assignor.onAssignment} on the member's side. */
  readonly userData?: Buffer | null;
}

/**
 * Shares the partitions of a classic group's topics out among its members. Runs in one member, the
 * leader; every member must offer an assignor of the same name.
 *
 * @example
 * const firstTakesAll: Assignor = {
 *   name: 'first-takes-all',
 *   supportedProtocols: ['eager'],
 *   assign: (topics, members) =>
 *     new Map(members.map(({ memberId }, i) => [memberId, { partitions: i === 0 ? all(topics) : [] }])),
 * };
 */
export interface Assignor {
  readonly name: string;
  readonly supportedProtocols: readonly RebalanceProtocol[];
  /** What the leader is to know of this member besides its topics. */
  subscriptionUserData?(topics: readonly string[]): Buffer | null;
  /**
   * A share for every member.
   *
   * @param topics those that exist of the topics that somebody subscribes to, by name.
   */
  assign(
    topics: ReadonlyMap<string, TopicLayout>,
    members: readonly MemberSubscription[],
  ): ReadonlyMap<string, MemberAssignment>;
  /** What this member was given, in which generation. */
  onAssignment?(assignment: MemberAssignment, generationId: number): void;
}

/** The assignors that every Kafka client has, by the names that members agree on. */
export type BuiltInAssignor = 'range' | 'roundrobin' | 'sticky' | 'cooperative-sticky';
