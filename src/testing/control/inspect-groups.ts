import type { Cluster } from '../state/cluster.js';
import type { ClassicGroup } from '../state/groups/classic-group.js';
import { metadataOf } from '../state/groups/classic-roster.js';
import type { CommittedOffset, CommittedOffsets } from '../state/groups/committed-offsets.js';
import {
  readAssignment,
  readSubscription,
  type PartitionsByTopic,
} from '../state/groups/embedded-protocol.js';
import type { ConsumerGroup } from '../state/groups/consumer-group.js';
import type { Group } from '../state/groups/group.js';
import { toList, type Partitions } from '../state/groups/partitions.js';

/** A group at one moment. */
export interface GroupSnapshot {
  readonly groupId: string;
  readonly type: 'classic' | 'consumer';
  /** As Kafka's tools print it: `Stable`, `Empty`, `PreparingRebalance`, `Reconciling`, ... */
  readonly state: string;
  /** `''` for a group that only keeps offsets. */
  readonly protocolType: string;
  /** The assignor that was agreed on; `null` while there is none. */
  readonly assignor: string | null;
  /** The generation of a classic group, the group epoch of the other. */
  readonly epoch: number;
  /** Id of the broker that coordinates it; -1 while none does. */
  readonly coordinator: number;
  /** Id of the member that assigns in a classic group. */
  readonly leader: string | null;
  readonly members: readonly MemberSnapshot[];
  readonly offsets: OffsetsSnapshot;
}

/** A member of a group at one moment. */
export interface MemberSnapshot {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  /** The member's epoch; in a classic group the generation. */
  readonly epoch: number;
  /** Topics that it reads, where the broker can tell. */
  readonly topics: readonly string[];
  /** What it was given, where the broker can tell. */
  readonly assignment: PartitionsByTopic;
}

/** Committed offsets by topic and partition. */
export type OffsetsSnapshot = Readonly<Record<string, Readonly<Record<number, CommittedOffset>>>>;

export function snapshotGroups(cluster: Cluster): Record<string, GroupSnapshot> {
  const groups = cluster.groups.all.map((group) => [group.id, snapshotGroup(group, cluster)]);
  return Object.fromEntries(groups) as Record<string, GroupSnapshot>;
}

export function snapshotOffsets(offsets: CommittedOffsets): OffsetsSnapshot {
  const topics = [...offsets].map(([topic, partitions]) => [topic, Object.fromEntries(partitions)]);
  return Object.fromEntries(topics) as OffsetsSnapshot;
}

function snapshotGroup(group: Group, cluster: Cluster): GroupSnapshot {
  return {
    ...(group.type === 'classic' ? snapshotClassic(group) : snapshotConsumer(group, cluster)),
    coordinator: cluster.coordinatorOf(group.id)?.id ?? -1,
    offsets: snapshotOffsets(cluster.groups.offsetsOf(group.id)),
  };
}

function snapshotClassic(group: ClassicGroup): Omit<GroupSnapshot, 'coordinator' | 'offsets'> {
  const { id, type, state, protocolType, protocolName, generationId, roster } = group;
  return {
    groupId: id,
    type,
    state,
    protocolType: protocolType ?? '',
    assignor: protocolName,
    epoch: generationId,
    leader: roster.leaderId,
    members: roster.members.map((member) => ({
      memberId: member.id,
      instanceId: member.instanceId,
      clientId: member.clientId,
      epoch: generationId,
      topics: readSubscription(metadataOf(member, protocolName))?.topics ?? [],
      assignment: readAssignment(member.assignment) ?? {},
    })),
  };
}

function snapshotConsumer(
  group: ConsumerGroup,
  cluster: Cluster,
): Omit<GroupSnapshot, 'coordinator' | 'offsets'> {
  const { id, type, state, protocolType, assignor, epoch } = group;
  return {
    groupId: id,
    type,
    state,
    protocolType,
    assignor,
    epoch,
    leader: null,
    members: [...group.members.values()].map((member) => ({
      memberId: member.id,
      instanceId: member.instanceId,
      clientId: member.clientId,
      epoch: member.epoch,
      topics: group.topicNamesOf(member),
      assignment: byName(member.assigned, cluster),
    })),
  };
}

function byName(partitions: Partitions, cluster: Cluster): PartitionsByTopic {
  const named = toList(partitions).map(({ topicId, partitions: indexes }) => [
    // A topic that was deleted has no name any more.
    cluster.topicById(topicId)?.name ?? topicId,
    indexes,
  ]);
  return Object.fromEntries(named) as PartitionsByTopic;
}
