import type { TopicPartition } from '../topic-partition.js';
import type { MemberSubscription, TopicLayout } from './assignor.js';
import { compareStrings, inHashOrder } from './java-order.js';
import { racksMatter, racksOfMembers } from './racks.js';

/** What a member says it held, and since when, as far as its assignor can tell. */
export interface PreviousShare {
  readonly partitions: readonly TopicPartition[];
  /** `undefined` where it didn't say. */
  readonly generation: number | undefined;
}

/** A sticky assignment's task, in a form that is quick to work on. */
export interface StickyInput {
  /** In the order in which Java would go through them. */
  readonly members: readonly MemberSubscription[];
  readonly topics: ReadonlyMap<string, TopicLayout>;
  /** One object for each partition, so that they can be compared and used as keys. */
  readonly partitions: ReadonlyMap<string, readonly TopicPartition[]>;
  readonly partitionCount: number;
  /** What each member keeps if it may: what it alone claims, or claims in the newest generation. */
  readonly owned: Map<string, Set<TopicPartition>>;
  /** Claimed by several members in one generation: none of them keeps it. */
  readonly contested: ReadonlySet<TopicPartition>;
  /** Who held what in generations before the newest one. */
  readonly earlier: ReadonlyMap<TopicPartition, string>;
  readonly racks: RackMatch;
}

/** Which members are near which partitions. */
export interface RackMatch {
  readonly isOn: boolean;
  /** Whether the member has a rack in which the partition has no replica. Never when off. */
  mismatches(memberId: string, partition: TopicPartition): boolean;
  /** Whether the member has a rack in which the partition has a replica. Never when off. */
  matches(memberId: string, partition: TopicPartition): boolean;
  /** Those that fewer members are near to first. */
  scarcestFirst(partitions: readonly TopicPartition[]): TopicPartition[];
}

const NO_GENERATION = -1;

export function stickyInput(
  existing: ReadonlyMap<string, TopicLayout>,
  given: readonly MemberSubscription[],
  previousOf: (member: MemberSubscription) => PreviousShare,
): StickyInput {
  const members = inHashOrder(given, ({ memberId }) => memberId);
  const wanted = new Set(members.flatMap((member) => member.topics));
  const topics = new Map([...existing].filter(([topic]) => wanted.has(topic)));
  const partitions = new Map<string, TopicPartition[]>();
  let partitionCount = 0;
  for (const topic of [...topics.keys()].sort(compareStrings)) {
    const count = topics.get(topic)!.partitionCount;
    partitionCount += count;
    partitions.set(
      topic,
      Array.from({ length: count }, (_, partition) => ({ topic, partition })),
    );
  }
  const previous = new Map(members.map((member) => [member.memberId, previousOf(member)]));
  return {
    members,
    topics,
    partitions,
    partitionCount,
    ...claims(members, previous, partitions),
    racks: rackMatch(topics, members),
  };
}

/** Whether all members subscribe to the same topics. */
export function areAllAlike(members: readonly MemberSubscription[]): boolean {
  const first = new Set(members[0]?.topics);
  return members.every(
    ({ topics }) => topics.length === first.size && topics.every((topic) => first.has(topic)),
  );
}

type Partitions = ReadonlyMap<string, readonly TopicPartition[]>;

function claims(
  members: readonly MemberSubscription[],
  previous: ReadonlyMap<string, PreviousShare>,
  partitions: Partitions,
): Pick<StickyInput, 'owned' | 'contested' | 'earlier'> {
  const owned = new Map<string, Set<TopicPartition>>();
  const owners = new Map<TopicPartition, MemberSubscription>();
  const contested = new Set<TopicPartition>();
  const generationOf = (member: MemberSubscription) =>
    previous.get(member.memberId)!.generation ?? NO_GENERATION;
  for (const member of members) {
    const mine = new Set<TopicPartition>();
    owned.set(member.memberId, mine);
    for (const { topic, partition: number } of previous.get(member.memberId)!.partitions) {
      const partition = partitions.get(topic)?.[number];
      if (partition === undefined) continue;
      const rival = owners.get(partition);
      if (rival === undefined) {
        mine.add(partition);
        owners.set(partition, member);
        continue;
      }
      const lead = generationOf(member) - generationOf(rival);
      if (lead < 0) continue;
      owned.get(rival.memberId)!.delete(partition);
      owners.set(partition, member);
      if (lead > 0) mine.add(partition);
      else contested.add(partition);
    }
  }
  return { owned, contested, earlier: earlierOwners(members, previous, partitions) };
}

function earlierOwners(
  members: readonly MemberSubscription[],
  previous: ReadonlyMap<string, PreviousShare>,
  partitions: Partitions,
): Map<TopicPartition, string> {
  const newest = Math.max(
    NO_GENERATION,
    ...[...previous.values()].map(({ generation }) => generation ?? NO_GENERATION),
  );
  const found = new Map<TopicPartition, { memberId: string; generation: number }>();
  for (const { memberId } of members) {
    const share = previous.get(memberId)!;
    const generation = share.generation ?? NO_GENERATION;
    if (generation >= newest) continue;
    for (const { topic, partition: number } of share.partitions) {
      const partition = partitions.get(topic)?.[number];
      if (partition === undefined) continue;
      const known = found.get(partition);
      if (known === undefined || generation > known.generation) {
        found.set(partition, { memberId, generation });
      }
    }
  }
  return new Map([...found].map(([partition, { memberId }]) => [partition, memberId]));
}

function rackMatch(
  topics: ReadonlyMap<string, TopicLayout>,
  members: readonly MemberSubscription[],
): RackMatch {
  const memberRacks = racksOfMembers(members);
  const isOn = racksMatter(new Set(memberRacks.values()), [...topics.values()]);
  if (!isOn) {
    return {
      isOn,
      mismatches: () => false,
      matches: () => false,
      scarcestFirst: (partitions) => [...partitions],
    };
  }
  const population = new Map<string, number>();
  for (const rack of memberRacks.values()) population.set(rack, (population.get(rack) ?? 0) + 1);
  const racksOf = ({ topic, partition }: TopicPartition) =>
    topics.get(topic)?.racks[partition] ?? [];
  const hasReplica = (partition: TopicPartition, rack: string) => racksOf(partition).includes(rack);
  const neighbours = (partition: TopicPartition) =>
    [...new Set(racksOf(partition))].reduce((sum, rack) => sum + (population.get(rack) ?? 0), 0);
  return {
    isOn,
    mismatches(memberId, partition) {
      const rack = memberRacks.get(memberId);
      return rack !== undefined && !hasReplica(partition, rack);
    },
    matches(memberId, partition) {
      const rack = memberRacks.get(memberId);
      return rack !== undefined && hasReplica(partition, rack);
    },
    scarcestFirst: (partitions) =>
      partitions
        .map((partition) => ({ partition, count: neighbours(partition) }))
        .sort((a, b) => a.count - b.count)
        .map(({ partition }) => partition),
  };
}
