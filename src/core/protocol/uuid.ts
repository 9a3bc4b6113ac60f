import { ProtocolError } from '../util/errors.js';

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
 * @throws ProtocolError when it is not 22 characters of base64url that stand for 16 bytes.
 * @example
 * uuidToBytes('AAAAAAAAAAAAAAAAAAAAAA') // <Buffer 00 00 ...>
 */
export function uuidToBytes(uuid: string): Buffer {
  const bytes = parseUuid(uuid);
  if (bytes === undefined) throw new ProtocolError(`'${uuid}' is not a uuid in base64url`);
  return bytes;
}

/** As {@link uuidToBytes}, but `undefined` for what is no uuid. */
export function parseUuid(uuid: string): Buffer | undefined {
  const bytes = Buffer.from(uuid, 'base64url');
  // Node skips what is not base64, and several last characters give the same bytes.
  return bytes.length === 16 && bytes.toString('base64url') === uuid ? bytes : undefined;
}
