import {
  deriveFrom,
  type ConsumerRecord,
  type DerivedRecord,
  type DeriveFromOptions,
  type Pipeline,
} from '../../core/consumer/index.js';
import type { Work } from '../processing/work.js';

type AnyRecord = ConsumerRecord<unknown, unknown>;

/** What the records of a batch have in common: decides which lane of `processEach` it is in. */
export type BatchScope = 'all' | 'partition' | 'key';

/**
 * Records that were collected, as one. It is acked as one, or record by record; a record that is
 * derived from it acks all of them when it is written.
 *
 * In `processEach` a batch takes the place of a record: its lane is that of its partition or key
 * where its records have one in common, else all such batches share a lane.
 *
 * @example
 * orders.pipe(
 *   batchEach({ maxRecords: 100, maxWaitMs: 50, by: 'partition' }),
 *   processEach(({ partition, offset, length }) => print(`${length} of ${partition} from ${offset} on`)),
 * ).subscribe();
 */
export class Batch<K = Buffer | null, V = Buffer | null, A = undefined>
  implements Work, Iterable<ConsumerRecord<K, V>>
{
  /** @internal Its records come again one by one. */
  readonly isNacked = false;
  /** @internal */
  readonly isToComeAgain = false;
  private combined: CombinedSignal | undefined;

  /** @internal */
  constructor(
    /** In the order in which they came. */
    readonly records: readonly ConsumerRecord<K, V>[],
    /** How many bytes the keys and values have together, as stored. */
    readonly sizeBytes: number,
    /** What `aggregateEach` made of the records; `undefined` in other batches. */
    readonly value: A,
    private readonly scope: BatchScope,
  ) {}

  /** How many records it has. */
  get length(): number {
    return this.records.length;
  }

  [Symbol.iterator](): Iterator<ConsumerRecord<K, V>> {
    return this.records[Symbol.iterator]();
  }

  /** The topic of its records; empty where they need not have one in common. */
  get topic(): string {
    return this.scope === 'all' ? '' : this.first.topic;
  }

  /** The partition of its records; -1 where they need not have one in common. */
  get partition(): number {
    return this.scope === 'all' ? -1 : this.first.partition;
  }

  /** The offset of its first record; -1 where they need not have a partition in common. */
  get offset(): number {
    return this.scope === 'all' ? -1 : this.first.offset;
  }

  /** The key of its records, as stored; null where they need not have one in common. */
  get rawKey(): Buffer | null {
    return this.scope === 'key' ? this.first.rawKey : null;
  }

  /** The highest of its records. */
  get attempt(): number {
    return this.records.reduce((most, { attempt }) => Math.max(most, attempt), 1);
  }

  /** Aborts when the work has become pointless for all of its records. */
  get signal(): AbortSignal {
    this.combined ??= whenAllAbort(new Set(this.records.map(({ signal }) => signal)));
    return this.combined.signal;
  }

  /** Acks all that are not settled yet. */
  ack(): void {
    this.combined?.stopListening();
    for (const record of this.records) record.ack();
  }

  /** Nacks all that are not settled yet. */
  nack(reason: unknown): void {
    this.combined?.stopListening();
    for (const record of this.records) record.nack(reason);
  }

  /**
   * A record for another topic that remembers all of the batch: a sink acks them when it is written.
   *
   * @throws KafkaError with code `DERIVED_TWICE`.
   * @example
   * orders.pipe(
   *   batchEach({ maxRecords: 100, by: 'key' }),
   *   map((batch) => batch.derive({ key: batch.rawKey, value: batch.length })),
   *   toTopic(kafka, 'counts', { valueSerializer: json() }),
   * ).subscribe();
   */
  derive<V2, K2 = null>(changes: DeriveFromOptions<K2, V2>): DerivedRecord<K2, V2> {
    return deriveFrom(this.records, changes);
  }

  /** @internal */
  get pipeline(): Pipeline {
    return this.first.pipeline;
  }

  /** @internal */
  get isFenced(): boolean {
    return this.records.every(({ isFenced }) => isFenced);
  }

  /** @internal What is given back together is delivered again together. */
  get isDraining(): boolean {
    return this.records.some(({ isDraining }) => isDraining);
  }

  /** @internal */
  get isLeaving(): boolean {
    return this.records.some(({ isLeaving }) => isLeaving);
  }

  /** @internal */
  onGivenUp(): () => void {
    // It doesn't come again.
    return () => undefined;
  }

  /** @internal */
  takeOver(): void {
    for (const record of this.records) record.takeOver();
  }

  /** @internal */
  letGo(): void {
    for (const record of this.records) record.letGo();
  }

  /** @internal */
  ackUnlessTaken(): void {
    for (const record of this.records) record.ackUnlessTaken();
  }

  /** @internal */
  done(): void {
    this.combined?.stopListening();
    for (const record of this.records) record.done();
  }

  /** @internal */
  doneUnheard(): void {
    this.combined?.stopListening();
    for (const record of this.records) record.doneUnheard();
  }

  /** @internal */
  giveBack(): void {
    this.combined?.stopListening();
    for (const record of this.records) record.giveBack();
  }

  /** @internal */
  failUnheard(reason: unknown): void {
    this.combined?.stopListening();
    for (const record of this.records) record.failUnheard(reason);
  }

  /** @internal */
  everyRecord(): Iterable<AnyRecord> {
    return this.records;
  }

  private get first(): ConsumerRecord<K, V> {
    return this.records[0]!;
  }
}

/** Until its work is over: a record's signal is that of its partition, and lives on. */
interface CombinedSignal {
  readonly signal: AbortSignal;
  readonly stopListening: () => void;
}

function whenAllAbort(signals: ReadonlySet<AbortSignal>): CombinedSignal {
  const [first] = signals;
  if (signals.size === 1) return { signal: first!, stopListening: () => undefined };
  const controller = new AbortController();
  const check = () => {
    if ([...signals].every(({ aborted }) => aborted)) controller.abort();
  };
  for (const signal of signals) signal.addEventListener('abort', check);
  check();
  return {
    signal: controller.signal,
    stopListening() {
      for (const signal of signals) signal.removeEventListener('abort', check);
    },
  };
}
