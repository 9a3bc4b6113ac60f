import type { Subscriber } from 'rxjs';
import {
  AssignedPartition,
  type PartitionListener,
  type Redelivery,
} from '../../core/consumer/assigned-partition.js';
import { BoundedEnd } from '../../core/consumer/run/bounded-end.js';
import { ByteBudget } from '../../core/consumer/fetching/byte-budget.js';
import { UserCallbacks } from '../../core/consumer/callbacks.js';
import type { ConsumerRecord } from '../../core/consumer/record/consumer-record.js';
import type { ConsumerContext } from '../../core/consumer/context.js';
import type { Decoder } from '../../core/consumer/delivering/decoder.js';
import {
  Deliverer,
  type DeliveryHooks,
  type Remedy,
} from '../../core/consumer/delivering/deliverer.js';
import { FetchedChunk } from '../../core/consumer/fetching/fetched-chunk.js';
import { Pipeline } from '../../core/consumer/pipeline.js';
import { Redeliverer } from '../../core/consumer/delivering/redeliverer.js';
import { starvationOf, type Starvation } from '../../core/consumer/run/starvation.js';
import { plainPartition } from '../../core/group/index.js';
import { DrainWaits } from './drain-wait.js';
import { rememberLog } from './letters.js';
import type { LoggedBatch, MarbleLog } from './marble-log.js';
import { watchLedger } from './watched-ledger.js';

type AnyRecord = ConsumerRecord<unknown, unknown>;

/** Why a subscription ends. */
export type RunEnd =
  | { readonly reason: 'unsubscribed' | 'completed' | 'drained' }
  | { readonly reason: 'failed'; readonly error: unknown };

/** Whose records wait for their time, each before it is delivered. */
export interface HeldPartitions {
  attach(partition: AssignedPartition): void;
  detach(partition: AssignedPartition): void;
}

/** Where a subscription reads from and commits to, and who is told what happens to its records. */
export interface RunHost {
  readonly context: Pick<ConsumerContext, 'clock' | 'options' | 'emit'>;
  readonly decoder: Decoder;
  readonly held: HeldPartitions;
  /** Everything that will ever be written has been. */
  readonly isEnded: boolean;
  committedOf(log: MarbleLog): number;
  /** False when the commit fails. */
  commit(log: MarbleLog, offset: number): boolean;
  onDelivered(log: MarbleLog, offset: number): void;
  onAcked(log: MarbleLog, offset: number): void;
  onAckedLate(log: MarbleLog, offset: number): void;
  onNacked(log: MarbleLog, offset: number): void;
  onReturned(log: MarbleLog, offset: number): void;
  /** Nothing that was delivered of it counts any more. */
  onDropped(log: MarbleLog): void;
  onOver(run: MarbleRun): void;
}

/**
 * One subscription in virtual time: the consumer's own ledger, delivery and redelivery, with fetches,
 * membership and commits that take no time. What a consumer awaits with promises happens here in the
 * same frame, so that it can be drawn.
 */
export class MarbleRun implements PartitionListener, DeliveryHooks {
  readonly pipeline: Pipeline;
  private readonly logs = new Map<AssignedPartition, MarbleLog>();
  private readonly budget = new ByteBudget(Number.MAX_SAFE_INTEGER, () => undefined);
  private readonly deliverer: Deliverer;
  private readonly redeliverer: Redeliverer;
  private readonly boundedEnd: BoundedEnd;
  private readonly waits: DrainWaits;
  private ending: RunEnd | undefined;
  private isStarved = false;
  private finishedBefore = 0;
  private abandoned = 0;

  constructor(
    private readonly host: RunHost,
    private readonly subscriber: Subscriber<AnyRecord>,
  ) {
    const { clock, options, emit } = host.context;
    const isAutoAck = options.ack === 'auto';
    this.pipeline = new Pipeline({
      clock,
      isAutoAck,
      isCommittedOnly: false,
      emit,
      group: undefined,
      starvation: () => this.starvation(),
    });
    this.waits = new DrainWaits(clock);
    const callbacks = new UserCallbacks((error) => this.end({ reason: 'failed', error }));
    const partitions = () => this.list;
    const settings = {
      isAutoAck,
      maxPollRecords: options.maxPollRecords,
      open: { checkCrcs: true },
      soon: (task: () => void) => void clock.schedule(0, task),
    };
    this.deliverer = new Deliverer(clock, this.budget, partitions, host.decoder, settings, this);
    this.redeliverer = new Redeliverer(host.context, callbacks, {
      partitions,
      onDue: () => this.deliverer.wake(),
      onFatal: (error) => this.end({ reason: 'failed', error }),
    });
    this.boundedEnd = new BoundedEnd(host.context, this.pipeline, {
      partitions,
      onOver: () => this.end({ reason: 'completed' }),
    });
  }

  get list(): AssignedPartition[] {
    return [...this.logs.keys()];
  }

  get isEnding(): boolean {
    return this.ending !== undefined;
  }

  /** The partition of a log, while it is held. */
  find(log: MarbleLog): AssignedPartition | undefined {
    return this.list.find((partition) => this.logs.get(partition) === log);
  }

  /** Takes partitions up where their group has committed. */
  assign(logs: readonly MarbleLog[]): void {
    const fresh = logs.filter((log) => this.find(log) === undefined);
    if (this.isEnding || fresh.length === 0) return;
    const { maxUnackedRecords } = this.host.context.options;
    const partitions = fresh.map((log) => {
      const { topic, partition: index } = log;
      const partition = new AssignedPartition(topic, index, maxUnackedRecords, this);
      this.logs.set(partition, log);
      rememberLog(partition, log);
      this.host.held.attach(partition);
      return partition;
    });
    this.host.context.emit({ type: 'assigned', partitions: partitions.map(plainPartition) });
    for (const partition of partitions) this.begin(partition);
    this.deliverer.wake();
  }

  /** Something was written. */
  appended(log: MarbleLog, batch: LoggedBatch): void {
    const partition = this.find(log);
    if (partition === undefined || partition.isDraining) return;
    this.take(partition, log, batch);
    this.deliverer.wake();
  }

  /** The last record has been written. */
  logsEnded(): void {
    this.deliverer.wake();
  }

  /** Gives partitions up in an orderly way. */
  revoke(logs: readonly MarbleLog[]): void {
    const { emit, options } = this.host.context;
    const leaving = this.held(logs).filter(({ isDraining }) => !isDraining);
    if (leaving.length === 0) return;
    this.drain(leaving, options.drainTimeoutMs, () => {
      const still = leaving.filter((partition) => this.logs.has(partition));
      this.commit(still);
      const recordsAbandoned = this.drop(still);
      emit({ type: 'revoked', partitions: leaving.map(plainPartition), recordsAbandoned });
    });
  }

  /** Partitions are gone without warning. */
  lose(logs: readonly MarbleLog[]): void {
    const gone = this.held(logs);
    if (gone.length === 0) return;
    const recordsAbandoned = this.drop(gone);
    this.pipeline.lost();
    const partitions = gone.map(plainPartition);
    this.host.context.emit({ type: 'lost', partitions, recordsAbandoned });
  }

  /** Ends the subscription as a consumer does; a second call does nothing. */
  end(end: RunEnd): void {
    if (this.ending !== undefined) return;
    this.ending = end;
    const { options } = this.host.context;
    this.deliverer.stop();
    this.redeliverer.stop();
    this.boundedEnd.stop();
    const partitions = this.list;
    if (end.reason !== 'failed') this.subscriber.complete();
    const finish = () => this.leave(end, partitions);
    switch (end.reason) {
      case 'drained':
      case 'failed':
        this.drain(partitions, options.drainTimeoutMs, finish);
        break;
      case 'unsubscribed':
        this.stopDelivery(partitions);
        if (options.abandonOnUnsubscribe) finish();
        else this.waits.done(partitions, options.drainTimeoutMs, finish);
        break;
      case 'completed':
        this.stopDelivery(partitions);
        this.whileItProgresses(partitions, finish);
    }
  }

  // ---- from the records

  onAcked(partition: AssignedPartition): void {
    this.commit([partition]);
    if (partition.hasRecords || this.host.isEnded) this.deliverer.wake();
    if (partition.isDraining) this.waits.check();
  }

  onAckedLate(): void {
    // The ledger's watcher has told.
  }

  onNacked(partition: AssignedPartition, redelivery: Redelivery, reason: unknown): void {
    this.host.onNacked(this.logs.get(partition)!, redelivery.record.offset);
    if (!partition.isDraining) {
      this.redeliverer.nacked(partition, redelivery, reason);
      return;
    }
    this.onFailedUnheard(redelivery.record, reason);
    this.waits.check();
  }

  onFailedUnheard(record: AnyRecord, reason: unknown): void {
    const { topic, partition, offset, attempt } = record;
    this.host.context.emit({ type: 'record-failed', topic, partition, offset, attempt, reason });
  }

  onReturned(partition: AssignedPartition, redelivery: Redelivery): void {
    this.host.onReturned(this.logs.get(partition)!, redelivery.record.offset);
    if (partition.isDraining) this.waits.check();
    else this.redeliverer.queue(partition, redelivery, 0);
  }

  // ---- from delivery

  onCorrupt(_: AssignedPartition, error: Error): Remedy {
    this.end({ reason: 'failed', error });
    return 'stop';
  }

  onUndecodable(_: AssignedPartition, { error }: { error: Error }): Remedy {
    this.end({ reason: 'failed', error });
    return 'stop';
  }

  onChunkEnd(): void {
    // Nothing is fetched: there is no next fetch to allow.
  }

  onHeldUp(): void {
    // Acks let it go on.
  }

  onDelivered(partition: AssignedPartition): void {
    this.isStarved = false;
    this.checkCaughtUp(partition);
  }

  onIdle(): void {
    this.checkEnd();
    this.checkStarved();
  }

  onFailed(_: AssignedPartition, error: unknown): void {
    this.end({ reason: 'failed', error });
  }

  // ---- inside

  private held(logs: readonly MarbleLog[]): AssignedPartition[] {
    return logs.flatMap((log) => this.find(log) ?? []);
  }

  private begin(partition: AssignedPartition): void {
    const log = this.logs.get(partition)!;
    const { topic, partition: index } = log;
    const offset = this.host.committedOf(log);
    partition.begin(offset, -1);
    watchLedger(partition.ledger, {
      onAcked: (acked) => this.host.onAcked(log, acked),
      onAckedLate: (acked) => this.host.onAckedLate(log, acked),
    });
    this.host.context.emit({
      type: 'position-reset',
      topic,
      partition: index,
      offset,
      reason: 'committed',
    });
    partition.outlet = this.outletFor(log);
    for (const batch of log.batches) {
      if (batch.nextOffset > offset) this.take(partition, log, batch);
    }
    partition.highWatermark = log.endOffset;
    this.checkCaughtUp(partition);
  }

  private outletFor(log: MarbleLog): NonNullable<AssignedPartition['outlet']> {
    const { subscriber, host } = this;
    return {
      get closed() {
        return subscriber.closed;
      },
      next(record) {
        host.onDelivered(log, record.offset);
        subscriber.next(record);
      },
    };
  }

  private take(partition: AssignedPartition, log: MarbleLog, batch: LoggedBatch): void {
    const { topic, partition: index } = log;
    const memory = this.budget.hold(batch.bytes.length);
    const where = { topic, partition: index };
    const chunk = new FetchedChunk(batch.bytes, batch.baseOffset, undefined, memory, where);
    partition.buffer.push(chunk);
    partition.fetchOffset = batch.nextOffset;
    partition.highWatermark = batch.nextOffset;
  }

  private drain(
    partitions: readonly AssignedPartition[],
    timeoutMs: number,
    callback: () => void,
  ): void {
    if (partitions.length === 0) {
      callback();
      return;
    }
    for (const partition of partitions) partition.leave();
    this.host.context.emit({ type: 'draining', partitions: partitions.map(plainPartition) });
    for (const partition of partitions) this.detach(partition);
    this.pipeline.draining();
    this.waits.done(partitions, timeoutMs, () => {
      for (const partition of partitions) if (!partition.isDrained) partition.abortWork();
      callback();
    });
  }

  /** All was delivered: as long as records are being acked there is no hurry. */
  private whileItProgresses(partitions: readonly AssignedPartition[], callback: () => void): void {
    const acked = () => partitions.reduce((sum, { recordsAcked }) => sum + recordsAcked, 0);
    const before = acked();
    this.waits.done(partitions, this.host.context.options.drainTimeoutMs, () => {
      const isDone = partitions.every(({ isDrained }) => isDrained);
      if (isDone || acked() === before) callback();
      else this.whileItProgresses(partitions, callback);
    });
  }

  private leave(end: RunEnd, partitions: readonly AssignedPartition[]): void {
    const held = partitions.filter((partition) => this.logs.has(partition));
    this.commit(held);
    const offsetsCommitted = held.map((partition) => {
      const offset = this.host.committedOf(this.logs.get(partition)!);
      return { ...plainPartition(partition), offset };
    });
    this.drop(held);
    this.pipeline.end();
    this.host.onOver(this);
    this.host.context.emit({
      type: 'drained',
      recordsFinished: this.finishedBefore,
      recordsAbandoned: this.abandoned,
      offsetsCommitted,
    });
    // Last, so that retry() never meets a predecessor that is still leaving.
    if (end.reason === 'failed') this.subscriber.error(end.error);
  }

  /** Commits what is acked, as soon as it is. */
  private commit(partitions: readonly AssignedPartition[]): void {
    for (const partition of partitions) {
      const log = this.logs.get(partition)!;
      const { offset } = partition.ledger.commitPosition;
      if (partition.ledger.isFenced || offset <= this.host.committedOf(log)) continue;
      if (this.host.commit(log, offset)) partition.committedOffset = offset;
    }
  }

  /** Fences and forgets partitions; returns how many records were in hand. */
  private drop(partitions: readonly AssignedPartition[]): number {
    let inHand = 0;
    for (const partition of partitions) {
      inHand += partition.ledger.inHand;
      partition.drop();
      this.finishedBefore += partition.recordsAcked;
      this.detach(partition);
      this.host.onDropped(this.logs.get(partition)!);
      this.logs.delete(partition);
    }
    this.abandoned += inHand;
    this.waits.check();
    return inHand;
  }

  /** Nothing more of it is delivered. */
  private detach(partition: AssignedPartition): void {
    this.host.held.detach(partition);
    partition.outlet = undefined;
  }

  private stopDelivery(partitions: readonly AssignedPartition[]): void {
    for (const partition of partitions) {
      this.host.held.detach(partition);
      partition.stopDelivery();
    }
  }

  private checkCaughtUp(partition: AssignedPartition): void {
    const { topic, partition: index, position: offset, highWatermark } = partition;
    if (partition.isCaughtUp || offset < highWatermark) return;
    partition.isCaughtUp = true;
    this.host.context.emit({ type: 'caught-up', topic, partition: index, offset });
  }

  private checkEnd(): void {
    if (!this.host.isEnded || this.isEnding) return;
    for (const [partition, log] of this.logs) partition.endOffset = log.endOffset;
    this.boundedEnd.check();
  }

  private checkStarved(): void {
    if (this.isStarved || this.isEnding || !this.pipeline.holdsBack) return;
    const starvation = this.starvation();
    if (starvation !== undefined) this.pipeline.starved(starvation);
  }

  private starvation(): Starvation | undefined {
    const starvation = starvationOf(this.list, false, false);
    if (starvation !== 'exhausted' || this.isStarved) return starvation;
    this.isStarved = true;
    this.host.context.emit({ type: 'starved', reason: 'window' });
    return starvation;
  }
}
