import type { Clock } from '../util/clock.js';
import type { ConsumerEvent } from './events.js';
import type { GroupForTransactions } from './run/group-for-transactions.js';
import type { Starvation } from './run/starvation.js';

/** What operators may use of the consumer whose records they work on. */
export interface PipelineHost {
  /** The one that their timers run on, too. */
  readonly clock: Clock;
  /** Records are acked when their synchronous delivery returns, unless one was taken over. */
  readonly isAutoAck: boolean;
  /** Records of open transactions are not read. */
  readonly isCommittedOnly: boolean;
  /** Tells what an operator did with a record. */
  readonly emit: (event: ConsumerEvent) => void;
  /** For an operator whose transactions store the offsets; `undefined` without a group. */
  readonly group: GroupForTransactions | undefined;
  /** Why nothing more can come at this moment; `undefined` while something may. */
  readonly starvation: () => Starvation | undefined;
}

/** What an operator that holds records back wants to be told. Called within a delivery: be quick. */
export interface PipelineListener {
  /** Whether it acks or nacks, or has others do so, all it is given without the stream's end. */
  readonly acksByItself?: boolean;
  /**
   * Nothing more can come until something that is held back is let go. What an operator is given
   * later than it was delivered may come after this: then it asks {@link PipelineHost.starvation}.
   *
   * @param reason `'exhausted'` when windows or bytes are used up, `'idle'` when what isn't is at the
   * end of its log.
   */
  onStarved?(reason: Starvation): void;
  /** Partitions are being given up: their records that were not started are to be returned. */
  onDraining?(): void;
  /** Partitions are gone: nothing that is done for their records counts. */
  onLost?(): void;
}

/** An operator whose transactions store the offsets. */
export interface OffsetStore {
  /**
   * Whether the consumer may commit where it stood in a partition that it gives up, when no transaction
   * has stored that: not where another may store offsets of it.
   */
  readonly leavesStarts: boolean;
}

/** The operators that hold back records of one subscription. */
export class Pipeline {
  private readonly listeners = new Set<PipelineListener>();
  /** The subscription has ended: nothing more will be told. */
  isOver = false;
  /** Whose transactions store the offsets: then nothing else stores what they could. */
  storesOffsets: OffsetStore | undefined;

  constructor(readonly host: PipelineHost) {}

  /** Whether somebody wants to know that nothing more can come. */
  get holdsBack(): boolean {
    for (const listener of this.listeners) if (listener.onStarved !== undefined) return true;
    return false;
  }

  /** Whether an operator acks without waiting for the end: then the end can wait for its acks. */
  get acksByItself(): boolean {
    for (const listener of this.listeners) if (listener.acksByItself === true) return true;
    return false;
  }

  /** Returns how to stop listening. */
  listen(listener: PipelineListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  starved(reason: Starvation): void {
    for (const listener of [...this.listeners]) listener.onStarved?.(reason);
  }

  draining(): void {
    for (const listener of [...this.listeners]) listener.onDraining?.();
  }

  lost(): void {
    for (const listener of [...this.listeners]) listener.onLost?.();
  }

  end(): void {
    this.isOver = true;
    this.listeners.clear();
  }
}
