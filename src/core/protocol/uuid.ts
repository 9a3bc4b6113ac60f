import { WireError } from './wire-error.js';

/** What Kafka uses for "no topic id". */
export const ZERO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA';

/**
 * The 22 characters of base64url that Kafka's tools print for 16 bytes of a uuid.
 *
 * @example
 * bytesToUuid(Buffer.alloc(16)) // 'AAAAAAAAAAAAAAAAAAAAAA'
 */
export function bytesToUuid(bytes: Uint8Array, start = 0): string {
  const buffer = Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.toString('base64url', start, start + 16);
}

/**
 * The 16 bytes of a uuid, given as {@link bytesToUuid} prints it.
 *
 * @example
 * uuidToBytes('AAAAAAAAAAAAAAAAAAAAAA') // <Buffer 00 00 ...>
 */
export function uuidToBytes(uuid: string): Buffer {
  const bytes = Buffer.from(uuid, 'base64url');
  // Node skips what is not base64, and two spellings of the last character give the same bytes.
  if (bytes.length !== 16 || bytes.toString('base64url') !== uuid) {
    throw new WireError(`is not a uuid of 22 base64url characters: '${uuid}'`);
  }
  return bytes;
}
