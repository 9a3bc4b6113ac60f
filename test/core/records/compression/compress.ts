import type { Codec } from '../../../../src/core/records/compression/codec.js';

const AROUND = 3;

/** What a codec makes of bytes, in the middle of memory that has just the room that it asks for. */
export function compress(
  codec: Codec,
  bytes: Uint8Array,
  level = codec.levels?.default ?? 0,
): Buffer {
  const room = AROUND + codec.maxCompressedBytes(bytes.length);
  const memory = Buffer.alloc(room + AROUND, 0xee);
  const end = codec.compress(bytes, level, memory.subarray(0, room), AROUND);
  const outside = Buffer.concat([memory.subarray(0, AROUND), memory.subarray(room)]);
  if (!outside.equals(Buffer.alloc(2 * AROUND, 0xee))) throw new Error('wrote outside of its room');
  return memory.subarray(AROUND, end);
}
