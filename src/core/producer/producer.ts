import { inspect, type InspectOptions } from 'node:util';
import { Subject, type Observable, type ObservableInput } from 'rxjs';
import type { Cluster } from '../cluster/index.js';
import type { Metrics } from '../metrics/index.js';
import { originsOf } from '../records/index.js';
import type { Clock } from '../util/clock.js';
import { checkIsObject, patienceOf } from '../util/options.js';
import { shown } from '../util/shown.js';
import { ProducerEngine } from './engine.js';
import type { ProducerEvent } from './events.js';
import { resolveProducerOptions, type ProducerOptions } from './options.js';
import type { ProducerRecord, Receipt } from './record.js';
import { SendQueue } from './send-queue.js';
import { SERIALIZERS, serializersOf, type SerializerOptions } from './serializers.js';
import { notTransactional } from './transactions/errors.js';
import type { TransactionManager } from './transactions/manager.js';
import { runTransaction } from './transactions/run-transaction.js';
import { Transaction } from './transactions/transaction.js';

/** A partition as {@link Producer.partitionsFor} describes it. */
export interface PartitionInfo {
  readonly topic: string;
  readonly partition: number;
  /** The broker that leads it; -1 while there is none. */
  readonly leader: number;
  readonly replicas: readonly number[];
  readonly inSyncReplicas: readonly number[];
  readonly offlineReplicas: readonly number[];
}

/**
 * Writes records to topics. Made with `kafka.producer(options)`; opens no connection until the first
 * record.
 *
 * **Guarantees.** Records for one partition are written in the order in which they were sent, also
 * over retries. With the defaults (`acks: 'all'`, idempotent) each record whose receipt came is
 * written once, on all in-sync replicas. At most `bufferMemory` bytes wait to be acknowledged.
 *
 * @example
 * const producer = kafka.producer({ valueSerializer: json<Click>() });
 * const { partition, offset } = await producer.send({ topic: 'clicks', key: 'anna', value: click });
 * await producer.close();
 */
export class Producer<K = unknown, V = unknown> implements AsyncDisposable {
  /**
   * What happens to this producer, in one order; its connections are the client's to report. Never
   * errors; completes when the producer has closed.
   */
  readonly lifecycle: Observable<ProducerEvent>;
  /** @internal For the sinks of this library. */
  readonly engine: ProducerEngine;
  private readonly events = new Subject<ProducerEvent>();
  private readonly sends: SendQueue;

  /** @internal Made by `kafka.producer()`. */
  constructor(
    cluster: Cluster,
    clock: Clock,
    private readonly options: ProducerOptions & SerializerOptions<K, V>,
  ) {
    checkIsObject('producer', options);
    const { keySerializer, valueSerializer, ...rest } = options;
    const resolved = resolveProducerOptions(rest, 'producer', SERIALIZERS);
    this.lifecycle = this.events.asObservable();
    const isTransactional = resolved.transactionalId !== undefined;
    this.engine = new ProducerEngine(
      isTransactional ? cluster.forTransactions() : cluster,
      clock,
      resolved,
      (event) => this.events.next(event),
    );
    this.sends = new SendQueue(
      this.engine,
      serializersOf('producer', keySerializer, valueSerializer),
      resolved,
      // Within a transaction a receipt says that a record is written, not yet that it counts.
      isTransactional ? () => [] : originsOf,
    );
  }

  /**
   * Sends a record; resolves when it is acknowledged as `acks` demands. Records sent without waiting
   * travel in batches.
   *
   * When `bufferMemory` is used up the record waits for room, at most `maxBlockMs`, and at most
   * `maxBlockedSends` of them wait at once, so that sends nobody awaits can't grow without bound.
   *
   * A record made with `record.derive()` acks what it was derived from when it is acknowledged, and
   * nacks it when it can't be sent; but not within a transaction, where offsets go with the
   * transaction.
   *
   * @throws SerializationError when a serializer throws, TimeoutError after `maxBlockMs` or
   * `deliveryTimeoutMs`, AuthorizationError, and KafkaError with the broker's code for what it
   * refuses. Each concerns this record alone.
   * @example
   * await producer.send({ topic: 'clicks', key: 'anna', value: '42', headers: { trace: 'a1' } });
   */
  send(record: ProducerRecord<K, V>): Promise<Receipt> {
    return this.sends.send(record);
  }

  /**
   * Takes the transactional id over: whoever had it before is fenced, and what it left undone is
   * ended. Done by the first transaction by itself; called earlier, it lets a consumer that is
   * subscribed afterwards see what its predecessor has committed.
   *
   * @throws UnsupportedVersionError below Kafka 0.11, AuthorizationError, TimeoutError after
   * `maxBlockMs`: then it goes on, and may be called again; KafkaError with code
   * `INVALID_TRANSACTION_TIMEOUT`, or `NOT_TRANSACTIONAL`.
   */
  async initTransactions(): Promise<void> {
    await this.manager.init();
  }

  /**
   * Begins a transaction to be ended by hand; {@link Producer.transaction} ends it by itself. A
   * producer has one at a time; see {@link transactionPool} for several side by side.
   *
   * @throws KafkaError with code `TRANSACTION_IN_PROGRESS` or `NOT_TRANSACTIONAL`; FencedError when
   * another producer has taken over the id; else as {@link Producer.initTransactions}.
   * @example
   * const txn = await producer.beginTransaction();
   * await txn.send({ topic: 'invoices', value: invoice(order) });
   * await txn.commit();
   */
  async beginTransaction(): Promise<Transaction<K, V>> {
    const { manager, engine } = this;
    await manager.begin();
    return new Transaction<K, V>({
      manager,
      engine,
      send: (record) => this.send(record),
      flush: () => this.flush(),
    });
  }

  /**
   * A transaction around what `project` returns: begins when subscribed to, commits when that
   * completes, aborts when it errors or is unsubscribed.
   *
   * ```
   * project's result         -a-b-|
   * transaction(project)     -a-b----|
   *                          ^begins ^committed
   * ```
   *
   * **Guarantees.** What was sent counts when the stream completes, all of it. What is emitted comes
   * before that. An error comes after the abort; unsubscribing aborts in the background, unless the
   * commit is under way: that goes on.
   *
   * **Errors.** What `project` throws or errors with; TransactionAbortedError when the transaction
   * could not be committed: nothing of it counts, and `retry()` begins another one; FencedError, and
   * whatever else {@link Producer.beginTransaction} throws.
   *
   * @example
   * producer.transaction((txn) => orders.pipe(
   *   concatMap(({ value }) => txn.send({ topic: 'invoices', value: invoice(value) })),
   * )).subscribe({ complete: () => console.log('committed') });
   */
  transaction<R>(project: (txn: Transaction<K, V>) => ObservableInput<R>): Observable<R> {
    return runTransaction(() => this.beginTransaction(), project);
  }

  private get manager(): TransactionManager {
    const { transactions } = this.engine;
    if (transactions === undefined) throw notTransactional();
    return transactions;
  }

  /**
   * Sends what is waiting without lingering, and resolves when everything that was sent before this
   * call is acknowledged or has failed. Failures are told where the record was sent, not here.
   */
  async flush(): Promise<void> {
    await this.sends.flush();
  }

  /**
   * The partitions of a topic.
   *
   * @throws TimeoutError when no broker knows the topic within `maxBlockMs`.
   */
  async partitionsFor(topic: string): Promise<readonly PartitionInfo[]> {
    const { partitions } = await this.engine.metadataOf(topic);
    return partitions.map(({ partition, leader, replicas, isr, offline }) => ({
      topic,
      partition,
      leader,
      replicas,
      inSyncReplicas: isr,
      offlineReplicas: offline,
    }));
  }

  /**
   * Figures about what was sent, by the names of Kafka and kafka-python; `docs/metrics.md` has them
   * all. Rates are per second, times in ms; averages and maxima cover the last 30 to 60 seconds and
   * are `NaN` where nothing happened in them.
   *
   * - `producer-metrics`: records, batches, requests and memory of this producer, and the
   *   connections that it shares with the client's other producers;
   * - `producer-topic-metrics.<topic>`: what was sent to a topic;
   * - `producer-node-metrics.node-<id>`: those connections by broker.
   *
   * @example
   * producer.metrics()['producer-metrics']?.['record-send-rate'];
   * producer.metrics()['producer-node-metrics.node-1']?.['request-latency-max'];
   */
  metrics(): Metrics {
    const { engine } = this;
    return engine.metrics.snapshot({
      requestsInFlight: engine.requestsInFlight,
      metadataAgeMs: engine.cluster.metadataAgeMs,
      bufferedBytes: engine.accumulator.bufferedBytes,
      bufferMemory: engine.options.bufferMemory,
      blockedSends: this.sends.blocked,
      connections: engine.cluster.connectionMetrics('producer'),
    });
  }

  /**
   * Sends what is waiting, waits for the answers, and gives everything back. What is not
   * acknowledged after `timeoutMs` fails with code `PRODUCER_CLOSED`, and `mayBeWritten` says whether it was
   * on the way; further sends fail with the same code. A transaction that is open is aborted.
   *
   * @param options.timeoutMs default unlimited; 0 fails everything at once.
   */
  async close(options: { readonly timeoutMs?: number } = {}): Promise<void> {
    const { engine } = this;
    await engine.close(patienceOf('producer.close', options) ?? 0x7fff_ffff);
    // Of a transactional one these are its own; others share the client's.
    if (engine.transactions !== undefined) await engine.cluster.close();
    this.events.complete();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @internal What `console.log()` shows. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    return shown('Producer', this.options, options);
  }
}
