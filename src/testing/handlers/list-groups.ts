import { apis } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import { defineHandler } from './handler.js';

/** There are no groups yet; brokers of 0.9 are recognised by having this API at all. */
export const listGroups = defineHandler(apis.ListGroups, {
  handle: () => ({ errorCode: Errors.NONE, groups: [] }),
  fail: (_request, errorCode) => ({ errorCode, groups: [] }),
});
