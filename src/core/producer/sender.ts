import type { BrokerChannel } from '../cluster/index.js';
import { apis, ZERO_UUID, type ResponseOf } from '../protocol/index.js';
import type { Cancel } from '../util/clock.js';
import { KafkaError, UnsupportedVersionError } from '../util/errors.js';
import type { Batch } from './batch.js';
import { noLeader } from './errors.js';
import type { Outcomes, ProducerContext } from './outcomes.js';
import type { PartitionQueue } from './partition-queue.js';
import { isSameIdentity, startSequences, takeSequences } from './sequences.js';
import type { BatchAnswer } from './verdict.js';

const { Produce } = apis;
/** How long to wait for a socket that takes nothing more. */
const CONGESTED_MS = 5;
const LAST_VERSION_WITH_NAMES = 12;
/** Later ones add partitions to transactions by themselves (KIP-890). */
const LAST_VERSION_OF_PROTOCOL_1 = 11;
const FIRST_VERSION_WITH_MAGIC_2 = 3;
const FIRST_VERSION_WITH_ZSTD = 7;
/** It remembers one batch of a producer and not five, so that a retry of an earlier one is lost on it. */
const LAST_VERSION_OF_0_11 = 3;

interface Shipment {
  readonly queue: PartitionQueue;
  readonly batch: Batch;
}

/** A request that was sent. */
interface Sent {
  readonly shipments: readonly Shipment[];
  /** Of topics, by id. */
  readonly names: ReadonlyMap<string, string>;
  readonly sentAt: number;
  /** It makes partitions part of the transaction. */
  readonly isAdding: boolean;
}

/**
 * The producer's run loop: looks what can be sent, and sends it. It runs when a batch becomes full,
 * a linger or backoff ends, a connection becomes usable, or an answer comes.
 *
 * Order within a partition holds over retries: batches are numbered when they are first sent; a
 * batch that has to be repeated waits until nothing of its partition is on the way, and nothing
 * overtakes it. The first batch of an epoch travels alone: a broker that knows nothing of a producer
 * takes any sequence number, so a second batch could slip in before a first that was refused.
 * Without idempotence at most one batch of a partition is on the way.
 */
export class Sender {
  private timer: { at: number; cancel: Cancel } | undefined;
  private isDraining = false;
  private isWakeQueued = false;
  private isStopped = false;
  /** At most one batch of a partition may be on the way. */
  private isSerial = false;
  /** Where the next look at the partitions starts, so that none is always last. */
  private rotation = 0;
  requestsInFlight = 0;
  private readonly connecting = new Set<number>();

  constructor(
    private readonly context: ProducerContext,
    private readonly outcomes: Outcomes,
  ) {}

  /** Runs the loop once the code at work now is done. */
  wake(): void {
    if (this.isWakeQueued || this.isStopped) return;
    this.isWakeQueued = true;
    queueMicrotask(() => {
      this.isWakeQueued = false;
      this.drain();
    });
  }

  /** Makes sure that the loop runs by a time on the monotonic clock. */
  wakeAt(at: number): void {
    if (this.isStopped || (this.timer !== undefined && this.timer.at <= at)) return;
    this.timer?.cancel();
    const delayMs = Math.max(0, Math.ceil(at - this.context.clock.monotonic()));
    const cancel = this.context.clock.schedule(delayMs, () => {
      this.timer = undefined;
      this.drain();
    });
    this.timer = { at, cancel };
  }

  /** Ends the loop; what is on the way is left to itself. */
  stop(): void {
    this.isStopped = true;
    this.timer?.cancel();
    this.timer = undefined;
  }

  /** Sends what can be sent now. */
  drain(): void {
    if (this.isDraining) {
      // A receipt told on the way has led to more records.
      this.wake();
      return;
    }
    if (this.isStopped) return;
    this.isDraining = true;
    try {
      const now = this.context.clock.monotonic();
      this.expire(now);
      for (const [nodeId, ready] of this.readyByNode(now)) this.sendTo(nodeId, ready, now);
      this.scheduleNext(now);
    } finally {
      this.isDraining = false;
    }
  }

  private readyByNode(now: number): Map<number, PartitionQueue[]> {
    const { accumulator, cluster, identity, transactions } = this.context;
    const nodes = new Map<number, PartitionQueue[]>();
    if (accumulator.active.size === 0 || identity.isPending) return nodes;
    for (const queue of rotated([...accumulator.active], this.rotation++)) {
      // A topic with records on their way is in use, however long they linger.
      cluster.topic(queue.topic);
      // Said early: a partition can become part of the transaction while its records linger.
      if (transactions?.maySend(queue) === false) continue;
      if (!this.isDue(queue, now)) continue;
      if (!this.maySend(queue)) {
        queue.stuckSince ||= now;
        continue;
      }
      const leader = accumulator.topicMetadata(queue.topic)?.partitions[queue.partition]?.leader;
      if (leader === undefined || leader < 0) {
        queue.peek()!.lastError = noLeader(queue.topic, queue.partition);
        cluster.requestMetadataUpdate();
        continue;
      }
      const others = nodes.get(leader);
      if (others === undefined) nodes.set(leader, [queue]);
      else others.push(queue);
    }
    return nodes;
  }

  /** Whether the next batch of a partition need not wait for more records or for a backoff. */
  private isDue({ open, hasSealed, retryAt }: PartitionQueue, now: number): boolean {
    if (now < retryAt) return false;
    if (hasSealed) return true;
    if (open === undefined) return false;
    const { batchSize, lingerMs } = this.context.options;
    return (
      open.builder.sizeBytes >= batchSize ||
      now - open.createdAt >= lingerMs ||
      this.context.isFlushing()
    );
  }

  /** Whether order allows the next batch of a partition to be sent. */
  private maySend(queue: PartitionQueue): boolean {
    if (queue.inFlight.length === 0) return true;
    const { identity, options } = this.context;
    if (identity.current === undefined) return options.acks === 0;
    const { sequences } = queue;
    if (sequences?.disorder !== 'none' || this.isSerial) return false;
    if (queue.peek()?.hasSequence === true) return false;
    return sequences.lastAcked >= 0 && isSameIdentity(sequences.identity, identity.current);
  }

  private sendTo(nodeId: number, ready: readonly PartitionQueue[], now: number): void {
    const channel = this.context.cluster.channel(nodeId, 'produce');
    const { transactions } = this.context;
    // What was sent to another broker may keep it.
    let waiting = ready.filter((queue) => transactions?.maySend(queue) !== false);
    if (channel.isReady) {
      while (waiting.length > 0 && this.hasRoomOn(channel)) {
        this.ship(nodeId, channel, this.load(waiting));
        waiting = waiting.filter((queue) => this.isSendable(queue, now));
      }
    } else {
      this.connect(nodeId, channel);
    }
    for (const queue of waiting) queue.stuckSince ||= now;
  }

  private isSendable(queue: PartitionQueue, now: number): boolean {
    if (!this.isDue(queue, now) || !this.maySend(queue)) return false;
    return this.context.transactions?.maySend(queue) !== false;
  }

  /** Whether another request may be on the way. Unanswered ones are bounded by the socket's queue. */
  private hasRoomOn(channel: BrokerChannel): boolean {
    const { acks, maxInFlightRequestsPerConnection: limit, maxRequestSize } = this.context.options;
    if (acks !== 0) return channel.inFlight < limit;
    if (channel.queuedBytes < limit * maxRequestSize) return true;
    // Nothing tells when the system has taken some of it.
    this.wakeAt(this.context.clock.monotonic() + CONGESTED_MS);
    return false;
  }

  private connect(nodeId: number, channel: BrokerChannel): void {
    if (this.connecting.has(nodeId)) return;
    this.connecting.add(nodeId);
    channel.ready().then(
      () => {
        this.connecting.delete(nodeId);
        this.drain();
      },
      (error: unknown) => {
        this.connecting.delete(nodeId);
        this.unreachable(nodeId, error);
      },
    );
  }

  private unreachable(nodeId: number, cause: unknown): void {
    if (this.isStopped) return;
    const { cluster, clock, options } = this.context;
    if (!(cause instanceof KafkaError) || cause.isRetriable) {
      if (cause instanceof KafkaError)
        this.eachBatchFor(nodeId, (_, batch) => (batch.lastError = cause));
      cluster.requestMetadataUpdate();
      this.wakeAt(clock.monotonic() + options.retryBackoffMs);
      return;
    }
    // Waiting doesn't cure it: wrong credentials, or a broker that is too old.
    this.eachBatchFor(nodeId, (queue, batch) => this.outcomes.fail(queue, batch, cause));
  }

  /** What is not settled yet and goes to a broker. */
  private eachBatchFor(nodeId: number, act: (queue: PartitionQueue, batch: Batch) => void): void {
    const { accumulator } = this.context;
    for (const queue of [...accumulator.active]) {
      const leader = accumulator.topicMetadata(queue.topic)?.partitions[queue.partition]?.leader;
      if (leader !== nodeId) continue;
      for (const batch of [...queue.all()]) if (!batch.isSettled) act(queue, batch);
    }
  }

  /** Takes one batch of each partition, as many as fit into a request. */
  private load(queues: readonly PartitionQueue[]): Shipment[] {
    const shipments: Shipment[] = [];
    let bytes = 0;
    for (const queue of queues) {
      const next = queue.peek();
      if (next === undefined) continue;
      bytes += next.bytes?.length ?? next.builder.sizeBytes;
      if (shipments.length > 0 && bytes > this.context.options.maxRequestSize) break;
      queue.take();
      queue.stuckSince = 0;
      queue.inFlight.push(next);
      shipments.push({ queue, batch: next });
    }
    return shipments;
  }

  private ship(nodeId: number, channel: BrokerChannel, loaded: readonly Shipment[]): void {
    const { acks, requestTimeoutMs } = this.context.options;
    let shipments = loaded;
    let isAdding = false;
    try {
      const version = this.chooseVersion(channel, shipments);
      shipments = this.inFormat(shipments, version);
      if (shipments.length === 0) return;
      for (const { queue, batch } of shipments) {
        batch.attempts++;
        batch.sentTo = nodeId;
        this.encode(queue, batch);
      }
      this.context.metrics.sent(shipments.map(({ batch }) => batch));
      const { transactions } = this.context;
      isAdding = transactions?.sent(shipments.map(({ queue }) => queue)) === true;
      const body = {
        ...(transactions !== undefined && { transactionalId: transactions.transactionalId }),
        acks,
        timeoutMs: requestTimeoutMs,
        topicData: this.topicData(shipments),
      };
      if (acks === 0) {
        channel.post(Produce, version, body);
        for (const { queue, batch } of shipments) this.outcomes.acknowledge(queue, batch, -1, -1);
        return;
      }
      const sentAt = this.context.clock.monotonic();
      const names = new Map(body.topicData.map(({ topicId, name }) => [topicId, name]));
      this.requestsInFlight++;
      for (const { batch } of shipments) batch.isAwaited = true;
      channel.send(Produce, version, body, requestTimeoutMs).then(
        (response) => this.answered({ shipments, names, sentAt, isAdding }, response),
        (error: unknown) => {
          this.requestsInFlight--;
          if (isAdding) transactions!.added([]);
          this.unanswered(shipments, error);
        },
      );
    } catch (error) {
      if (isAdding) this.context.transactions!.added([]);
      this.unanswered(shipments, error);
    }
  }

  private chooseVersion(channel: BrokerChannel, shipments: readonly Shipment[]): number {
    const { accumulator } = this.context;
    const haveIds = shipments.every(({ queue }) => {
      const id = accumulator.topicMetadata(queue.topic)?.id;
      return id !== undefined && id !== ZERO_UUID;
    });
    const isOldProtocol = this.context.transactions?.protocol === 1;
    if (isOldProtocol) return channel.version(Produce, LAST_VERSION_OF_PROTOCOL_1);
    return channel.version(Produce, haveIds ? undefined : LAST_VERSION_WITH_NAMES);
  }

  /** The batches that are in the format of the broker. Others are put into it, and sent next. */
  private inFormat(shipments: readonly Shipment[], version: number): readonly Shipment[] {
    const { accumulator, options } = this.context;
    const magic = version >= FIRST_VERSION_WITH_MAGIC_2 ? 2 : version === 2 ? 1 : 0;
    if (options.compressionType === 'zstd' && version < FIRST_VERSION_WITH_ZSTD) {
      throw new UnsupportedVersionError(
        'The broker is too old for compressionType zstd, which needs Kafka 2.1; lz4 comes next',
      );
    }
    accumulator.magic = magic;
    this.isSerial = version <= LAST_VERSION_OF_0_11;
    const isReady = ({ batch }: Shipment) => batch.builder.magic === magic;
    if (shipments.every(isReady)) return shipments;
    for (const { queue, batch } of shipments) {
      if (batch.builder.magic !== magic) this.outcomes.reformat(queue, batch);
    }
    this.wake();
    return shipments.filter(isReady);
  }

  /** Brings a batch into the form in which it travels, numbered where the producer is idempotent. */
  private encode(queue: PartitionQueue, batch: Batch): void {
    const identity = this.context.identity.current;
    if (identity === undefined || batch.builder.magic < 2) {
      batch.bytes ??= batch.builder.close();
      return;
    }
    if (!batch.hasSequence) {
      const known = queue.sequences;
      const isCurrent = known !== undefined && isSameIdentity(known.identity, identity);
      const sequences = isCurrent ? known : startSequences(identity);
      batch.firstSequence = sequences.next;
      batch.identity = sequences.identity;
      queue.sequences = takeSequences(sequences, batch.recordCount);
    }
    batch.stamp();
  }

  private topicData(shipments: readonly Shipment[]) {
    const topics = new Map<string, { index: number; records: Buffer }[]>();
    for (const { queue, batch } of shipments) {
      const entry = { index: queue.partition, records: batch.bytes! };
      const partitions = topics.get(queue.topic);
      if (partitions === undefined) topics.set(queue.topic, [entry]);
      else partitions.push(entry);
    }
    return [...topics].map(([name, partitionData]) => ({
      name,
      topicId: this.context.accumulator.topicMetadata(name)?.id ?? ZERO_UUID,
      partitionData,
    }));
  }

  private answered(
    { shipments, names, sentAt, isAdding }: Sent,
    response: ResponseOf<typeof Produce>,
  ): void {
    this.requestsInFlight--;
    const { metrics, readAhead, clock } = this.context;
    const now = clock.monotonic();
    metrics.answered(now - sentAt, response.throttleTimeMs);
    readAhead.answered(bytesOf(shipments), now - sentAt, now);
    const answers = new Map<string, BatchAnswer>();
    for (const { name, topicId, partitionResponses } of response.responses) {
      const topic = name === '' ? (names.get(topicId) ?? '') : name;
      for (const partition of partitionResponses) {
        answers.set(`${topic} ${partition.index}`, partition);
        this.learnLeader(topic, partition, response);
      }
    }
    if (isAdding) this.noteAdded(shipments, answers);
    for (const { queue, batch } of shipments) {
      const answer = answers.get(`${queue.topic} ${queue.partition}`);
      if (answer === undefined) this.outcomes.unanswered(queue, batch, leftOut(batch));
      else this.outcomes.act(queue, batch, answer);
    }
    this.drain();
  }

  private noteAdded(
    shipments: readonly Shipment[],
    answers: ReadonlyMap<string, BatchAnswer>,
  ): void {
    const queues = shipments.map(({ queue }) => queue);
    this.context.transactions!.added(
      queues.filter(
        ({ topic, partition }) => answers.get(`${topic} ${partition}`)?.errorCode === 0,
      ),
    );
  }

  /** New leaders come with the refusal of the old ones (KIP-951). */
  private learnLeader(
    topic: string,
    {
      index,
      currentLeader,
    }: ResponseOf<typeof Produce>['responses'][number]['partitionResponses'][number],
    { nodeEndpoints }: ResponseOf<typeof Produce>,
  ): void {
    if (currentLeader.leaderId < 0) return;
    this.context.cluster.hint({ topic, partition: index, ...currentLeader }, nodeEndpoints);
  }

  /** No answer will come. */
  private unanswered(shipments: readonly Shipment[], error: unknown): void {
    const isCurable = error instanceof KafkaError && error.isRetriable;
    for (const { queue, batch } of shipments) {
      if (isCurable) this.outcomes.unanswered(queue, batch, error);
      else this.refused(queue, batch, asKafkaError(error));
    }
    this.drain();
  }

  private refused(queue: PartitionQueue, batch: Batch, error: KafkaError): void {
    batch.isAwaited = false;
    if (!batch.isSettled) this.outcomes.fail(queue, batch, error);
  }

  private expire(now: number): void {
    const { accumulator, options } = this.context;
    for (const queue of [...accumulator.active]) {
      for (const batch of [...queue.all()]) {
        if (now - batch.createdAt < options.deliveryTimeoutMs) break;
        if (!batch.isSettled) this.outcomes.expire(queue, batch);
      }
    }
  }

  private scheduleNext(now: number): void {
    const { accumulator, options } = this.context;
    let at = Infinity;
    for (const queue of accumulator.active) {
      for (const { isSettled, createdAt } of queue.all()) {
        if (isSettled) continue;
        at = Math.min(at, createdAt + options.deliveryTimeoutMs);
        break;
      }
      const { open, hasSealed, retryAt } = queue;
      if (hasSealed && retryAt > now) at = Math.min(at, retryAt);
      const lingerEnd =
        open === undefined ? 0 : Math.max(open.createdAt + options.lingerMs, retryAt);
      if (lingerEnd > now) at = Math.min(at, lingerEnd);
    }
    if (at < Infinity) this.wakeAt(at);
  }
}

function leftOut({ topic, partition, sentTo }: Batch): KafkaError {
  return new KafkaError(`The answer of broker ${sentTo} left ${topic}-${partition} out`, {
    code: 'NETWORK_EXCEPTION',
    context: { topic, partition, api: 'Produce' },
    isRetriable: true,
  });
}

function bytesOf(shipments: readonly Shipment[]): number {
  return shipments.reduce((sum, { batch }) => sum + batch.builder.sizeBytes, 0);
}

function asKafkaError(error: unknown): KafkaError {
  if (error instanceof KafkaError) return error;
  return new KafkaError(`Cannot produce: ${String(error)}`, {
    code: 'PRODUCE_FAILED',
    cause: error,
  });
}

function* rotated<T>(list: readonly T[], start: number): IterableIterator<T> {
  for (let i = 0; i < list.length; i++) yield list[(start + i) % list.length]!;
}
