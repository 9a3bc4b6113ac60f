import { inspect } from 'node:util';
import type { Header, RecordSource } from './record-source.js';

/**
 * One stored record, read only: a few positions in the memory of its batch. Key, value and headers
 * are cut out when they are asked for, without copying.
 *
 * **Memory** A record, and each Buffer it gives, keeps the whole memory of its batch alive: the
 * frame that was fetched, or the decompressed batch. Keep a {@link Record.copy} instead.
 *
 * @example
 * for (const record of decodeRecords(bytes)) console.log(record.offset, record.value?.toString());
 */
export class Record {
  /** @internal Made by {@link RecordCursor.record}. */
  constructor(
    private readonly source: RecordSource,
    private readonly offsetDelta: number,
    private readonly start: number,
    private readonly keyStart: number,
    private readonly keyLength: number,
    private readonly valueStart: number,
    private readonly valueLength: number,
  ) {}

  /** Position in the partition. */
  get offset(): number {
    return this.source.baseOffset + this.offsetDelta;
  }

  /**
   * Milliseconds since 1970, or -1 when it has none. Beyond 2^53, where some store nanoseconds or
   * worse, it is the nearest number: then see {@link Record.timestampBigInt}.
   */
  get timestamp(): number {
    return this.source.timestamp(this.start);
  }

  /** The timestamp as stored, exactly. */
  get timestampBigInt(): bigint {
    return this.source.timestampBigInt(this.start);
  }

  /** The key: a new view of the same memory at each access. Null when there is none. */
  get key(): Buffer | null {
    return this.source.slice(this.keyStart, this.keyLength);
  }

  /** The value: a new view of the same memory at each access. Null for a tombstone. */
  get value(): Buffer | null {
    return this.source.slice(this.valueStart, this.valueLength);
  }

  /** All headers in order: a new list at each access. Empty before magic 2. */
  get headers(): readonly Header[] {
    return this.source.headers(this.headersStart);
  }

  /** The value of the last header of that name; `undefined` where there is none. */
  header(name: string): Buffer | null | undefined {
    return this.source.header(this.headersStart, name);
  }

  /** How many bytes its key and value have together. */
  get sizeBytes(): number {
    return Math.max(0, this.keyLength) + Math.max(0, this.valueLength);
  }

  /** The same record in memory of its own, so that it does not keep its batch alive. */
  copy(): Record {
    const { start } = this;
    const end = this.source.endOfHeaders(this.headersStart);
    const bytes = Buffer.allocUnsafeSlow(end - start);
    this.source.bytes.copy(bytes, 0, start, end);
    return new Record(
      this.source.over(bytes),
      this.offsetDelta,
      0,
      this.keyStart - start,
      this.keyLength,
      this.valueStart - start,
      this.valueLength,
    );
  }

  /** The fields by value, for logs and tests; JSON shows bytes as Node does. */
  toJSON(): object {
    const { offset, timestamp, key, value, headers } = this;
    return { offset, timestamp, key, value, headers };
  }

  /** @internal What `console.log()` shows. */
  [inspect.custom](): object {
    return this.toJSON();
  }

  private get headersStart(): number {
    return this.valueLength < 0 ? this.valueStart : this.valueStart + this.valueLength;
  }
}
