import { from, type Subscriber } from 'rxjs';
import type { ConsumerRecord, OffsetToCommit } from '../../core/consumer/index.js';
import type { Producer } from '../../core/producer/index.js';
import { backoffMs } from '../../core/util/backoff.js';
import type { Cancel, Clock } from '../../core/util/clock.js';
import { Attempt, PartitionsRevoked, type AttemptEnd } from './attempt.js';
import { TransactionBatch } from './batch.js';
import type { AfterAbort, ResolvedTransactionalOptions, TransactionProject } from './options.js';
import { isPassing, rootOf } from './passing.js';
import type { Turns } from './turns.js';
import { takenMeanwhile } from './whole-records.js';

/** A transaction that was committed. */
export interface TransactionResult {
  /** Of the producer that it was written by. */
  readonly transactionalId: string;
  /** Records that were taken, whether or not anything was made of them. */
  readonly records: number;
  /** Records that were written. */
  readonly results: number;
  /** What was stored for the group. */
  readonly offsets: readonly OffsetToCommit[];
  /** How many attempts it took. */
  readonly attempts: number;
}

interface LaneSetup<K, V> {
  readonly clock: Clock;
  readonly options: ResolvedTransactionalOptions;
  readonly project: TransactionProject<K, V, unknown, unknown>;
  readonly subscriber: Subscriber<TransactionResult>;
  readonly onFailed: (error: unknown) => void;
  /** A transaction has ended, one way or the other. */
  readonly onRest: (lane: TransactionLane<K, V>) => void;
  /** Whether the offsets of a partition are for this lane to store. */
  readonly isOurs: (lane: TransactionLane<K, V>, owner: ConsumerRecord<K, V>['owner']) => boolean;
}

const RETRY_MS = 100;
const RETRY_MAX_MS = 10_000;

/** Cuts records into transactions, one after the other, by which some producers take turns. */
export class TransactionLane<K, V> {
  private waiting: ConsumerRecord<K, V>[] = [];
  private batch: TransactionBatch<K, V> | undefined;
  /** The batch takes no more records. */
  private isFull = false;
  /** What waits is all that can come: the next batch is to be cut at once. */
  private isCutDue = false;
  private attempt: Attempt<K, V> | undefined;
  private isComplete = false;
  private isStopped = false;
  private wake: () => void = () => undefined;
  private cancelCut: Cancel = () => undefined;
  private cancelBackoff: Cancel = () => undefined;

  constructor(
    private readonly turns: Turns,
    private readonly setup: LaneSetup<K, V>,
  ) {}

  /** Runs until all is done, or it is stopped. Never rejects. */
  async run(): Promise<void> {
    while (!this.isStopped) {
      const batch = await this.nextBatch();
      if (batch === undefined) break;
      try {
        await this.transact(batch);
      } catch (error) {
        batch.giveBack();
        this.setup.onFailed(error);
        this.stop();
      }
      this.batch = undefined;
      this.setup.onRest(this);
    }
    for (const record of this.waiting.splice(0)) record.giveBack();
  }

  push(record: ConsumerRecord<K, V>): void {
    if (this.isStopped) {
      record.giveBack();
      return;
    }
    if (this.batch !== undefined && !this.isFull && this.waiting.length === 0) {
      if (this.batch.take(record)) {
        this.attempt?.feed(record);
        this.closeIfFull();
        return;
      }
    }
    this.waiting.push(record);
    this.joinWaiting();
    this.wake();
  }

  /** The transaction in hand takes no more records. */
  cut(): void {
    if (!this.takesMore()) {
      this.isCutDue = this.waiting.length > 0;
      return;
    }
    this.isFull = true;
    this.cancelCut();
    this.attempt?.close();
  }

  /** Partitions are being given up: what was not begun goes back, what was is finished. */
  drain(): void {
    const left: ConsumerRecord<K, V>[] = [];
    for (const record of this.waiting.splice(0)) {
      if (record.isDraining) record.giveBack();
      else left.push(record);
    }
    this.waiting = left;
    if (this.batch?.isDraining === true) this.cut();
  }

  /** No more records come. */
  complete(): void {
    this.isComplete = true;
    this.cut();
    this.wake();
  }

  /** Begins nothing more, and gives up what is not being committed. */
  stop(): void {
    this.isStopped = true;
    this.cancelCut();
    this.cancelBackoff();
    this.attempt?.stop(new PartitionsRevoked());
    this.wake();
  }

  private async nextBatch(): Promise<TransactionBatch<K, V> | undefined> {
    const batch = new TransactionBatch<K, V>();
    for (;;) {
      if (this.isStopped) return undefined;
      this.isFull = false;
      this.batch = batch;
      this.joinWaiting();
      if (batch.records.length > 0) break;
      this.batch = undefined;
      if (this.isComplete) return undefined;
      await this.something();
    }
    const { clock, options } = this.setup;
    if (this.takesMore()) this.cancelCut = clock.schedule(options.maxWaitMs, () => this.cut());
    if (this.isCutDue || this.isComplete || batch.isDraining) this.cut();
    this.isCutDue = false;
    return batch;
  }

  /** Resolves when there may be something to do; those before a record that waits may have been acked. */
  private async something(): Promise<void> {
    const { clock, options } = this.setup;
    let cancel: Cancel = () => undefined;
    await new Promise<void>((resolve) => {
      this.wake = resolve;
      if (this.waiting.length > 0) cancel = clock.schedule(Math.max(1, options.maxWaitMs), resolve);
    });
    this.wake = () => undefined;
    cancel();
  }

  private joinWaiting(): void {
    const { batch, attempt } = this;
    if (batch === undefined || this.isFull || this.waiting.length === 0) return;
    const before = batch.records.length;
    this.takeWaiting(batch);
    if (attempt !== undefined)
      batch.records.slice(before).forEach((record) => attempt.feed(record));
    this.closeIfFull();
  }

  private takeWaiting(batch: TransactionBatch<K, V>): void {
    const { waiting } = this;
    const { maxRecords } = this.setup.options;
    // Those that stay are put to the front of the same array.
    let kept = 0;
    let next = 0;
    while (next < waiting.length && batch.records.length < maxRecords) {
      const record = waiting[next++]!;
      if (!record.isFenced && !batch.take(record)) waiting[kept++] = record;
    }
    waiting.splice(kept, next - kept);
  }

  private takesMore(): boolean {
    return this.batch !== undefined && !this.isFull;
  }

  private closeIfFull(): void {
    if (this.batch!.records.length >= this.setup.options.maxRecords) this.cut();
  }

  private async transact(batch: TransactionBatch<K, V>): Promise<void> {
    let { project } = this.setup;
    for (let attempt = 1; ; attempt++) {
      const taken = this.taken(batch);
      if (taken !== undefined) throw takenMeanwhile(taken);
      const producer = this.turns.take();
      const end = await this.tryOnce(producer, batch, project, attempt);
      this.turns.giveBack(producer);
      const { phase, transactionalId } = producer.engine.transactions!;
      if (end.type === 'committed') {
        const { results, offsets } = end;
        const records = batch.records.length;
        batch.ack();
        const result = { transactionalId, records, results, offsets, attempts: attempt };
        this.setup.subscriber.next(result);
        return;
      }
      this.cut();
      if (this.isStopped || phase === 'FATAL_ERROR') throw rootOf(end.error);
      if (this.taken(batch) !== undefined) continue;
      const next = this.afterAbort(batch, end.error, attempt);
      if (next === 'fail') throw rootOf(end.error);
      if (next !== 'retry') project = () => from(next);
      if (!(end.error instanceof PartitionsRevoked)) await this.backOff(attempt);
      batch.renew();
      if (batch.records.length === 0) return;
    }
  }

  /** What is stored would pass one that waits as well. */
  private taken(batch: TransactionBatch<K, V>): ConsumerRecord<K, V> | undefined {
    return batch.taken ?? this.waiting.find(({ source, offset }) => source.ledger.isPassed(offset));
  }

  private async tryOnce(
    producer: Producer,
    batch: TransactionBatch<K, V>,
    project: TransactionProject<K, V, unknown, unknown>,
    attempt: number,
  ): Promise<AttemptEnd> {
    const { clock, options } = this.setup;
    try {
      const txn = await producer.beginTransaction();
      if (this.isStopped) {
        await txn.abort();
        return { type: 'aborted', error: new PartitionsRevoked() };
      }
      const current = new Attempt<K, V>(txn, {
        clock,
        options,
        project,
        batch,
        isOurs: (owner) => this.setup.isOurs(this, owner),
        taken: () => this.taken(batch),
        attempt,
        isFull: this.isFull,
        onResults: () => this.cut(),
      });
      this.attempt = current;
      current.start();
      return await current.ended;
    } catch (error) {
      return { type: 'aborted', error };
    } finally {
      this.attempt = undefined;
    }
  }

  private afterAbort(
    { records }: TransactionBatch<K, V>,
    error: unknown,
    attempt: number,
  ): AfterAbort {
    if (error instanceof PartitionsRevoked) return 'retry';
    const { onAbort } = this.setup.options;
    const passes = isPassing(error);
    if (onAbort === undefined) return passes ? 'retry' : 'fail';
    if (typeof onAbort !== 'function') return onAbort;
    return onAbort({ error: rootOf(error), records, attempt, isPassing: passes });
  }

  private async backOff(failures: number): Promise<void> {
    const { clock } = this.setup;
    const waitMs = backoffMs(failures - 1, RETRY_MS, RETRY_MAX_MS, clock.random());
    await new Promise<void>((resolve) => {
      const cancel = clock.schedule(waitMs, resolve);
      this.cancelBackoff = () => {
        cancel();
        resolve();
      };
    });
  }
}
