import type { Cluster, TopicMetadata } from '../cluster/index.js';
import { brokerError } from '../protocol/index.js';
import type { Serialized, SerializerContext } from '../serde/index.js';
import type { Cancel, Clock } from '../util/clock.js';
import { KafkaError } from '../util/errors.js';
import { Queue } from '../util/queue.js';
import { Accumulator, type EncodedRecord } from './accumulator.js';
import type { Batch } from './batch.js';
import { complaintAbout, complaintAboutTopic, headerList, serialized } from './check-record.js';
import {
  invalidRecord,
  metadataTimedOut,
  producerClosed,
  producerError,
  recordTooLarge,
  serializationFailure,
  unknowable,
} from './errors.js';
import type { ProducerEvent } from './events.js';
import { IdentityHolder, type Identities } from './identity.js';
import type { ResolvedProducerOptions } from './options.js';
import { ProducerMetrics } from './metrics.js';
import { Outcomes, type ProducerContext } from './outcomes.js';
import { ReadAhead } from './read-ahead.js';
import type { HeaderList, ProducerRecord, Submitter } from './record.js';
import { Sender } from './sender.js';
import type { SinkEngine } from './sink-engine.js';
import { TransactionManager } from './transactions/manager.js';
import { WaitingTopic } from './waiting-topic.js';

/** Room that a record takes besides its key, value and headers: at most. */
const MAX_OVERHEAD_BYTES = 100;

type Unaddressed = Omit<ProducerRecord, 'topic'>;

type Writable<T> = { -readonly [K in keyof T]: T[K] };

interface PendingFlush {
  /** Batches up to this one are waited for. */
  readonly order: number;
  readonly resolve: () => void;
}

/**
 * A producer without its face: takes records, and tells their submitters what became of them. The
 * handle and the sinks are thin layers over it.
 */
export class ProducerEngine implements ProducerContext, SinkEngine {
  readonly accumulator: Accumulator;
  readonly identity: Identities;
  readonly transactions: TransactionManager | undefined;
  readonly metrics: ProducerMetrics;
  readonly readAhead = new ReadAhead();
  private readonly sender: Sender;
  private readonly waiting = new Map<string, WaitingTopic>();
  private readonly roomListeners = new Queue<() => void>();
  private readonly abort = new AbortController();
  private readonly stopListening: () => void;
  /** The record in hand. One object for all of them: none outlives its call, but by a copy. */
  private readonly scratch: Writable<EncodedRecord> = {
    key: null,
    value: null,
    headers: [],
    partition: undefined,
    timestamp: 0,
    submitter: undefined as never,
    token: undefined,
  };
  private lastContext: SerializerContext = { topic: '' };
  private flushes: PendingFlush[] = [];
  private flushing = 0;
  private isClosing = false;
  private finished = Promise.resolve();
  private fatal: KafkaError | undefined;

  constructor(
    readonly cluster: Cluster,
    readonly clock: Clock,
    readonly options: ResolvedProducerOptions,
    readonly emit: (event: ProducerEvent) => void,
  ) {
    this.accumulator = new Accumulator(options, clock);
    this.metrics = new ProducerMetrics(clock);
    const { transactionalId } = options;
    this.transactions = transactionalId === undefined ? undefined : this.manage(transactionalId);
    this.identity = this.transactions ?? this.holdIdentity();
    this.sender = new Sender(this, new Outcomes(this));
    this.stopListening = cluster.onMetadata(({ topics }) => {
      for (const name of this.accumulator.knownTopics()) {
        const topic = topics.get(name);
        // Nobody used it for long: the next record has to look it up again.
        if (topic === undefined) this.accumulator.forgetTopic(name);
        else this.refresh(topic);
      }
      this.sender.wake();
    });
  }

  /** Whether another record may be submitted; the last one may exceed the buffer. */
  get hasRoom(): boolean {
    return this.accumulator.bufferedBytes < this.options.bufferMemory;
  }

  /**
   * Whether there is less at hand than keeps the brokers busy. Of all partitions together there is
   * always enough to fill a batch, so that none is left to linger.
   */
  get wantsMore(): boolean {
    if (!this.hasRoom) return false;
    const { encodedBytes, active } = this.accumulator;
    return (
      encodedBytes < this.readAhead.bytes || encodedBytes < 2 * this.options.batchSize * active.size
    );
  }

  get requestsInFlight(): number {
    return this.sender.requestsInFlight;
  }

  get isClosed(): boolean {
    return this.isClosing;
  }

  /**
   * Takes a record, in order with those before it for the same partition. What is wrong with this
   * record alone is told to its submitter and hurts no other.
   *
   * @returns false when there is no room: nothing was taken; try again after {@link whenRoom}.
   */
  submit(topic: string, record: Unaddressed, submitter: Submitter, token: unknown): boolean {
    if (!this.hasRoom && !this.isClosing) return false;
    const refusal = this.refusal();
    if (refusal !== undefined) {
      submitter.failed(token, refusal);
      return true;
    }
    const encoded = this.read(topic, record, submitter, token);
    if (encoded instanceof KafkaError) this.refuse(submitter, token, encoded);
    else this.place(topic, encoded);
    return true;
  }

  /** Calls back once when there may be room. */
  whenRoom(callback: () => void): void {
    if (this.isClosing) {
      queueMicrotask(callback);
      return;
    }
    this.roomListeners.push(callback);
    // Somebody waits: what lingers is sent, for nothing can join it.
    if (!this.hasRoom) this.sender.wake();
  }

  /**
   * Makes room by giving up the oldest batch that was never sent, if it is the submitter's alone and
   * may be dropped.
   *
   * @returns how many records were dropped.
   */
  dropOldest(submitter: Submitter, isDroppable: (token: unknown) => boolean): number {
    const isOurs = (batch: Batch) =>
      batch.submitters.every((other) => other === submitter) && batch.tokens.every(isDroppable);
    const oldest = this.accumulator.oldestUnsent(isOurs);
    if (oldest === undefined) return this.dropWaiting(submitter, isDroppable);
    const { queue, batch } = oldest;
    queue.remove(batch);
    if (queue.isEmpty) this.accumulator.active.delete(queue);
    batch.supersede();
    this.accumulator.release(batch);
    this.reportDropped(batch.topic, batch.partition, batch.recordCount);
    this.settled();
    return batch.recordCount;
  }

  private dropWaiting(submitter: Submitter, isDroppable: (token: unknown) => boolean): number {
    const mayDrop = (record: EncodedRecord) =>
      record.submitter === submitter && isDroppable(record.token);
    for (const [topic, waiting] of this.waiting) {
      if (!waiting.dropOldest(mayDrop)) continue;
      this.reportDropped(topic, -1, 1);
      return 1;
    }
    return 0;
  }

  /** Tells that records were given up; partition -1 where none was chosen yet. */
  reportDropped(topic: string, partition: number, records: number): void {
    const reason = 'bufferMemory was used up';
    this.emit({ type: 'dropped', topic, partition, records, reason });
  }

  /** Sends everything that was submitted without lingering; resolves when all of it is settled. */
  async flush(): Promise<void> {
    this.flushing++;
    try {
      // Twice, for a record whose partition isn't known when its topic is waits once more.
      for (let round = 0; round < 2; round++) {
        await Promise.all([...this.waiting.values()].map((topic) => topic.done));
      }
      const order = this.accumulator.lastOrder;
      this.sender.drain();
      if (this.isSettledUpTo(order)) return;
      await new Promise<void>((resolve) => this.flushes.push({ order, resolve }));
    } finally {
      this.flushing--;
    }
  }

  /**
   * Refuses further records, finishes those that were taken, and gives up what is left in time. When
   * called again meanwhile, the shorter time counts.
   */
  async close(timeoutMs: number): Promise<void> {
    if (!this.isClosing) {
      this.isClosing = true;
      this.wakeBlocked();
      this.finished = timeoutMs === 0 ? Promise.resolve() : this.finish();
    }
    if (timeoutMs > 0) {
      let cancel: Cancel = () => undefined;
      const timedOut = new Promise<void>((resolve) => {
        cancel = this.clock.schedule(timeoutMs, resolve);
      });
      await Promise.race([this.finished, timedOut]);
      cancel();
    }
    this.failAll(producerClosed());
    this.identity.close();
    this.abort.abort();
    this.stopListening();
    this.sender.stop();
  }

  private async finish(): Promise<void> {
    await this.transactions?.settle();
    await this.flush();
  }

  /** A topic's partitions, once a broker has told. */
  async metadataOf(topic: string): Promise<TopicMetadata> {
    const complaint = complaintAboutTopic(topic);
    if (complaint !== undefined) throw unknowable(complaint);
    const found = await this.lookUp(topic);
    const error = brokerError(found.errorCode);
    if (error.code !== 0) throw producerError(topic, error, { topic });
    return found;
  }

  isFlushing(): boolean {
    return this.flushing > 0 || !this.hasRoom;
  }

  settled(): void {
    this.wakeBlocked();
    if (this.flushes.length === 0) return;
    const rest: PendingFlush[] = [];
    for (const flush of this.flushes) {
      if (this.isSettledUpTo(flush.order)) flush.resolve();
      else rest.push(flush);
    }
    this.flushes = rest;
  }

  /** Why nothing is taken, whatever it is. */
  private refusal(): KafkaError | undefined {
    if (this.fatal !== undefined) return this.fatal;
    return this.isClosing ? producerClosed() : this.transactions?.refusal();
  }

  /** A record that will not be sent. A transaction can't be committed without it. */
  private refuse(submitter: Submitter, token: unknown, error: KafkaError): void {
    this.transactions?.recordFailed(error);
    submitter.failed(token, error);
  }

  private holdIdentity(): IdentityHolder {
    const { enableIdempotence, requiresIdempotence, deliveryTimeoutMs } = this.options;
    return new IdentityHolder(
      this.cluster,
      {
        isIdempotent: enableIdempotence,
        isRequired: requiresIdempotence,
        timeoutMs: deliveryTimeoutMs,
      },
      {
        onSettled: () => this.sender.wake(),
        onForegone: (reason) => this.foregoIdempotence(reason),
        onFailed: (reason) => this.failAll(reason),
      },
    );
  }

  private manage(transactionalId: string): TransactionManager {
    return new TransactionManager(
      this.cluster,
      this.clock,
      { ...this.options, transactionalId },
      {
        wake: () => this.sender.wake(),
        giveUpUnsent: (error) => this.giveUpUnsent(error),
        flush: () => this.flush(),
        failed: (error) => this.failAll(error),
        emit: (event) => this.emit(event),
      },
    );
  }

  /** Takes a record in hand that may be anything, also something that throws as it is looked at. */
  private read(
    topic: string,
    record: Unaddressed,
    submitter: Submitter,
    token: unknown,
  ): EncodedRecord | KafkaError {
    if (typeof topic !== 'string') return invalidRecord('', complaintAboutTopic(topic)!);
    try {
      return this.encode(topic, record, submitter, token);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      return invalidRecord(topic, `the record can't be read: ${reason}`, cause);
    }
  }

  private encode(
    topic: string,
    record: Unaddressed,
    submitter: Submitter,
    token: unknown,
  ): EncodedRecord | KafkaError {
    const complaint = complaintAbout(record);
    if (complaint !== undefined) return invalidRecord(topic, complaint);
    const { key, value, headers, partition, timestamp } = record;
    const context = this.serializerContext(topic);
    let keyBytes: Serialized = null;
    let valueBytes: Serialized = null;
    let part: 'key' | 'value' = 'key';
    try {
      if (key !== undefined && key !== null) {
        keyBytes = serialized(submitter.serializeKey(key as never, context));
      }
      part = 'value';
      if (value !== undefined && value !== null) {
        valueBytes = serialized(submitter.serializeValue(value as never, context));
      }
    } catch (error) {
      return serializationFailure(topic, part, error);
    }
    const { maxRequestSize, partitioner } = this.options;
    const list = headerList(headers);
    if (boundOf(keyBytes, valueBytes, list) > maxRequestSize) {
      const bytes = sizeOf(keyBytes, valueBytes, list);
      if (bytes > maxRequestSize) return recordTooLarge(topic, bytes, maxRequestSize);
    }
    const { scratch } = this;
    scratch.key = keyBytes;
    scratch.value = valueBytes;
    scratch.headers = list;
    scratch.partition = partition;
    scratch.timestamp = timestamp ?? this.clock.now();
    scratch.submitter = submitter;
    scratch.token = token;
    // A partitioner of the user's might send a record itself.
    return partitioner === undefined ? scratch : { ...scratch };
  }

  /** One for all the records of a topic that come in a row. */
  private serializerContext(topic: string): SerializerContext {
    if (this.lastContext.topic !== topic) this.lastContext = { topic };
    return this.lastContext;
  }

  private place(topic: string, record: EncodedRecord): void {
    const waiting = this.waiting.get(topic);
    if (waiting !== undefined) {
      waiting.add(record);
      return;
    }
    if (this.accumulator.topicMetadata(topic) === undefined) {
      const complaint = complaintAboutTopic(topic);
      if (complaint !== undefined) {
        this.refuse(record.submitter, record.token, invalidRecord('', complaint));
        return;
      }
      this.wait(topic, () => this.lookUp(topic), record);
      return;
    }
    this.append(topic, record);
  }

  private append(topic: string, record: EncodedRecord, isFresh = false): void {
    const outcome = this.accumulator.append(topic, record);
    if (outcome === 'ready') {
      this.sender.drain();
    } else if (outcome === 'started') {
      const { lingerMs } = this.options;
      if (lingerMs === 0 || this.flushing > 0 || this.transactions !== undefined)
        this.sender.wake();
      if (lingerMs > 0) this.sender.wakeAt(this.clock.monotonic() + lingerMs);
    } else if (typeof outcome !== 'string') {
      // A partitioner was told how many there are; what is no number of a partition never will be.
      const isNumber = Number.isInteger(record.partition) && record.partition! >= 0;
      const mayHaveGrown = outcome.code === 'INVALID_PARTITION' && isNumber && !isFresh;
      if (mayHaveGrown) this.wait(topic, () => this.lookUpAgain(topic), record);
      else this.refuse(record.submitter, record.token, outcome);
    }
  }

  /** Holds a record, and those that follow it, until it is known where the topic's partitions are. */
  private wait(topic: string, lookUp: () => Promise<TopicMetadata>, first: EncodedRecord): void {
    const waiting = new WaitingTopic(this.accumulator);
    this.waiting.set(topic, waiting);
    waiting.add(first);
    lookUp().then(
      (metadata) => {
        const error = brokerError(metadata.errorCode);
        const isUsable = error.code === 0 || metadata.partitions.length > 0;
        if (isUsable) this.refresh(metadata);
        this.release(topic, waiting, isUsable ? undefined : producerError(topic, error, { topic }));
      },
      (error: unknown) => this.release(topic, waiting, error as KafkaError),
    );
  }

  private release(topic: string, waiting: WaitingTopic, error: KafkaError | undefined): void {
    this.waiting.delete(topic);
    waiting.release((record) => {
      // A record that has to wait once more takes those that follow it along.
      if (error !== undefined) this.refuse(record.submitter, record.token, error);
      else if (this.waiting.has(topic)) this.waiting.get(topic)!.add(record);
      else this.append(topic, record, true);
    });
    // Those who wait for room came before anything could be sent.
    if (!this.hasRoom) this.sender.wake();
    this.settled();
  }

  private async lookUp(topic: string): Promise<TopicMetadata> {
    const { maxBlockMs } = this.options;
    const deadline = this.clock.monotonic() + maxBlockMs;
    const { signal } = this.abort;
    try {
      const { topics } = await this.cluster.ensureTopics([topic], { deadline, signal });
      const found = topics.get(topic);
      if (found !== undefined) return found;
    } catch (error) {
      if (!(error instanceof KafkaError) || error.code !== 'TIMED_OUT') throw error;
      throw metadataTimedOut(topic, maxBlockMs, error);
    }
    throw metadataTimedOut(topic, maxBlockMs, undefined);
  }

  /** Asks for a topic once more: it may have more partitions by now. */
  private async lookUpAgain(topic: string): Promise<TopicMetadata> {
    const deadline = this.clock.monotonic() + this.options.maxBlockMs;
    await this.cluster.refresh({ deadline, signal: this.abort.signal });
    return this.lookUp(topic);
  }

  private refresh(topic: TopicMetadata): void {
    if (topic.errorCode !== 0 && topic.partitions.length === 0) return;
    this.accumulator.updateTopic(topic);
  }

  private foregoIdempotence(reason: KafkaError): void {
    this.emit({
      type: 'warning',
      code: 'IDEMPOTENCE_FOREGONE',
      message:
        `The producer goes on without idempotence, so a retry may write a record twice: ` +
        `${reason.message}. Set enableIdempotence to false to say that this is fine`,
    });
    this.sender.wake();
  }

  /** Nothing more can be written: fails what there is, and everything that comes. */
  private failAll(error: KafkaError): void {
    this.fatal ??= error;
    for (const queue of [...this.accumulator.active]) {
      for (const batch of [...queue.all()]) {
        queue.remove(batch);
        if (batch.isSettled) continue;
        this.accumulator.release(batch);
        batch.fail(error);
      }
      this.accumulator.active.delete(queue);
    }
    for (const [topic, waiting] of [...this.waiting]) this.release(topic, waiting, error);
    this.settled();
  }

  /** A transaction ends without them: records that no broker has seen. */
  private giveUpUnsent(error: KafkaError): void {
    for (const [topic, waiting] of [...this.waiting]) this.release(topic, waiting, error);
    for (const queue of [...this.accumulator.active]) {
      for (const batch of [...queue.all()]) {
        if (batch.hasSequence || batch.isSettled) continue;
        queue.remove(batch);
        this.accumulator.release(batch);
        this.metrics.failed(batch.topic, batch.recordCount);
        batch.fail(error);
      }
      if (queue.isEmpty) this.accumulator.active.delete(queue);
    }
    this.settled();
  }

  private isSettledUpTo(order: number): boolean {
    for (const queue of this.accumulator.active) {
      for (const batch of queue.all()) if (!batch.isSettled && batch.order <= order) return false;
    }
    return true;
  }

  private wakeBlocked(): void {
    // Those who find no room wait again: once around, then.
    for (let left = this.roomListeners.length; left > 0; left--) {
      if (!this.hasRoom && !this.isClosing) return;
      this.roomListeners.shift()!();
    }
  }
}

/** An upper bound of the bytes that a record takes, without looking into strings. */
function boundOf(key: Serialized, value: Serialized, headers: HeaderList): number {
  let bytes = MAX_OVERHEAD_BYTES + boundOfPart(key) + boundOfPart(value);
  for (const [name, part] of headers) bytes += boundOfPart(name) + boundOfPart(part) + 10;
  return bytes;
}

function boundOfPart(part: Serialized): number {
  if (part === null) return 0;
  return typeof part === 'string' ? part.length * 3 : part.length;
}

function sizeOf(key: Serialized, value: Serialized, headers: HeaderList): number {
  const size = (part: Serialized) => (part === null ? 0 : Buffer.byteLength(part));
  let bytes = MAX_OVERHEAD_BYTES + size(key) + size(value);
  for (const [name, part] of headers) bytes += size(name) + size(part) + 10;
  return bytes;
}
