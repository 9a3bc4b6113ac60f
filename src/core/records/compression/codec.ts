import { ConfigError, CorruptRecordError } from '../../util/errors.js';

/** How the records of a batch are compressed, by Kafka's names. */
export type CompressionType = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';

/** One way to compress the records of a batch. */
export interface Codec {
  readonly name: CompressionType;
  /** The compression levels the format knows; `undefined` where it has none. */
  readonly levels: CompressionLevels | undefined;
  /**
   * Compresses a batch's records into `target` from `at` on, where there must be room for
   * {@link Codec.maxCompressedBytes}: memory that is used again, for V8 frees what lies outside of its
   * heap late. `level` must be within {@link Codec.levels}.
   *
   * @returns Where the compressed bytes end.
   */
  compress(bytes: Uint8Array, level: number, target: Buffer, at: number): number;
  /**
   * Restores a batch's records.
   *
   * @throws CorruptRecordError when the bytes make no sense, or would grow beyond `maxBytes`.
   */
  decompress(bytes: Uint8Array, maxBytes: number): Buffer;
  /** The most bytes that {@link Codec.compress} makes of `rawBytes`. */
  maxCompressedBytes(rawBytes: number): number;
}

export interface CompressionLevels {
  readonly min: number;
  readonly max: number;
  readonly default: number;
}

/** Decompressed records larger than this are refused unless an option says otherwise: 128 MiB. */
export const DEFAULT_MAX_DECOMPRESSED_BYTES = 128 * 1024 * 1024;

/**
 * The level to compress with: the codec's own default when none is asked for.
 *
 * @throws ConfigError naming the option and the range.
 */
export function resolveLevel(codec: Codec, level: number | undefined): number {
  const { levels, name } = codec;
  if (level === undefined) return levels?.default ?? 0;
  if (levels === undefined) {
    throw new ConfigError(
      `compressionLevel is ${level}, but ${name} has no levels: leave it out, or choose gzip, lz4 or zstd`,
    );
  }
  const isKnown = level === levels.default || (level >= levels.min && level <= levels.max);
  if (Number.isInteger(level) && isKnown) return level;
  throw new ConfigError(
    `compressionLevel is ${level}, but ${name} takes an integer from ${levels.min} to ${levels.max}` +
      (levels.default < levels.min ? `, or ${levels.default} for its default` : ''),
  );
}

/** The error for a payload that would decompress to more than the limit. */
export function tooLarge(name: CompressionType, maxBytes: number): CorruptRecordError {
  return new CorruptRecordError(
    `the ${name} payload decompresses to more than ${maxBytes} bytes; if the data is sound, raise maxDecompressedBytes`,
    { code: 'DECOMPRESSED_TOO_LARGE' },
  );
}

/** The error for a payload that is not what its codec says. */
export function badPayload(
  name: CompressionType,
  what: string,
  cause?: unknown,
): CorruptRecordError {
  return new CorruptRecordError(`the ${name} payload is invalid: ${what}`, { cause });
}
