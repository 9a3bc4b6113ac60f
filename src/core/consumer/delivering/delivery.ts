import type { Origin, RecordSource } from '../../records/index.js';
import type { MemoryLease } from '../fetching/byte-budget.js';
import type { ConsumerRecord } from '../record/consumer-record.js';
import type { Ledger } from '../ledger.js';
import type { Pipeline } from '../pipeline.js';

/** Whom the records of a partition report to. */
export interface DeliveryOwner {
  readonly topic: string;
  readonly partition: number;
  /** Aborts when the partition is taken away, or given up with work in hand. */
  readonly signal: AbortSignal;
  /** A record was acked, for the first time and in time. */
  acked(ledger: Ledger): void;
  /** An ack, or a nack, that came too late: the epoch is over. */
  ackedLate(): void;
  nacked(record: ConsumerRecord<unknown, unknown>, sequence: number, reason: unknown): void;
  /** Work on a record failed when the stream could not be told any more. */
  failedUnheard(record: ConsumerRecord<unknown, unknown>, reason: unknown): void;
  /** Whether a record was nacked and has not come again yet. */
  isAwaited(offset: number): boolean;
  /** Calls back where one that is awaited won't come again: it was taken care of, or given up. */
  onGivenUp(offset: number, callback: () => void): () => void;
  /** A record that nobody has started to work on came back. */
  returned(record: ConsumerRecord<unknown, unknown>, sequence: number): void;
  /** Nothing more of it is delivered. */
  readonly isDraining: boolean;
  /** Being given up, or gone: work that was not started is to be returned. */
  readonly isLeaving: boolean;
  /** The offset after what was delivered. */
  readonly position: number;
  /** Up to where consumers may read; -1 when unknown. */
  endOfLog(isCommittedOnly: boolean): number;
  /** Whom operators that hold records back listen to. */
  readonly pipeline: Pipeline;
  /** Every record of a batch is acked. */
  finished(delivery: Delivery): void;
}

/** Where a record lies, and where its outcome goes. */
export interface RecordHome {
  readonly topic: string;
  readonly partition: number;
  readonly owner: DeliveryOwner;
  readonly ledger: Ledger;
  readonly source: RecordSource;
  readonly leaderEpoch: number;
  readonly signal: AbortSignal;
  /** Whether its records are parts of others, which are settled when all of their parts are. */
  readonly isPart: boolean;
  ack(sequence: number): void;
  /** @returns whether that very record is to be delivered again, here or to its next owner. */
  nack(record: ConsumerRecord<unknown, unknown>, sequence: number, reason: unknown): boolean;
  return(record: ConsumerRecord<unknown, unknown>, sequence: number): void;
  /** What a result of the record reports to. */
  originFor(record: ConsumerRecord<unknown, unknown>): Origin;
}

/**
 * What the records of one opened batch share: where they lie, and where their acks go. Holds the
 * memory until all of them are acked.
 */
export class Delivery implements RecordHome {
  readonly isPart = false;
  private unacked = 0;
  private isWhole = false;
  private isReleased = false;

  constructor(
    readonly owner: DeliveryOwner,
    readonly ledger: Ledger,
    readonly source: RecordSource,
    readonly leaderEpoch: number,
    private readonly memory: MemoryLease,
  ) {}

  get topic(): string {
    return this.owner.topic;
  }

  get partition(): number {
    return this.owner.partition;
  }

  get signal(): AbortSignal {
    // The owner may be in its next epoch by now.
    return this.ledger.isFenced ? AbortSignal.abort() : this.owner.signal;
  }

  /** One more record of the batch is out. */
  delivered(): void {
    this.unacked++;
  }

  /** No more records of the batch will be delivered. */
  complete(): void {
    this.isWhole = true;
    if (this.unacked === 0) this.release();
  }

  ack(sequence: number): void {
    const { ledger } = this;
    if (!ledger.ack(sequence)) {
      if (ledger.isFenced) this.owner.ackedLate();
      return;
    }
    if (--this.unacked === 0 && this.isWhole) this.release();
    this.owner.acked(ledger);
  }

  nack(record: ConsumerRecord<unknown, unknown>, sequence: number, reason: unknown): boolean {
    if (!this.ledger.nack(sequence)) {
      if (this.ledger.isFenced) this.owner.ackedLate();
      return false;
    }
    this.owner.nacked(record, sequence, reason);
    return true;
  }

  return(record: ConsumerRecord<unknown, unknown>, sequence: number): void {
    if (this.ledger.nack(sequence)) this.owner.returned(record, sequence);
  }

  originFor(record: ConsumerRecord<unknown, unknown>): Origin {
    return record;
  }

  /** Lets go of the memory: all is acked, or nothing of it counts any more. */
  release(): void {
    if (this.isReleased) return;
    this.isReleased = true;
    this.memory.release();
    this.owner.finished(this);
  }
}
