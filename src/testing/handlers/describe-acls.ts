import { apis } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import { defineHandler } from './handler.js';

/** There is no authorizer, and so there are no ACLs. */
export const describeAcls = defineHandler(apis.DescribeAcls, {
  handle: () => ({
    errorCode: Errors.SECURITY_DISABLED,
    errorMessage: 'No Authorizer is configured.',
    resources: [],
  }),
  fail: (_request, errorCode) => ({ errorCode, errorMessage: null, resources: [] }),
});
