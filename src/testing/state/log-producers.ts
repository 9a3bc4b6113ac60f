import { readControlRecord, recordsOf, type RecordBatch } from '../../core/records/index.js';
import { Errors } from '../error-codes.js';
import type { SequenceRules } from '../versions.js';
import { OpenTransactions, type AbortedTransaction } from './open-transactions.js';
import {
  ProducerStates,
  type ProducerSnapshot,
  type RememberedBatch,
  type Sequenced,
} from './producer-states.js';
import { Rejection } from './rejection.js';

/** What a log remembers of those who wrote it: their sequences and their transactions. */
export class LogProducers {
  private readonly states: ProducerStates;
  private readonly transactions = new OpenTransactions();

  constructor(rules: SequenceRules) {
    this.states = new ProducerStates(rules);
  }

  get snapshot(): ProducerSnapshot[] {
    return this.states.snapshot;
  }

  /** The first record that is not decided; `undefined` where all are. */
  get firstUnstableOffset(): number | undefined {
    return this.transactions.firstUnstableOffset;
  }

  get hasAborted(): boolean {
    return this.transactions.hasAborted;
  }

  /** The batch that this one repeats, if it is remembered. */
  findDuplicate(batch: RecordBatch): RememberedBatch | undefined {
    return this.states.findDuplicate(batch);
  }

  /** Checks that a batch comes next, and in the transaction if one is open. @throws Rejection */
  check(batch: RecordBatch): void {
    this.states.check(batch);
    const isOpen = this.openTransactionStart(batch.producerId) !== undefined;
    if (!isOpen || batch.isTransactional) return;
    const message = `Expected a transactional write from producer ${batch.producerId}`;
    throw new Rejection(Errors.INVALID_TXN_STATE, message);
  }

  /** Takes note of a batch's producer, and of its transaction. */
  remember(batch: RecordBatch, stored: Sequenced, offset: number): void {
    if (batch.producerId < 0) return;
    if (batch.isControl) {
      this.rememberMarker(batch, stored, offset);
      return;
    }
    if (batch.baseSequence >= 0) this.states.add(stored, offset);
    if (batch.isTransactional) this.transactions.add(batch, offset);
  }

  /** Whether a producer's transaction has records here that no marker follows. */
  isInTransaction({ producerId, producerEpoch }: Sequenced): boolean {
    const isOpen = this.openTransactionStart(producerId) !== undefined;
    return isOpen && this.states.epochOf(producerId) === producerEpoch;
  }

  /** Where a producer's open transaction begins; `undefined` where it has none. */
  openTransactionStart(producerId: number): number | undefined {
    return this.transactions.startOf(producerId);
  }

  /** Aborted transactions with records or their marker at `from` or later that begin before `upTo`. */
  abortedBetween(from: number, upTo: number): AbortedTransaction[] {
    return this.transactions.abortedBetween(from, upTo);
  }

  recordsDeletedBefore(offset: number): void {
    this.states.recordsDeletedBefore(offset);
    this.transactions.deleteBefore(offset);
  }

  clear(): void {
    this.states.clear();
    this.transactions.clear();
  }

  private rememberMarker(batch: RecordBatch, stored: Sequenced, offset: number): void {
    for (const { key, value } of recordsOf(batch, { checkCrcs: false })) {
      const control = readControlRecord(key, value);
      if (control.kind === 'other') continue;
      this.states.mark(stored, control.coordinatorEpoch);
      this.transactions.end(batch, control.kind, offset);
    }
  }
}
