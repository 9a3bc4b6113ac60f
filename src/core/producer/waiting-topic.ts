import { Queue } from '../util/queue.js';
import type { Accumulator, EncodedRecord } from './accumulator.js';

/** Records for a topic of which it is not yet known where it is. They count as buffered. */
export class WaitingTopic {
  /** Resolves when the records have been released. */
  readonly done: Promise<void>;
  private resolveDone!: () => void;
  private readonly records = new Queue<EncodedRecord>();

  constructor(private readonly accumulator: Accumulator) {
    this.done = new Promise((resolve) => {
      this.resolveDone = resolve;
    });
  }

  add(record: EncodedRecord): void {
    this.accumulator.reserve(heldBytes(record));
    this.records.push({ ...record });
  }

  /** Gives the oldest record up, if it may be: the topic it is for is not known to be anywhere. */
  dropOldest(mayDrop: (record: EncodedRecord) => boolean): boolean {
    const oldest = this.records.peek();
    if (oldest === undefined || !mayDrop(oldest)) return false;
    this.records.shift();
    this.accumulator.reserve(-heldBytes(oldest));
    return true;
  }

  /**
   * Hands every record over, in order, with those that are added on the way.
   *
   * @param to told with each record whether it was added on the way.
   */
  release(to: (record: EncodedRecord, isLate: boolean) => void): void {
    let early = this.records.length;
    for (let next = this.records.shift(); next !== undefined; next = this.records.shift()) {
      this.accumulator.reserve(-heldBytes(next));
      to(next, early-- <= 0);
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
