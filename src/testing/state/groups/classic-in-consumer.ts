import type { Clock } from '../../../core/util/clock.js';
import { Errors } from '../../error-codes.js';
import { Rejection } from '../rejection.js';
import type { Topic } from '../topic.js';
import { joinRefusal, type JoinRequest, type SyncRequest } from './classic-requests.js';
import {
  unknownMember,
  type JoinOutcome,
  type ProtocolOffer,
  type SyncOutcome,
} from './classic-roster.js';
import { succeed, type ConsumerGroup } from './consumer-group.js';
import type { ClassicTerms, ConsumerMember } from './consumer-member.js';
import { readSubscription, writeAssignment, type PartitionsByTopic } from './embedded-protocol.js';
import { newMemberId } from './member-id.js';
import { fromList, toList, type Partitions } from './partitions.js';

const CONSUMER = 'consumer';

/** What is looked up while members of the old protocol are served. */
export interface Directory {
  readonly topics: ReadonlyMap<string, Topic>;
  readonly clock: Clock;
}

/** A member of the classic protocol, in a group that the broker assigns. */
type ClassicMember = ConsumerMember & { readonly classic: ClassicTerms };

/**
 * Lets a member of the classic protocol into a consumer group, or along: it goes through the same
 * steps as the others, one with each JoinGroup.
 *
 * @throws Rejection
 */
export function joinConsumerGroup(
  group: ConsumerGroup,
  request: JoinRequest,
  directory: Directory,
): JoinOutcome {
  const { instanceId, memberId, protocols } = request;
  checkProtocols(group, request);
  const id =
    memberId === '' ? newMemberId(instanceId ?? request.clientId, directory.clock) : memberId;
  if (memberId === '' && request.mustKnowId) return joinRefusal(Errors.MEMBER_ID_REQUIRED, id);
  const subscription = readSubscription(protocols[0]!.metadata);
  if (subscription === undefined) {
    const message = 'Malformed embedded consumer protocol in subscription deserialization.';
    throw new Rejection(Errors.INVALID_REQUEST, message);
  }
  const before = memberOf(group, { ...request, memberId: id }, memberId === '');
  const member: ClassicMember = {
    ...before,
    instanceId,
    rackId: subscription.rackId,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs,
    topicNames: [...new Set(subscription.topics)].sort(),
    regex: '',
    clientId: request.clientId,
    clientHost: request.clientHost,
    classic: { sessionTimeoutMs: request.sessionTimeoutMs, protocols },
  };
  const owned = subscription.ownedPartitions.map(({ topic, partitions }) => ({
    topic,
    partitions,
  }));
  const settled = group.settle(before, member, byId(owned, directory.topics));
  group.deadlines.awaitSync(settled);
  return {
    ...joinRefusal(Errors.NONE, settled.id),
    generationId: settled.epoch,
    protocolType: CONSUMER,
    protocolName: protocols[0]!.name,
  };
}

/** Tells a member of the classic protocol what the broker has assigned. @throws Rejection */
export function syncConsumerGroup(
  group: ConsumerGroup,
  request: SyncRequest,
  { topics }: Directory,
): SyncOutcome {
  const member = validate(group, request);
  const [{ name, metadata }] = member.classic.protocols as [ProtocolOffer];
  const disagrees = (said: string | null, known: string) => said !== null && said !== known;
  if (disagrees(request.protocolType, CONSUMER) || disagrees(request.protocolName, name)) {
    throw new Rejection(Errors.INCONSISTENT_GROUP_PROTOCOL, 'The member has another protocol');
  }
  // One that still gives partitions back has joined for that already.
  if (group.epoch > member.epoch && member.state !== 'unrevoked') throw rejoin(group, member);
  group.deadlines.synced(member);
  group.deadlines.keepAlive(member);
  const assignment = writeAssignment(byName(member.assigned, topics), metadata);
  return { errorCode: Errors.NONE, protocolType: CONSUMER, protocolName: name, assignment };
}

/** Keeps a member of the classic protocol alive. @throws Rejection when it has to join again. */
export function heartbeatToConsumerGroup(
  group: ConsumerGroup,
  request: Pick<SyncRequest, 'memberId' | 'instanceId' | 'generationId'>,
): void {
  const member = validate(group, request);
  group.deadlines.keepAlive(member);
  const isCurrent =
    member.epoch >= group.epoch &&
    member.state !== 'unrevoked' &&
    (member.state !== 'unreleased' || group.isWaitingForOthers(member));
  if (!isCurrent) throw rejoin(group, member);
}

/** Partitions of topics that there are, by name. */
export function byName(
  partitions: Partitions,
  topics: ReadonlyMap<string, Topic>,
): PartitionsByTopic {
  const names = new Map([...topics.values()].map(({ id, name }) => [id, name]));
  const named = toList(partitions)
    .filter(({ topicId }) => names.has(topicId))
    .map(({ topicId, partitions: indexes }) => [names.get(topicId)!, indexes]);
  return Object.fromEntries(named) as PartitionsByTopic;
}

/** Partitions of topics that there are, by id. */
export function byId(
  list: readonly { readonly topic: string; readonly partitions: readonly number[] }[],
  topics: ReadonlyMap<string, Topic>,
): Partitions {
  return fromList(
    list.flatMap(({ topic, partitions }) => {
      const topicId = topics.get(topic)?.id;
      return topicId === undefined ? [] : [{ topicId, partitions }];
    }),
  );
}

/** @throws Rejection unless the members of the classic protocol can agree on one. */
function checkProtocols(group: ConsumerGroup, { protocolType, protocols, memberId }: JoinRequest) {
  const others = [...group.members.values()].filter(({ id }) => id !== memberId);
  const isShared = protocols.some(({ name }) =>
    others.every(({ classic }) => classic?.protocols.some((offer) => offer.name === name) ?? true),
  );
  if (protocolType === CONSUMER && isShared) return;
  throw new Rejection(
    Errors.INCONSISTENT_GROUP_PROTOCOL,
    'The member has no protocol in common with the others',
  );
}

function memberOf(group: ConsumerGroup, request: JoinRequest, isNew: boolean): ConsumerMember {
  const { memberId, instanceId } = request;
  if (instanceId === null) return group.members.get(memberId) ?? group.found(request);
  const known = group.roster.ofInstance(instanceId);
  if (!isNew) return group.roster.identify(memberId, instanceId);
  return known === undefined ? group.found(request) : succeed(known, memberId);
}

function validate(
  group: ConsumerGroup,
  {
    memberId,
    instanceId,
    generationId,
  }: Pick<SyncRequest, 'memberId' | 'instanceId' | 'generationId'>,
): ClassicMember {
  const member = group.roster.identify(memberId, instanceId);
  if (!isClassic(member)) throw unknownMember(memberId);
  if (generationId === member.epoch) return member;
  const message = `The member is at generation ${member.epoch}, not ${generationId}`;
  throw new Rejection(Errors.ILLEGAL_GENERATION, message);
}

export function isClassic(member: ConsumerMember): member is ClassicMember {
  return member.classic !== null;
}

function rejoin(group: ConsumerGroup, member: ConsumerMember): Rejection {
  group.deadlines.awaitRejoin(member);
  return new Rejection(Errors.REBALANCE_IN_PROGRESS, 'The member has to join again');
}
