import type { Cancel } from '../../util/clock.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { ConsumerContext } from '../context.js';
import type { Pipeline } from '../pipeline.js';

/** What a {@link BoundedEnd} needs to know of the consumer, and tells it. */
export interface BoundedEndHooks {
  readonly partitions: () => readonly AssignedPartition[];
  /** All that was wanted has been delivered. */
  readonly onOver: () => void;
}

/**
 * Tells when a bounded stream is over: by position, for the last records may be markers, or compacted
 * away. What was nacked is delivered again first, and what operators will ack by themselves is
 * awaited, since it may be nacked yet: nothing can be delivered again once the stream has completed.
 */
export class BoundedEnd {
  private cancel: Cancel | undefined;

  constructor(
    private readonly context: Pick<ConsumerContext, 'clock' | 'options'>,
    private readonly pipeline: Pipeline,
    private readonly hooks: BoundedEndHooks,
  ) {}

  /** To be called when positions have moved, or records were acked or nacked. */
  check(): void {
    const partitions = this.hooks.partitions();
    if (!partitions.every(isDelivered)) return;
    const isAcked = partitions.every(({ ledger }) => ledger.unacked === 0);
    if (isAcked || !this.pipeline.acksByItself) this.hooks.onOver();
    else this.awaitAcks();
  }

  stop(): void {
    this.cancel?.();
  }

  /** What another operator has dropped is never acked: so waits only while others are. */
  private awaitAcks(): void {
    if (this.cancel !== undefined) return;
    const { clock, options } = this.context;
    const before = this.countAcked();
    this.cancel = clock.schedule(options.drainTimeoutMs, () => {
      this.cancel = undefined;
      if (this.countAcked() === before) this.hooks.onOver();
      else this.check();
    });
  }

  private countAcked(): number {
    return this.hooks.partitions().reduce((sum, { recordsAcked }) => sum + recordsAcked, 0);
  }
}

function isDelivered({ position, endOffset, ledger }: AssignedPartition): boolean {
  return position >= endOffset && ledger.awaitingRedelivery === 0;
}
