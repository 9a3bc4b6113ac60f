import { parseUuid } from './uuid.js';
import { WireError } from './wire-error.js';

const MIN_SPLICE_BYTES = 1024;
const MAX_INT64 = 2n ** 63n;

/**
 * Writes Kafka's primitive types into a growing buffer and checks every value on the way. Large
 * byte fields are not copied: they become chunks of their own, so that record batches go from the
 * producer's buffer to the socket untouched.
 */
export class Writer {
  private buffer: Buffer;
  private position = 0;
  /** Start of what is in `buffer` but in no chunk yet. */
  private chunkStart = 0;
  private readonly chunks: Uint8Array[] = [];
  private chunkBytes = 0;

  constructor(initialBytes = 512) {
    this.buffer = Buffer.allocUnsafe(initialBytes);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.chunkBytes + this.position - this.chunkStart;
  }

  bool(value: unknown): void {
    if (typeof value !== 'boolean') throw wrongType(value, 'a boolean');
    this.put8(value ? 1 : 0);
  }

  int8(value: unknown): void {
    this.put8(checkInteger(value, -0x80, 0x7f, 'an int8'));
  }

  int16(value: unknown): void {
    this.put16(checkInteger(value, -0x8000, 0x7fff, 'an int16'));
  }

  uint16(value: unknown): void {
    this.put16(checkInteger(value, 0, 0xffff, 'a uint16'));
  }

  int32(value: unknown): void {
    if (typeof value !== 'number' || (value | 0) !== value) throw wrongType(value, 'an int32');
    this.put32(value);
  }

  int64(value: unknown): void {
    if (typeof value === 'number' && Number.isSafeInteger(value)) {
      this.put32(Math.floor(value / 0x1_0000_0000));
      this.put32(value | 0);
      return;
    }
    this.bigint(value);
  }

  bigint(value: unknown): void {
    if (typeof value === 'number' && Number.isSafeInteger(value)) {
      this.int64(value);
      return;
    }
    if (typeof value !== 'bigint' || value < -MAX_INT64 || value >= MAX_INT64) {
      throw wrongType(value, 'an int64, given as a safe integer or a bigint');
    }
    const at = this.reserve(8);
    this.buffer.writeBigInt64BE(value, at);
  }

  float64(value: unknown): void {
    if (typeof value !== 'number') throw wrongType(value, 'a number');
    const at = this.reserve(8);
    this.buffer.writeDoubleBE(value, at);
  }

  uuid(value: unknown): void {
    const bytes = typeof value === 'string' ? parseUuid(value) : undefined;
    if (bytes === undefined) throw wrongType(value, 'a uuid of 22 base64url characters');
    const at = this.reserve(16);
    this.buffer.set(bytes, at);
  }

  uvarint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.put8((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.put8(rest);
  }

  string(value: unknown): void {
    const length = this.stringLength(value);
    this.put16(length);
    this.putString(value as string, length);
  }

  compactString(value: unknown): void {
    const length = this.stringLength(value);
    this.uvarint(length + 1);
    this.putString(value as string, length);
  }

  bytes(value: unknown): void {
    const view = checkBytes(value);
    this.put32(view.length);
    this.putBytes(view);
  }

  compactBytes(value: unknown): void {
    const view = checkBytes(value);
    this.uvarint(view.length + 1);
    this.putBytes(view);
  }

  nullString(): void {
    this.put16(-1);
  }

  /** The null of bytes and arrays in old versions. */
  nullLength(): void {
    this.put32(-1);
  }

  /** The null of strings, bytes and arrays in flexible versions. */
  compactNull(): void {
    this.put8(0);
  }

  /** Checks that the value is an array, writes its length and returns it. */
  count(value: unknown): readonly unknown[] {
    const list = checkArray(value);
    this.put32(list.length);
    return list;
  }

  compactCount(value: unknown): readonly unknown[] {
    const list = checkArray(value);
    this.uvarint(list.length + 1);
    return list;
  }

  /** Starts a section whose size precedes it, as tagged fields have. */
  beginSized(): number {
    this.flushChunk();
    return this.chunkBytes;
  }

  /** Ends what {@link beginSized} started and puts the size in front. */
  endSized(start: number): void {
    this.flushChunk();
    const size = this.chunkBytes - start;
    let bytes = this.chunkBytes;
    let index = this.chunks.length;
    while (bytes > start) bytes -= this.chunks[--index]!.length;
    const prefix = uvarintBytes(size);
    this.chunks.splice(index, 0, prefix);
    this.chunkBytes += prefix.length;
  }

  /** Everything written, in pieces that share memory with what was given. */
  finish(): Uint8Array[] {
    this.flushChunk();
    return this.chunks;
  }

  /** Everything written, in one buffer. */
  toBuffer(): Buffer {
    if (this.chunks.length === 0) return this.buffer.subarray(0, this.position);
    return Buffer.concat(this.finish(), this.chunkBytes);
  }

  private put8(value: number): void {
    // Room first: growing replaces the buffer.
    const at = this.reserve(1);
    this.buffer[at] = value;
  }

  private put16(value: number): void {
    const at = this.reserve(2);
    this.buffer[at] = value >> 8;
    this.buffer[at + 1] = value;
  }

  private put32(value: number): void {
    const at = this.reserve(4);
    const { buffer } = this;
    buffer[at] = value >> 24;
    buffer[at + 1] = value >> 16;
    buffer[at + 2] = value >> 8;
    buffer[at + 3] = value;
  }

  private stringLength(value: unknown): number {
    if (typeof value !== 'string') throw wrongType(value, 'a string');
    const length = Buffer.byteLength(value);
    if (length > 0x7fff) {
      throw new WireError(`has ${length} bytes; a string may have at most 32767`);
    }
    return length;
  }

  private putString(value: string, length: number): void {
    const at = this.reserve(length);
    if (length > 0) this.buffer.write(value, at, length, 'utf8');
  }

  private putBytes(view: Uint8Array): void {
    if (view.length < MIN_SPLICE_BYTES) {
      const at = this.reserve(view.length);
      this.buffer.set(view, at);
      return;
    }
    this.flushChunk();
    this.chunks.push(view);
    this.chunkBytes += view.length;
  }

  private flushChunk(): void {
    if (this.position === this.chunkStart) return;
    this.chunks.push(this.buffer.subarray(this.chunkStart, this.position));
    this.chunkBytes += this.position - this.chunkStart;
    this.chunkStart = this.position;
  }

  private reserve(length: number): number {
    const at = this.position;
    if (at + length > this.buffer.length) return this.grow(length);
    this.position = at + length;
    return at;
  }

  private grow(length: number): number {
    const pending = this.position - this.chunkStart;
    const next = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, pending + length));
    this.buffer.copy(next, 0, this.chunkStart, this.position);
    this.buffer = next;
    this.chunkStart = 0;
    this.position = pending + length;
    return pending;
  }
}

function uvarintBytes(value: number): Uint8Array {
  const writer = new Writer(5);
  writer.uvarint(value);
  return writer.toBuffer();
}

function checkInteger(value: unknown, min: number, max: number, expected: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw wrongType(value, expected);
  }
  return value;
}

function checkBytes(value: unknown): Uint8Array {
  if (!(value instanceof Uint8Array)) throw wrongType(value, 'a Buffer or Uint8Array');
  return value;
}

function checkArray(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw wrongType(value, 'an array');
  return value as readonly unknown[];
}

/** The failure of a value that does not fit its field. */
export function wrongType(value: unknown, expected: string): WireError {
  return new WireError(`must be ${expected} but is ${describe(value)}`);
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'string') return `the string '${value.slice(0, 40)}'`;
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') {
    return `${typeof value} ${value}`;
  }
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return Object.prototype.toString.call(value);
}
