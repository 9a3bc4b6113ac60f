import { badPayload } from './codec.js';

const ZSTD_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const SKIPPABLE_MASK = 0xfffffff0;
const MAX_BLOCK_BYTES = 128 * 1024;

/** Where one zstd frame lies, and how much it can hold, read without decompressing it. */
export interface ZstdFrame {
  readonly start: number;
  readonly end: number;
  /** An upper bound; exact when the frame tells. Zero for a skippable frame. */
  readonly maxContentBytes: number;
}

/** Finds all the frames of a payload. */
export function findZstdFrames(bytes: Buffer): ZstdFrame[] {
  const frames: ZstdFrame[] = [];
  let at = 0;
  do {
    const frame = readFrame(bytes, at);
    frames.push(frame);
    at = frame.end;
  } while (at < bytes.length);
  return frames;
}

function readFrame(bytes: Buffer, start: number): ZstdFrame {
  need(bytes, start, 4);
  const magic = bytes.readUInt32LE(start);
  if ((magic & SKIPPABLE_MASK) >>> 0 === SKIPPABLE_MAGIC) {
    need(bytes, start + 4, 4);
    const length = bytes.readUInt32LE(start + 4);
    need(bytes, start + 8, length);
    return { start, end: start + 8 + length, maxContentBytes: 0 };
  }
  if (magic !== ZSTD_MAGIC) throw badPayload('zstd', `no frame starts at byte ${start}`);
  const header = readHeader(bytes, start + 4);
  const blocks = walkBlocks(bytes, header);
  if (header.contentBytes !== undefined && header.contentBytes > blocks.maxContentBytes) {
    throw badPayload(
      'zstd',
      `the frame claims ${header.contentBytes} bytes, its blocks hold at most ${blocks.maxContentBytes}`,
    );
  }
  return {
    start,
    end: blocks.end,
    maxContentBytes: header.contentBytes ?? blocks.maxContentBytes,
  };
}

interface ZstdHeader {
  readonly contentBytes: number | undefined;
  readonly windowBytes: number;
  readonly hasChecksum: boolean;
  /** Position of the first block. */
  readonly end: number;
}

function readHeader(bytes: Buffer, start: number): ZstdHeader {
  need(bytes, start, 1);
  const descriptor = bytes[start]!;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  if ((descriptor & 0x08) !== 0) throw badPayload('zstd', 'a reserved bit is set');
  const windowAt = start + 1;
  const dictionaryAt = windowAt + (isSingleSegment ? 0 : 1);
  const sizeAt = dictionaryAt + [0, 1, 2, 4][descriptor & 3]!;
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >>> 6]!;
  need(bytes, start, sizeAt + sizeBytes - start);
  const contentBytes = readContentSize(bytes, sizeAt, sizeBytes);
  return {
    contentBytes,
    windowBytes: isSingleSegment ? contentBytes! : windowBytes(bytes[windowAt]!),
    hasChecksum: (descriptor & 0x04) !== 0,
    end: sizeAt + sizeBytes,
  };
}

function readContentSize(bytes: Buffer, at: number, size: number): number | undefined {
  switch (size) {
    case 0:
      return undefined;
    case 1:
      return bytes[at]!;
    case 2:
      return bytes.readUInt16LE(at) + 256;
    case 4:
      return bytes.readUInt32LE(at);
    default:
      return Number(bytes.readBigUInt64LE(at));
  }
}

function windowBytes(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >>> 3));
  return base + (base / 8) * (descriptor & 7);
}

const RAW_BLOCK = 0;
const RUN_BLOCK = 1;
const COMPRESSED_BLOCK = 2;

function walkBlocks(bytes: Buffer, header: ZstdHeader): { end: number; maxContentBytes: number } {
  const maxBlockBytes = Math.min(header.windowBytes, MAX_BLOCK_BYTES);
  let maxContentBytes = 0;
  let at = header.end;
  let isLast = false;
  while (!isLast) {
    need(bytes, at, 3);
    const blockHeader = bytes.readUIntLE(at, 3);
    isLast = (blockHeader & 1) === 1;
    const type = (blockHeader >>> 1) & 3;
    const size = blockHeader >>> 3;
    at += 3;
    const stored = storedBytes(type, size);
    need(bytes, at, stored);
    at += stored;
    maxContentBytes += type === COMPRESSED_BLOCK ? maxBlockBytes : size;
  }
  if (header.hasChecksum) need(bytes, at, 4);
  return { end: at + (header.hasChecksum ? 4 : 0), maxContentBytes };
}

function storedBytes(type: number, size: number): number {
  switch (type) {
    case RAW_BLOCK:
    case COMPRESSED_BLOCK:
      return size;
    case RUN_BLOCK:
      return 1;
    default:
      throw badPayload('zstd', 'unknown block type');
  }
}

function need(bytes: Buffer, at: number, count: number): void {
  if (count > bytes.length - at) throw badPayload('zstd', 'a frame is cut short');
}
