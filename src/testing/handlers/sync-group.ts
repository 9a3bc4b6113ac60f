import { apis } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import { syncRefusal, type SyncRequest } from '../state/groups/classic-requests.js';
import { unknownMember } from '../state/groups/classic-roster.js';
import { syncConsumerGroup } from '../state/groups/classic-in-consumer.js';
import { Rejection } from '../state/rejection.js';
import { checkGroup } from './coordinated.js';
import { defineHandler, type IncomingRequest } from './handler.js';

type Request = IncomingRequest<typeof apis.SyncGroup>;

const FIRST_VERSION_THAT_NAMES_THE_PROTOCOL = 5;

/** Takes the leader's assignment and gives each member its part; the answer waits for it. */
export const syncGroup = defineHandler(apis.SyncGroup, {
  handle: (request, context) =>
    new Promise((resolve) => {
      const { groupId, memberId } = request.body;
      try {
        checkProtocol(request);
        checkGroup(groupId, context);
        const group = context.cluster.groups.get(groupId);
        if (group === undefined) throw unknownMember(memberId);
        if (group.type === 'classic') group.sync(toSync(request), resolve);
        else resolve(syncConsumerGroup(group, toSync(request), context.cluster.groups));
      } catch (error) {
        if (!(error instanceof Rejection)) throw error;
        resolve(syncRefusal(error.errorCode));
      }
    }),
  fail: (_request, errorCode) => syncRefusal(errorCode),
});

function checkProtocol({ version, body }: Request): void {
  if (version < FIRST_VERSION_THAT_NAMES_THE_PROTOCOL) return;
  if (body.protocolType !== null && body.protocolName !== null) return;
  throw new Rejection(Errors.INCONSISTENT_GROUP_PROTOCOL, 'Type and name of the protocol lack');
}

function toSync({ body }: Request): SyncRequest {
  return {
    memberId: body.memberId,
    instanceId: body.groupInstanceId,
    generationId: body.generationId,
    protocolType: body.protocolType,
    protocolName: body.protocolName,
    assignments: new Map(body.assignments.map((each) => [each.memberId, each.assignment])),
  };
}
