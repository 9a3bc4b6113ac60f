import { api } from '../api.js';
import { array, int16, string } from '../schema.js';

/** Chooses a SASL mechanism; version 0 is followed by raw tokens on the wire (KIP-43). */
export const SaslHandshake = api({
  name: 'SaslHandshake',
  key: 17,
  versions: '0-1',
  flexible: 'none',
  onController: true,
  request: {
    mechanism: string('0+'),
  },
  response: {
    errorCode: int16('0+'),
    mechanisms: array('0+', 'string'),
  },
});
