import type { AssignedPartition } from '../assigned-partition.js';
import type { ConsumerContext } from '../context.js';
import type { Pipeline } from '../pipeline.js';
import { starvationOf, type Starvation } from './starvation.js';

/** What a {@link StarvationWatch} needs to know of the consumer. */
export interface StarvationHooks {
  readonly partitions: () => readonly AssignedPartition[];
  /** Nothing can be fetched before bytes are given back. */
  readonly isFetchingStarved: () => boolean;
  /** Fetched batches wait for bytes before they are opened. */
  readonly isDeliveryStarved: () => boolean;
}

/** Tells operators that hold records back when nothing more can come, and the lifecycle once. */
export class StarvationWatch {
  private isTold = false;

  constructor(
    private readonly context: ConsumerContext,
    private readonly pipeline: Pipeline,
    private readonly hooks: StarvationHooks,
  ) {}

  /** Records came out. */
  moved(): void {
    this.isTold = false;
  }

  check(): void {
    if (this.isTold || !this.pipeline.holdsBack) return;
    const starvation = this.look();
    if (starvation !== undefined) this.pipeline.starved(starvation);
  }

  /** Why nothing more can come now; `undefined` while more may. */
  look(): Starvation | undefined {
    const { partitions, isFetchingStarved, isDeliveryStarved } = this.hooks;
    const isCommittedOnly = this.context.options.isolationLevel === 'read_committed';
    const starvation = starvationOf(partitions(), isFetchingStarved(), isCommittedOnly);
    if (starvation !== 'exhausted' || this.isTold) return starvation;
    this.isTold = true;
    const isOutOfBytes = isFetchingStarved() || isDeliveryStarved();
    this.context.emit({ type: 'starved', reason: isOutOfBytes ? 'bytes' : 'window' });
    return starvation;
  }
}
