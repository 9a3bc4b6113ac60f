import type { AssignedPartition, PartitionListener, Redelivery } from '../assigned-partition.js';
import type { ConsumerContext } from '../context.js';
import type { Redeliverer } from '../delivering/redeliverer.js';
import type { Pipeline } from '../pipeline.js';
import type { Committer } from '../positions/committer.js';
import type { ConsumerRecord } from '../record/consumer-record.js';
import type { Drainer } from './drainer.js';
import type { Flow } from './flow.js';

/** Who has to hear what became of a record. */
export interface OutcomeParts {
  readonly flow: Pick<Flow, 'wakeDelivery'>;
  readonly drainer: Pick<Drainer, 'check'>;
  readonly redeliverer: Pick<Redeliverer, 'nacked' | 'queue'>;
  /** `undefined` without a group. */
  readonly committer: Pick<Committer, 'acked'> | undefined;
  /** A record came back whose partition is held no more: its pipeline lives. */
  readonly onAckedLate: () => void;
}

/** Sees to it that what becomes of delivered records has its consequences. */
export class RecordOutcomes implements PartitionListener {
  constructor(
    private readonly context: ConsumerContext,
    readonly pipeline: Pipeline,
    private readonly parts: OutcomeParts,
  ) {}

  onAcked(partition: AssignedPartition): void {
    const { committer, flow, drainer } = this.parts;
    committer?.acked(partition);
    if (partition.hasRecords) flow.wakeDelivery(partition);
    if (partition.isDraining) drainer.check();
    // Not at once: whoever acks within its delivery has not passed the record on yet.
    else if (partition.position >= partition.endOffset) flow.wakeDelivery(partition);
  }

  onAckedLate(): void {
    this.parts.onAckedLate();
  }

  onNacked(partition: AssignedPartition, redelivery: Redelivery, reason: unknown): void {
    const { redeliverer, drainer } = this.parts;
    if (!partition.isDraining) {
      redeliverer.nacked(partition, redelivery, reason);
      return;
    }
    this.onFailedUnheard(redelivery.record, reason);
    drainer.check();
  }

  onReturned(partition: AssignedPartition, redelivery: Redelivery): void {
    const { redeliverer, drainer } = this.parts;
    if (partition.isDraining) drainer.check();
    else redeliverer.queue(partition, redelivery, 0);
  }

  onFailedUnheard(record: ConsumerRecord<unknown, unknown>, reason: unknown): void {
    const { topic, partition, offset, attempt } = record;
    this.context.emit({ type: 'record-failed', topic, partition, offset, attempt, reason });
  }
}
