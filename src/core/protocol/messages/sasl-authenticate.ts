import { api } from '../api.js';
import { bytes, int16, int64, string } from '../schema.js';

/** Carries SASL tokens; version 1 tells how long the session lives (KIP-152, KIP-368). */
export const SaslAuthenticate = api({
  name: 'SaslAuthenticate',
  key: 36,
  versions: '0-2',
  flexible: '2+',
  onController: true,
  request: {
    authBytes: bytes('0+'),
  },
  response: {
    errorCode: int16('0+'),
    errorMessage: string('0+', { nullable: '0+' }),
    authBytes: bytes('0+'),
    sessionLifetimeMs: int64('1+', { default: 0, ignorable: true }),
  },
});
