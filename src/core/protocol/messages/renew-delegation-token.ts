import { api } from '../api.js';
import { bytes, int16, int32, int64 } from '../schema.js';

/** Prolongs a delegation token (KIP-48). */
export const RenewDelegationToken = api({
  name: 'RenewDelegationToken',
  key: 39,
  versions: '0-2',
  flexible: '2+',
  onController: true,
  request: {
    hmac: bytes('0+'),
    renewPeriodMs: int64('0+'),
  },
  response: {
    errorCode: int16('0+'),
    expiryTimestampMs: int64('0+'),
    throttleTimeMs: int32('0+'),
  },
});
