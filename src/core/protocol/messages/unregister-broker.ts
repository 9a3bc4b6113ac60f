import { api } from '../api.js';
import { int16, int32, string } from '../schema.js';

/** Removes a broker that will not come back from the cluster's metadata (KIP-500). */
export const UnregisterBroker = api({
  name: 'UnregisterBroker',
  key: 64,
  versions: '0',
  flexible: '0+',
  onController: true,
  request: {
    brokerId: int32('0+'),
  },
  response: {
    throttleTimeMs: int32('0+'),
    errorCode: int16('0+'),
    errorMessage: string('0+', { nullable: '0+' }),
  },
});
