import { isCompressed } from './payload.js';
import { corruptRecords, type RecordContext } from './corrupt.js';
import { readInt32, readInt64 } from './int64.js';
import * as layout from './layout.js';

/** What is inside a wrapper. Offsets are as written: relative in magic 1. */
export interface MessageSet {
  readonly count: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
}

/** Steps over the messages of a wrapper by their lengths, and checks that they fit. */
export function scanMessages(
  bytes: Buffer,
  magic: number,
  context: RecordContext,
  wrapperOffset: number,
): MessageSet {
  const fail = (what: string): never => {
    throw corruptRecords(`the compressed message set is invalid: ${what}`, context, wrapperOffset);
  };
  const overhead = layout.legacyOverhead(magic);
  let count = 0;
  let last = 0;
  for (let at = 0; at < bytes.length; count++) {
    if (bytes.length - at < overhead) fail('a message is cut short');
    const size = layout.LOG_OVERHEAD_BYTES + readInt32(bytes, at + layout.LENGTH_AT);
    if (size < overhead || size > bytes.length - at) fail(`a message claims ${size} bytes`);
    if (bytes[at + layout.MAGIC_AT] !== magic) fail('a message has another magic than its wrapper');
    if (isCompressed(bytes[at + layout.LEGACY_ATTRIBUTES_AT]!)) fail('a wrapper is in a wrapper');
    last = at;
    at += size;
  }
  if (count === 0) fail('it is empty');
  return { count, firstOffset: readInt64(bytes, 0), lastOffset: readInt64(bytes, last) };
}
