import type { BrokerChannel } from '../cluster/index.js';
import { apis, type ResponseOf } from '../protocol/index.js';
import { Alarm } from '../util/alarm.js';
import { KafkaError, UnsupportedVersionError } from '../util/errors.js';
import type { Batch } from './batch.js';
import type { Outcomes, ProducerContext } from './outcomes.js';
import type { PartitionQueue } from './partition-queue.js';
import {
  bytesOf,
  formatOf,
  load,
  stamp,
  topicData,
  versionFor,
  type Shipment,
} from './produce-request.js';
import { Readiness } from './readiness.js';
import type { BatchAnswer } from './verdict.js';

const { Produce } = apis;
/** How long to wait for a socket that takes nothing more. */
const CONGESTED_MS = 5;

/** What a request brings. */
interface Cargo {
  readonly shipments: readonly Shipment[];
  /** It makes partitions part of the transaction. */
  readonly isAdding: boolean;
}

/** A request that was sent. */
interface Sent extends Cargo {
  /** Of topics, by id. */
  readonly names: ReadonlyMap<string, string>;
  readonly sentAt: number;
}

/**
 * The producer's run loop: looks what can be sent, and sends it. It runs when a batch becomes full,
 * a linger or backoff ends, a connection becomes usable, or an answer comes.
 */
export class Sender {
  private readonly alarm: Alarm;
  private isDraining = false;
  private isWakeQueued = false;
  private isStopped = false;
  /** Requests on the way to each broker. Those of others who share the connection are not among them. */
  private readonly inFlightTo = new Map<number, number>();
  private readonly readiness: Readiness;
  private readonly connecting = new Set<number>();

  constructor(
    private readonly context: ProducerContext,
    private readonly outcomes: Outcomes,
  ) {
    this.readiness = new Readiness(context);
    this.alarm = new Alarm(context.clock, () => this.drain());
  }

  get requestsInFlight(): number {
    let sum = 0;
    for (const requests of this.inFlightTo.values()) sum += requests;
    return sum;
  }

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
    if (!this.isStopped) this.alarm.set(at);
  }

  /** Ends the loop; what is on the way is left to itself. */
  stop(): void {
    this.isStopped = true;
    this.alarm.cancel();
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
      for (const [nodeId, ready] of this.readiness.byNode(now)) this.sendTo(nodeId, ready, now);
      const next = this.readiness.nextLook(now);
      if (next < Infinity) this.wakeAt(next);
    } finally {
      this.isDraining = false;
    }
  }

  private sendTo(nodeId: number, ready: readonly PartitionQueue[], now: number): void {
    const channel = this.context.cluster.channel(nodeId, 'produce');
    // What was sent to another broker may keep it.
    let waiting = ready.filter((queue) => this.readiness.mayJoin(queue));
    if (channel.isReady) {
      while (waiting.length > 0 && this.hasRoomOn(nodeId, channel)) {
        this.ship(nodeId, channel, load(waiting, this.context.options.maxRequestSize));
        waiting = waiting.filter((queue) => this.readiness.isSendable(queue, now));
      }
    } else {
      this.connect(nodeId, channel);
    }
    for (const queue of waiting) queue.stuckSince ||= now;
  }

  /** Whether another request of this producer may be on the way. Unanswered ones are bounded by the socket's queue. */
  private hasRoomOn(nodeId: number, channel: BrokerChannel): boolean {
    const { acks, maxInFlightRequestsPerConnection: limit, maxRequestSize } = this.context.options;
    if (acks !== 0) return (this.inFlightTo.get(nodeId) ?? 0) < limit;
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

  /** What goes to a broker, but for what another one, which led before, has yet to answer. */
  private eachBatchFor(nodeId: number, act: (queue: PartitionQueue, batch: Batch) => void): void {
    const { accumulator } = this.context;
    for (const queue of [...accumulator.active]) {
      const leader = accumulator.topicMetadata(queue.topic)?.partitions[queue.partition]?.leader;
      if (leader !== nodeId) continue;
      for (const batch of [...queue.all()]) {
        if (!batch.isSettled && !batch.isAwaited) act(queue, batch);
      }
    }
  }

  private ship(nodeId: number, channel: BrokerChannel, loaded: readonly Shipment[]): void {
    let shipments = loaded;
    let isAdding = false;
    try {
      const version = versionFor(this.context, channel, shipments);
      shipments = this.inFormat(shipments, version);
      if (shipments.length === 0) return;
      for (const shipment of shipments) {
        shipment.batch.attempts++;
        shipment.batch.sentTo = nodeId;
        stamp(shipment, this.context.identity.current);
      }
      this.context.metrics.sent(shipments.map(({ batch }) => batch));
      isAdding = this.context.transactions?.sent(shipments.map(({ queue }) => queue)) === true;
      this.send(nodeId, channel, version, { shipments, isAdding });
    } catch (error) {
      this.unsent({ shipments, isAdding }, error);
    }
  }

  private send(nodeId: number, channel: BrokerChannel, version: number, cargo: Cargo): void {
    const { shipments } = cargo;
    const { accumulator, clock, options, transactions } = this.context;
    const { acks, requestTimeoutMs } = options;
    const body = {
      ...(transactions !== undefined && { transactionalId: transactions.transactionalId }),
      acks,
      timeoutMs: requestTimeoutMs,
      topicData: topicData(accumulator, shipments),
    };
    if (acks === 0) {
      channel.post(Produce, version, body);
      for (const { queue, batch } of shipments) this.outcomes.acknowledge(queue, batch, -1, -1);
      return;
    }
    const sentAt = clock.monotonic();
    const names = new Map(body.topicData.map(({ topicId, name }) => [topicId, name]));
    this.noteInFlight(nodeId, 1);
    for (const { batch } of shipments) batch.isAwaited = true;
    channel.send(Produce, version, body, requestTimeoutMs).then(
      (response) => {
        this.noteInFlight(nodeId, -1);
        this.answered({ ...cargo, names, sentAt }, response);
      },
      (error: unknown) => {
        this.noteInFlight(nodeId, -1);
        this.unsent(cargo, error);
      },
    );
  }

  private noteInFlight(nodeId: number, change: 1 | -1): void {
    this.inFlightTo.set(nodeId, (this.inFlightTo.get(nodeId) ?? 0) + change);
  }

  /** What was to be sent was not, or nobody knows. */
  private unsent({ shipments, isAdding }: Cargo, error: unknown): void {
    if (isAdding) this.context.transactions!.added([]);
    this.unanswered(shipments, error);
  }

  /** The batches that are in the format of the broker. Others are put into it, and sent next. */
  private inFormat(shipments: readonly Shipment[], version: number): readonly Shipment[] {
    const { accumulator, options } = this.context;
    const { magic, hasZstd, isSerial } = formatOf(version);
    if (options.compressionType === 'zstd' && !hasZstd) {
      throw new UnsupportedVersionError(
        'The broker is too old for compressionType zstd, which needs Kafka 2.1; lz4 comes next',
      );
    }
    accumulator.magic = magic;
    this.readiness.isSerial = isSerial;
    const isReady = ({ batch }: Shipment) => batch.builder.magic === magic;
    if (shipments.every(isReady)) return shipments;
    for (const { queue, batch } of shipments) {
      if (batch.builder.magic !== magic) this.outcomes.reformat(queue, batch);
    }
    this.wake();
    return shipments.filter(isReady);
  }

  private answered(
    { shipments, names, sentAt, isAdding }: Sent,
    response: ResponseOf<typeof Produce>,
  ): void {
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
      else this.outcomes.lost(queue, batch, asKafkaError(error));
    }
    this.drain();
  }

  private expire(now: number): void {
    const { accumulator, options } = this.context;
    for (const queue of [...accumulator.active]) {
      for (let next = queue.oldest; next !== undefined; next = queue.oldest) {
        if (next.createdAt + options.deliveryTimeoutMs > now) break;
        this.outcomes.expire(queue, next);
      }
    }
  }
}

function leftOut({ topic, partition, sentTo }: Batch): KafkaError {
  return new KafkaError(`The answer of broker ${sentTo} left ${topic}-${partition} out`, {
    code: 'NETWORK_EXCEPTION',
    context: { topic, partition, api: 'Produce' },
    isRetriable: true,
  });
}

function asKafkaError(error: unknown): KafkaError {
  if (error instanceof KafkaError) return error;
  return new KafkaError(`Cannot produce: ${String(error)}`, {
    code: 'PRODUCE_FAILED',
    cause: error,
  });
}
