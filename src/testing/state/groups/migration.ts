import type { Topic } from '../topic.js';
import type { ClassicGroup } from './classic-group.js';
import { byId, byName, isClassic } from './classic-in-consumer.js';
import { metadataOf, type ClassicMember } from './classic-roster.js';
import type { ConsumerGroup } from './consumer-group.js';
import { newMember, type ConsumerMember } from './consumer-member.js';
import { readAssignment, readSubscription, writeAssignment } from './embedded-protocol.js';
import type { MigrationPolicy } from './settings.js';

const CONSUMER = 'consumer';

/** Whether a member of the consumer protocol may turn a classic group into its own kind. */
export function canUpgrade(group: ClassicGroup, policy: MigrationPolicy): boolean {
  const isAllowed = policy === 'upgrade' || policy === 'bidirectional';
  return isAllowed && group.protocolType === CONSUMER;
}

/** Whether only members of the classic protocol are left in a consumer group. */
export function canDowngrade(group: ConsumerGroup, policy: MigrationPolicy): boolean {
  const isAllowed = policy === 'downgrade' || policy === 'bidirectional';
  return isAllowed && !group.isEmpty && [...group.members.values()].every(isClassic);
}

/** Takes the members of a classic group over, with what they were assigned. */
export function upgrade(
  from: ClassicGroup,
  to: ConsumerGroup,
  topics: ReadonlyMap<string, Topic>,
): void {
  const { generationId, protocolName, roster } = from;
  const members = roster.members.map((member) =>
    toConsumerMember(member, { generationId, protocolName, topics }),
  );
  to.adopt(generationId, members);
}

/** Takes the members of a consumer group over, with what they were to have. */
export function downgrade(
  from: ConsumerGroup,
  to: ClassicGroup,
  topics: ReadonlyMap<string, Topic>,
): void {
  const members = [...from.members.values()].filter(isClassic).map((member): ClassicMember => {
    const { id, instanceId, clientId, clientHost, rebalanceTimeoutMs, classic } = member;
    const { sessionTimeoutMs, protocols } = classic;
    const target = byName(from.targetOf(id), topics);
    return {
      id,
      instanceId,
      clientId,
      clientHost,
      terms: { sessionTimeoutMs, rebalanceTimeoutMs, protocolType: CONSUMER, protocols },
      assignment: writeAssignment(target, protocols[0]!.metadata),
      isNew: false,
    };
  });
  to.adopt(from.epoch, members);
}

function toConsumerMember(
  member: ClassicMember,
  {
    generationId,
    protocolName,
    topics,
  }: {
    readonly generationId: number;
    readonly protocolName: string | null;
    readonly topics: ReadonlyMap<string, Topic>;
  },
): ConsumerMember {
  const { id, instanceId, clientId, clientHost, terms } = member;
  const { sessionTimeoutMs, rebalanceTimeoutMs, protocols } = terms;
  const name = protocolName ?? protocols[0]!.name;
  const subscription = readSubscription(metadataOf(member, name));
  const assignment = Object.entries(readAssignment(member.assignment) ?? {});
  const assigned = byId(
    assignment.map(([topic, partitions]) => ({ topic, partitions })),
    topics,
  );
  const subscribed = {
    instanceId,
    rackId: subscription?.rackId ?? null,
    rebalanceTimeoutMs,
    topicNames: [...new Set(subscription?.topics ?? [])].sort(),
    regex: '',
    serverAssignor: null,
    clientId,
    clientHost,
    classic: { sessionTimeoutMs, protocols },
  };
  return {
    ...newMember(id, subscribed),
    epoch: generationId,
    previousEpoch: generationId,
    assigned,
  };
}
