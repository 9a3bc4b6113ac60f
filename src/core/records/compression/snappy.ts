import { loadNative } from '../native.js';
import { asBuffer, put, putAndFree } from './bytes.js';
import { messageOf } from '../../util/message-of.js';
import { badPayload, tooLarge, type Codec } from './codec.js';

interface NativeSnappy {
  compressSync(bytes: Uint8Array, options: { copyOutputData: boolean }): Buffer;
  uncompressSync(bytes: Uint8Array, options: { copyOutputData: boolean }): Buffer;
}

// Without the copy every output is external memory with a finalizer: 170 us rather than 16 for 64 KiB.
const OPTIONS = { copyOutputData: true };

/** snappy-java's stream header: magic, version 1, compatible since version 1. */
const XERIAL_HEADER = Buffer.from([
  0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1,
]);
const XERIAL_MAGIC = XERIAL_HEADER.subarray(0, 8);
/** What Java writes, and has a buffer for when it reads. */
const XERIAL_BLOCK_BYTES = 32 * 1024;

/** Three bytes of input are a copy of 64: nothing in the format grows faster. */
const MAX_GROWTH = 22;
const MAX_LENGTH_BYTES = 5;

let native: NativeSnappy | undefined;

function load(): NativeSnappy {
  return (native ??= loadNative('snappy') as NativeSnappy);
}

/** Snappy: reads both the raw format and snappy-java's framing, writes the latter as Java does. */
export const snappy: Codec = {
  name: 'snappy',
  levels: undefined,
  compress: compressXerial,
  decompress(bytes, maxBytes) {
    const buffer = asBuffer(bytes);
    const isFramed =
      buffer.length >= XERIAL_MAGIC.length &&
      buffer.compare(XERIAL_MAGIC, 0, XERIAL_MAGIC.length, 0, XERIAL_MAGIC.length) === 0;
    return isFramed
      ? decompressXerial(buffer, maxBytes)
      : decompressRaw(buffer, maxBytes, maxBytes);
  },
  maxCompressedBytes(rawBytes) {
    const blocks = Math.ceil(rawBytes / XERIAL_BLOCK_BYTES);
    return XERIAL_HEADER.length + blocks * (4 + 32) + rawBytes + Math.ceil(rawBytes / 6);
  },
};

/** One block of raw snappy, without framing: what some clients other than Java's write. */
export function compressRawSnappy(bytes: Uint8Array): Buffer {
  return load().compressSync(bytes, OPTIONS);
}

function compressXerial(bytes: Uint8Array, _level: number, target: Buffer, start: number): number {
  let end = put(XERIAL_HEADER, target, start);
  for (let at = 0; at < bytes.length; at += XERIAL_BLOCK_BYTES) {
    const block = compressRawSnappy(bytes.subarray(at, at + XERIAL_BLOCK_BYTES));
    end = putAndFree(block, target, target.writeInt32BE(block.length, end));
  }
  return end;
}

function decompressXerial(bytes: Buffer, maxBytes: number): Buffer {
  const blocks: Buffer[] = [];
  let total = 0;
  let at = XERIAL_HEADER.length;
  if (bytes.length < at) throw badPayload('snappy', 'the stream header is cut short');
  while (at < bytes.length) {
    if (bytes.length - at < 4) throw badPayload('snappy', 'a block length is cut short');
    const length = bytes.readInt32BE(at);
    at += 4;
    if (length < 0 || length > bytes.length - at) {
      throw badPayload('snappy', `a block claims ${length} bytes, ${bytes.length - at} are left`);
    }
    const block = decompressRaw(bytes.subarray(at, at + length), maxBytes - total, maxBytes);
    blocks.push(block);
    total += block.length;
    at += length;
  }
  return blocks.length === 1 ? blocks[0]! : join(blocks, total);
}

function join(blocks: readonly Buffer[], total: number): Buffer {
  const whole = Buffer.allocUnsafeSlow(total);
  let end = 0;
  for (const block of blocks) end = putAndFree(block, whole, end);
  return whole;
}

function decompressRaw(bytes: Buffer, roomBytes: number, maxBytes: number): Buffer {
  const claimed = rawLength(bytes);
  if (claimed > bytes.length * MAX_GROWTH) {
    throw badPayload('snappy', `${bytes.length} bytes can't hold the ${claimed} they claim to`);
  }
  if (claimed > roomBytes) throw tooLarge('snappy', maxBytes);
  try {
    return load().uncompressSync(bytes, OPTIONS);
  } catch (error) {
    throw badPayload('snappy', messageOf(error), error);
  }
}

/** The uncompressed length, a little-endian varint in front of every raw block. */
function rawLength(bytes: Buffer): number {
  let length = 0;
  for (let i = 0; i < MAX_LENGTH_BYTES && i < bytes.length; i++) {
    const byte = bytes[i]!;
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return length;
  }
  throw badPayload('snappy', 'its length is cut short');
}
