import { inspect, type InspectOptions } from 'node:util';
import { Subject, type Observable } from 'rxjs';
import type { Cluster, ClusterEvent } from '../cluster/index.js';
import type { GroupMetadata, TopicPartition } from '../group/index.js';
import type { Metrics } from '../metrics/index.js';
import type { Clock } from '../util/clock.js';
import { KafkaError } from '../util/errors.js';
import { patienceOf } from '../util/options.js';
import { shown } from '../util/shown.js';
import type { AssignedPartition } from './assigned-partition.js';
import type { ConsumerRecord } from './record/consumer-record.js';
import type { ConsumerContext, PartitionPosition, Patience } from './context.js';
import { Decoder, type DeserializerOptions } from './delivering/decoder.js';
import { nameOf } from './errors.js';
import type { ConsumerEvent, DrainReport, PartitionOffset } from './events.js';
import { FetchOutlets, type FetchHandle } from './delivering/fetch-outlets.js';
import { heldOutlet } from './delivering/held-outlet.js';
import {
  fetchCommitted,
  type CommittedOffset,
  type OffsetToCommit,
} from './positions/group-offsets.js';
import { iterateRecords, type IterateOptions } from './iterate.js';
import { EARLIEST, LATEST, type FoundOffset } from './positions/list-offsets.js';
import { ConsumerMetrics } from './metrics.js';
import { resolveConsumerOptions, type ConsumerOptions } from './options.js';
import {
  lookUpOffsets,
  lookUpTimes,
  withPartitions,
  type ForPartition,
  type TimeQuery,
} from './positions/offset-lookup.js';
import { singleOutlet } from './delivering/outlets.js';
import { PartitionOutlets, type PartitionStream } from './delivering/partition-outlets.js';
import type { ConsumerRun } from './run/run.js';
import { Subscriptions } from './subscriptions.js';
import { checkOffset, startPosition, type ConsumerTopics, type StartAt } from './topics.js';

type AnyRecord = ConsumerRecord<unknown, unknown>;

const NOTHING_DONE: DrainReport = { recordsFinished: 0, recordsAbandoned: 0, offsetsCommitted: [] };

/**
 * Reads records from topics. Made with `kafka.consumer(options)`; opens no connection before
 * something is subscribed to or asked for.
 *
 * A consumer serves one subscription at a time: it is one member of its group. Make another consumer
 * for another pipeline.
 *
 * **Guarantees.** Records of a partition are delivered in order. With a group, a record is delivered
 * at least once: an offset is committed only when it and all before it are acked. At most
 * `maxUnackedRecords` of a partition and `maxBufferedBytes` in all are at hand, one batch a partition
 * excepted; a slow pipeline leads to fewer fetches, never to a longer queue.
 *
 * @example
 * const consumer = kafka.consumer({ groupId: 'billing', valueDeserializer: json<Order>() });
 * consumer.records('orders').pipe(processEach((order) => charge(order.value))).subscribe();
 * consumer.lag({ topic: 'orders', partition: 0 });
 * await consumer.drain();
 */
export class Consumer<K = Buffer | null, V = Buffer | null> implements AsyncDisposable {
  /**
   * What happens to this consumer, in one order. Never errors; completes when the consumer has
   * closed.
   */
  readonly lifecycle: Observable<ConsumerEvent | ClusterEvent>;
  /** @internal Tells which partition's position may have moved, once for each run of records. */
  readonly moves: Observable<PartitionPosition>;
  private readonly events = new Subject<ConsumerEvent | ClusterEvent>();
  private readonly moved = new Subject<PartitionPosition>();
  private readonly context: ConsumerContext;
  private readonly measured: ConsumerMetrics;
  private readonly pausedKeys = new Map<string, TopicPartition>();
  private readonly abort = new AbortController();
  private readonly subscriptions: Subscriptions;

  /** @internal Made by `kafka.consumer()`. */
  constructor(
    cluster: Cluster,
    clock: Clock,
    private readonly given: ConsumerOptions & DeserializerOptions<K, V>,
  ) {
    const { keyDeserializer, valueDeserializer, ...rest } = given;
    const { metadataMaxAgeMs } = cluster;
    const options = resolveConsumerOptions(rest, { metadataMaxAgeMs });
    const decoder = new Decoder({
      ...(keyDeserializer !== undefined && { keyDeserializer }),
      ...(valueDeserializer !== undefined && { valueDeserializer }),
    });
    this.lifecycle = this.events.asObservable();
    this.measured = new ConsumerMetrics(clock);
    this.moves = this.moved.asObservable();
    this.context = {
      cluster,
      clock,
      options,
      emit: (event) => this.events.next(event),
      onMoved: (partition) => this.moved.next(partition),
    };
    this.subscriptions = new Subscriptions(this.context, {
      decoder,
      metrics: this.measured,
      paused: this.pausedKeys,
    });
  }

  /**
   * The records of topics. Each subscription joins the group anew and leaves it at its end.
   *
   * ```
   * topic 0  -a--b------c-
   * topic 1  ---x---y-----
   * records  -a-xb--y---c-
   * ```
   *
   * **Errors.** AuthorizationError, FencedError, CorruptRecordError, SerializationError and other
   * KafkaErrors that retrying can't cure, after the member has left, so that `retry()` begins with
   * a clean one.
   *
   * @example
   * consumer.records(/orders-.+/).subscribe((record) => { print(record); record.ack(); });
   */
  records(topics: ConsumerTopics): Observable<ConsumerRecord<K, V>> {
    return this.subscriptions.stream<AnyRecord>(topics, (subscriber) =>
      singleOutlet(subscriber),
    ) as Observable<ConsumerRecord<K, V>>;
  }

  /**
   * @internal As `records`, but each not before its time. Its partition waits with it: nothing of it
   * is in hand, and nothing more of it is fetched.
   */
  recordsWhenDue(
    topics: ConsumerTopics,
    dueAt: (record: ConsumerRecord<unknown, unknown>) => number,
  ): Observable<ConsumerRecord<K, V>> {
    return this.subscriptions.stream<AnyRecord>(topics, (subscriber) =>
      heldOutlet(subscriber, this.context.clock, dueAt),
    ) as Observable<ConsumerRecord<K, V>>;
  }

  /**
   * What is fetched, as handles: subscribing to `handle.records` delivers, and its completion lets
   * the partition's next handle come. So stock operators make the pace.
   *
   * @example
   * consumer.fetches('orders').pipe(concatMap((fetch) => fetch.records)).subscribe();
   */
  fetches(topics: ConsumerTopics): Observable<FetchHandle<K, V>> {
    return this.subscriptions.stream<FetchHandle<unknown, unknown>>(
      topics,
      (subscriber, wake) => new FetchOutlets(subscriber, this.context.clock, wake),
    ) as Observable<FetchHandle<K, V>>;
  }

  /**
   * A stream for each partition, from its assignment until it is given up.
   *
   * @example
   * consumer.partitions('orders')
   *   .pipe(mergeMap(({ records }) => records.pipe(processEach((order) => charge(order)))))
   *   .subscribe();
   */
  partitions(topics: ConsumerTopics): Observable<PartitionStream<K, V>> {
    return this.subscriptions.stream<PartitionStream<unknown, unknown>>(
      topics,
      (subscriber, wake) => new PartitionOutlets(subscriber, wake),
    ) as Observable<PartitionStream<K, V>>;
  }

  /**
   * Records one by one, for `for await`. A record is acked when the next is asked for; `break` and
   * `throw` don't ack the last one. With `{ ack: 'manual' }` the body acks.
   *
   * @example
   * for await (const order of consumer.iterate('orders')) await charge(order.value);
   */
  iterate(
    topics: ConsumerTopics,
    options?: IterateOptions,
  ): AsyncIterableIterator<ConsumerRecord<K, V>> {
    return iterateRecords(this.records(topics), options);
  }

  /** The partitions that are assigned now. */
  get assignment(): readonly TopicPartition[] {
    return this.held.map(({ topic, partition }) => ({ topic, partition }));
  }

  /** Who this consumer is in its group, for `sendOffsets` of a transaction; `undefined` outside a generation. */
  get groupMetadata(): GroupMetadata | undefined {
    return this.run?.groupMetadata;
  }

  /** The offset of the next record to be delivered; `undefined` when it is not known, or not ours. */
  position(partition: TopicPartition): number | undefined {
    const held = this.run?.find(partition);
    return held?.hasPosition === true ? held.position : undefined;
  }

  /** Records between the position and the end of the log; `undefined` when that is not known. */
  lag(partition: TopicPartition): number | undefined {
    const held = this.run?.find(partition);
    const lag = held === undefined ? -1 : this.lagOf(held);
    return lag < 0 ? undefined : lag;
  }

  /** Where the log ended when the partition was fetched last; `undefined` when that is not known. */
  highWatermark(partition: TopicPartition): number | undefined {
    const known = this.run?.find(partition)?.highWatermark ?? -1;
    return known < 0 ? undefined : known;
  }

  /**
   * Goes on elsewhere in a partition. What was delivered before and is not acked counts for nothing:
   * a new epoch begins.
   *
   * @throws KafkaError with code `NOT_ASSIGNED`.
   * @example
   * consumer.seek({ topic: 'orders', partition: 0 }, 'beginning');
   * consumer.seek({ topic: 'orders', partition: 0 }, { timestamp: Date.now() - 3_600_000 });
   */
  seek(partition: TopicPartition, to: StartAt): void {
    const held = this.run?.find(partition);
    if (held === undefined) throw notAssigned(partition);
    this.run!.seek([held], startPosition(to, this.context.clock.now()));
  }

  /** Delivers nothing more of partitions, until {@link Consumer.resume}; also over rebalances. */
  pause(partitions: readonly TopicPartition[] = this.assignment): void {
    for (const partition of partitions) {
      this.pausedKeys.set(nameOf(partition), partition);
      const held = this.run?.find(partition);
      if (held !== undefined) held.isPaused = true;
    }
  }

  resume(partitions: readonly TopicPartition[] = this.paused): void {
    for (const partition of partitions) {
      this.pausedKeys.delete(nameOf(partition));
      const held = this.run?.find(partition);
      if (held !== undefined) held.isPaused = false;
    }
    this.run?.wake();
  }

  /** The partitions that are paused, assigned or not. */
  get paused(): readonly TopicPartition[] {
    return [...this.pausedKeys.values()];
  }

  /**
   * Commits what is acked, or given offsets, now.
   *
   * @throws KafkaError saying why it could not be done.
   * @example
   * await consumer.commit();
   * await consumer.commit([{ topic: 'orders', partition: 0, offset: 42, metadata: 'by hand' }]);
   */
  async commit(offsets?: readonly OffsetToCommit[]): Promise<void> {
    const { run } = this;
    for (const { offset } of offsets ?? []) checkOffset(offset);
    if (run === undefined) throw notRunning('commit');
    await run.commit(offsets, this.context.options.defaultApiTimeoutMs);
  }

  /** What the group has committed for partitions; those it has nothing for are left out. */
  async committed(
    partitions: readonly TopicPartition[] = this.assignment,
  ): Promise<readonly ForPartition<CommittedOffset>[]> {
    const { groupId } = this.context.options;
    if (groupId === undefined) throw noGroup();
    const member = () => this.groupMetadata;
    const found = await fetchCommitted(this.context, groupId, member, partitions, this.patience());
    return withPartitions(partitions, found);
  }

  /** The first offset that each partition still has. */
  async beginningOffsets(
    partitions: readonly TopicPartition[],
  ): Promise<readonly PartitionOffset[]> {
    return lookUpOffsets(this.context, partitions, EARLIEST, this.patience());
  }

  /** The offset after the last record of each partition; with `read_committed` the last stable one. */
  async endOffsets(partitions: readonly TopicPartition[]): Promise<readonly PartitionOffset[]> {
    return lookUpOffsets(this.context, partitions, LATEST, this.patience());
  }

  /** The first record of each partition at or after a time; those that have none are left out. */
  async offsetsForTimes(
    queries: readonly TimeQuery[],
  ): Promise<readonly ForPartition<FoundOffset>[]> {
    return lookUpTimes(this.context, queries, this.patience());
  }

  /**
   * Figures about what was consumed, by the names of Kafka and kafka-python; `docs/metrics.md` has
   * them all. Rates are per second, times in ms; averages and maxima cover the last 30 to 60 seconds
   * and are `NaN` where nothing happened in them.
   *
   * - `consumer-fetch-manager-metrics`: fetches, records and bytes, lag, buffered bytes; the same
   *   for each topic with `.<topic>` appended, and lag for each partition with `.<topic>-<partition>`;
   * - `consumer-coordinator-metrics`: heartbeats, joins, syncs, rebalances, commits;
   * - `consumer-metrics`: the connections that this consumer has to itself, for fetches and for its
   *   group; for each broker in `consumer-node-metrics.node-<id>`.
   *
   * @example
   * consumer.metrics()['consumer-fetch-manager-metrics']?.['records-lag-max'];
   * consumer.metrics()['consumer-node-metrics.node-1']?.['request-latency-max'];
   */
  metrics(): Metrics {
    return this.measured.snapshot({
      partitions: this.held.map((each) => ({
        topic: each.topic,
        partition: each.partition,
        lag: this.lagOf(each),
        unacked: each.ledger.unacked,
      })),
      bufferedBytes: this.run?.budget.heldBytes ?? 0,
      peakBufferedBytes: this.run?.budget.peakBytes ?? 0,
      connections: this.context.cluster.connectionMetrics('consumer'),
    });
  }

  /**
   * The orderly way to end: delivers nothing more, waits for work in hand, commits, leaves the group,
   * and says what was done. The stream completes.
   *
   * @param options.timeoutMs how long work in hand is awaited. Default `drainTimeoutMs`.
   */
  async drain(options: { readonly timeoutMs?: number } = {}): Promise<DrainReport> {
    const timeoutMs = patienceOf('consumer.drain', options);
    const { run } = this;
    if (run === undefined) return NOTHING_DONE;
    if (run.isEnding && timeoutMs !== undefined) run.hasten(timeoutMs);
    return run.end('drained', timeoutMs);
  }

  /** Drains, and ends the lifecycle: the consumer can't be used any more. */
  async close(options: { readonly timeoutMs?: number } = {}): Promise<DrainReport> {
    patienceOf('consumer.close', options);
    this.subscriptions.close();
    const report = await this.drain(options);
    this.abort.abort();
    await this.context.cluster.close();
    this.events.complete();
    return report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** @internal What `console.log()` shows. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    return shown('Consumer', this.given, options);
  }

  private get run(): ConsumerRun | undefined {
    return this.subscriptions.current;
  }

  private get held(): readonly AssignedPartition[] {
    return this.run?.partitions ?? [];
  }

  private lagOf(partition: AssignedPartition): number {
    const isCommittedOnly = this.context.options.isolationLevel === 'read_committed';
    const end = partition.endOfLog(isCommittedOnly);
    return end < 0 || !partition.hasPosition ? -1 : Math.max(0, end - partition.position);
  }

  private patience(): Patience {
    const { clock, options } = this.context;
    this.subscriptions.throwIfClosed();
    return {
      deadline: clock.monotonic() + options.defaultApiTimeoutMs,
      signal: this.abort.signal,
    };
  }
}

function notRunning(what: string): KafkaError {
  return new KafkaError(`Cannot ${what}: nothing is subscribed`, { code: 'NOT_SUBSCRIBED' });
}

function noGroup(): KafkaError {
  return new KafkaError('There are no committed offsets: the consumer has no groupId', {
    code: 'NO_GROUP',
  });
}

function notAssigned({ topic, partition }: TopicPartition): KafkaError {
  return new KafkaError(`Cannot seek: ${topic}-${partition} is not assigned to this consumer`, {
    code: 'NOT_ASSIGNED',
    context: { topic, partition },
  });
}
