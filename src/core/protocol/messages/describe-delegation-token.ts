import { api } from '../api.js';
import { array, bytes, int16, int32, int64, string } from '../schema.js';

/** The delegation tokens of owners (KIP-48). */
export const DescribeDelegationToken = api({
  name: 'DescribeDelegationToken',
  key: 41,
  versions: '0-3',
  flexible: '2+',
  onController: true,
  request: {
    owners: array(
      '0+',
      { principalType: string('0+'), principalName: string('0+') },
      { nullable: '0+' },
    ),
  },
  response: {
    errorCode: int16('0+'),
    tokens: array('0+', {
      principalType: string('0+'),
      principalName: string('0+'),
      tokenRequesterPrincipalType: string('3+'),
      tokenRequesterPrincipalName: string('3+'),
      issueTimestamp: int64('0+'),
      expiryTimestamp: int64('0+'),
      maxTimestamp: int64('0+'),
      tokenId: string('0+'),
      hmac: bytes('0+'),
      renewers: array('0+', { principalType: string('0+'), principalName: string('0+') }),
    }),
    throttleTimeMs: int32('0+'),
  },
});
