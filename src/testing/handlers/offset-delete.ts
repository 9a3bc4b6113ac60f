import { apis } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import { noSuchGroup } from '../state/groups/groups.js';
import { orRejection, Rejection } from '../state/rejection.js';
import { checkGroup, errorCodeFrom } from './coordinated.js';
import { defineHandler, type HandlerContext } from './handler.js';
import { locatePartition } from './locate.js';

/** Deletes offsets of topics that a group no longer reads (KIP-496). */
export const offsetDelete = defineHandler(apis.OffsetDelete, {
  handle({ body: { groupId, topics } }, context) {
    const group = orRejection(() => locate(groupId, context));
    if (group instanceof Rejection) return { errorCode: group.errorCode, topics: [] };
    const { cluster } = context;
    const offsets = cluster.groups.offsetsOf(groupId);
    const answers = topics.map(({ name, partitions }) => {
      const isRead = group.isSubscribedTo(name);
      return {
        name,
        partitions: partitions.map(({ partitionIndex }) => ({
          partitionIndex,
          errorCode: errorCodeFrom(() => {
            locatePartition(cluster.topics.get(name), partitionIndex);
            if (isRead) {
              throw new Rejection(Errors.GROUP_SUBSCRIBED_TO_TOPIC, `The group reads ${name}`);
            }
            offsets.delete(name, partitionIndex);
          }),
        })),
      };
    });
    return { errorCode: Errors.NONE, topics: answers };
  },
  fail: (_request, errorCode) => ({ errorCode, topics: [] }),
});

function locate(groupId: string, context: HandlerContext) {
  checkGroup(groupId, context);
  const group = context.cluster.groups.get(groupId);
  if (group === undefined) throw noSuchGroup(groupId);
  group.checkOffsetDelete();
  return group;
}
