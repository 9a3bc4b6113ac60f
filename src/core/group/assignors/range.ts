import type { TopicPartition } from '../topic-partition.js';
import type { Assignor, MemberSubscription, TopicLayout } from './assignor.js';
import { compareStrings } from './java-order.js';
import { byIdentity, emptyShares, toAssignments, type Shares } from './members.js';
import { racksMatter, racksOfMembers } from './racks.js';

/**
 * Topic by topic, each member gets a range of partitions; where they don't divide, the first members
 * get one more. Topics with the same members and as many partitions are shared out alike, so that
 * equal keys of both meet in one member. Where racks matter, partitions go to members in a rack of a
 * replica first, as far as that keeps the ranges' sizes and the likeness (KIP-881).
 */
export function rangeAssignor(): Assignor {
  return {
    name: 'range',
    supportedProtocols: ['eager'],
    assign(topics, members) {
      const shares = emptyShares(members);
      const deals = dealsOf(topics, members);
      const isRackAware = deals.some((deal) => deal.isRackAware);
      if (isRackAware) dealWithinRacks(deals, shares);
      for (const deal of deals) dealRest(deal, shares);
      if (isRackAware) for (const share of shares.values()) share.sort(byTopicThenPartition);
      return toAssignments(shares);
    },
  };
}

/** One topic while it is shared out. */
interface Deal {
  readonly topic: string;
  readonly layout: TopicLayout;
  /** In the order in which they get their ranges. */
  readonly members: readonly string[];
  readonly memberRacks: ReadonlyMap<string, string>;
  readonly isRackAware: boolean;
  /** How many each member has got. */
  readonly dealt: Map<string, number>;
  readonly perMember: number;
  /** How many members still may get one more than that. */
  extras: number;
  unassigned: number[];
}

function dealsOf(
  topics: ReadonlyMap<string, TopicLayout>,
  members: readonly MemberSubscription[],
): Deal[] {
  const subscribers = new Map<string, string[]>();
  for (const { memberId, topics: names } of byIdentity(members)) {
    for (const name of new Set(names)) {
      const ids = subscribers.get(name);
      if (ids === undefined) subscribers.set(name, [memberId]);
      else ids.push(memberId);
    }
  }
  const racks = racksOfMembers(members);
  return [...topics].flatMap(([topic, layout]) => {
    const ids = subscribers.get(topic);
    return ids === undefined || layout.partitionCount === 0 ? [] : deal(topic, layout, ids, racks);
  });
}

function deal(
  topic: string,
  layout: TopicLayout,
  members: readonly string[],
  racks: ReadonlyMap<string, string>,
): Deal {
  const memberRacks = new Map(
    members.flatMap((id) => {
      const rack = racks.get(id);
      return rack === undefined ? [] : [[id, rack] as const];
    }),
  );
  return {
    topic,
    layout,
    members,
    memberRacks,
    isRackAware: racksMatter(new Set(memberRacks.values()), [layout]),
    dealt: new Map(members.map((id) => [id, 0])),
    perMember: Math.floor(layout.partitionCount / members.length),
    extras: layout.partitionCount % members.length,
    unassigned: Array.from({ length: layout.partitionCount }, (_, partition) => partition),
  };
}

/** How many more a member may get now. */
function roomOf({ perMember, extras, dealt }: Deal, member: string): number {
  return Math.max(0, perMember + (extras > 0 ? 1 : 0) - dealt.get(member)!);
}

function isInRack({ memberRacks, layout }: Deal, member: string, partition: number): boolean {
  const rack = memberRacks.get(member);
  return rack === undefined || layout.racks[partition]?.includes(rack) === true;
}

function give(deal: Deal, member: string, partitions: readonly number[], shares: Shares): void {
  const share = shares.get(member)!;
  for (const partition of partitions) share.push({ topic: deal.topic, partition });
  const count = deal.dealt.get(member)! + partitions.length;
  deal.dealt.set(member, count);
  if (count > deal.perMember) deal.extras--;
}

function dealRest(deal: Deal, shares: Shares): void {
  let start = 0;
  for (const member of deal.members) {
    const range = deal.unassigned.slice(start, start + roomOf(deal, member));
    if (range.length === 0) continue;
    start += range.length;
    give(deal, member, range, shares);
  }
}

function dealWithinRacks(deals: readonly Deal[], shares: Shares): void {
  for (const alike of groupsOfLike(deals)) {
    if (alike.length > 1) dealAlikeWithinRacks(alike, shares);
    else if (alike[0]!.isRackAware) dealOneWithinRacks(alike[0]!, shares);
  }
}

/** Topics with the same members, and as many partitions. */
function groupsOfLike(deals: readonly Deal[]): Deal[][] {
  const groups = new Map<string, Deal[]>();
  for (const deal of deals) {
    // Where no member has a rack, there is nothing to match.
    if (deal.memberRacks.size === 0) continue;
    const key = JSON.stringify([deal.layout.partitionCount, ...deal.members]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [deal]);
    else group.push(deal);
  }
  return [...groups.values()];
}

function dealOneWithinRacks(deal: Deal, shares: Shares): void {
  for (const member of deal.members) {
    const room = roomOf(deal, member);
    const matching: number[] = [];
    const rest: number[] = [];
    for (const partition of deal.unassigned) {
      const isTaken = matching.length < room && isInRack(deal, member, partition);
      (isTaken ? matching : rest).push(partition);
    }
    if (matching.length === 0) continue;
    deal.unassigned = rest;
    give(deal, member, matching, shares);
  }
}

/** Gives a partition of all the topics to one member, where that is in the rack of each. */
function dealAlikeWithinRacks(deals: readonly Deal[], shares: Shares): void {
  const { members, layout } = deals[0]!;
  const open = new Set(members);
  const taken = new Set<number>();
  for (let partition = 0; partition < layout.partitionCount && open.size > 0; partition++) {
    const member = [...open].find((id) =>
      deals.every((deal) => isInRack(deal, id, partition) && roomOf(deal, id) > 0),
    );
    if (member === undefined) continue;
    taken.add(partition);
    for (const deal of deals) give(deal, member, [partition], shares);
    if (deals.every((deal) => roomOf(deal, member) === 0)) open.delete(member);
  }
  for (const deal of deals) {
    deal.unassigned = deal.unassigned.filter((partition) => !taken.has(partition));
  }
}

function byTopicThenPartition(a: TopicPartition, b: TopicPartition): number {
  return compareStrings(a.topic, b.topic) || a.partition - b.partition;
}
