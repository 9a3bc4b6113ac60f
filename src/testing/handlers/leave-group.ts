import { apis } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import { checkGroup, errorCodeFrom } from './coordinated.js';
import {
  defineHandler,
  type HandlerContext,
  type IncomingRequest,
  type ResponseBody,
} from './handler.js';

type Request = IncomingRequest<typeof apis.LeaveGroup>;

const FIRST_VERSION_OF_LISTS = 3;

/** Takes members out of a classic group, several at once from version 3 on. */
export const leaveGroup = defineHandler(apis.LeaveGroup, {
  handle(request, context) {
    const errorCode = errorCodeFrom(() => checkGroup(request.body.groupId, context));
    if (errorCode !== Errors.NONE) return { errorCode, members: [] };
    return leave(request, context);
  },
  fail: (_request, errorCode) => ({ errorCode, members: [] }),
});

function leave(
  { body, version }: Request,
  { cluster }: HandlerContext,
): ResponseBody<typeof apis.LeaveGroup> {
  const isList = version >= FIRST_VERSION_OF_LISTS;
  const leaving = isList ? body.members : [{ memberId: body.memberId, groupInstanceId: null }];
  const identities = leaving.map(({ memberId, groupInstanceId: instanceId }) => ({
    memberId,
    instanceId,
  }));
  const group = cluster.groups.get(body.groupId);
  const codes = group?.leave(identities) ?? leaving.map(() => Errors.UNKNOWN_MEMBER_ID);
  if (!isList) return { errorCode: codes[0]!, members: [] };
  const members = leaving.map(({ memberId, groupInstanceId }, i) => ({
    memberId,
    groupInstanceId,
    errorCode: codes[i]!,
  }));
  return { errorCode: Errors.NONE, members };
}
