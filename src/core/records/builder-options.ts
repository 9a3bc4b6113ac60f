import { ConfigError } from '../util/errors.js';
import { freshMemory, type BatchMemory } from './batch-memory.js';
import { resolveLevel, type Codec, type CompressionType } from './compression/codec.js';
import { codecId, codecs } from './compression/codecs.js';

/** How to build batches. */
export interface BatchBuilderOptions {
  /** The format: 2 for Kafka 0.11 and later, 1 for 0.10, 0 before. Default: 2. */
  readonly magic?: 0 | 1 | 2 | undefined;
  /** Kafka's `compression.type`. Default: `'none'`. */
  readonly compressionType?: CompressionType | undefined;
  /**
   * Kafka's `compression.gzip.level` (1 to 9, or -1), `compression.lz4.level` (1 to 17; accepted, but
   * all compress alike) or `compression.zstd.level` (-131072 to 22). Default: the codec's own.
   */
  readonly compressionLevel?: number | undefined;
  /** Part of a transaction. Needs magic 2. Default: false. */
  readonly isTransactional?: boolean | undefined;
  /** Offset of the first record; brokers assign their own. Default: 0. */
  readonly baseOffset?: number | undefined;
  /** How much memory to begin with; it doubles as needed. Default: 4096. */
  readonly initialBytes?: number | undefined;
  /** Where memory comes from. Default: fresh memory, left to the garbage collector. */
  readonly memory?: BatchMemory | undefined;
}

/** Checked and complete. */
export interface ResolvedBuilderOptions {
  readonly magic: 0 | 1 | 2;
  readonly codec: Codec;
  /** 0: not compressed. */
  readonly codecId: number;
  readonly level: number;
  readonly isTransactional: boolean;
  readonly baseOffset: number;
  readonly initialBytes: number;
  readonly memory: BatchMemory;
}

const INITIAL_BYTES = 4096;

/** Fills in defaults; a ConfigError says what does not fit. */
export function resolveBuilderOptions(options: BatchBuilderOptions): ResolvedBuilderOptions {
  const { magic = 2, compressionType = 'none', isTransactional = false } = options;
  if (magic < 2 && isTransactional) {
    throw new ConfigError(`magic is ${magic}, but transactions need magic 2 (Kafka 0.11)`);
  }
  if (magic < 2 && compressionType === 'zstd') {
    throw new ConfigError(`magic is ${magic}, but zstd needs magic 2 (Kafka 2.1)`);
  }
  const id = codecId(compressionType);
  const codec = codecs[id]!;
  return {
    magic,
    codec,
    codecId: id,
    level: resolveLevel(codec, options.compressionLevel),
    isTransactional,
    baseOffset: options.baseOffset ?? 0,
    initialBytes: options.initialBytes ?? INITIAL_BYTES,
    memory: options.memory ?? freshMemory,
  };
}

/** Whether a codec has a level; a ConfigError says what does not fit. */
export function checkCompression({
  compressionType = 'none',
  compressionLevel,
}: Pick<BatchBuilderOptions, 'compressionType' | 'compressionLevel'>): void {
  resolveLevel(codecs[codecId(compressionType)]!, compressionLevel);
}
