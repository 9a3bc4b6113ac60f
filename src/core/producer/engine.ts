import type { Cluster, TopicMetadata } from '../cluster/index.js';
import { brokerError } from '../protocol/index.js';
import type { Cancel, Clock } from '../util/clock.js';
import { KafkaError } from '../util/errors.js';
import { Accumulator, type EncodedRecord } from './accumulator.js';
import type { Batch } from './batch.js';
import { complaintAboutTopic } from './check-record.js';
import {
  closedBefore,
  invalidRecord,
  producerClosed,
  producerError,
  unknowable,
} from './errors.js';
import { dropped, type ProducerEvent } from './events.js';
import { Flushes } from './flushes.js';
import { dropOldest, failAll, failUnsent } from './giving-up.js';
import { IdentityHolder, type Identities } from './identity.js';
import { ProducerMetrics } from './metrics.js';
import type { ResolvedProducerOptions } from './options.js';
import { Outcomes, type ProducerContext } from './outcomes.js';
import { ReadAhead } from './read-ahead.js';
import type { Submitter } from './record.js';
import { RecordEncoder, type Unaddressed } from './record-encoder.js';
import { Room } from './room.js';
import { Sender } from './sender.js';
import type { SinkEngine } from './sink-engine.js';
import { TopicLookup } from './topic-lookup.js';
import { TransactionManager } from './transactions/manager.js';
import { WaitingTopics, type Whereabouts } from './waiting-topics.js';

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
  private readonly encoder: RecordEncoder;
  private readonly lookup: TopicLookup;
  private readonly waiting: WaitingTopics;
  private readonly room: Room;
  private readonly stopListening: () => void;
  private readonly flushes: Flushes;
  private readonly drainListeners = new Set<() => void>();
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
    this.room = new Room(this.accumulator, options, this.readAhead);
    this.encoder = new RecordEncoder(clock, options);
    this.flushes = new Flushes(this.accumulator);
    this.lookup = new TopicLookup(cluster, clock, options.maxBlockMs);
    this.waiting = this.newWaitingTopics();
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
    return this.room.isLeft;
  }

  /** Whether there is less at hand than keeps the brokers busy. */
  get wantsMore(): boolean {
    return this.room.wantsMore;
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
    const encoded = this.encoder.read(topic, record, submitter, token);
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
    this.room.whenLeft(callback);
    // Somebody waits: what lingers is sent, for nothing can join it.
    if (!this.hasRoom) this.sender.wake();
  }

  onDrain(end: () => void): () => void {
    // Half of a transaction's records is not an end: it is aborted.
    return this.transactions === undefined ? this.onClientDrained(end) : () => undefined;
  }

  /** Calls back once when the client is drained; returns how to be left out. */
  onClientDrained(end: () => void): () => void {
    this.drainListeners.add(end);
    return () => this.drainListeners.delete(end);
  }

  /** Tells sinks to end, in good time before the producer is closed. */
  endSinks(): void {
    for (const end of [...this.drainListeners]) end();
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
    const oldest = dropOldest(this.accumulator, isOurs);
    if (oldest === undefined) return this.dropWaiting(submitter, isDroppable);
    this.reportDropped(oldest.topic, oldest.partition, oldest.recordCount);
    this.settled();
    return oldest.recordCount;
  }

  private dropWaiting(submitter: Submitter, isDroppable: (token: unknown) => boolean): number {
    const topic = this.waiting.dropOldest(
      (record) => record.submitter === submitter && isDroppable(record.token),
    );
    if (topic === undefined) return 0;
    this.reportDropped(topic, -1, 1);
    this.settled();
    return 1;
  }

  /** Tells that records were given up; partition -1 where none was chosen yet. */
  reportDropped(topic: string, partition: number, records: number): void {
    this.emit(dropped(topic, partition, records));
  }

  /** Sends everything that was submitted without lingering; resolves when all of it is settled. */
  async flush(): Promise<void> {
    await this.flushes.run(async () => {
      // Twice, for a record whose partition isn't known when its topic is waits once more.
      for (let round = 0; round < 2; round++) await this.waiting.released();
      const order = this.accumulator.lastOrder;
      this.sender.drain();
      return order;
    });
  }

  /**
   * Refuses further records, finishes those that were taken, and gives up what is left in time. When
   * called again meanwhile, the shorter time counts.
   */
  async close(timeoutMs: number): Promise<void> {
    if (!this.isClosing) {
      this.isClosing = true;
      this.room.tellAll();
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
    this.failAll(producerClosed(), closedBefore);
    this.identity.close();
    this.lookup.stop();
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
    const found = await this.lookup.find(topic);
    const error = brokerError(found.errorCode);
    if (error.code !== 0) throw producerError(topic, error, { topic });
    return found;
  }

  isFlushing(): boolean {
    return this.flushes.isUnderWay || !this.hasRoom;
  }

  settled(): void {
    this.room.tell();
    this.flushes.check();
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
        onFailed: (reason) => this.failAll(reason, () => reason),
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
        failed: (error) => this.failAll(error, () => error),
        emit: (event) => this.emit(event),
      },
    );
  }

  private place(topic: string, record: EncodedRecord): void {
    if (this.waiting.join(topic, record)) return;
    if (this.accumulator.topicMetadata(topic) !== undefined) {
      this.append(topic, record, 'known');
      return;
    }
    const complaint = complaintAboutTopic(topic);
    if (complaint === undefined) this.waiting.hold(topic, record);
    else this.refuse(record.submitter, record.token, invalidRecord('', complaint));
  }

  private append(topic: string, record: EncodedRecord, whereabouts: Whereabouts): void {
    const outcome = this.accumulator.append(topic, record);
    if (outcome === 'ready') {
      // What makes partitions part of a transaction goes one by one: what is given at once goes together.
      if (this.transactions === undefined) this.sender.drain();
      else this.sender.wake();
    } else if (outcome === 'started') {
      const { lingerMs } = this.options;
      const isUrgent = lingerMs === 0 || this.flushes.isUnderWay || this.transactions !== undefined;
      if (isUrgent) this.sender.wake();
      if (lingerMs > 0) this.sender.wakeAt(this.clock.monotonic() + lingerMs);
    } else if (typeof outcome !== 'string') {
      this.unplaced(topic, record, whereabouts, outcome);
    }
  }

  /** A record that belongs to no partition there is, or that is known. */
  private unplaced(
    topic: string,
    record: EncodedRecord,
    whereabouts: Whereabouts,
    error: KafkaError,
  ): void {
    const { submitter, token } = record;
    if (whereabouts === 'fresh' || !isBeyondKnown(record, error)) {
      this.refuse(submitter, token, error);
    } else if (whereabouts === 'known') {
      this.waiting.holdForGrowth(topic, record);
    } else {
      this.refuse(submitter, token, whereabouts);
    }
  }

  private newWaitingTopics(): WaitingTopics {
    return new WaitingTopics(this.accumulator, this.lookup, {
      onKnown: (topic) => this.refresh(topic),
      goOn: (topic, record, whereabouts) => this.append(topic, record, whereabouts),
      refuse: ({ submitter, token }, error) => this.refuse(submitter, token, error),
      onReleased: () => {
        // Those who wait for room came before anything could be sent.
        if (!this.hasRoom) this.sender.wake();
        this.settled();
      },
    });
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
  private failAll(error: KafkaError, errorOf: (batch: Batch) => KafkaError): void {
    this.fatal ??= error;
    failAll(this.accumulator, errorOf);
    this.waiting.giveUp(error);
    this.settled();
  }

  /** A transaction ends without them: records that no broker has seen. */
  private giveUpUnsent(error: KafkaError): void {
    this.waiting.giveUp(error);
    failUnsent(this.accumulator, this.metrics, error);
    this.settled();
  }
}

/** Whether it is for a partition that may be there by now: what is no number of one never will be. */
function isBeyondKnown({ partition }: EncodedRecord, { code }: KafkaError): boolean {
  // A partitioner was told how many there are.
  return code === 'INVALID_PARTITION' && Number.isInteger(partition) && partition! >= 0;
}
