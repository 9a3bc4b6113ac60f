import { loadNative } from '../native.js';
import { asBuffer, free, put, putAndFree } from './bytes.js';
import { messageOf } from '../../util/message-of.js';
import { badPayload, tooLarge, type Codec } from './codec.js';
import { LZ4_HEADER, readLz4Header, skipLz4Skippable, type Lz4FrameHeader } from './lz4-frame.js';
import { xxh32 } from './xxh32.js';

/**
 * Raw blocks with their uncompressed length as a little-endian uint32 in front. lz4-napi's frame
 * calls are no use here: they read only the first of several frames, can't be bounded, and took
 * 185 us for 64 KiB where a block takes 13.
 */
interface NativeLz4 {
  compressSync(bytes: Buffer): Buffer;
  uncompressSync(bytes: Buffer, dictionary?: Buffer): Buffer;
}

const BLOCK_BYTES = 64 * 1024;
const DICTIONARY_BYTES = 64 * 1024;
const STORED = 0x8000_0000;
/** A length byte stands for at most 255 bytes; the constant covers a token and the last literals. */
const MAX_GROWTH = 255;

let native: NativeLz4 | undefined;

function load(): NativeLz4 {
  return (native ??= loadNative('lz4-napi') as NativeLz4);
}

/**
 * LZ4 frames. Reads all that the format allows but dictionaries, several frames in a row, and the
 * wrong header checksum of magic 0; writes what Java writes. The levels are checked as Java checks
 * them, but the library knows only one way to compress.
 */
export const lz4: Codec = {
  name: 'lz4',
  levels: { min: 1, max: 17, default: 9 },
  compress,
  decompress(bytes, maxBytes) {
    const output = new Output(maxBytes);
    const buffer = asBuffer(bytes);
    let at = 0;
    do {
      const next = skipLz4Skippable(buffer, at);
      at = next === at ? readFrame(buffer, at, output) : next;
    } while (at < buffer.length);
    return output.since(0);
  },
  maxCompressedBytes: (rawBytes) =>
    rawBytes + LZ4_HEADER.length + 4 + 4 * Math.ceil(rawBytes / BLOCK_BYTES),
};

function compress(bytes: Uint8Array, _level: number, target: Buffer, start: number): number {
  const raw = asBuffer(bytes);
  let end = put(LZ4_HEADER, target, start);
  for (let at = 0; at < raw.length; at += BLOCK_BYTES) {
    end = putBlock(raw.subarray(at, at + BLOCK_BYTES), target, end);
  }
  return target.writeUInt32LE(0, end);
}

function putBlock(raw: Buffer, target: Buffer, at: number): number {
  const block = load().compressSync(raw);
  const length = block.length - 4;
  if (length >= raw.length) return put(raw, target, target.writeUInt32LE(STORED + raw.length, at));
  // The frame wants the compressed length where the library puts the other one.
  block.writeUInt32LE(length, 0);
  return putAndFree(block, target, at);
}

/** The decompressed blocks so far, end to end, and the limit on them. */
class Output {
  private memory: Buffer = Buffer.alloc(0);
  private filled = 0;

  constructor(private readonly maxBytes: number) {}

  get length(): number {
    return this.filled;
  }

  add(block: Buffer): void {
    this.reserve(block.length);
    const end = this.filled + block.length;
    if (this.filled === 0) {
      // The one block that most batches are is not copied.
      this.memory = block;
    } else {
      if (end > this.memory.length) this.grow(end);
      block.copy(this.memory, this.filled);
    }
    this.filled = end;
  }

  /** Throws if that many bytes more would pass the limit. */
  reserve(bytes: number): void {
    if (bytes > this.maxBytes - this.filled) throw tooLarge('lz4', this.maxBytes);
  }

  since(start: number): Buffer {
    return this.memory.subarray(start, this.filled);
  }

  private grow(atLeast: number): void {
    const memory = Buffer.allocUnsafeSlow(Math.max(atLeast, this.memory.length * 2));
    this.memory.copy(memory, 0, 0, this.filled);
    this.memory = memory;
  }
}

/** Returns the position after the frame. */
function readFrame(bytes: Buffer, start: number, output: Output): number {
  const header = readLz4Header(bytes, start);
  if (header.contentBytes !== undefined) output.reserve(header.contentBytes);
  const contentStart = output.length;
  let at = header.end;
  for (;;) {
    const length = readUInt32(bytes, at);
    at += 4;
    if (length === 0) break;
    at = readBlock(bytes, at, length, header, contentStart, output);
  }
  const contentBytes = output.length - contentStart;
  if (header.contentBytes !== undefined && header.contentBytes !== contentBytes) {
    throw badPayload(
      'lz4',
      `the frame claims ${header.contentBytes} bytes, it has ${contentBytes}`,
    );
  }
  if (!header.hasContentChecksum) return at;
  checkSum(output.since(contentStart), readUInt32(bytes, at), 'content');
  return at + 4;
}

/** Returns the position after the block. */
function readBlock(
  bytes: Buffer,
  start: number,
  length: number,
  header: Lz4FrameHeader,
  contentStart: number,
  output: Output,
): number {
  const isStored = length >= STORED;
  const size = isStored ? length - STORED : length;
  if (size > bytes.length - start) {
    throw badPayload('lz4', `a block claims ${size} bytes, ${bytes.length - start} are left`);
  }
  const block = bytes.subarray(start, start + size);
  if (isStored) {
    if (size > header.maxBlockBytes) throw badPayload('lz4', 'a block is larger than announced');
    output.add(block);
  } else {
    const dictionary = header.areBlocksIndependent
      ? undefined
      : output.since(Math.max(contentStart, output.length - DICTIONARY_BYTES));
    output.add(decompressBlock(block, header.maxBlockBytes, dictionary));
  }
  const end = start + size;
  if (!header.hasBlockChecksums) return end;
  checkSum(block, readUInt32(bytes, end), 'block');
  return end + 4;
}

function decompressBlock(block: Buffer, maxBlockBytes: number, dictionary?: Buffer): Buffer {
  // The length in front may be an upper bound.
  const room = Math.min(maxBlockBytes, block.length * MAX_GROWTH + 64);
  const input = Buffer.allocUnsafe(block.length + 4);
  input.writeUInt32LE(room, 0);
  block.copy(input, 4);
  try {
    return dictionary === undefined || dictionary.length === 0
      ? load().uncompressSync(input)
      : load().uncompressSync(input, dictionary);
  } catch (error) {
    throw badPayload('lz4', messageOf(error), error);
  } finally {
    free(input);
  }
}

function readUInt32(bytes: Buffer, at: number): number {
  if (bytes.length - at < 4) throw badPayload('lz4', 'the frame is cut short');
  return bytes.readUInt32LE(at);
}

function checkSum(content: Uint8Array, expected: number, what: string): void {
  if (xxh32(content) !== expected) throw badPayload('lz4', `a ${what} checksum does not match`);
}
