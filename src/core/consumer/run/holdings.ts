import type { TopicPartition } from '../../group/index.js';
import type { AssignedPartition } from '../assigned-partition.js';
import { nameOf } from '../errors.js';

/** The partitions that a run holds, and what became of the records of those that it held before. */
export class Holdings {
  private held: readonly AssignedPartition[] = [];
  private readonly byKey = new Map<string, AssignedPartition>();
  private finishedBefore = 0;
  private left = 0;

  get all(): readonly AssignedPartition[] {
    return this.held;
  }

  /** Records that were acked, since the subscription began. */
  get recordsFinished(): number {
    return this.held.reduce((sum, each) => sum + each.recordsAcked, this.finishedBefore);
  }

  /** Records that were in hand when their partition went. */
  get recordsAbandoned(): number {
    return this.left;
  }

  add(fresh: readonly AssignedPartition[]): void {
    this.held = [...this.held, ...fresh];
    for (const partition of fresh) this.byKey.set(partition.key, partition);
  }

  find(where: TopicPartition): AssignedPartition | undefined {
    return this.byKey.get(nameOf(where));
  }

  /** Those of some partitions that are held. */
  among(partitions: readonly TopicPartition[]): AssignedPartition[] {
    return partitions.flatMap((where) => this.find(where) ?? []);
  }

  /** Whether it is held, and not only another assignment of the same partition. */
  has(partition: AssignedPartition): boolean {
    return this.byKey.get(partition.key) === partition;
  }

  /** Fences and forgets those of partitions that are held; returns how many records were in hand. */
  drop(partitions: readonly AssignedPartition[]): number {
    let inHand = 0;
    const gone = partitions.filter((each) => this.has(each));
    for (const { key } of gone) this.byKey.delete(key);
    this.held = this.held.filter((each) => this.has(each));
    for (const partition of gone) {
      inHand += partition.ledger.inHand;
      partition.drop();
      this.finishedBefore += partition.recordsAcked;
    }
    this.left += inHand;
    return inHand;
  }
}
