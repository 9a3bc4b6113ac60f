import { badPayload } from './codec.js';
import { xxh32 } from './xxh32.js';

export const LZ4_MAGIC = 0x184d2204;
const SKIPPABLE_MAGIC = 0x184d2a50;
const SKIPPABLE_MASK = 0xfffffff0;

const VERSION_BITS = 0xc0;
const VERSION_1 = 0x40;
export const INDEPENDENT_BLOCKS = 0x20;
const BLOCK_CHECKSUMS = 0x10;
const CONTENT_SIZE = 0x08;
const CONTENT_CHECKSUM = 0x04;
const DICTIONARY_ID = 0x01;

/** What the header of an LZ4 frame says. */
export interface Lz4FrameHeader {
  readonly areBlocksIndependent: boolean;
  readonly hasBlockChecksums: boolean;
  readonly hasContentChecksum: boolean;
  readonly contentBytes: number | undefined;
  readonly maxBlockBytes: number;
  /** Position of the first block. */
  readonly end: number;
}

/**
 * The position after a skippable frame that starts here, or `start` when none does.
 */
export function skipLz4Skippable(bytes: Buffer, start: number): number {
  if (bytes.length - start < 4) throw badPayload('lz4', 'a frame is cut short');
  const magic = bytes.readUInt32LE(start);
  if ((magic & SKIPPABLE_MASK) >>> 0 !== SKIPPABLE_MAGIC) return start;
  if (bytes.length - start < 8) throw badPayload('lz4', 'a skippable frame is cut short');
  const length = bytes.readUInt32LE(start + 4);
  if (length > bytes.length - start - 8) {
    throw badPayload('lz4', 'a skippable frame is longer than the payload');
  }
  return start + 8 + length;
}

/** Reads and checks the header of the frame that starts here. */
export function readLz4Header(bytes: Buffer, start: number): Lz4FrameHeader {
  if (bytes.length - start < 7) throw badPayload('lz4', 'the frame header is cut short');
  if (bytes.readUInt32LE(start) !== LZ4_MAGIC) {
    throw badPayload('lz4', `no frame starts at byte ${start}`);
  }
  const flags = bytes[start + 4]!;
  if ((flags & VERSION_BITS) !== VERSION_1) throw badPayload('lz4', 'unknown frame version');
  if ((flags & DICTIONARY_ID) !== 0) throw badPayload('lz4', 'the frame needs a dictionary');
  const hasContentSize = (flags & CONTENT_SIZE) !== 0;
  const checksumAt = start + 6 + (hasContentSize ? 8 : 0);
  if (checksumAt >= bytes.length) throw badPayload('lz4', 'the frame header is cut short');
  checkHeaderChecksum(bytes, start, checksumAt);
  return {
    areBlocksIndependent: (flags & INDEPENDENT_BLOCKS) !== 0,
    hasBlockChecksums: (flags & BLOCK_CHECKSUMS) !== 0,
    hasContentChecksum: (flags & CONTENT_CHECKSUM) !== 0,
    contentBytes: hasContentSize ? Number(bytes.readBigUInt64LE(start + 6)) : undefined,
    maxBlockBytes: blockBytes(bytes[start + 5]!),
    end: checksumAt + 1,
  };
}

function checkHeaderChecksum(bytes: Buffer, start: number, checksumAt: number): void {
  const found = bytes[checksumAt];
  if (found === headerChecksum(bytes, start + 4, checksumAt)) return;
  // Clients for Kafka before 0.10 sum over the frame's magic as well.
  if (found === headerChecksum(bytes, start, checksumAt)) return;
  throw badPayload('lz4', 'the frame header fails its checksum');
}

function headerChecksum(bytes: Uint8Array, from: number, to: number): number {
  return (xxh32(bytes, from, to) >>> 8) & 0xff;
}

function blockBytes(descriptor: number): number {
  const id = (descriptor >>> 4) & 7;
  if (id < 4) throw badPayload('lz4', `unknown block size ${id}`);
  return 1 << (8 + 2 * id);
}

const HEADER_64_KIB_BLOCKS = ((): Buffer => {
  const header = Buffer.alloc(7);
  header.writeUInt32LE(LZ4_MAGIC, 0);
  header[4] = VERSION_1 | INDEPENDENT_BLOCKS;
  header[5] = 4 << 4;
  header[6] = headerChecksum(header, 4, 6);
  return header;
})();

/** A frame of independent blocks of 64 KiB without checksums, as the Java client begins it. */
export const LZ4_HEADER: Uint8Array = HEADER_64_KIB_BLOCKS;

/**
 * Gives a frame that {@link LZ4_HEADER} begins the header checksum that brokers and clients before
 * Kafka 0.10 expect in magic 0: it covers the frame's magic too (KAFKA-3160).
 */
export function useOldLz4Checksum(frame: Buffer): Buffer {
  frame[6] = headerChecksum(frame, 0, 6);
  return frame;
}
