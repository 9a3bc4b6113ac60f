/** The most bytes a 64-bit varint takes. */
export const MAX_VARLONG_BYTES = 10;

const SAFE_VARLONG_BYTES = 7;

export function isInt32(value: number): boolean {
  return value === (value | 0);
}

/** How many bytes the zigzag varint of a 32-bit integer takes. */
export function varintSize(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  if (zigzag < 0x80) return 1;
  if (zigzag < 0x4000) return 2;
  if (zigzag < 0x20_0000) return 3;
  return zigzag < 0x1000_0000 ? 4 : 5;
}

/** Returns the position after it. */
export function writeVarint(bytes: Uint8Array, start: number, value: number): number {
  let zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  if (zigzag < 0x80) {
    bytes[start] = zigzag;
    return start + 1;
  }
  if (zigzag < 0x4000) {
    bytes[start] = zigzag | 0x80;
    bytes[start + 1] = zigzag >>> 7;
    return start + 2;
  }
  let at = start;
  while (zigzag >= 0x80) {
    bytes[at++] = zigzag | 0x80;
    zigzag >>>= 7;
  }
  bytes[at++] = zigzag;
  return at;
}

/** As {@link varintSize} for a safe integer or a bigint of 64 bits. */
export function varlongSize(value: number | bigint): number {
  if (typeof value === 'number' && isInt32(value)) return varintSize(value);
  let zigzag = toZigzag(value);
  let size = 1;
  while (zigzag >= 0x80n) {
    zigzag >>= 7n;
    size++;
  }
  return size;
}

/** Returns the position after it. */
export function writeVarlong(bytes: Uint8Array, start: number, value: number | bigint): number {
  if (typeof value === 'number' && isInt32(value)) return writeVarint(bytes, start, value);
  let at = start;
  let zigzag = toZigzag(value);
  while (zigzag >= 0x80n) {
    bytes[at++] = Number(zigzag & 0x7fn) | 0x80;
    zigzag >>= 7n;
  }
  bytes[at++] = Number(zigzag);
  return at;
}

function toZigzag(value: number | bigint): bigint {
  const wide = BigInt(value);
  return BigInt.asUintN(64, (wide << 1n) ^ (wide >> 63n));
}

/**
 * The position after the varint that starts here, or -1 when it does not end within `maxBytes`.
 */
export function skipVarint(bytes: Uint8Array, start: number, maxBytes: number): number {
  for (let at = start; at < start + maxBytes; at++) {
    if (bytes[at]! < 0x80) return at + 1;
  }
  return -1;
}

/** Reads a varint of up to 5 bytes that is known to end. */
export function readVarint(bytes: Uint8Array, start: number): number {
  let at = start;
  let byte = bytes[at++]!;
  let zigzag = byte & 0x7f;
  for (let shift = 7; byte >= 0x80 && shift < 35; shift += 7) {
    byte = bytes[at++]!;
    zigzag |= (byte & 0x7f) << shift;
  }
  return (zigzag >>> 1) ^ -(zigzag & 1);
}

/** Reads a varint of up to 10 bytes that is known to end: a number as long as that is exact. */
export function readVarlong(bytes: Uint8Array, start: number): number | bigint {
  const first = bytes[start]!;
  if (first < 0x80) return (first >>> 1) ^ -(first & 1);
  const second = bytes[start + 1]!;
  if (second < 0x80) {
    const zigzag = (first & 0x7f) | (second << 7);
    return (zigzag >>> 1) ^ -(zigzag & 1);
  }
  const size = skipVarint(bytes, start, MAX_VARLONG_BYTES) - start;
  return size <= SAFE_VARLONG_BYTES
    ? readSafeVarlong(bytes, start, size)
    : readBigVarlong(bytes, start, size);
}

function readSafeVarlong(bytes: Uint8Array, start: number, size: number): number {
  let zigzag = 0;
  for (let i = size - 1; i >= 0; i--) zigzag = zigzag * 0x80 + (bytes[start + i]! & 0x7f);
  return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
}

function readBigVarlong(bytes: Uint8Array, start: number, size: number): bigint {
  let zigzag = 0n;
  for (let i = size - 1; i >= 0; i--) zigzag = (zigzag << 7n) | BigInt(bytes[start + i]! & 0x7f);
  zigzag = BigInt.asUintN(64, zigzag);
  return (zigzag >> 1n) ^ -(zigzag & 1n);
}
