import type { KafkaError } from '../../util/errors.js';
import type { ProducerRecord, Receipt, Submitter } from '../record.js';
import type { SinkEngine } from '../sink-engine.js';
import { aborted, transactionEnded } from './errors.js';
import type { TransactionManager } from './manager.js';
import type { TransactionGroup, TransactionOffset } from './state.js';

/** What a {@link Transaction} needs of its producer. */
export interface TransactionHost<K, V> {
  readonly manager: TransactionManager;
  readonly engine: SinkEngine;
  send(record: ProducerRecord<K, V>): Promise<Receipt>;
  /** Resolves when every send that was called before is settled. */
  flush(): Promise<void>;
}

/**
 * One transaction of a producer: records for any topics, and offsets of a group, that
 * `read_committed` consumers get all or none of. Can't be used after it has ended.
 *
 * **Guarantees.** After {@link Transaction.commit} resolved, all of it counts; after
 * {@link Transaction.abort}, none. When neither is known, because the process or the connection broke,
 * the coordinator's answer counts: what was not committed within `transactionTimeoutMs` is aborted,
 * and another producer with the same id waits for that before it begins.
 *
 * @example
 * const txn = await producer.beginTransaction();
 * try {
 *   await txn.send({ topic: 'invoices', value: invoice(order) });
 *   await txn.sendOffsets(consumer.groupMetadata!, [{ topic: 'orders', partition: 0, offset: 42 }]);
 *   await txn.commit();
 * } catch (error) {
 *   await txn.abort();
 * }
 */
export class Transaction<K = unknown, V = unknown> {
  private isOver = false;
  private outcome: Promise<void> | undefined;
  /** @internal Where sinks put records. */
  readonly engine: SinkEngine;

  /** @internal Made by `producer.beginTransaction()`. */
  constructor(private readonly host: TransactionHost<K, V>) {
    this.engine = engineOf(host.engine, () => this.refusal());
  }

  /** The id of the producer. */
  get transactionalId(): string {
    return this.host.manager.transactionalId;
  }

  /** Whether the brokers store offsets as a member of the group, or of the group alone (KIP-447). */
  get hasMemberOffsets(): boolean {
    return this.host.manager.support?.hasMemberOffsets === true;
  }

  /** Whether records may still be sent. */
  get isOpen(): boolean {
    return !this.isOver;
  }

  /**
   * Sends a record as part of the transaction. Its receipt says that it is written, not that it
   * counts.
   *
   * @throws KafkaError with code `TRANSACTION_ENDED`; TransactionAbortedError when the transaction
   * can only be aborted any more; else as {@link Producer.send}. Whatever it is, the transaction
   * can't be committed after it.
   */
  send(record: ProducerRecord<K, V>): Promise<Receipt> {
    const refusal = this.refusal();
    return refusal === undefined ? this.host.send(record) : Promise.reject(refusal);
  }

  /**
   * Stores a group's offsets with the transaction: they are committed when it is (KIP-447).
   *
   * @param group who consumed: `consumer.groupMetadata`. With brokers before Kafka 2.5 the `groupId`
   * alone.
   * @throws TransactionAbortedError when the membership is out of date, when they are not stored within
   * `maxBlockMs`, as those of a topic that doesn't exist, or when something else spoilt the transaction;
   * UnsupportedVersionError for a member's offsets before Kafka 2.5.
   */
  async sendOffsets(group: TransactionGroup, offsets: readonly TransactionOffset[]): Promise<void> {
    const refusal = this.refusal();
    if (refusal !== undefined) throw refusal;
    await this.host.manager.sendOffsets(group, offsets);
  }

  /**
   * Sends what is waiting and commits. Once the coordinator has been asked, its decision is awaited
   * however long it takes.
   *
   * @throws TransactionAbortedError when it can only be aborted, FencedError when another producer
   * has taken over the id; KafkaError with code `PRODUCER_CLOSED` and `mayBeWritten` when the producer is
   * closed before the coordinator has answered.
   */
  async commit(): Promise<void> {
    if (this.isOver) throw transactionEnded(this.transactionalId);
    this.isOver = true;
    await this.host.flush();
    // It was aborted while records were on their way.
    if (this.outcome !== undefined) throw aborted(this.transactionalId, undefined);
    this.outcome = this.host.manager.commit();
    try {
      await this.outcome;
    } catch (error) {
      // What can only be aborted is still to be.
      this.outcome = undefined;
      throw error;
    }
  }

  /**
   * Gives up everything that was sent. Also after a commit that was refused; after one that was not,
   * and when called again, it does nothing.
   *
   * @throws FencedError, or another error for which the producer can't go on.
   */
  async abort(): Promise<void> {
    this.isOver = true;
    if (this.outcome !== undefined) {
      await this.outcome;
      return;
    }
    this.outcome = this.host.manager.abort();
    await this.outcome;
  }

  private refusal(): KafkaError | undefined {
    return this.isOver ? transactionEnded(this.transactionalId) : this.host.manager.refusal();
  }
}

/** The producer's engine, as long as the transaction is open. */
function engineOf(engine: SinkEngine, refusal: () => KafkaError | undefined): SinkEngine {
  return {
    clock: engine.clock,
    options: engine.options,
    get hasRoom() {
      return engine.hasRoom;
    },
    get wantsMore() {
      return engine.wantsMore;
    },
    get isClosed() {
      return engine.isClosed || refusal() !== undefined;
    },
    submit(topic, record, submitter: Submitter, token) {
      const error = refusal();
      if (error === undefined) return engine.submit(topic, record, submitter, token);
      submitter.failed(token, error);
      return true;
    },
    whenRoom: (callback) => engine.whenRoom(callback),
    onDrain: (end) => engine.onDrain(end),
    flush: () => engine.flush(),
    dropOldest: (submitter, isDroppable) => engine.dropOldest(submitter, isDroppable),
    reportDropped: (topic, partition, records) => engine.reportDropped(topic, partition, records),
  };
}
