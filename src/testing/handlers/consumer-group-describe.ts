import { apis, type ResponseInput } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import type { ConsumerGroup } from '../state/groups/consumer-group.js';
import type { ConsumerMember } from '../state/groups/consumer-member.js';
import { noSuchGroup } from '../state/groups/groups.js';
import { toList, type Partitions } from '../state/groups/partitions.js';
import { orRejection, Rejection } from '../state/rejection.js';
import { ALL_GROUP_OPERATIONS, checkConsumerProtocol, checkGroup } from './coordinated.js';
import { defineHandler, type HandlerContext } from './handler.js';

type GroupAnswer = ResponseInput<typeof apis.ConsumerGroupDescribe>['groups'][number];
type MemberAnswer = GroupAnswer['members'][number];

/** How the types of members are numbered. */
const CLASSIC_MEMBER = 0;
const CONSUMER_MEMBER = 1;

/** State, members and assignments of consumer groups (KIP-848). */
export const consumerGroupDescribe = defineHandler(apis.ConsumerGroupDescribe, {
  handle: ({ body }, context) => ({
    groups: body.groupIds.map((groupId) => {
      const group = orRejection(() => locate(groupId, context));
      if (group instanceof Rejection) return refused(groupId, group.errorCode, group.message);
      const operations = body.includeAuthorizedOperations
        ? { authorizedOperations: ALL_GROUP_OPERATIONS }
        : {};
      return { ...describe(group, context), ...operations };
    }),
  }),
  fail: ({ body }, errorCode) => ({
    groups: body.groupIds.map((groupId) => refused(groupId, errorCode, null)),
  }),
});

function locate(groupId: string, context: HandlerContext): ConsumerGroup {
  checkConsumerProtocol(context);
  checkGroup(groupId, context);
  const group = context.cluster.groups.get(groupId);
  if (group === undefined) throw noSuchGroup(groupId);
  if (group.type === 'consumer') return group;
  throw new Rejection(Errors.GROUP_ID_NOT_FOUND, `Group ${groupId} is not a consumer group.`);
}

function describe(group: ConsumerGroup, context: HandlerContext): GroupAnswer {
  return {
    errorCode: Errors.NONE,
    groupId: group.id,
    groupState: group.state,
    groupEpoch: group.epoch,
    assignmentEpoch: group.assignmentEpoch,
    assignorName: group.assignor,
    members: [...group.members.values()].map((member) => describeMember(member, group, context)),
  };
}

function describeMember(
  member: ConsumerMember,
  group: ConsumerGroup,
  context: HandlerContext,
): MemberAnswer {
  return {
    memberId: member.id,
    instanceId: member.instanceId,
    rackId: member.rackId,
    memberEpoch: member.epoch,
    clientId: member.clientId,
    clientHost: member.clientHost,
    subscribedTopicNames: [...member.topicNames],
    subscribedTopicRegex: member.regex === '' ? null : member.regex,
    assignment: toAssignment(member.assigned, context),
    targetAssignment: toAssignment(group.targetOf(member.id), context),
    memberType: member.classic === null ? CONSUMER_MEMBER : CLASSIC_MEMBER,
  };
}

/** Topics that were deleted meanwhile are left out: they have no name any more. */
function toAssignment(partitions: Partitions, { cluster }: HandlerContext) {
  const topicPartitions = toList(partitions).flatMap(({ topicId, partitions: indexes }) => {
    const topic = cluster.topicById(topicId);
    return topic === undefined
      ? []
      : [{ topicId, topicName: topic.name, partitions: [...indexes] }];
  });
  return { topicPartitions };
}

function refused(groupId: string, errorCode: number, errorMessage: string | null): GroupAnswer {
  return {
    errorCode,
    errorMessage,
    groupId,
    groupState: '',
    groupEpoch: 0,
    assignmentEpoch: 0,
    assignorName: '',
    members: [],
  };
}
