import {
  decodeWhole,
  encodeMessage,
  Reader,
  StickyAssignorUserData,
  Writer,
} from '../../protocol/index.js';
import { ProtocolError } from '../../util/errors.js';
import {
  flattenTopics,
  groupByTopic,
  PartitionSet,
  type TopicPartition,
} from '../topic-partition.js';
import type { Assignor, MemberAssignment, MemberSubscription, TopicLayout } from './assignor.js';
import { toAssignments } from './members.js';
import { assignEvenly, type StickyResult } from './sticky-even.js';
import { areAllAlike, stickyInput, type PreviousShare } from './sticky-input.js';
import { assignUnevenly } from './sticky-uneven.js';

const NO_GENERATION = -1;

/**
 * As even as can be, and of what is as even, what moves the fewest partitions. For the eager
 * protocol: members tell what they had in data of the assignor's own.
 */
export function stickyAssignor(): Assignor {
  let held: { partitions: readonly TopicPartition[]; generation: number } | undefined;
  return {
    name: 'sticky',
    supportedProtocols: ['eager'],
    subscriptionUserData: () => (held === undefined ? null : encodeHeld(held)),
    assign: (topics, members) =>
      toAssignments(assignStickily(topics, members, ({ userData }) => decodeHeld(userData)).shares),
    onAssignment({ partitions }, generation) {
      held = { partitions, generation };
    },
  };
}

/**
 * As {@link stickyAssignor}, for the cooperative protocol: members keep what they have during a
 * rebalance, so a partition that is to move is given to nobody until its holder has given it up.
 */
export function cooperativeStickyAssignor(): Assignor {
  let generation = NO_GENERATION;
  return {
    name: 'cooperative-sticky',
    supportedProtocols: ['cooperative', 'eager'],
    subscriptionUserData() {
      const data = Buffer.alloc(4);
      data.writeInt32BE(generation);
      return data;
    },
    assign(topics, members) {
      const result = assignStickily(topics, members, heldByField);
      return withheld(result, members);
    },
    onAssignment(_, inGeneration) {
      generation = inGeneration;
    },
  };
}

function assignStickily(
  topics: ReadonlyMap<string, TopicLayout>,
  members: readonly MemberSubscription[],
  previousOf: (member: MemberSubscription) => PreviousShare,
): StickyResult {
  const input = stickyInput(topics, members, previousOf);
  return areAllAlike(input.members) ? assignEvenly(input) : assignUnevenly(input);
}

/** Takes out what another member still holds. */
function withheld(
  { shares, transfers }: StickyResult,
  members: readonly MemberSubscription[],
): Map<string, MemberAssignment> {
  const moving = transfers ?? transfersBetween(shares, members);
  return new Map(
    [...shares].map(([memberId, partitions]) => [
      memberId,
      { partitions: partitions.filter((partition) => moving.get(partition) !== memberId) },
    ]),
  );
}

function transfersBetween(
  shares: ReadonlyMap<string, readonly TopicPartition[]>,
  members: readonly MemberSubscription[],
): Map<TopicPartition, string> {
  const given = new PartitionSet();
  for (const { memberId, ownedPartitions } of members) {
    const kept = new PartitionSet(shares.get(memberId));
    for (const owned of ownedPartitions) if (!kept.has(owned)) given.add(owned);
  }
  const transfers = new Map<TopicPartition, string>();
  for (const { memberId, ownedPartitions } of members) {
    const owned = new PartitionSet(ownedPartitions);
    for (const partition of shares.get(memberId)!) {
      if (!owned.has(partition) && given.has(partition)) transfers.set(partition, memberId);
    }
  }
  return transfers;
}

/** Old clients tell their generation in user data only (before KIP-792). */
function heldByField({
  ownedPartitions,
  generationId,
  userData,
}: MemberSubscription): PreviousShare {
  if (generationId !== undefined) return { partitions: ownedPartitions, generation: generationId };
  if (userData === null) return { partitions: ownedPartitions, generation: undefined };
  const generation = userData.length >= 4 ? userData.readInt32BE(0) : NO_GENERATION;
  return { partitions: ownedPartitions, generation };
}

function encodeHeld(held: {
  readonly partitions: readonly TopicPartition[];
  readonly generation: number;
}): Buffer {
  const writer = new Writer();
  encodeMessage(writer, StickyAssignorUserData, 1, {
    previousAssignment: groupByTopic(held.partitions),
    generation: held.generation,
  });
  return writer.toBuffer();
}

/** Data of whatever version; what can't be read means that the member had nothing. */
function decodeHeld(userData: Buffer | null): PreviousShare {
  if (userData === null || userData.length === 0) return { partitions: [], generation: undefined };
  for (const version of [1, 0]) {
    try {
      const data = decodeWhole(new Reader(userData), StickyAssignorUserData, version);
      const generation = version === 0 ? undefined : data.generation;
      return { partitions: flattenTopics(data.previousAssignment), generation };
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
  }
  return { partitions: [], generation: NO_GENERATION };
}
