import { WireError } from './wire-error.js';
import { bytesToUuid } from './uuid.js';

/**
 * Reads Kafka's primitive types from a buffer that may be hostile: every length is checked against
 * what is left before anything is allocated. Strings are copied, bytes are slices.
 */
export class Reader {
  position = 0;
  private readonly end: number;

  constructor(private readonly buffer: Buffer) {
    this.end = buffer.length;
  }

  get remaining(): number {
    return this.end - this.position;
  }

  bool(): boolean {
    return this.buffer[this.take(1)] !== 0;
  }

  int8(): number {
    return (this.buffer[this.take(1)]! << 24) >> 24;
  }

  int16(): number {
    const at = this.take(2);
    return (((this.buffer[at]! << 8) | this.buffer[at + 1]!) << 16) >> 16;
  }

  uint16(): number {
    const at = this.take(2);
    return (this.buffer[at]! << 8) | this.buffer[at + 1]!;
  }

  int32(): number {
    const at = this.take(4);
    const { buffer } = this;
    return (buffer[at]! << 24) | (buffer[at + 1]! << 16) | (buffer[at + 2]! << 8) | buffer[at + 3]!;
  }

  int64(): number {
    const high = this.int32();
    const low = this.int32() >>> 0;
    const value = high * 0x1_0000_0000 + low;
    if (!Number.isSafeInteger(value)) {
      throw new WireError(`an int64 beyond 2^53 can't be a number`, this.position - 8);
    }
    return value;
  }

  bigint(): bigint {
    return this.buffer.readBigInt64BE(this.take(8));
  }

  float64(): number {
    return this.buffer.readDoubleBE(this.take(8));
  }

  uuid(): string {
    return bytesToUuid(this.buffer, this.take(16));
  }

  /** A variable-length unsigned integer of at most 32 bits. */
  uvarint(): number {
    const start = this.position;
    const first = this.buffer[this.take(1)]!;
    if (first < 0x80) return first;
    let value = first & 0x7f;
    for (let shift = 7; shift < 35; shift += 7) {
      const byte = this.buffer[this.take(1)]!;
      if (shift === 28 && byte > 0x0f) break;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw new WireError('a varint has more than 32 bits', start);
  }

  /** The length that precedes a string in old versions: -1 is null. */
  length16(): number {
    return this.checkLength(this.int16(), 1);
  }

  /** The length that precedes bytes in old versions: -1 is null. */
  length32(): number {
    return this.checkLength(this.int32(), 1);
  }

  /** The length in flexible versions: 0 is null, and so given as -1. */
  compactLength(): number {
    return this.checkLength(this.uvarint() - 1, 1);
  }

  /** The count of an array in old versions: -1 is null. */
  count32(elementBytes: number): number {
    return this.checkLength(this.int32(), elementBytes);
  }

  /** The count of an array in flexible versions: 0 is null, and so given as -1. */
  compactCount(elementBytes: number): number {
    return this.checkLength(this.uvarint() - 1, elementBytes);
  }

  stringOf(length: number): string {
    const at = this.take(length);
    return length === 0 ? '' : this.buffer.toString('utf8', at, at + length);
  }

  bytesOf(length: number): Buffer {
    const at = this.take(length);
    return this.buffer.subarray(at, at + length);
  }

  skip(length: number): void {
    this.take(length);
  }

  private take(length: number): number {
    const at = this.position;
    if (length > this.end - at) {
      throw new WireError(`needs ${length} bytes but only ${this.end - at} are left`, at);
    }
    this.position = at + length;
    return at;
  }

  private checkLength(length: number, elementBytes: number): number {
    if (length < -1) throw new WireError(`has a negative length of ${length}`, this.position);
    if (length * elementBytes > this.end - this.position) {
      throw new WireError(
        `claims ${length} elements of at least ${elementBytes} bytes but only ` +
          `${this.end - this.position} are left`,
        this.position,
      );
    }
    return length;
  }
}
