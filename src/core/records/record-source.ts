import { readBigInt64, readInt64 } from './int64.js';
import { readVarint, readVarlong } from './varint.js';

/** A header of a record: its key, and its value, which may be null. Keys may repeat. */
export type Header = readonly [key: string, value: Buffer | null];

/** The view that Node's own slices are; constructing it skips what `Buffer.from` checks. */
const FastBuffer = (Buffer as unknown as Record<symbol, unknown>)[Symbol.species] as new (
  memory: ArrayBufferLike,
  byteOffset: number,
  length: number,
) => Buffer;

const NO_HEADERS: readonly Header[] = Object.freeze([]);

/** Where the records of a source get their timestamps from. */
export type TimestampRule =
  /** The same for all: the broker's clock, or none at all. */
  | { readonly kind: 'fixed'; readonly timestamp: bigint }
  /** Each is a varlong relative to the batch's (magic 2). */
  | { readonly kind: 'delta'; readonly base: bigint }
  /** Each message has its own (magic 1). */
  | { readonly kind: 'own' };

/** How many header names are kept for the next record. */
const MAX_NAMES = 16;

const FIXED = 0;
const DELTA = 1;
const OWN = 2;

/**
 * The memory that the records of one batch lie in, with what they share. Its methods turn the
 * positions that a {@link RecordCursor} found into values; a record object needs to hold no more
 * than this and a few small integers.
 */
export class RecordSource {
  /** The records: decompressed ones, or those in the fetched frame itself. */
  readonly bytes: Buffer;
  /** What the offset deltas of the records add up from. */
  readonly baseOffset: number;
  /** 0, 1 or 2. */
  readonly magic: number;
  private readonly names: string[] = [];
  private readonly memory: ArrayBufferLike;
  private readonly byteOffset: number;
  private readonly timestampKind: number;
  private readonly timestampBase: number;
  private readonly isBaseExact: boolean;

  constructor(
    bytes: Buffer,
    baseOffset: number,
    magic: number,
    private readonly rule: TimestampRule,
  ) {
    this.bytes = bytes;
    this.baseOffset = baseOffset;
    this.magic = magic;
    this.memory = bytes.buffer;
    this.byteOffset = bytes.byteOffset;
    this.timestampKind = rule.kind === 'fixed' ? FIXED : rule.kind === 'delta' ? DELTA : OWN;
    this.timestampBase =
      rule.kind === 'fixed'
        ? Number(rule.timestamp)
        : rule.kind === 'delta'
          ? Number(rule.base)
          : 0;
    this.isBaseExact = Number.isSafeInteger(this.timestampBase);
  }

  /** A view of the bytes from `start`, or null when `length` is negative. */
  slice(start: number, length: number): Buffer | null {
    if (length < 0) return null;
    return new FastBuffer(this.memory, this.byteOffset + start, length);
  }

  /** Milliseconds since 1970 of the record whose fields start here: the nearest number. */
  timestamp(start: number): number {
    if (this.timestampKind === FIXED) return this.timestampBase;
    if (this.timestampKind === OWN) return readInt64(this.bytes, start);
    const delta = readVarlong(this.bytes, start + 1);
    // The sum of two exact numbers is rounded once: it is the nearest.
    if (this.isBaseExact && typeof delta === 'number') return this.timestampBase + delta;
    return Number(this.timestampBigInt(start));
  }

  /** The same, exactly. */
  timestampBigInt(start: number): bigint {
    const { rule } = this;
    switch (rule.kind) {
      case 'fixed':
        return rule.timestamp;
      case 'own':
        return readBigInt64(this.bytes, start);
      case 'delta':
        return BigInt.asIntN(64, rule.base + BigInt(readVarlong(this.bytes, start + 1)));
    }
  }

  /** The headers that start here: a new list each time. */
  headers(start: number): readonly Header[] {
    if (this.magic < 2) return NO_HEADERS;
    const { bytes } = this;
    const count = readVarint(bytes, start);
    if (count === 0) return NO_HEADERS;
    const headers = new Array<Header>(count);
    let at = afterVarint(bytes, start);
    for (let i = 0; i < count; i++) {
      const keyLength = readVarint(bytes, at);
      const keyStart = afterVarint(bytes, at);
      const keyEnd = keyStart + keyLength;
      const valueLength = readVarint(bytes, keyEnd);
      const valueStart = afterVarint(bytes, keyEnd);
      headers[i] = [this.name(i, keyStart, keyLength), this.slice(valueStart, valueLength)];
      at = valueLength < 0 ? valueStart : valueStart + valueLength;
    }
    return headers;
  }

  /** The value of the last header of that name; `undefined` where there is none. */
  header(start: number, name: string): Buffer | null | undefined {
    const headers = this.headers(start);
    for (let i = headers.length - 1; i >= 0; i--) {
      if (headers[i]![0] === name) return headers[i]![1];
    }
    return undefined;
  }

  /** The position after the headers that start here: the end of the record. */
  endOfHeaders(start: number): number {
    if (this.magic < 2) return start;
    const { bytes } = this;
    let at = afterVarint(bytes, start);
    for (let left = readVarint(bytes, start); left > 0; left--) {
      at = afterVarint(bytes, at) + readVarint(bytes, at);
      const valueLength = readVarint(bytes, at);
      at = afterVarint(bytes, at) + Math.max(0, valueLength);
    }
    return at;
  }

  /** The same rules over other memory, which holds a copy of some of the records. */
  over(bytes: Buffer): RecordSource {
    return new RecordSource(bytes, this.baseOffset, this.magic, this.rule);
  }

  /**
   * The name of the header at an index. It is nearly always that of the record before: comparing
   * costs 10 ns, making a string 45.
   */
  private name(index: number, start: number, length: number): string {
    const known = this.names[index];
    if (known?.length === length && isAsciiText(this.bytes, start, known)) return known;
    const name = this.bytes.toString('utf8', start, start + length);
    if (index < MAX_NAMES) this.names[index] = name;
    return name;
  }
}

function isAsciiText(bytes: Uint8Array, start: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const byte = bytes[start + i]!;
    if (byte >= 0x80 || byte !== text.charCodeAt(i)) return false;
  }
  return true;
}

function afterVarint(bytes: Uint8Array, start: number): number {
  let at = start;
  while (bytes[at]! >= 0x80) at++;
  return at + 1;
}
