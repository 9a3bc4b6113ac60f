import { Errors } from '../../error-codes.js';
import { Rejection } from '../rejection.js';
import type { ProtocolOffer } from './classic-roster.js';
import {
  common,
  contains,
  each,
  filter,
  isSame,
  NO_PARTITIONS,
  union,
  without,
  type Partitions,
} from './partitions.js';

/** What a member reads and how it wants to be assigned. */
export interface MemberSubscription {
  readonly instanceId: string | null;
  readonly rackId: string | null;
  readonly rebalanceTimeoutMs: number;
  readonly topicNames: readonly string[];
  /** `''` for none. */
  readonly regex: string;
  readonly serverAssignor: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  /** How it speaks the classic protocol; `null` for a member that does not. */
  readonly classic: ClassicTerms | null;
}

/** What a member of the classic protocol said when it joined. */
export interface ClassicTerms {
  readonly sessionTimeoutMs: number;
  /** At least one; the first is in force. */
  readonly protocols: readonly ProtocolOffer[];
}

export type MemberState =
  /** It has what it shall have. */
  | 'stable'
  /** It has to give partitions back first. */
  | 'unrevoked'
  /** It waits for partitions that others have to give back. */
  | 'unreleased';

/** A member of a consumer group (KIP-848). Never changed, but replaced. */
export interface ConsumerMember extends MemberSubscription {
  readonly id: string;
  readonly epoch: number;
  readonly previousEpoch: number;
  readonly state: MemberState;
  readonly assigned: Partitions;
  /** Partitions that it still has to give back. */
  readonly revoking: Partitions;
  /** The epoch since which it has each partition, by {@link keyOf} (KIP-1251). */
  readonly since: ReadonlyMap<string, number>;
}

/** What a member's way to its assignment depends on. */
export interface Reconciliation {
  readonly target: Partitions;
  readonly targetEpoch: number;
  /** What the member says it has; `null` when it does not say. */
  readonly owned: Partitions | null;
  readonly subscribedTopicIds: ReadonlySet<string>;
  readonly hasNewSubscription: boolean;
  /** Nobody has it, nor still gives it back. */
  readonly isFree: (topicId: string, index: number) => boolean;
}

/** The epoch of a static member that left for a while. */
export const AWAY = -2;

export function newMember(id: string, subscription: MemberSubscription): ConsumerMember {
  return {
    ...subscription,
    id,
    epoch: 0,
    previousEpoch: -1,
    state: 'stable',
    assigned: NO_PARTITIONS,
    revoking: NO_PARTITIONS,
    since: new Map(),
  };
}

/** The next step of a member towards its target: first it gives back, then it gets. */
export function reconcile(member: ConsumerMember, input: Reconciliation): ConsumerMember {
  switch (member.state) {
    case 'stable':
      if (member.epoch !== input.targetEpoch) return advance(member, input);
      return input.hasNewSubscription ? dropUnsubscribed(member, input) : member;
    case 'unrevoked':
      if (!ownsAny(input, member.revoking)) return advance(member, input);
      return input.hasNewSubscription ? dropUnsubscribed(member, input) : member;
    case 'unreleased':
      return advance(member, input);
  }
}

function advance(member: ConsumerMember, input: Reconciliation): ConsumerMember {
  const { targetEpoch, subscribedTopicIds } = input;
  const target = filter(input.target, (topicId) => subscribedTopicIds.has(topicId));
  const kept = common(member.assigned, target);
  const revoking = without(member.assigned, kept);
  if (revoking.size > 0 && ownsAny(input, revoking)) {
    return { ...inEpoch(member, member.epoch), state: 'unrevoked', assigned: kept, revoking };
  }
  const missing = without(target, kept);
  const free = filter(missing, input.isFree);
  const assigned = union(kept, free);
  return {
    ...inEpoch(member, targetEpoch),
    state: isSame(free, missing) ? 'stable' : 'unreleased',
    assigned,
    revoking: NO_PARTITIONS,
    since: sinceFor(member, assigned, targetEpoch),
  };
}

/** A member that no longer reads a topic need not wait for the next assignment to give it back. */
function dropUnsubscribed(member: ConsumerMember, input: Reconciliation): ConsumerMember {
  const assigned = filter(member.assigned, (topicId) => input.subscribedTopicIds.has(topicId));
  if (isSame(assigned, member.assigned)) return member;
  const revoking = union(member.revoking, without(member.assigned, assigned));
  if (!ownsAny(input, revoking)) return { ...member, assigned };
  return { ...member, state: 'unrevoked', assigned, revoking };
}

/** A member that does not say is taken to have them all. */
function ownsAny({ owned }: Reconciliation, partitions: Partitions): boolean {
  if (partitions.size === 0) return false;
  return owned === null || common(owned, partitions).size > 0;
}

function inEpoch(member: ConsumerMember, epoch: number): ConsumerMember {
  return { ...member, epoch, previousEpoch: member.epoch };
}

function sinceFor(
  { since }: ConsumerMember,
  assigned: Partitions,
  epoch: number,
): ReadonlyMap<string, number> {
  const keys = [...each(assigned)].map(([topicId, index]) => keyOf(topicId, index));
  return new Map(keys.map((key) => [key, since.get(key) ?? epoch]));
}

export function keyOf(topicId: string, index: number): string {
  return `${topicId} ${index}`;
}

/** @throws Rejection when a member comes with an epoch that it can't have. */
export function checkEpoch(member: ConsumerMember, epoch: number, owned: Partitions | null): void {
  // With 0 it gives up what it has and joins anew.
  if (epoch === 0 || epoch === member.epoch) return;
  if (epoch > member.epoch) throw fenced(`greater member epoch (${epoch})`, member);
  // The answer with the newer epoch may have been lost.
  const isRepeated =
    epoch === member.previousEpoch &&
    owned !== null &&
    [...each(owned)].every(([topicId, index]) => contains(member.assigned, topicId, index));
  if (!isRepeated) throw fenced(`smaller member epoch (${epoch})`, member);
}

function fenced(what: string, { epoch }: ConsumerMember): Rejection {
  return new Rejection(
    Errors.FENCED_MEMBER_EPOCH,
    `The consumer group member has a ${what} than the one known by the group coordinator ` +
      `(${epoch}). The member must abandon all its partitions and rejoin.`,
  );
}

/** @throws Rejection when a member may not commit a partition's offset with an epoch (KIP-1251). */
export function checkCommitEpoch(
  { since, classic }: ConsumerMember,
  epoch: number,
  topicId: string,
  index: number,
): void {
  const start = since.get(keyOf(topicId, index));
  if (start !== undefined && epoch >= start) return;
  throw new Rejection(
    classic === null ? Errors.STALE_MEMBER_EPOCH : Errors.ILLEGAL_GENERATION,
    `The member did not have ${index} of ${topicId} in epoch ${epoch}`,
  );
}
