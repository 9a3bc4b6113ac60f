import * as zlib from 'node:zlib';
import { KafkaError } from '../../util/errors.js';
import { loadNative } from '../native.js';
import { asBuffer, put } from './bytes.js';
import { messageOf } from '../../util/message-of.js';
import { badPayload, tooLarge, type Codec } from './codec.js';
import { findZstdFrames, type ZstdFrame } from './zstd-frame.js';

/** What does the work: one frame in, one frame out. */
export interface ZstdEngine {
  compress(bytes: Buffer, level: number, target: Buffer, at: number): number;
  /** Restores a payload of known frames; they hold at most `maxContentBytes` together. */
  decompress(bytes: Buffer, frames: readonly ZstdFrame[], maxContentBytes: number): Buffer;
}

/** The low-level face of zstd-napi, which writes into memory that we provide. */
interface ZstdNapi {
  CCtx: new () => { compress(target: Uint8Array, source: Uint8Array, level: number): number };
  DCtx: new () => { decompress(target: Uint8Array, source: Uint8Array): number };
}

/** `node:zlib` since Node 22.15; the types that we build with are older. */
interface ZlibWithZstd {
  zstdCompressSync?: (bytes: Buffer, options: { params: Record<number, number> }) => Buffer;
  zstdDecompressSync?: (bytes: Buffer, options: { maxOutputLength: number }) => Buffer;
  constants: { ZSTD_c_compressionLevel?: number };
}

/**
 * Zstandard, by zstd-napi where that is installed, else by Node itself where it can. Frames of
 * unknown content size, as Java writes them, and several frames in a payload are read.
 */
export const zstd: Codec = createZstd(() => firstEngine(napiEngine, nodeEngine));

/** Made from a loader, so that each engine can be tested. */
export function createZstd(load: () => ZstdEngine): Codec {
  let loaded: ZstdEngine | undefined;
  return {
    name: 'zstd',
    levels: { min: -131_072, max: 22, default: 3 },
    compress: (bytes, level, target, at) =>
      (loaded ??= load()).compress(asBuffer(bytes), level, target, at),
    decompress(bytes, maxBytes) {
      const engine = (loaded ??= load());
      const buffer = asBuffer(bytes);
      const frames = findZstdFrames(buffer);
      let maxContentBytes = 0;
      for (const frame of frames) maxContentBytes += frame.maxContentBytes;
      return decompressWithin(engine, buffer, frames, maxContentBytes, maxBytes);
    },
    maxCompressedBytes: (rawBytes) => rawBytes + (rawBytes >>> 8) + 128,
  };
}

function decompressWithin(
  engine: ZstdEngine,
  bytes: Buffer,
  frames: readonly ZstdFrame[],
  maxContentBytes: number,
  maxBytes: number,
): Buffer {
  const knownBytes = Math.min(maxContentBytes, maxBytes);
  try {
    return engine.decompress(bytes, frames, knownBytes);
  } catch (error) {
    const isTooSmall = error instanceof RangeError || /too small/i.test(messageOf(error));
    if (isTooSmall && maxContentBytes > maxBytes) throw tooLarge('zstd', maxBytes);
    throw badPayload('zstd', messageOf(error), error);
  }
}

/** The first engine there is; a KafkaError that names the ways to get one if there is none. */
export function firstEngine(...candidates: (() => ZstdEngine | undefined)[]): ZstdEngine {
  for (const candidate of candidates) {
    const engine = candidate();
    if (engine !== undefined) return engine;
  }
  throw new KafkaError(
    'Records are compressed with zstd, which this process can not handle: install the optional package zstd-napi (npm install zstd-napi), or use Node 22.15 or later, which has zstd built in',
    { code: 'ZSTD_UNAVAILABLE' },
  );
}

/** The engine of the optional package, if it is there and its binary loads. */
export function napiEngine(): ZstdEngine | undefined {
  let binding: ZstdNapi;
  try {
    binding = loadNative('zstd-napi/binding') as ZstdNapi;
  } catch {
    return undefined;
  }
  const compressor = new binding.CCtx();
  const decompressor = new binding.DCtx();
  return {
    compress: (bytes, level, target, at) =>
      at + compressor.compress(target.subarray(at), bytes, level),
    decompress(bytes, _frames, maxContentBytes) {
      const target = Buffer.allocUnsafeSlow(maxContentBytes);
      const length = decompressor.decompress(target, bytes);
      return trim(target, length);
    },
  };
}

/** A guess of the size must not be pinned by the records: half of it empty is too much. */
function trim(target: Buffer, length: number): Buffer {
  if (length * 2 >= target.length) return target.subarray(0, length);
  const exact = Buffer.allocUnsafeSlow(length);
  target.copy(exact, 0, 0, length);
  return exact;
}

/** The engine in `node:zlib`, since Node 22.15. */
export function nodeEngine(): ZstdEngine | undefined {
  const { zstdCompressSync, zstdDecompressSync, constants } = zlib as unknown as ZlibWithZstd;
  const levelParameter = constants.ZSTD_c_compressionLevel;
  if (!zstdCompressSync || !zstdDecompressSync || levelParameter === undefined) return undefined;
  return {
    compress: (bytes, level, target, at) =>
      put(zstdCompressSync(bytes, { params: { [levelParameter]: level } }), target, at),
    decompress(bytes, frames, maxContentBytes) {
      const parts: Buffer[] = [];
      let room = maxContentBytes;
      for (const frame of frames) {
        if (frame.maxContentBytes === 0) continue;
        const input = bytes.subarray(frame.start, frame.end);
        const part = zstdDecompressSync(input, { maxOutputLength: Math.max(1, room) });
        parts.push(part);
        room -= part.length;
      }
      return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    },
  };
}
