import { ProtocolError } from '../util/errors.js';

const MIN_INT64 = -(2n ** 63n);
const MAX_INT64 = 2n ** 63n - 1n;

/** Throws unless it is an integer that 64 bits hold exactly. */
export function checkTimestamp(timestamp: number | bigint): void {
  const isValid =
    typeof timestamp === 'number'
      ? Number.isSafeInteger(timestamp)
      : timestamp >= MIN_INT64 && timestamp <= MAX_INT64;
  if (isValid) return;
  throw new ProtocolError(
    `The timestamp of a record is ${timestamp}; it must be an integer of milliseconds since 1970, as a bigint beyond 2^53`,
  );
}
