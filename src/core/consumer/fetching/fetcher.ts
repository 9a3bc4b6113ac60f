import type { BrokerChannel } from '../../cluster/index.js';
import { apis, brokerError, type BrokerError } from '../../protocol/index.js';
import { Alarm } from '../../util/alarm.js';
import { backoffMs } from '../../util/backoff.js';
import { KafkaError } from '../../util/errors.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { ByteBudget } from './byte-budget.js';
import type { ConsumerContext } from '../context.js';
import { asKafkaError, consumerError } from '../errors.js';
import { demandOf, replicaFor, type BrokerDemand, type FetchDemand } from './fetch-demand.js';
import { FetchIntake, type FetchHooks, type FetchResponse } from './fetch-intake.js';
import { leastOf, obstacleOf, partitionBytesOf, shareOf } from './fetch-plan.js';
import {
  askFor,
  closingBody,
  fetchBody,
  FIRST_VERSION_WITH_TOTAL_LIMIT,
  LAST_VERSION_WITH_NAMES,
  requestIn,
  SESSIONLESS_EPOCH,
} from './fetch-request.js';
import {
  answeredSession,
  haveIds,
  restartedSession,
  type FetchSession,
  type SessionRequest,
} from './fetch-session.js';
import { FetchedBrokers, type FetchedBroker } from './fetched-brokers.js';
import { isCurable, isOfSession } from './fetch-verdict.js';
import type { ConsumerMetrics } from '../metrics.js';

export type { FetchHooks } from './fetch-intake.js';

const { Fetch } = apis;

/**
 * So little is delivered before more is asked for: delivering it takes no longer than sending a request,
 * and at a low rate that is most of the time between a record's arrival and its work.
 */
const DELIVERED_FIRST_BYTES = 4096;

/** One fetch of one broker. */
interface Flight {
  readonly node: number;
  /** Marks the partitions that it concerns, as long as it does. */
  readonly token: object;
  readonly wanted: readonly AssignedPartition[];
  /** How many partitions of this broker are being consumed, these included. */
  readonly among: number;
  /** What is set aside for its answer. */
  readonly bytes: number;
  readonly waitMs: number;
}

/** What a flight has sent. */
interface Sent {
  readonly request: SessionRequest;
  readonly partitions: ReadonlyMap<string, AssignedPartition>;
  /** What they are asked for together. */
  readonly askedBytes: number;
  readonly version: number;
}

/**
 * Keeps one fetch on the way to every broker that has something to give: long polls side by side,
 * incremental sessions, and the next one leaves before the last one's records are delivered. What
 * they may bring is reserved beforehand.
 */
export class Fetcher {
  private readonly brokers = new FetchedBrokers();
  private readonly intake: FetchIntake;
  private readonly retry: Alarm;
  private isPumpQueued = false;
  private isStopped = false;
  private rotation = 0;
  /** Fetches wait for bytes to be given back. */
  isStarved = false;

  constructor(
    private readonly context: ConsumerContext,
    private readonly budget: ByteBudget,
    private readonly partitions: () => readonly AssignedPartition[],
    private readonly metrics: ConsumerMetrics,
    private readonly hooks: FetchHooks,
  ) {
    this.intake = new FetchIntake(context, budget, metrics, hooks, (failed, failures) =>
      this.backOff(failed, failures),
    );
    this.retry = new Alarm(context.clock, () => this.pump());
  }

  /** Looks what can be fetched, once the code at work now is done. */
  wake(): void {
    if (this.isPumpQueued || this.isStopped) return;
    this.isPumpQueued = true;
    queueMicrotask(() => {
      this.isPumpQueued = false;
      this.pump();
    });
  }

  /** Something of a partition was delivered or acked: looks whether that lets it be fetched. */
  noteMoved(partition: AssignedPartition): void {
    if (this.isPumpQueued || partition.fetch !== undefined) return;
    const { clock, cluster } = this.context;
    const now = clock.monotonic();
    const obstacle = obstacleOf(partition, now);
    if (obstacle === 'other' || obstacle === 'buffered') return;
    // Its broker's answer has it looked at anyway.
    const node = replicaFor(partition, cluster.metadata, now);
    if (!this.brokers.isBusy(node)) this.wake();
  }

  /** Ends fetching and closes the sessions. What is on the way is ignored. */
  stop(): void {
    if (this.isStopped) return;
    this.isStopped = true;
    this.retry.cancel();
    for (const [node, { session, isBusy }] of this.brokers) {
      if (session.id !== 0 && !isBusy) this.closeSession(node, session);
    }
  }

  /** Sends what can be sent now. */
  private pump(): void {
    if (this.isStopped) return;
    const wasStarved = this.isStarved;
    this.isStarved = false;
    const { byNode } = this.demand();
    this.brokers.keep((node) => this.context.cluster.metadata.brokers.has(node));
    const idle = [...byNode].filter(([node]) => !this.brokers.of(node).isBusy);
    const { budget } = this;
    const { options } = this.context;
    const fairShare = Math.floor(budget.limitBytes / Math.max(1, this.brokers.count));
    const least = leastOf(fairShare, options);
    let waiting = idle.length;
    for (const [node, demand] of idle) {
      const { wanted } = demand;
      if (wanted.length === 0) continue;
      const share = shareOf(budget.freeBytes, waiting, wanted.length, options);
      waiting--;
      // Little is better than nothing where others are idle because their pipelines are.
      const bytes = Math.min(fairShare, Math.max(share, Math.min(least, budget.freeBytes)));
      if (bytes < least) this.isStarved = true;
      else void this.fetch(this.flightTo(node, demand, bytes));
    }
    if (this.isStarved && !this.reclaim() && !wasStarved) this.hooks.onStarved();
  }

  /**
   * Takes back what waits to be delivered and can't be, for others need the bytes: it is fetched again
   * when its partition goes on. Returns whether that has freed any.
   */
  private reclaim(): boolean {
    const before = this.budget.heldBytes;
    for (const partition of this.partitions()) {
      const isOff = partition.isPaused || !partition.isWanted;
      if (isOff && partition.hasRecords) partition.dropUndelivered();
    }
    return this.budget.heldBytes < before;
  }

  private demand(): FetchDemand {
    const { clock, cluster } = this.context;
    const now = clock.monotonic();
    const demand = demandOf(this.partitions(), this.rotation++, now, (partition) => {
      const topic = cluster.topic(partition.topic);
      if (topic !== undefined && topic.errorCode !== 0) this.checkTopic(partition, topic.errorCode);
      return replicaFor(partition, cluster.metadata, now);
    });
    if (demand.lacksLeaders) cluster.requestMetadataUpdate();
    if (demand.retryAt < Infinity) this.retry.set(demand.retryAt);
    return demand;
  }

  private checkTopic(partition: AssignedPartition, errorCode: number): void {
    const error = brokerError(errorCode);
    if (error.isRetriable) return;
    const { topic } = partition;
    this.hooks.onFatal(consumerError(`consume ${topic}`, error, { topic }), partition);
  }

  private flightTo(node: number, demand: BrokerDemand, bytes: number): Flight {
    const { wanted, others } = demand;
    const waitMs = this.brokers.waitFor(node, demand, this.context.options.fetchMaxWaitMs);
    return { node, token: {}, wanted, among: wanted.length + others, bytes, waitMs };
  }

  private async fetch(flight: Flight): Promise<void> {
    const { node, wanted, token, bytes, waitMs } = flight;
    const { clock, cluster, options } = this.context;
    const broker = this.brokers.of(node);
    broker.isBusy = true;
    for (const partition of wanted) partition.fetch = token;
    this.budget.reserve(bytes);
    const sentAt = clock.monotonic();
    let receivedBytes = 0;
    try {
      const channel = cluster.channel(node, 'fetch');
      await channel.ready();
      const sent = this.prepare(flight, channel);
      // Every partition was taken away while the connection came to be.
      if (this.isStopped || sent.partitions.size === 0) {
        this.settle(flight);
        this.wake();
        return;
      }
      const { request, version, askedBytes } = sent;
      const body = fetchBody(request, version, { bytes, askedBytes, waitMs }, options);
      const timeoutMs = options.requestTimeoutMs + waitMs;
      const answer = await channel.send(Fetch, version, body, timeoutMs);
      broker.failures = 0;
      this.metrics.fetched(clock.monotonic() - sentAt, answer.throttleTimeMs);
      receivedBytes = this.answered(flight, sent, answer);
      this.settle(flight);
    } catch (error) {
      this.failed(broker, this.settle(flight), error);
    }
    if (this.isStopped && broker.session.id !== 0) this.closeSession(node, broker.session);
    if (receivedBytes <= DELIVERED_FIRST_BYTES) {
      this.hooks.onFetched();
      this.wake();
    } else {
      // The broker works on the next answer while this one is delivered.
      this.pump();
      this.hooks.onFetched();
    }
  }

  /** Returns the partitions that the fetch still concerns. */
  private settle({ node, wanted, token, bytes }: Flight): AssignedPartition[] {
    this.brokers.of(node).isBusy = false;
    const current = wanted.filter((partition) => partition.fetch === token);
    for (const partition of current) partition.fetch = undefined;
    this.budget.unreserve(bytes);
    return current;
  }

  private prepare({ node, token, wanted, among, bytes }: Flight, channel: BrokerChannel): Sent {
    const { cluster, options } = this.context;
    const asked = askFor(
      wanted.filter((partition) => partition.fetch === token),
      {
        bytes,
        partitionBytes: partitionBytesOf(bytes, among, options),
        hasTotalLimit: channel.version(Fetch) >= FIRST_VERSION_WITH_TOTAL_LIMIT,
      },
      cluster.metadata,
    );
    for (const { from, partitionMaxBytes } of asked) from.askedBytes = partitionMaxBytes;
    const version = channel.version(Fetch, haveIds(asked) ? undefined : LAST_VERSION_WITH_NAMES);
    return {
      request: requestIn(this.brokers.of(node).session, asked, version, options),
      partitions: new Map(asked.map(({ from }) => [from.key, from])),
      askedBytes: asked.reduce((sum, { partitionMaxBytes }) => sum + partitionMaxBytes, 0),
      version,
    };
  }

  /** Returns how many bytes of records it has brought. */
  private answered(
    { node, token }: Flight,
    { request, partitions }: Sent,
    answer: FetchResponse,
  ): number {
    const broker = this.brokers.of(node);
    if (answer.errorCode !== 0) {
      this.refused(broker, [...partitions.values()], brokerError(answer.errorCode));
      return 0;
    }
    if (request.sessionEpoch !== SESSIONLESS_EPOCH) {
      broker.session = answeredSession(request, answer.sessionId);
    }
    if (this.isStopped) return 0;
    // Of those that were sought, revoked or moved meanwhile, what came is out of date.
    const current = [...partitions].filter(([, partition]) => partition.fetch === token);
    return this.intake.take({ node, request, partitions: new Map(current), answer });
  }

  /** The fetch as a whole was refused. */
  private refused(
    broker: FetchedBroker,
    partitions: readonly AssignedPartition[],
    error: BrokerError,
  ): void {
    broker.session = restartedSession(broker.session, error.name !== 'FETCH_SESSION_ID_NOT_FOUND');
    if (!isOfSession(error)) this.failed(broker, partitions, consumerError('fetch', error, {}));
    else if (error.name === 'FETCH_SESSION_TOPIC_ID_ERROR') {
      this.context.cluster.requestMetadataUpdate();
    }
  }

  private failed(
    broker: FetchedBroker,
    wanted: readonly AssignedPartition[],
    error: unknown,
  ): void {
    // It may have the session still, and would keep it: a full fetch with its id takes its place.
    broker.session = restartedSession(broker.session, true);
    if (this.isStopped) return;
    if (!(error instanceof KafkaError) || !isCurable(error)) {
      this.hooks.onFatal(asKafkaError(error, 'Cannot fetch', 'FETCH_FAILED'), undefined);
      return;
    }
    for (const partition of wanted) partition.preferredReplica = { node: -1, until: 0 };
    this.backOff(wanted, broker.failures++);
  }

  private backOff(partitions: readonly AssignedPartition[], failures: number): void {
    const { clock, cluster, options } = this.context;
    const { retryBackoffMs, retryBackoffMaxMs } = options;
    const waitMs = backoffMs(failures, retryBackoffMs, retryBackoffMaxMs, clock.random());
    const retryAt = clock.monotonic() + waitMs;
    for (const partition of partitions) partition.retryAt = retryAt;
    cluster.requestMetadataUpdate();
    if (!this.isStopped) this.retry.set(retryAt);
  }

  /** Frees the broker's memory; nobody minds if it fails. */
  private closeSession(node: number, session: FetchSession): void {
    const channel = this.context.cluster.channel(node, 'fetch');
    if (!channel.isReady) return;
    channel.send(Fetch, channel.version(Fetch), closingBody(session)).catch(() => undefined);
  }
}
