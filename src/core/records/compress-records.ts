import type { ResolvedBuilderOptions } from './builder-options.js';

/** Memory, and where what was written into it ends. */
export interface Filled {
  readonly memory: Buffer;
  readonly end: number;
}

/**
 * Compresses records into memory of the same source as the batch's, after as many bytes as the header
 * takes. They are kept until the broker has them, so memory that they fill less than half of is given
 * back for some that fits.
 */
export function compressRecords(
  records: Buffer,
  headerBytes: number,
  { codec, level, memory: source }: ResolvedBuilderOptions,
): Filled {
  const memory = source.take(headerBytes + codec.maxCompressedBytes(records.length));
  const end = codec.compress(records, level, memory, headerBytes);
  if (end * 2 > memory.length) return { memory, end };
  const fitting = source.take(end);
  memory.copy(fitting, headerBytes, headerBytes, end);
  source.give(memory);
  return { memory: fitting, end };
}
