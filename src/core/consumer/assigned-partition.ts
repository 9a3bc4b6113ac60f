import type { RecordBatch, RecordCursor } from '../records/index.js';
import type { ConsumerRecord } from './record/consumer-record.js';
import type { Delivery } from './delivering/delivery.js';
import { type DeliveryOwner } from './delivering/delivery.js';
import { LazyAbort } from '../util/lazy-abort.js';
import { Ledger } from './ledger.js';
import { PartitionBuffer } from './fetching/partition-buffer.js';
import type { Pipeline } from './pipeline.js';

/** Where records go: a Subscriber of RxJS has this shape. */
export interface Outlet {
  readonly closed: boolean;
  next(record: ConsumerRecord<unknown, unknown>): void;
}

/** What an {@link AssignedPartition} reports to the consumer it belongs to. */
export interface PartitionListener {
  /** Records were acked, so there may be room, something to commit, or the end of a drain. */
  onAcked(partition: AssignedPartition): void;
  onAckedLate(): void;
  onNacked(partition: AssignedPartition, redelivery: Redelivery, reason: unknown): void;
  onReturned(partition: AssignedPartition, redelivery: Redelivery): void;
  onFailedUnheard(record: ConsumerRecord<unknown, unknown>, reason: unknown): void;
  readonly pipeline: Pipeline;
}

/** A nacked record, before its next delivery. */
export interface Redelivery {
  readonly record: ConsumerRecord<unknown, unknown>;
  readonly sequence: number;
  dueAt: number;
}

/** An opened batch that records are being taken from. */
export interface OpenBatch {
  readonly batch: RecordBatch;
  readonly cursor: RecordCursor;
  readonly delivery: Delivery;
}

/** What a partition waits for before it can be fetched. */
export type PartitionPhase =
  /** Nobody has looked yet where to begin. */
  | 'new'
  /** Somebody is finding out. */
  | 'resolving'
  /** The log may have been cut off: the leader is asked (KIP-320). */
  | 'validating'
  | 'active'
  /** Failed for good; the stream ends with its error. */
  | 'failed';

const NO_RECORDS = new Ledger(1, 0);
NO_RECORDS.fence();

/**
 * One partition while it is assigned: where it stands, what was fetched, what was delivered. A new
 * epoch (seek, reset, truncation) replaces the ledger, which fences everything of the old one.
 */
export class AssignedPartition implements DeliveryOwner {
  readonly key: string;
  readonly buffer = new PartitionBuffer();
  phase: PartitionPhase = 'new';
  /** Until the position is known there is nothing to account for. */
  ledger = NO_RECORDS;
  /** The offset to fetch from next: after everything that was fetched. */
  fetchOffset = 0;
  /** Of the last batch that was fetched. */
  lastFetchedEpoch = -1;
  /** The leader's epoch that the position was checked against. */
  validatedEpoch = -1;
  /** Last offset that the broker has told of as replicated, plus one; -1 when unknown. */
  highWatermark = -1;
  lastStableOffset = -1;
  logStartOffset = -1;
  /** What the group has stored of this log, as far as known. */
  committedOffset: number | undefined;
  /** There may be something to commit that is not committed yet. */
  hasNews = false;
  /** Delivery ends before this offset. */
  endOffset = Infinity;
  /** Nothing is fetched before, after a failure. */
  retryAt = 0;
  /** Bytes that were asked for last. */
  askedBytes = 0;
  /** Fetches in a row that its broker has refused. */
  failures = 0;
  /** Of the topic when the position was found: another one under that name has another. */
  topicId = '';
  /** Bytes to ask for, where a batch is larger than usual (before KIP-74). */
  wantedBytes = 0;
  /** A follower to read from, until then (KIP-392). */
  preferredReplica = { node: -1, until: 0 };
  /** The fetch on the way for it; the answer to any other is out of date. */
  fetch: object | undefined;
  /** The search on the way for its position; what any other finds is out of date. */
  resolution: object | undefined;
  isPaused = false;
  /** Nothing more is delivered: it is being given up, or whoever subscribed has had enough. */
  isDraining = false;
  /** It is being given up, or gone: operators were told to return what was not started. */
  isLeaving = false;
  /** A deserializer is at work on the next record. */
  isDecoding = false;
  /** It waits for its turn to deliver. */
  hasTurn = false;
  /** Its next batch is not opened before bytes are given back. */
  awaitsBytes = false;
  isCaughtUp = false;
  /** How often something was delivered: tells whether its pipeline moves. */
  moves = 0;
  outlet: Outlet | undefined;
  /** False while nobody could take its records: they would only use up memory that others need. */
  isWanted = true;
  /** False where nothing is fetched while something is at hand. */
  fetchesAhead = true;
  /** What the delivery of a record has to wait for; `undefined` where that is nothing. */
  hold: ((record: ConsumerRecord<unknown, unknown>) => Promise<void> | undefined) | undefined;
  open: OpenBatch | undefined;
  /** A record that was decoded while nothing could be delivered. */
  decoded: ConsumerRecord<unknown, unknown> | undefined;
  /** In the order in which they are due. */
  redeliveries: Redelivery[] = [];
  private readonly deliveries = new Set<Delivery>();
  /** Nacked records that are to come again, by their offsets, with who waits for them. */
  private readonly awaited = new Map<number, Set<() => void>>();
  private abort = new LazyAbort();
  private ackedBefore = 0;

  constructor(
    readonly topic: string,
    readonly partition: number,
    private readonly window: number,
    private readonly listener: PartitionListener,
  ) {
    this.key = `${topic}-${partition}`;
  }

  /** The offset of the next record to be delivered; -1 until it is known. */
  get position(): number {
    return this.ledger === NO_RECORDS ? -1 : this.ledger.position;
  }

  get hasPosition(): boolean {
    return this.ledger !== NO_RECORDS;
  }

  /** Whether anything is at hand that could be delivered, if the window allows. */
  get hasRecords(): boolean {
    return (
      this.open !== undefined || this.buffer.current !== undefined || this.decoded !== undefined
    );
  }

  /** Whether batches of it are open that not all is acked of. */
  get holdsMemory(): boolean {
    return this.deliveries.size > 0;
  }

  /** Nobody is at work on a record of it, or what comes of that counts for nothing. */
  get isDrained(): boolean {
    return this.ledger.isFenced || this.ledger.inHand === 0;
  }

  /** Delivered records that were acked, over all epochs. */
  get recordsAcked(): number {
    return this.ackedBefore + (this.ledger.isFenced ? 0 : this.ledger.ackedCount);
  }

  get signal(): AbortSignal {
    return this.abort.signal;
  }

  /** The offset up to which consumers may read: the last stable one under read_committed. */
  endOfLog(isCommittedOnly: boolean): number {
    return isCommittedOnly && this.lastStableOffset >= 0
      ? this.lastStableOffset
      : this.highWatermark;
  }

  /** Begins at an offset, fencing what was before. */
  begin(offset: number, leaderEpoch: number): void {
    this.endEpoch();
    this.ledger = new Ledger(this.window, offset, leaderEpoch);
    this.abort = new LazyAbort();
    this.fetchOffset = offset;
    this.lastFetchedEpoch = leaderEpoch;
    this.isCaughtUp = false;
    this.retryAt = 0;
    this.failures = 0;
    this.wantedBytes = 0;
    this.phase = 'active';
  }

  /** Waits for a position once more. */
  forgetPosition(): void {
    this.endEpoch();
    this.ledger = NO_RECORDS;
    this.phase = 'new';
  }

  /** Drops what was fetched and not delivered. */
  dropUndelivered(): void {
    this.decoded = undefined;
    this.isDecoding = false;
    this.closeBatch();
    this.buffer.clear();
    this.fetchOffset = this.ledger.position;
    this.lastFetchedEpoch = this.ledger.positionEpoch;
    this.fetch = undefined;
  }

  /** Begins to be given up. */
  leave(): void {
    this.isLeaving = true;
    this.stopDelivery();
  }

  /** Is gone: as before, but whatever is still done for it counts for nothing. */
  drop(): void {
    this.isLeaving = true;
    this.isDraining = true;
    this.endEpoch();
  }

  /** Delivers nothing more. */
  stopDelivery(): void {
    this.isDraining = true;
    this.dropUndelivered();
    this.giveUpRedeliveries();
  }

  isAwaited(offset: number): boolean {
    return this.awaited.has(offset);
  }

  onGivenUp(offset: number, callback: () => void): () => void {
    const waiting = this.awaited.get(offset);
    waiting?.add(callback);
    return () => void waiting?.delete(callback);
  }

  /** A nacked record comes again: nobody has to be told. */
  comesAgain(offset: number): void {
    if (this.awaited.size > 0) this.awaited.delete(offset);
  }

  /** A nacked record won't come again. */
  giveUpRedelivery(offset: number): void {
    const waiting = this.awaited.get(offset) ?? [];
    this.awaited.delete(offset);
    for (const tell of waiting) tell();
  }

  /** Fences: late acks count as nothing, their work is told to stop, memory is given back. */
  endEpoch(): void {
    if (!this.ledger.isFenced) this.ackedBefore += this.ledger.ackedCount;
    this.ledger.fence();
    this.decoded = undefined;
    this.isDecoding = false;
    this.awaitsBytes = false;
    this.redeliveries = [];
    this.giveUpRedeliveries();
    this.resolution = undefined;
    this.closeBatch();
    this.buffer.clear();
    this.fetch = undefined;
    for (const delivery of [...this.deliveries]) delivery.release();
    this.abortWork();
  }

  /** Tells those at work on records that it is pointless now, also those that ask later. */
  abortWork(): void {
    this.abort.abort();
  }

  /** Opens a batch for delivery. */
  openBatch(batch: RecordBatch, cursor: RecordCursor, delivery: Delivery): OpenBatch {
    this.deliveries.add(delivery);
    return (this.open = { batch, cursor, delivery });
  }

  /** Everything of the open batch was delivered, or will not be. */
  closeBatch(): void {
    const { open } = this;
    this.open = undefined;
    open?.delivery.complete();
  }

  acked(ledger: Ledger): void {
    if (ledger === this.ledger) this.listener.onAcked(this);
  }

  nacked(record: ConsumerRecord<unknown, unknown>, sequence: number, reason: unknown): void {
    if (!this.isDraining) this.awaited.set(record.offset, new Set());
    this.listener.onNacked(this, { record, sequence, dueAt: 0 }, reason);
  }

  ackedLate(): void {
    this.listener.onAckedLate();
  }

  returned(record: ConsumerRecord<unknown, unknown>, sequence: number): void {
    this.listener.onReturned(this, { record, sequence, dueAt: 0 });
  }

  failedUnheard(record: ConsumerRecord<unknown, unknown>, reason: unknown): void {
    this.listener.onFailedUnheard(record, reason);
  }

  get pipeline(): Pipeline {
    return this.listener.pipeline;
  }

  finished(delivery: Delivery): void {
    this.deliveries.delete(delivery);
  }

  private giveUpRedeliveries(): void {
    for (const offset of [...this.awaited.keys()]) this.giveUpRedelivery(offset);
  }
}
