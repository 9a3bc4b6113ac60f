import { loadNative } from './native.js';

type Checksum = (bytes: Uint8Array, initial?: number) => number;

interface NativeCrc {
  readonly crc32: Checksum;
  readonly crc32c: Checksum;
}

let native: NativeCrc | undefined;

function load(): NativeCrc {
  return (native = loadNative('@node-rs/crc32') as NativeCrc);
}

/**
 * CRC-32C (Castagnoli), the checksum of record batches since magic 2.
 *
 * @param bytes What to check.
 * @param initial The checksum of the bytes before these, to go on from it.
 * @returns An unsigned 32-bit number.
 * @example
 * crc32c(Buffer.from('a')).toString(16); // 'c1d04330'
 */
export function crc32c(bytes: Uint8Array, initial?: number): number {
  return (native ?? load()).crc32c(bytes, initial);
}

/**
 * CRC-32 (IEEE), the checksum of messages of magic 0 and 1.
 *
 * @param bytes What to check.
 * @param initial The checksum of the bytes before these, to go on from it.
 * @returns An unsigned 32-bit number.
 * @example
 * crc32(Buffer.from('123456789')).toString(16); // 'cbf43926'
 */
export function crc32(bytes: Uint8Array, initial?: number): number {
  return (native ?? load()).crc32(bytes, initial);
}
