import { Queue } from '../util/queue.js';
import type { Batch } from './batch.js';
import type { PartitionSequences } from './sequences.js';

/** What waits for one partition and what is on the way to it. */
export class PartitionQueue {
  readonly name: string;
  /** The batch that takes new records. */
  open: Batch | undefined;
  /** Batches to be sent before the open one: full ones, and ones to be sent again, in order. */
  private sealed = new Queue<Batch>();
  /** On the wire, in the order of their sequences. */
  readonly inFlight: Batch[] = [];
  /** Numbering, once an idempotent producer has sent to the partition. */
  sequences: PartitionSequences | undefined;
  /** On the producer's monotonic clock: nothing is repeated before. */
  retryAt = 0;
  /** Since when a batch is ready that the leader doesn't take; 0 when none is. */
  stuckSince = 0;

  constructor(
    readonly topic: string,
    readonly partition: number,
  ) {
    this.name = `${topic}-${partition}`;
  }

  get isEmpty(): boolean {
    return this.open === undefined && this.sealed.length === 0 && this.inFlight.length === 0;
  }

  get queuedBatches(): number {
    return this.sealed.length + (this.open === undefined ? 0 : 1);
  }

  get hasSealed(): boolean {
    return this.sealed.length > 0;
  }

  /** The next batch to send, left where it is. */
  peek(): Batch | undefined {
    return this.sealed.peek() ?? this.open;
  }

  /** The oldest that is not settled: what is to be sent again may be older than what is on the way. */
  get oldest(): Batch | undefined {
    const queued = this.peek();
    for (const batch of this.inFlight) {
      if (batch.isSettled) continue;
      return queued === undefined || batch.order < queued.order ? batch : queued;
    }
    return queued;
  }

  /** Takes the next batch to send. */
  take(): Batch | undefined {
    const batch = this.sealed.shift() ?? this.open;
    if (batch === this.open) this.open = undefined;
    return batch;
  }

  /** Closes the open batch to new records. */
  seal(): void {
    if (this.open === undefined) return;
    this.sealed.push(this.open);
    this.open = undefined;
  }

  /** Puts batches back that are to be sent again, where their sequences belong. */
  putBack(batches: readonly Batch[]): void {
    const waiting = [...this.sealed];
    this.sealed = new Queue<Batch>();
    for (const batch of [...batches, ...waiting].sort(bySequence)) this.sealed.push(batch);
  }

  /** Every batch that is not settled, in the order of its records. */
  *all(): IterableIterator<Batch> {
    yield* this.inFlight;
    yield* this.sealed;
    if (this.open !== undefined) yield this.open;
  }

  /** Forgets a batch, wherever it is. */
  remove(batch: Batch): void {
    if (batch === this.open) this.open = undefined;
    const index = this.inFlight.indexOf(batch);
    if (index >= 0) this.inFlight.splice(index, 1);
    if (this.sealed.length > 0) this.removeSealed(batch);
    if (this.queuedBatches === 0) this.stuckSince = 0;
  }

  private removeSealed(batch: Batch): void {
    const rest = [...this.sealed].filter((other) => other !== batch);
    if (rest.length === this.sealed.length) return;
    this.sealed = new Queue<Batch>();
    for (const other of rest) this.sealed.push(other);
  }
}

/** Order of creation: what was numbered first was created first, and numbers wrap around. */
function bySequence(a: Batch, b: Batch): number {
  return a.order - b.order;
}
