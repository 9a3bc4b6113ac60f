const TWO_32 = 0x1_0000_0000;

export function readInt32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}

export function writeInt32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

export function readInt16(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) >> 16) | bytes[at + 1]!;
}

export function writeInt16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

/** The nearest number: exact up to 2^53. */
export function readInt64(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at) * TWO_32 + (readInt32(bytes, at + 4) >>> 0);
}

export function readBigInt64(bytes: Uint8Array, at: number): bigint {
  const high = BigInt(readInt32(bytes, at));
  return (high << 32n) | BigInt(readInt32(bytes, at + 4) >>> 0);
}

/** A number must be a safe integer. */
export function writeInt64(bytes: Uint8Array, at: number, value: number | bigint): void {
  if (typeof value === 'bigint') {
    writeInt32(bytes, at, Number(BigInt.asIntN(32, value >> 32n)));
    writeInt32(bytes, at + 4, Number(BigInt.asIntN(32, value)));
    return;
  }
  const high = Math.floor(value / TWO_32);
  writeInt32(bytes, at, high);
  writeInt32(bytes, at + 4, value - high * TWO_32);
}
