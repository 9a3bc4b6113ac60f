import { apis } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import { defineHandler } from './handler.js';

/** The groups that this broker coordinates, by state (KIP-518) and type (KIP-848) if wanted. */
export const listGroups = defineHandler(apis.ListGroups, {
  handle({ body: { statesFilter, typesFilter } }, { cluster, brokerId }) {
    const groups = cluster.groups
      .on(brokerId)
      .filter(({ state }) => isWanted(state, statesFilter))
      .filter(({ type }) => isWanted(type, typesFilter))
      .map(({ id, protocolType, state, type }) => ({
        groupId: id,
        protocolType: protocolType ?? '',
        groupState: state,
        groupType: type,
      }));
    return { errorCode: Errors.NONE, groups };
  },
  fail: (_request, errorCode) => ({ errorCode, groups: [] }),
});

function isWanted(what: string, filter: readonly string[]): boolean {
  return filter.length === 0 || filter.some((name) => name.toLowerCase() === what.toLowerCase());
}
