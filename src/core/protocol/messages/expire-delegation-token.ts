import { api } from '../api.js';
import { bytes, int16, int32, int64 } from '../schema.js';

/** Ends a delegation token, now or at a time (KIP-48). */
export const ExpireDelegationToken = api({
  name: 'ExpireDelegationToken',
  key: 40,
  versions: '0-2',
  flexible: '2+',
  onController: true,
  request: {
    hmac: bytes('0+'),
    expiryTimePeriodMs: int64('0+'),
  },
  response: {
    errorCode: int16('0+'),
    expiryTimestampMs: int64('0+'),
    throttleTimeMs: int32('0+'),
  },
});
