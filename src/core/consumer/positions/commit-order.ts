import type { TopicPartition } from '../../group/index.js';
import { nameOf } from '../errors.js';

/** A commit among others, by the order in which they were made. */
export type CommitNumber = number;

/**
 * Tells what a commit that is made once more leaves out: what it has stored already, and what a later
 * one has, for the group must not go back to an offset that is out of date.
 */
export class CommitOrder {
  private last: CommitNumber = 0;
  private readonly stored = new Map<string, CommitNumber>();

  /** The number of a commit that is made for the first time. */
  next(): CommitNumber {
    return ++this.last;
  }

  noteStored(offsets: readonly TopicPartition[], commit: CommitNumber): void {
    for (const offset of offsets) this.stored.set(nameOf(offset), commit);
  }

  isStillToDo(offset: TopicPartition, commit: CommitNumber): boolean {
    return (this.stored.get(nameOf(offset)) ?? 0) < commit;
  }
}
