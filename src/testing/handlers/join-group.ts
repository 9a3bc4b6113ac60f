import { apis } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import { joinRefusal, type JoinRequest } from '../state/groups/classic-requests.js';
import { unknownMember } from '../state/groups/classic-roster.js';
import { joinConsumerGroup } from '../state/groups/classic-in-consumer.js';
import type { JoinOutcome } from '../state/groups/classic-roster.js';
import { orRejection, Rejection } from '../state/rejection.js';
import { checkGroup, CLIENT_HOST } from './coordinated.js';
import {
  defineHandler,
  type HandlerContext,
  type IncomingRequest,
  type ResponseBody,
} from './handler.js';

type Request = IncomingRequest<typeof apis.JoinGroup>;

const FIRST_VERSION_WITH_KNOWN_IDS = 4;
const FIRST_VERSION_WITH_NULL_PROTOCOL = 7;
const FIRST_VERSION_THAT_SKIPS = 9;

/** Lets a member into a classic group; the answer waits for the rebalance. */
export const joinGroup = defineHandler(apis.JoinGroup, {
  handle(request, context) {
    const { body, version } = request;
    const outcome = orRejection(() => join(request, context));
    if (outcome instanceof Rejection) {
      return respond(joinRefusal(outcome.errorCode, body.memberId), version);
    }
    if (!(outcome instanceof Promise)) return respond(outcome, version);
    return outcome.then((late) => respond(late, version));
  },
  fail: ({ body, version }, errorCode) => respond(joinRefusal(errorCode, body.memberId), version),
});

function join(request: Request, context: HandlerContext): JoinOutcome | Promise<JoinOutcome> {
  const group = locate(request, context);
  const terms = toJoin(request);
  if (group.type === 'consumer') return joinConsumerGroup(group, terms, context.cluster.groups);
  return new Promise((resolve) => group.join(terms, resolve));
}

/** Only who has no member id yet may found a group. */
function locate({ body }: Request, context: HandlerContext) {
  const { groupId, memberId, sessionTimeoutMs } = body;
  const { groups } = context.cluster;
  checkGroup(groupId, context);
  const { minSessionTimeoutMs, maxSessionTimeoutMs } = groups.settings;
  if (sessionTimeoutMs < minSessionTimeoutMs || sessionTimeoutMs > maxSessionTimeoutMs) {
    throw new Rejection(
      Errors.INVALID_SESSION_TIMEOUT,
      `Session timeouts are ${minSessionTimeoutMs} to ${maxSessionTimeoutMs} ms`,
    );
  }
  if (memberId !== '' && groups.get(groupId) === undefined) throw unknownMember(memberId);
  return groups.forClassicMember(groupId);
}

function toJoin({ body, version, header }: Request): JoinRequest {
  const { memberId, groupInstanceId, sessionTimeoutMs, rebalanceTimeoutMs } = body;
  return {
    memberId,
    instanceId: groupInstanceId,
    clientId: header.clientId ?? '',
    clientHost: CLIENT_HOST,
    sessionTimeoutMs,
    // Version 0 has one timeout for both.
    rebalanceTimeoutMs: rebalanceTimeoutMs === -1 ? sessionTimeoutMs : rebalanceTimeoutMs,
    protocolType: body.protocolType,
    protocols: body.protocols,
    mustKnowId: version >= FIRST_VERSION_WITH_KNOWN_IDS && groupInstanceId === null,
    knowsSkippedAssignment: version >= FIRST_VERSION_THAT_SKIPS,
  };
}

function respond(outcome: JoinOutcome, version: number): ResponseBody<typeof apis.JoinGroup> {
  const { protocolName, skipAssignment, ...rest } = outcome;
  return {
    ...rest,
    protocolName: version < FIRST_VERSION_WITH_NULL_PROTOCOL ? (protocolName ?? '') : protocolName,
    ...(skipAssignment && { skipAssignment }),
  };
}
