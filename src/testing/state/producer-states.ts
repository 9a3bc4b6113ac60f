import type { RecordBatch } from '../../core/records/index.js';
import { Errors } from '../error-codes.js';
import type { SequenceRules } from '../versions.js';
import { Rejection } from './rejection.js';

/** A batch of an idempotent producer as it is remembered. */
export interface RememberedBatch {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  readonly timestamp: number;
}

interface ProducerEntry {
  epoch: number;
  /** That of whoever had the last marker written. */
  coordinatorEpoch: number;
  lastTimestamp: number;
  /** The oldest first; no more than the window of the rules. */
  batches: RememberedBatch[];
}

/** Idempotence of one producer in one partition, for a test to look at. */
export interface ProducerSnapshot {
  readonly producerId: number;
  readonly epoch: number;
  /** -1 when no batch is remembered. */
  readonly lastSequence: number;
  /** Offset of the last record; -1 when no batch is remembered. */
  readonly lastOffset: number;
  /** Milliseconds since 1970, of the last record or marker; -1 when there is none. */
  readonly lastTimestamp: number;
  /** -1 when no transaction has ended here. */
  readonly coordinatorEpoch: number;
}

const MAX_SEQUENCE = 0x7fff_ffff;
const NONE = -1;

/** The part of a batch that sequences are judged by. */
export type Sequenced = Pick<
  RecordBatch,
  'producerId' | 'producerEpoch' | 'baseSequence' | 'count' | 'maxTimestamp'
>;

/**
 * What a partition remembers of idempotent producers, to tell duplicates and gaps (KIP-98): the
 * last batches of each, five since Kafka 1.0.
 */
export class ProducerStates {
  private readonly entries = new Map<number, ProducerEntry>();

  constructor(private readonly rules: SequenceRules) {}

  get snapshot(): ProducerSnapshot[] {
    return [...this.entries].map(([producerId, { epoch, batches, ...entry }]) => ({
      producerId,
      epoch,
      ...entry,
      lastSequence: batches.at(-1)?.lastSequence ?? NONE,
      lastOffset: batches.at(-1)?.lastOffset ?? NONE,
    }));
  }

  /** The batch that this one repeats, if it is remembered. */
  findDuplicate(batch: Sequenced): RememberedBatch | undefined {
    const entry = this.entries.get(batch.producerId);
    if (entry?.epoch !== batch.producerEpoch) return undefined;
    const last = lastSequenceOf(batch);
    return entry.batches.find(
      ({ firstSequence, lastSequence }) =>
        firstSequence === batch.baseSequence && lastSequence === last,
    );
  }

  /** Checks that a batch comes next. @throws Rejection where it does not. */
  check(batch: Sequenced): void {
    const entry = this.entries.get(batch.producerId);
    if (entry === undefined) {
      this.checkUnknown(batch);
      return;
    }
    if (batch.producerEpoch < entry.epoch) {
      throw new Rejection(
        Errors.INVALID_PRODUCER_EPOCH,
        `Epoch of producer ${batch.producerId} is ${batch.producerEpoch}, which is smaller than ` +
          `the last seen epoch ${entry.epoch}`,
      );
    }
    if (batch.producerEpoch > entry.epoch) {
      if (batch.baseSequence !== 0) throw outOfOrder(batch, 'expected 0 for a new epoch');
      return;
    }
    this.checkNext(batch, entry);
  }

  /** Remembers a batch that was appended. */
  add(batch: Sequenced, firstOffset: number): void {
    const entry = this.entryFor(batch);
    if (entry.batches.length === this.rules.window) entry.batches.shift();
    entry.batches.push({
      firstSequence: batch.baseSequence,
      lastSequence: lastSequenceOf(batch),
      firstOffset,
      lastOffset: firstOffset + batch.count - 1,
      timestamp: batch.maxTimestamp,
    });
  }

  /** Takes note of a marker: one with a new epoch ends the sequence of the old one. */
  mark(batch: Sequenced, coordinatorEpoch: number): void {
    this.entryFor(batch).coordinatorEpoch = coordinatorEpoch;
  }

  /** The epoch that a producer wrote with last; `undefined` when nothing is known of it. */
  epochOf(producerId: number): number | undefined {
    return this.entries.get(producerId)?.epoch;
  }

  /** Old brokers forget a producer with its last record; newer ones keep it for a day. */
  recordsDeletedBefore(offset: number): void {
    if (!this.rules.forgetsWithRecords) return;
    for (const [producerId, { batches }] of this.entries) {
      if ((batches.at(-1)?.lastOffset ?? NONE) < offset) this.entries.delete(producerId);
    }
  }

  clear(): void {
    this.entries.clear();
  }

  /** What is remembered of a batch's producer, in the epoch of the batch. */
  private entryFor({ producerId, producerEpoch: epoch, maxTimestamp }: Sequenced): ProducerEntry {
    let entry = this.entries.get(producerId);
    if (entry === undefined) {
      entry = { epoch, coordinatorEpoch: NONE, lastTimestamp: NONE, batches: [] };
      this.entries.set(producerId, entry);
    }
    if (entry.epoch !== epoch) {
      entry.epoch = epoch;
      entry.batches = [];
    }
    entry.lastTimestamp = maxTimestamp;
    return entry;
  }

  private checkUnknown(batch: Sequenced): void {
    if (batch.baseSequence === 0) return;
    switch (this.rules.unknownProducer) {
      case 'accept':
        return;
      case 'OUT_OF_ORDER_SEQUENCE_NUMBER':
        throw outOfOrder(batch, 'expected 0 for a new producer');
      case 'UNKNOWN_PRODUCER_ID':
        throw new Rejection(
          Errors.UNKNOWN_PRODUCER_ID,
          `Found no record of producerId=${batch.producerId} on the broker. It is possible that ` +
            `its last record was removed due to the retention limit.`,
        );
    }
  }

  private checkNext(batch: Sequenced, { batches }: ProducerEntry): void {
    const last = batches.at(-1)?.lastSequence ?? NONE;
    const next = last === MAX_SEQUENCE ? 0 : last + 1;
    if (batch.baseSequence === next) return;
    const isForgotten = lastSequenceOf(batch) < (batches[0]?.firstSequence ?? 0);
    if (isForgotten && this.rules.forgottenDuplicate === 'DUPLICATE_SEQUENCE_NUMBER') {
      throw new Rejection(
        Errors.DUPLICATE_SEQUENCE_NUMBER,
        `Duplicate sequence number for producerId ${batch.producerId}: ${batch.baseSequence}`,
      );
    }
    throw outOfOrder(batch, `${last} (current end sequence number)`);
  }
}

/** Sequence numbers go on at 0 after the largest int32. */
function lastSequenceOf({ baseSequence, count }: Sequenced): number {
  const last = baseSequence + count - 1;
  return last > MAX_SEQUENCE ? last - MAX_SEQUENCE - 1 : last;
}

function outOfOrder({ producerId, baseSequence }: Sequenced, expected: string): Rejection {
  return new Rejection(
    Errors.OUT_OF_ORDER_SEQUENCE_NUMBER,
    `Out of order sequence number for producer ${producerId}: ${baseSequence} ` +
      `(incoming seq. number), ${expected}`,
  );
}
