import { inspect } from 'node:util';
import { type Header, type Origin, type RecordCursor } from '../../records/index.js';
import { KafkaError } from '../../util/errors.js';
import type { DeliveryOwner, RecordHome } from '../delivering/delivery.js';
import type { Pipeline } from '../pipeline.js';
import { Derived, type DerivedRecord, type DeriveOptions } from './derived.js';

/** Stands for a key or value that nobody has asked for yet. */
const LAZY: unique symbol = Symbol('lazy');

const TAKEN = 1;
const DERIVED = 2;
const NACKED = 4;
/** The attempts are counted above the flags. */
const ONE_ATTEMPT = 8;
/** Acked, nacked, given back, or not delivered yet. */
const SETTLED = -1;

/**
 * A record that was consumed. Key, value and headers are views of the memory it was fetched into,
 * cut out when asked for, unless a deserializer has made something else of them.
 *
 * **Acks** Under `ack: 'manual'`, the default in a group, a record counts as done when it is acked:
 * by the operators of this library at the right moment, or by {@link ConsumerRecord.ack}. An offset
 * is committed when it and all before it in the partition are acked.
 *
 * **Memory** A record, and each Buffer it gives, keeps the whole frame alive that it came in. To keep
 * a little of it for long, copy that.
 *
 * @example
 * fromTopics(kafka, 'orders', { groupId: 'billing' }).subscribe((record) => {
 *   console.log(record.partition, record.offset, record.value?.toString());
 *   record.ack();
 * });
 */
export class ConsumerRecord<K = Buffer | null, V = Buffer | null> implements Origin {
  private decodedKey: unknown = LAZY;
  private decodedValue: unknown = LAZY;
  private state = ONE_ATTEMPT;

  /** @internal */
  constructor(
    private readonly delivery: RecordHome,
    /** Number of the delivery in its ledger; -1 before it was delivered and after it was acked. */
    private sequence: number,
    private readonly offsetDelta: number,
    private readonly start: number,
    private readonly keyStart: number,
    private readonly keyLength: number,
    private readonly valueStart: number,
    private readonly valueLength: number,
  ) {}

  /** @internal The record that a cursor stands on. */
  static at(cursor: RecordCursor, delivery: RecordHome): ConsumerRecord<unknown, unknown> {
    return new ConsumerRecord(
      delivery,
      SETTLED,
      cursor.offsetDelta,
      cursor.start,
      cursor.keyStart,
      cursor.keyLength,
      cursor.valueStart,
      cursor.valueLength,
    );
  }

  get topic(): string {
    return this.delivery.topic;
  }

  get partition(): number {
    return this.delivery.partition;
  }

  /** Position in the partition. */
  get offset(): number {
    return this.delivery.source.baseOffset + this.offsetDelta;
  }

  /** Epoch of the leader that stored it; -1 where unknown. */
  get leaderEpoch(): number {
    return this.delivery.leaderEpoch;
  }

  /** Milliseconds since 1970, or -1; beyond 2^53 the nearest number. */
  get timestamp(): number {
    return this.delivery.source.timestamp(this.start);
  }

  /** The timestamp as stored, exactly. */
  get timestampBigInt(): bigint {
    return this.delivery.source.timestampBigInt(this.start);
  }

  get key(): K {
    const { decodedKey } = this;
    return (decodedKey === LAZY ? this.rawKey : decodedKey) as K;
  }

  /** Null for a tombstone, whatever the deserializer. */
  get value(): V {
    const { decodedValue } = this;
    return (decodedValue === LAZY ? this.rawValue : decodedValue) as V;
  }

  /** The key as stored. */
  get rawKey(): Buffer | null {
    return this.delivery.source.slice(this.keyStart, this.keyLength);
  }

  /** The value as stored. */
  get rawValue(): Buffer | null {
    return this.delivery.source.slice(this.valueStart, this.valueLength);
  }

  /** All headers in order: a new list at each access. */
  get headers(): readonly Header[] {
    return this.delivery.source.headers(this.headersStart);
  }

  /** The value of the last header of that name; `undefined` where there is none. */
  header(name: string): Buffer | null | undefined {
    return this.delivery.source.header(this.headersStart, name);
  }

  /** How many bytes its key and value have together, as stored. */
  get sizeBytes(): number {
    return Math.max(0, this.keyLength) + Math.max(0, this.valueLength);
  }

  /** 1 for the first delivery, 2 for the one after a {@link ConsumerRecord.nack}, and so on. */
  get attempt(): number {
    return Math.floor(this.state / ONE_ATTEMPT);
  }

  /** Aborts when the work on this record has become pointless: its partition belongs to another. */
  get signal(): AbortSignal {
    return this.delivery.signal;
  }

  /**
   * Says that the work on the record is done. Acking twice is harmless; after its partition was
   * revoked it changes nothing.
   */
  ack(): void {
    const { sequence } = this;
    if (sequence === SETTLED) return;
    this.sequence = SETTLED;
    this.delivery.ack(sequence);
  }

  /**
   * Says that the work failed. The consumer's `onNack` decides: by default the record is delivered
   * again after a backoff, as another object with a higher {@link ConsumerRecord.attempt}; its offset
   * is not passed until it is acked. Within `processEach` the records of its lane wait for it;
   * elsewhere others go on, and order is not kept.
   */
  nack(reason: unknown): void {
    const { sequence } = this;
    if (sequence === SETTLED) return;
    this.sequence = SETTLED;
    if (this.delivery.nack(this, sequence, reason)) this.state |= NACKED;
  }

  /**
   * A record for another topic that remembers this one: a sink acks this one when the result is
   * written. One to one; use `flatMapEach` where one record makes several.
   *
   * @throws KafkaError with code `DERIVED_TWICE`.
   * @example
   * orders.pipe(
   *   map((order) => order.derive({ value: invoice(order.value) })),
   *   toTopic(kafka, 'invoices'),
   * ).subscribe();
   */
  derive<K2 = K, V2 = V>(
    changes: DeriveOptions<K2, V2> & { readonly topic: string },
  ): DerivedRecord<K2, V2> & { readonly topic: string };
  derive<K2 = K, V2 = V>(changes?: DeriveOptions<K2, V2>): DerivedRecord<K2, V2>;
  derive<K2 = K, V2 = V>(changes: DeriveOptions<K2, V2> = {}): DerivedRecord<K2, V2> {
    const origin = this.originOfResult();
    const { topic, partition, timestamp, headers = this.headers } = changes;
    const key = ('key' in changes ? changes.key : this.key) as K2;
    const value = ('value' in changes ? changes.value : this.value) as V2;
    return new Derived<K2, V2>(topic, partition, timestamp, key, value, headers, [origin]);
  }

  /** @internal What a result made from this record reports to. */
  originOfResult(): Origin {
    const origin = this.delivery.originFor(this);
    if (origin === this && this.isDerived) throw this.derivedTwice();
    this.state |= DERIVED | TAKEN;
    return origin;
  }

  toJSON(): object {
    const { topic, partition, offset, timestamp, key, value, headers } = this;
    return { topic, partition, offset, timestamp, key, value, headers };
  }

  /** @internal What `console.log()` shows. */
  [inspect.custom](): object {
    return this.toJSON();
  }

  /** @internal Gives the record back unworked: it is delivered again, here or elsewhere. */
  giveBack(): void {
    const { sequence } = this;
    if (sequence === SETTLED) return;
    this.sequence = SETTLED;
    this.delivery.return(this, sequence);
  }

  /** @internal The work on it failed when the stream could not be told any more. */
  failUnheard(reason: unknown): void {
    this.delivery.owner.failedUnheard(this, reason);
    this.giveBack();
  }

  /** @internal Whether it was nacked, and is to come again here. */
  get isToComeAgain(): boolean {
    return this.isNacked && this.delivery.owner.isAwaited(this.offset);
  }

  /**
   * @internal Calls back where a record that is to come again won't do so after all.
   * @returns a function that forgets the callback.
   */
  onGivenUp(callback: () => void): () => void {
    return this.delivery.owner.onGivenUp(this.offset, callback);
  }

  /** @internal Whoever calls this within `next` acks the record later. */
  takeOver(): void {
    this.state |= TAKEN;
  }

  /** @internal Whoever took it over passes it on now: it may be taken over again. */
  letGo(): void {
    this.state &= ~TAKEN;
  }

  /** @internal What nobody took over within its delivery is done, where acks are automatic. */
  ackUnlessTaken(): void {
    if (!this.isTaken) this.ack();
  }

  /** @internal Work on it is done: what was derived from it is acked by whoever writes that. */
  done(): void {
    if (!this.isDerived) this.ack();
  }

  /** @internal As before, when nobody is there to write anything. */
  doneUnheard(): void {
    if (this.isDerived) this.giveBack();
    else this.ack();
  }

  /** @internal */
  get isTaken(): boolean {
    return (this.state & TAKEN) !== 0;
  }

  /** @internal */
  get isDerived(): boolean {
    return (this.state & DERIVED) !== 0;
  }

  /** @internal It is to be delivered again, as another object, here or to the partition's next owner. */
  get isNacked(): boolean {
    return (this.state & NACKED) !== 0;
  }

  /** @internal Its epoch is over: nothing that is done for it counts. */
  get isFenced(): boolean {
    return this.delivery.ledger.isFenced;
  }

  /** @internal Nothing more of its partition is delivered. */
  get isDraining(): boolean {
    return this.delivery.owner.isDraining;
  }

  /** @internal Its partition is being given up: it is to be returned unless work on it has begun. */
  get isLeaving(): boolean {
    return this.delivery.owner.isLeaving;
  }

  /** @internal Whether it was acked, nacked or given back. */
  get isSettled(): boolean {
    return this.sequence === SETTLED;
  }

  /** @internal Whether it is one of the parts that another record was divided into. */
  get isPart(): boolean {
    return this.delivery.isPart;
  }

  /** @internal Whom operators that hold it back listen to. */
  get pipeline(): Pipeline {
    return this.delivery.owner.pipeline;
  }

  /** @internal */
  everyRecord(): Iterable<ConsumerRecord<unknown, unknown>> {
    return [this];
  }

  /** @internal */
  get owner(): DeliveryOwner {
    return this.delivery.owner;
  }

  /** @internal */
  get source(): RecordHome {
    return this.delivery;
  }

  /** @internal This record with another value, whose outcome goes elsewhere. */
  relayedTo<V2>(home: RecordHome, value: V2): ConsumerRecord<K, V2> {
    return this.copy<V2>(home, 0, value, this.attempt);
  }

  /** @internal The same record, whose outcome goes elsewhere. */
  shownIn(home: RecordHome): ConsumerRecord<K, V> {
    return this.copy<V>(home, 0, this.decodedValue, this.attempt);
  }

  /** @internal Whoever takes what stands for this record, within `next`, has taken this one, too. */
  followed(other: ConsumerRecord<unknown, unknown>): void {
    this.state |= other.state & (TAKEN | DERIVED);
  }

  /** @internal */
  delivered(sequence: number): void {
    this.sequence = sequence;
  }

  /** @internal */
  get isKeyDecoded(): boolean {
    return this.decodedKey !== LAZY;
  }

  /** @internal */
  get isValueDecoded(): boolean {
    return this.decodedValue !== LAZY;
  }

  /** @internal */
  decodedKeyIs(key: unknown): void {
    this.decodedKey = key;
  }

  /** @internal */
  decodedValueIs(value: unknown): void {
    this.decodedValue = value;
  }

  /** @internal The same record for one more delivery under the same number. */
  again(sequence: number): ConsumerRecord<K, V> {
    return this.copy<V>(this.delivery, sequence, this.decodedValue, this.attempt + 1);
  }

  private copy<V2>(
    home: RecordHome,
    sequence: number,
    decodedValue: unknown,
    attempt: number,
  ): ConsumerRecord<K, V2> {
    const { offsetDelta, start, keyStart, keyLength, valueStart, valueLength } = this;
    const copy = new ConsumerRecord<K, V2>(
      home,
      sequence,
      offsetDelta,
      start,
      keyStart,
      keyLength,
      valueStart,
      valueLength,
    );
    copy.decodedKey = this.decodedKey;
    copy.decodedValue = decodedValue;
    copy.state = attempt * ONE_ATTEMPT;
    return copy;
  }

  private get headersStart(): number {
    return this.valueLength < 0 ? this.valueStart : this.valueStart + this.valueLength;
  }

  private derivedTwice(): KafkaError {
    const { topic, partition, offset } = this;
    return new KafkaError(
      `The record at ${topic}-${partition} offset ${offset} was derived twice; use flatMapEach() ` +
        `where one record makes several, so that it is acked when all of them are written`,
      { code: 'DERIVED_TWICE', context: { topic, partition, offset } },
    );
  }
}
