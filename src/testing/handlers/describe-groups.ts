import { apis, type ResponseInput } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import type { ClassicGroup } from '../state/groups/classic-group.js';
import { metadataOf, NO_ASSIGNMENT } from '../state/groups/classic-roster.js';
import { noSuchGroup } from '../state/groups/groups.js';
import { orRejection, Rejection } from '../state/rejection.js';
import { ALL_GROUP_OPERATIONS } from './coordinated.js';
import { defineHandler, type HandlerContext } from './handler.js';

type GroupAnswer = ResponseInput<typeof apis.DescribeGroups>['groups'][number];

const FIRST_VERSION_THAT_MISSES_GROUPS = 6;

/** State and members of classic groups. */
export const describeGroups = defineHandler(apis.DescribeGroups, {
  handle: ({ body, version }, context) => ({
    groups: body.groups.map((groupId): GroupAnswer => {
      const group = orRejection(() => locate(groupId, context));
      if (group instanceof Rejection) return refused(groupId, group, version);
      const operations = body.includeAuthorizedOperations
        ? { authorizedOperations: ALL_GROUP_OPERATIONS }
        : {};
      return { ...describe(group), ...operations };
    }),
  }),
  fail: ({ body, version }, errorCode) => ({
    groups: body.groups.map((groupId) => refused(groupId, new Rejection(errorCode, ''), version)),
  }),
});

function locate(groupId: string, { cluster, brokerId }: HandlerContext): ClassicGroup {
  cluster.groups.checkCoordinator(groupId, brokerId);
  const group = cluster.groups.get(groupId);
  if (group === undefined) throw noSuchGroup(groupId);
  if (group.type === 'classic') return group;
  throw new Rejection(Errors.GROUP_ID_NOT_FOUND, `Group ${groupId} is not a classic group.`);
}

function describe(group: ClassicGroup): GroupAnswer {
  const { id, state, protocolType, protocolName, roster } = group;
  const isStable = state === 'Stable';
  return {
    errorCode: Errors.NONE,
    groupId: id,
    groupState: state,
    protocolType: protocolType ?? '',
    protocolData: isStable ? protocolName! : '',
    members: roster.members.map((member) => ({
      memberId: member.id,
      groupInstanceId: member.instanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      // While members meet, what they will agree on is not known.
      memberMetadata: isStable ? metadataOf(member, protocolName) : NO_ASSIGNMENT,
      memberAssignment: isStable ? member.assignment : NO_ASSIGNMENT,
    })),
  };
}

/** Before version 6 a group that there is not was called dead, and that was no error. */
function refused(groupId: string, { errorCode, message }: Rejection, version: number): GroupAnswer {
  const isMissing = errorCode === Errors.GROUP_ID_NOT_FOUND;
  const namesIt = version >= FIRST_VERSION_THAT_MISSES_GROUPS;
  return {
    errorCode: isMissing && !namesIt ? Errors.NONE : errorCode,
    ...(namesIt && { errorMessage: message }),
    groupId,
    groupState: isMissing ? 'Dead' : '',
    protocolType: '',
    protocolData: '',
    members: [],
  };
}
