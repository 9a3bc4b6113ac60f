import { CorruptRecordError } from '../util/errors.js';
import { CODEC_MASK } from './attributes.js';
import type { OpenOptions } from './batch.js';
import { DEFAULT_MAX_DECOMPRESSED_BYTES, type Codec } from './compression/codec.js';
import { codecs } from './compression/codecs.js';
import { corruptRecords, type RecordContext } from './corrupt.js';

export function isCompressed(attributes: number): boolean {
  return (attributes & CODEC_MASK) !== 0;
}

/** The codec that attribute bits name, or a CorruptRecordError. */
export function codecOf(attributes: number, context: RecordContext, offset: number): Codec {
  const codec = codecs[attributes & CODEC_MASK];
  if (codec !== undefined) return codec;
  throw corruptRecords(`no codec has number ${attributes & CODEC_MASK}`, context, offset);
}

/** Restores a payload; errors say which batch it was. */
export function decompress(
  codec: Codec,
  payload: Buffer,
  options: OpenOptions,
  context: RecordContext,
  offset: number,
): Buffer {
  const maxBytes = options.maxDecompressedBytes ?? DEFAULT_MAX_DECOMPRESSED_BYTES;
  try {
    return codec.decompress(payload, maxBytes);
  } catch (error) {
    if (!(error instanceof CorruptRecordError)) throw error;
    throw corruptRecords(error.message, context, offset, error);
  }
}
