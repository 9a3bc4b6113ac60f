import { apis, type ResponseInput } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import type { ConsumerHeartbeat, ConsumerVerdict } from '../state/groups/consumer-requests.js';
import { newMemberId } from '../state/groups/member-id.js';
import { fromList, toList } from '../state/groups/partitions.js';
import { serverAssignors } from '../state/groups/server-assignors.js';
import { orRejection, Rejection } from '../state/rejection.js';
import { checkConsumerProtocol, checkGroup, CLIENT_HOST } from './coordinated.js';
import { defineHandler, type HandlerContext, type IncomingRequest } from './handler.js';

type Request = IncomingRequest<typeof apis.ConsumerGroupHeartbeat>;
type Response = ResponseInput<typeof apis.ConsumerGroupHeartbeat>;

const FIRST_VERSION_WITH_OWN_IDS = 1;
const STATIC_LEAVE = -2;
const LEAVE = -1;
const JOIN = 0;

/** Joins, keeps and leaves a consumer group, and learns what the broker assigns (KIP-848). */
export const consumerGroupHeartbeat = defineHandler(apis.ConsumerGroupHeartbeat, {
  handle(request, context) {
    const outcome = orRejection(() => heartbeat(request, context));
    if (outcome instanceof Rejection) return refused(outcome.errorCode, outcome.message);
    const { memberId, epoch, assignment } = outcome;
    return {
      errorCode: Errors.NONE,
      memberId,
      memberEpoch: epoch,
      heartbeatIntervalMs: epoch < JOIN ? 0 : intervalOf(context),
      assignment: assignment === null ? null : { topicPartitions: toList(assignment) },
    };
  },
  fail: (_request, errorCode) => refused(errorCode, null),
});

function intervalOf({ cluster }: HandlerContext): number {
  return cluster.groups.settings.consumerHeartbeatIntervalMs;
}

function refused(errorCode: number, errorMessage: string | null): Omit<Response, 'throttleTimeMs'> {
  return { errorCode, errorMessage, memberEpoch: 0, heartbeatIntervalMs: 0 };
}

function heartbeat(request: Request, context: HandlerContext): ConsumerVerdict {
  checkConsumerProtocol(context);
  checkRequest(request);
  checkGroup(request.body.groupId, context);
  const { groups } = context.cluster;
  return groups.consumerHeartbeat(request.body.groupId, toHeartbeat(request, context));
}

/** @throws Rejection for what no client may send. */
function checkRequest({ body, version }: Request): void {
  const { memberId, memberEpoch: epoch, serverAssignor } = body;
  const hasId = version >= FIRST_VERSION_WITH_OWN_IDS || epoch > JOIN || epoch === LEAVE;
  if (hasId) require(memberId !== '', "MemberId can't be empty.");
  require(body.groupId !== '', "GroupId can't be empty.");
  require(body.instanceId !== '', "InstanceId can't be empty.");
  require(body.rackId !== '', "RackId can't be empty.");
  if (epoch === JOIN) checkJoin(body);
  if (epoch === STATIC_LEAVE) require(body.instanceId !== null, "InstanceId can't be null.");
  require(epoch >= STATIC_LEAVE, 'MemberEpoch is invalid.');
  if (serverAssignor === null || serverAssignors.has(serverAssignor)) return;
  const supported = [...serverAssignors.keys()].join(', ');
  throw new Rejection(
    Errors.UNSUPPORTED_ASSIGNOR,
    `ServerAssignor ${serverAssignor} is not supported. Supported assignors: ${supported}.`,
  );
}

function checkJoin(body: Request['body']): void {
  const { rebalanceTimeoutMs, topicPartitions, subscribedTopicNames, subscribedTopicRegex } = body;
  require(rebalanceTimeoutMs !== -1, 'RebalanceTimeoutMs must be provided in first request.');
  require(topicPartitions?.length === 0, 'TopicPartitions must be empty when (re-)joining.');
  require(subscribedTopicNames !== null ||
    subscribedTopicRegex !==
      null, 'Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.');
}

function require(holds: boolean, message: string): void {
  if (!holds) throw new Rejection(Errors.INVALID_REQUEST, message);
}

function toHeartbeat({ body, header }: Request, { cluster }: HandlerContext): ConsumerHeartbeat {
  const { topicPartitions } = body;
  return {
    // Before version 1 it was the broker who thought ids up.
    memberId: body.memberId === '' ? newMemberId('member', cluster.clock) : body.memberId,
    epoch: body.memberEpoch,
    instanceId: body.instanceId,
    rackId: body.rackId,
    rebalanceTimeoutMs: body.rebalanceTimeoutMs,
    topicNames: body.subscribedTopicNames,
    regex: body.subscribedTopicRegex,
    serverAssignor: body.serverAssignor,
    owned: topicPartitions === null ? null : fromList(topicPartitions),
    clientId: header.clientId ?? '',
    clientHost: CLIENT_HOST,
  };
}
