import { api } from '../api.js';
import { array, int16, int32, string } from '../schema.js';

/** Deletes groups that have no members (KIP-229). */
export const DeleteGroups = api({
  name: 'DeleteGroups',
  key: 42,
  versions: '0-2',
  flexible: '2+',
  request: {
    groupsNames: array('0+', 'string'),
  },
  response: {
    throttleTimeMs: int32('0+'),
    results: array('0+', { groupId: string('0+'), errorCode: int16('0+') }),
  },
});
