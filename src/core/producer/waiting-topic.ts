import { Queue } from '../util/queue.js';
import type { Accumulator, EncodedRecord } from './accumulator.js';

/** Records for a topic of which it is not yet known where it is. They count as buffered. */
export class WaitingTopic {
  /** Resolves when the records have been released. */
  readonly done: Promise<void>;
  private resolveDone!: () => void;
  private readonly records = new Queue<EncodedRecord>();
  private bytes = 0;

  constructor(private readonly accumulator: Accumulator) {
    this.done = new Promise((resolve) => {
      this.resolveDone = resolve;
    });
  }

  add(record: EncodedRecord): void {
    const bytes = heldBytes(record);
    this.bytes += bytes;
    this.accumulator.reserve(bytes);
    this.records.push({ ...record });
  }

  /** Gives the oldest record up, if it may be: the topic it is for is not known to be anywhere. */
  dropOldest(mayDrop: (record: EncodedRecord) => boolean): boolean {
    const oldest = this.records.peek();
    if (oldest === undefined || !mayDrop(oldest)) return false;
    this.records.shift();
    const bytes = heldBytes(oldest);
    this.bytes -= bytes;
    this.accumulator.reserve(-bytes);
    return true;
  }

  /** Hands every record over, in order. */
  release(to: (record: EncodedRecord) => void): void {
    this.accumulator.reserve(-this.bytes);
    this.bytes = 0;
    for (let next = this.records.shift(); next !== undefined; next = this.records.shift()) {
      to(next);
    }
    this.resolveDone();
  }
}

function heldBytes({ key, value, headers, submitter }: EncodedRecord): number {
  let bytes = lengthOf(key) + lengthOf(value);
  for (const [name, part] of headers) bytes += name.length + lengthOf(part);
  return bytes + submitter.heldBytes(bytes);
}

function lengthOf(bytes: EncodedRecord['key']): number {
  return bytes === null ? 0 : bytes.length;
}
