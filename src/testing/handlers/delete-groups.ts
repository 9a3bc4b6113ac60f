import { apis } from '../../core/protocol/index.js';
import { errorCodeFrom } from './coordinated.js';
import { defineHandler } from './handler.js';

/** Deletes groups that have no members, with their offsets (KIP-229). */
export const deleteGroups = defineHandler(apis.DeleteGroups, {
  handle: ({ body }, { cluster: { groups }, brokerId }) => ({
    results: body.groupsNames.map((groupId) => ({
      groupId,
      errorCode: errorCodeFrom(() => {
        groups.checkCoordinator(groupId, brokerId);
        groups.delete(groupId);
      }),
    })),
  }),
  fail: ({ body }, errorCode) => ({
    results: body.groupsNames.map((groupId) => ({ groupId, errorCode })),
  }),
});
