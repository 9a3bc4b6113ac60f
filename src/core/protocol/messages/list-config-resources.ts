import { api } from '../api.js';
import { array, int16, int32, int8, string } from '../schema.js';

/** The resources that have a configuration (KIP-1142); version 0 lists client metrics (KIP-714). */
export const ListConfigResources = api({
  name: 'ListConfigResources',
  key: 74,
  versions: '0-1',
  flexible: '0+',
  request: {
    resourceTypes: array('1+', 'int8'),
  },
  response: {
    throttleTimeMs: int32('0+'),
    errorCode: int16('0+'),
    configResources: array('0+', {
      resourceName: string('0+'),
      resourceType: int8('1+', { default: 16, ignorable: true }),
    }),
  },
});
