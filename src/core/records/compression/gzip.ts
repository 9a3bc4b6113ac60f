import { gunzipSync, gzipSync } from 'node:zlib';
import { put } from './bytes.js';
import { messageOf } from '../../util/message-of.js';
import { badPayload, tooLarge, type Codec } from './codec.js';

/** RFC 1952, one or more members. Level -1 is zlib's own default, 6. */
export const gzip: Codec = {
  name: 'gzip',
  levels: { min: 1, max: 9, default: -1 },
  compress: (bytes, level, target, at) => put(gzipSync(bytes, { level }), target, at),
  decompress(bytes, maxBytes) {
    let restored: Buffer;
    try {
      // Node takes no limit below one.
      restored = gunzipSync(bytes, { maxOutputLength: Math.max(1, maxBytes) });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
        throw tooLarge('gzip', maxBytes);
      }
      throw badPayload('gzip', messageOf(error), error);
    }
    if (restored.length > maxBytes) throw tooLarge('gzip', maxBytes);
    return restored;
  },
  maxCompressedBytes: (rawBytes) => rawBytes + (rawBytes >>> 10) + 64,
};
