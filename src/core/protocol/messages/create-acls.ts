import { api } from '../api.js';
import { array, int16, int32, int8, string } from '../schema.js';

/** Creates access control entries (KIP-140, KIP-290). */
export const CreateAcls = api({
  name: 'CreateAcls',
  key: 30,
  versions: '0-3',
  flexible: '2+',
  onController: true,
  request: {
    creations: array('0+', {
      resourceType: int8('0+'),
      resourceName: string('0+'),
      resourcePatternType: int8('1+', { default: 3 }),
      principal: string('0+'),
      host: string('0+'),
      operation: int8('0+'),
      permissionType: int8('0+'),
    }),
  },
  response: {
    throttleTimeMs: int32('0+'),
    results: array('0+', {
      errorCode: int16('0+'),
      errorMessage: string('0+', { nullable: '0+' }),
    }),
  },
});
