import type { MemberAssignment, MemberSubscription } from './assignor.js';
import type { TopicPartition } from '../topic-partition.js';
import { compareStrings } from './java-order.js';

/**
 * Members in the order that range and roundrobin share out in: static members first, by their
 * names, so that what they get survives a restart (KIP-345).
 */
export function byIdentity(members: readonly MemberSubscription[]): MemberSubscription[] {
  return [...members].sort((a, b) => {
    if (a.groupInstanceId !== null && b.groupInstanceId !== null) {
      return compareStrings(a.groupInstanceId, b.groupInstanceId);
    }
    if (a.groupInstanceId !== null) return -1;
    if (b.groupInstanceId !== null) return 1;
    return compareStrings(a.memberId, b.memberId);
  });
}

/** Shares that grow while they are dealt out. */
export type Shares = Map<string, TopicPartition[]>;

/** Nothing yet, for every member. */
export function emptyShares(members: readonly MemberSubscription[]): Shares {
  return new Map(members.map(({ memberId }) => [memberId, []]));
}

export function toAssignments(shares: Shares): Map<string, MemberAssignment> {
  return new Map([...shares].map(([memberId, partitions]) => [memberId, { partitions }]));
}
