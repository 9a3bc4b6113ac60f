import { apis } from '../../core/protocol/index.js';
import { unknownMember } from '../state/groups/classic-roster.js';
import { heartbeatToConsumerGroup } from '../state/groups/classic-in-consumer.js';
import { checkGroup, errorCodeFrom } from './coordinated.js';
import { defineHandler } from './handler.js';

/** Keeps a member of a classic group alive and tells it of a rebalance. */
export const heartbeat = defineHandler(apis.Heartbeat, {
  handle: ({ body }, context) => ({
    errorCode: errorCodeFrom(() => {
      const { groupId, memberId, groupInstanceId, generationId } = body;
      checkGroup(groupId, context);
      const group = context.cluster.groups.get(groupId);
      if (group === undefined) throw unknownMember(memberId);
      const identity = { memberId, instanceId: groupInstanceId, generationId };
      if (group.type === 'classic') group.heartbeat(memberId, groupInstanceId, generationId);
      else heartbeatToConsumerGroup(group, identity);
    }),
  }),
  fail: (_request, errorCode) => ({ errorCode }),
});
