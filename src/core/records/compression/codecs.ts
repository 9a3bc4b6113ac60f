import { ConfigError } from '../../util/errors.js';
import { asBuffer, put } from './bytes.js';
import { tooLarge, type Codec, type CompressionType } from './codec.js';
import { gzip } from './gzip.js';
import { lz4 } from './lz4.js';
import { snappy } from './snappy.js';
import { zstd } from './zstd.js';

const none: Codec = {
  name: 'none',
  levels: undefined,
  compress: (bytes, _level, target, at) => put(bytes, target, at),
  decompress(bytes, maxBytes) {
    if (bytes.length > maxBytes) throw tooLarge('none', maxBytes);
    return asBuffer(bytes);
  },
  maxCompressedBytes: (rawBytes) => rawBytes,
};

/**
 * All the ways to compress a batch, at the index that stands for them in its attributes.
 *
 * @example
 * codecs[4]?.decompress(bytes, DEFAULT_MAX_DECOMPRESSED_BYTES); // zstd
 */
export const codecs: readonly Codec[] = [none, gzip, snappy, lz4, zstd];

/**
 * The attribute bits of a compression type.
 *
 * @throws ConfigError when there is no such type.
 */
export function codecId(type: CompressionType): number {
  const id = codecs.findIndex(({ name }) => name === type);
  if (id >= 0) return id;
  const names = codecs.map(({ name }) => name).join(', ');
  throw new ConfigError(`compressionType is ${JSON.stringify(type)}; it must be one of ${names}`);
}
