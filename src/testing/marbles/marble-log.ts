import type { TopicPartition } from '../../core/group/index.js';
import { encodeRecords, type RecordContent } from '../../core/records/index.js';

/** A letter's record, as bytes. */
export interface LetteredContent extends TopicPartition {
  readonly letter: string;
  readonly content: RecordContent;
}

/** Records of one partition that came to be at once. */
export interface LoggedBatch {
  readonly baseOffset: number;
  readonly nextOffset: number;
  readonly bytes: Buffer;
}

/** The log of one partition. It outlives every subscription. */
export class MarbleLog {
  readonly batches: LoggedBatch[] = [];
  private readonly letters: string[] = [];

  constructor(
    readonly topic: string,
    readonly partition: number,
  ) {}

  get endOffset(): number {
    return this.letters.length;
  }

  append(records: readonly LetteredContent[]): LoggedBatch {
    const baseOffset = this.endOffset;
    this.letters.push(...records.map(({ letter }) => letter));
    const bytes = encodeRecords(
      records.map(({ content }) => content),
      { baseOffset },
    );
    const batch = { baseOffset, nextOffset: this.endOffset, bytes };
    this.batches.push(batch);
    return batch;
  }

  /** The letter of the record at an offset. */
  letterAt(offset: number): string {
    const letter = this.letters[offset];
    if (letter === undefined) throw new RangeError(`no record is drawn at offset ${offset}`);
    return letter;
  }
}
