import { message, type Message } from './api.js';
import { int16, int32, string } from './schema.js';
import { includesVersion } from './versions.js';

const API_VERSIONS_KEY = 18;

/** What precedes every request. The client id keeps its old encoding in version 2. */
export const RequestHeader = message('RequestHeader', '1-2', '2+', {
  requestApiKey: int16('0+'),
  requestApiVersion: int16('0+'),
  correlationId: int32('0+'),
  clientId: string('1+', { nullable: '1+', flexible: 'none' }),
});

/** What precedes every response. */
export const ResponseHeader = message('ResponseHeader', '0-1', '1+', {
  correlationId: int32('0+'),
});

export function requestHeaderVersion(request: Message, version: number): number {
  return includesVersion(request.flexible, version) ? 2 : 1;
}

/**
 * An ApiVersions response always has the oldest header, so that a client that asked in a version
 * unknown to the broker can read the answer that says so (KIP-511).
 */
export function responseHeaderVersion(key: number, response: Message, version: number): number {
  if (key === API_VERSIONS_KEY) return 0;
  return includesVersion(response.flexible, version) ? 1 : 0;
}
