import type { BrokerChannel } from '../cluster/index.js';
import {
  apis,
  brokerError,
  ZERO_UUID,
  type BrokerError,
  type ResponseOf,
} from '../protocol/index.js';
import { backoffMs } from '../util/backoff.js';
import type { Cancel } from '../util/clock.js';
import { KafkaError } from '../util/errors.js';
import type { AssignedPartition } from './assigned-partition.js';
import type { ByteBudget, MemoryLease } from './byte-budget.js';
import type { ConsumerContext } from './context.js';
import { asKafkaError, consumerError } from './errors.js';
import { obstacleOf, partitionBytesOf, shareOf, waitOf, type BrokerPlan } from './fetch-plan.js';
import {
  answeredSession,
  haveIds,
  keyOf,
  newSession,
  planSession,
  restartedSession,
  type FetchPartition,
  type FetchSession,
  type SessionRequest,
} from './fetch-session.js';
import { FetchedChunk, scanChunk } from './fetched-chunk.js';
import type { ConsumerMetrics } from './metrics.js';

const { Fetch } = apis;
const LAST_VERSION_WITH_NAMES = 12;
const FIRST_VERSION_WITH_SESSIONS = 7;
const FIRST_VERSION_WITH_TOTAL_LIMIT = 3;
const FIRST_VERSION_WITH_DIVERGENCE = 12;
const SESSIONLESS_EPOCH = -1;
/** Java's `metadata.max.age.ms`: after so long the leader is asked again. */
const REPLICA_LEASE_MS = 300_000;
/** A fetch for less would cost more than it brings. */
const SMALLEST_FETCH_BYTES = 16 * 1024;

type FetchResponse = ResponseOf<typeof Fetch>;
type PartitionAnswer = FetchResponse['responses'][number]['partitions'][number];

/** What a fetch found out that somebody else has to act on. */
export interface FetchHooks {
  /** There is something to deliver. */
  onFetched(): void;
  /** Nothing can be fetched before bytes are given back. */
  onStarved(): void;
  onOutOfRange(partition: AssignedPartition): void;
  /** The log no longer has what was consumed (KIP-595). */
  onDiverged(partition: AssignedPartition, endOffset: number, leaderEpoch: number): void;
  /** Retrying doesn't cure it. */
  onFatal(error: KafkaError, partition: AssignedPartition | undefined): void;
}

interface BrokerState {
  session: FetchSession;
  isBusy: boolean;
  failures: number;
  /** Fetches that have left partitions out of which none had moved since the one before. */
  idleFetches: number;
  /** What {@link AssignedPartition.moves} of those came to. */
  moves: number;
}

interface NodePlan {
  readonly wanted: AssignedPartition[];
  /** How many partitions are consumed, but not asked for now. */
  others: number;
  moves: number;
}

/** One fetch on the way. */
interface Flight {
  readonly node: number;
  readonly token: object;
  readonly request: SessionRequest;
  readonly partitions: ReadonlyMap<string, AssignedPartition>;
  readonly version: number;
}

/**
 * Keeps one fetch on the way to every broker that has something to give: long polls side by side,
 * incremental sessions, and the next one leaves before the last one's records are delivered. What
 * they may bring is reserved beforehand.
 */
export class Fetcher {
  private readonly brokers = new Map<number, BrokerState>();
  private timer: { at: number; cancel: Cancel } | undefined;
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
  ) {}

  /** Looks what can be fetched, once the code at work now is done. */
  wake(): void {
    if (this.isPumpQueued || this.isStopped) return;
    this.isPumpQueued = true;
    queueMicrotask(() => {
      this.isPumpQueued = false;
      this.pump();
    });
  }

  /** Ends fetching and closes the sessions. What is on the way is ignored. */
  stop(): void {
    if (this.isStopped) return;
    this.isStopped = true;
    this.timer?.cancel();
    for (const [node, { session, isBusy }] of this.brokers) {
      if (session.id !== 0 && !isBusy) this.closeSession(node, session);
    }
  }

  /** Sends what can be sent now. */
  private pump(): void {
    if (this.isStopped) return;
    const now = this.context.clock.monotonic();
    const { budget } = this;
    const { options } = this.context;
    const wasStarved = this.isStarved;
    this.isStarved = false;
    const byNode = this.planByNode(now);
    const idle = [...byNode].filter(([node]) => !this.broker(node).isBusy);
    const fairShare = Math.floor(budget.limitBytes / Math.max(1, this.brokers.size));
    const least = Math.min(SMALLEST_FETCH_BYTES, options.maxPartitionFetchBytes, fairShare);
    let waiting = idle.length;
    for (const [node, { wanted, others, moves }] of idle) {
      const share = shareOf(budget.freeBytes, waiting, wanted.length, options);
      if (wanted.length === 0) continue;
      waiting--;
      // Little is better than nothing where others are idle because their pipelines are.
      const bytes = Math.min(fairShare, Math.max(share, Math.min(least, budget.freeBytes)));
      if (bytes < least) {
        this.isStarved = true;
        continue;
      }
      const plan = { node, wanted, partitions: wanted.length + others };
      void this.fetch(plan, bytes, this.waitFor(node, others > 0, moves));
    }
    if (this.isStarved && !wasStarved) this.hooks.onStarved();
  }

  private waitFor(node: number, leavesOut: boolean, moves: number): number {
    const broker = this.broker(node);
    const isMoving = moves !== broker.moves;
    broker.moves = moves;
    broker.idleFetches = leavesOut && !isMoving ? broker.idleFetches + 1 : 0;
    const { fetchMaxWaitMs } = this.context.options;
    return waitOf({ leavesOut, isMoving }, broker.idleFetches, fetchMaxWaitMs);
  }

  /** What could be asked of each leader, and how much of it is left out. */
  private planByNode(now: number): Map<number, NodePlan> {
    const partitions = this.partitions();
    const byNode = new Map<number, NodePlan>();
    let retryAt = Infinity;
    const start = this.rotation++;
    for (let i = 0; i < partitions.length; i++) {
      const partition = partitions[(start + i) % partitions.length]!;
      const obstacle = obstacleOf(partition, now);
      if (obstacle === 'other') continue;
      if (obstacle === 'backing-off') {
        retryAt = Math.min(retryAt, partition.retryAt);
        continue;
      }
      const node = this.nodeFor(partition, now);
      if (node < 0) {
        this.context.cluster.requestMetadataUpdate();
        continue;
      }
      let entry = byNode.get(node);
      if (entry === undefined) byNode.set(node, (entry = { wanted: [], others: 0, moves: 0 }));
      if (obstacle === 'none') entry.wanted.push(partition);
      else entry.others++;
      entry.moves += partition.moves;
    }
    if (retryAt < Infinity) this.wakeAt(retryAt);
    return byNode;
  }

  private nodeFor(partition: AssignedPartition, now: number): number {
    const topic = this.context.cluster.topic(partition.topic);
    const known = topic?.partitions[partition.partition];
    if (topic !== undefined && topic.errorCode !== 0) this.checkTopic(partition, topic.errorCode);
    const { node, until } = partition.preferredReplica;
    const isUsable = node >= 0 && now < until && this.context.cluster.metadata.brokers.has(node);
    if (isUsable) return node;
    return known?.leader ?? -1;
  }

  private checkTopic(partition: AssignedPartition, errorCode: number): void {
    const error = brokerError(errorCode);
    if (error.isRetriable) return;
    const { topic } = partition;
    this.hooks.onFatal(consumerError(`consume ${topic}`, error, { topic }), partition);
  }

  private broker(node: number): BrokerState {
    let state = this.brokers.get(node);
    if (state === undefined) {
      state = { session: newSession, isBusy: false, failures: 0, idleFetches: 0, moves: 0 };
      this.brokers.set(node, state);
    }
    return state;
  }

  private async fetch(plan: BrokerPlan, bytes: number, waitMs: number): Promise<void> {
    const { node, wanted } = plan;
    const broker = this.broker(node);
    const token = {};
    broker.isBusy = true;
    for (const partition of wanted) partition.fetch = token;
    this.budget.reserve(bytes);
    const sentAt = this.context.clock.monotonic();
    try {
      const channel = this.context.cluster.channel(node, 'fetch');
      await channel.ready();
      const flight = this.prepare(plan, channel, token, bytes);
      // Every partition was taken away while the connection came to be.
      if (this.isStopped || flight.partitions.size === 0) {
        this.settle(broker, wanted, token, bytes);
        this.wake();
        return;
      }
      const body = this.bodyOf(flight, bytes, waitMs);
      const timeoutMs = this.context.options.requestTimeoutMs + waitMs;
      const answer = await channel.send(Fetch, flight.version, body, timeoutMs);
      broker.failures = 0;
      this.metrics.fetched(this.context.clock.monotonic() - sentAt, answer.throttleTimeMs);
      const current = wanted.filter((partition) => partition.fetch === token);
      this.answered(broker, flight, answer, new Set(current));
      this.settle(broker, wanted, token, bytes);
    } catch (error) {
      this.failed(broker, this.settle(broker, wanted, token, bytes), error);
    }
    if (this.isStopped && broker.session.id !== 0) this.closeSession(node, broker.session);
    // Before what came is delivered: the broker works on the next answer meanwhile.
    this.pump();
    this.hooks.onFetched();
  }

  /** Returns the partitions that the fetch still concerns. */
  private settle(
    broker: BrokerState,
    wanted: readonly AssignedPartition[],
    token: object,
    bytes: number,
  ): AssignedPartition[] {
    broker.isBusy = false;
    const current = wanted.filter((partition) => partition.fetch === token);
    for (const partition of current) partition.fetch = undefined;
    this.budget.unreserve(bytes);
    return current;
  }

  private prepare(
    { node, wanted, partitions: among }: BrokerPlan,
    channel: BrokerChannel,
    token: object,
    bytes: number,
  ): Flight {
    const { enableIncrementalFetchSessions } = this.context.options;
    const partitionBytes = partitionBytesOf(bytes, among, this.context.options);
    const asked: FetchPartition[] = [];
    const partitions = new Map<string, AssignedPartition>();
    const hasTotalLimit = channel.version(Fetch) >= FIRST_VERSION_WITH_TOTAL_LIMIT;
    let left = bytes;
    for (const partition of wanted) {
      if (partition.fetch !== token) continue;
      const limit = Math.max(partitionBytes, partition.wantedBytes);
      // Without a limit for the whole answer it is kept by asking for fewer partitions.
      if (!hasTotalLimit && partitions.size > 0 && left < limit) continue;
      left -= limit;
      partition.askedBytes = limit;
      const topic = this.context.cluster.topic(partition.topic);
      asked.push({
        topic: partition.topic,
        topicId: topic?.id ?? ZERO_UUID,
        partition: partition.partition,
        currentLeaderEpoch: topic?.partitions[partition.partition]?.leaderEpoch ?? -1,
        fetchOffset: partition.fetchOffset,
        lastFetchedEpoch: partition.lastFetchedEpoch,
        partitionMaxBytes: limit,
      });
      partitions.set(partition.key, partition);
    }
    const version = channel.version(Fetch, haveIds(asked) ? undefined : LAST_VERSION_WITH_NAMES);
    const isSessionless = !enableIncrementalFetchSessions || version < FIRST_VERSION_WITH_SESSIONS;
    const { session } = this.broker(node);
    const request = isSessionless
      ? {
          sessionId: 0,
          sessionEpoch: SESSIONLESS_EPOCH,
          send: asked,
          forget: [],
          next: newSession,
        }
      : planSession(session, asked);
    return { node, token, request, partitions, version };
  }

  private bodyOf({ request, version }: Flight, bytes: number, waitMs: number) {
    const { fetchMinBytes, isolationLevel, clientRack } = this.context.options;
    const canDiverge = version >= FIRST_VERSION_WITH_DIVERGENCE;
    return {
      replicaId: -1,
      maxWaitMs: waitMs,
      minBytes: fetchMinBytes,
      maxBytes: bytes,
      isolationLevel: isolationLevel === 'read_committed' ? 1 : 0,
      sessionId: request.sessionId,
      sessionEpoch: request.sessionEpoch,
      topics: byTopic(request.send, (each) => ({
        partition: each.partition,
        currentLeaderEpoch: each.currentLeaderEpoch,
        fetchOffset: each.fetchOffset,
        ...(canDiverge && { lastFetchedEpoch: each.lastFetchedEpoch }),
        partitionMaxBytes: each.partitionMaxBytes,
      })),
      ...(version >= FIRST_VERSION_WITH_SESSIONS && {
        forgottenTopicsData: byTopic(request.forget, ({ partition }) => partition),
      }),
      rackId: clientRack,
    } as never;
  }

  private answered(
    broker: BrokerState,
    flight: Flight,
    answer: FetchResponse,
    current: ReadonlySet<AssignedPartition>,
  ): void {
    if (answer.errorCode !== 0) {
      this.refused(broker, flight, brokerError(answer.errorCode));
      return;
    }
    if (flight.request.sessionEpoch !== SESSIONLESS_EPOCH) {
      broker.session = answeredSession(flight.request, answer.sessionId);
    }
    if (this.isStopped) return;
    const frame = this.holdFrame(answer);
    const names = new Map<string, string>();
    const { next, send } = flight.request;
    for (const each of [...next.partitions.values(), ...send]) names.set(each.topicId, each.topic);
    for (const { topic, topicId, partitions } of answer.responses) {
      const name = topic === '' ? (names.get(topicId) ?? '') : topic;
      for (const given of partitions) {
        const key = keyOf({ topic: name, partition: given.partitionIndex });
        const partition = flight.partitions.get(key);
        // Sought, revoked or moved meanwhile: what came is out of date.
        if (partition === undefined || !current.has(partition)) continue;
        this.take(flight, partition, given, answer, frame);
      }
    }
    frame?.release();
  }

  /** Counts the memory of the answer, which the slices in it keep alive. */
  private holdFrame({ responses }: FetchResponse): MemoryLease | undefined {
    for (const { partitions } of responses) {
      for (const { records } of partitions) {
        if (records === null || records.length === 0) continue;
        return this.budget.hold(records.buffer.byteLength);
      }
    }
    return undefined;
  }

  private take(
    flight: Flight,
    partition: AssignedPartition,
    given: PartitionAnswer,
    answer: FetchResponse,
    frame: MemoryLease | undefined,
  ): void {
    const error = brokerError(given.errorCode);
    if (error.code !== 0) {
      this.takeError(flight, partition, given, answer, error);
      return;
    }
    const { divergingEpoch, preferredReadReplica, records } = given;
    if (divergingEpoch.endOffset >= 0) {
      this.hooks.onDiverged(partition, divergingEpoch.endOffset, divergingEpoch.epoch);
      return;
    }
    partition.retryAt = 0;
    partition.failures = 0;
    partition.highWatermark = given.highWatermark;
    partition.lastStableOffset = given.lastStableOffset;
    if (given.logStartOffset >= 0) partition.logStartOffset = given.logStartOffset;
    if (preferredReadReplica >= 0) {
      const until = this.context.clock.monotonic() + REPLICA_LEASE_MS;
      partition.preferredReplica = { node: preferredReadReplica, until };
    }
    if (records !== null && records.length > 0 && frame !== undefined) {
      this.takeRecords(partition, given, records, frame);
    }
  }

  private takeRecords(
    partition: AssignedPartition,
    { abortedTransactions }: PartitionAnswer,
    records: Buffer,
    frame: MemoryLease,
  ): void {
    const { fetchOffset, topic, partition: index } = partition;
    const { nextOffset, lastLeaderEpoch, missingBytes } = scanChunk(records, fetchOffset);
    if (missingBytes > 0) {
      partition.wantedBytes = missingBytes;
      return;
    }
    const isCommittedOnly = this.context.options.isolationLevel === 'read_committed';
    const aborted = isCommittedOnly ? (abortedTransactions ?? []) : undefined;
    const context = { topic, partition: index };
    partition.buffer.push(new FetchedChunk(records, fetchOffset, aborted, frame.retain(), context));
    partition.wantedBytes = 0;
    partition.fetchOffset = nextOffset;
    if (lastLeaderEpoch >= 0) partition.lastFetchedEpoch = lastLeaderEpoch;
    this.metrics.received(topic, records.length);
  }

  private takeError(
    { node }: Flight,
    partition: AssignedPartition,
    { currentLeader }: PartitionAnswer,
    { nodeEndpoints }: FetchResponse,
    error: BrokerError,
  ): void {
    const { cluster } = this.context;
    const { topic, partition: index } = partition;
    const isFromFollower = node === partition.preferredReplica.node;
    partition.preferredReplica = { node: -1, until: 0 };
    if (error.name === 'OFFSET_OUT_OF_RANGE') {
      // A follower may lag behind, or ahead of what was deleted: the leader decides.
      if (!isFromFollower) this.hooks.onOutOfRange(partition);
      return;
    }
    if (!error.isRetriable && !tolerated.has(error.name)) {
      const context = { topic, partition: index };
      this.hooks.onFatal(consumerError(`fetch from ${partition.key}`, error, context), partition);
      return;
    }
    const known = cluster.topic(topic)?.partitions[index]?.leaderEpoch ?? -1;
    if (currentLeader.leaderId >= 0 && currentLeader.leaderEpoch > known) {
      // Told where to go (KIP-951): no need to wait.
      cluster.hint({ topic, partition: index, ...currentLeader }, nodeEndpoints);
      return;
    }
    this.context.emit({ type: 'fetch-failed', topic, partition: index, reason: error.name });
    this.backOff([partition], partition.failures++);
  }

  /** The session as a whole was refused: start a new one. */
  private refused(broker: BrokerState, flight: Flight, error: BrokerError): void {
    broker.session = restartedSession(broker.session, error.name !== 'FETCH_SESSION_ID_NOT_FOUND');
    if (sessionErrors.has(error.name)) {
      if (error.name === 'FETCH_SESSION_TOPIC_ID_ERROR')
        this.context.cluster.requestMetadataUpdate();
      return;
    }
    const failure = consumerError('fetch', error, {});
    this.failed(broker, [...flight.partitions.values()], failure);
  }

  private failed(broker: BrokerState, wanted: readonly AssignedPartition[], error: unknown): void {
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
    this.wakeAt(retryAt);
  }

  private wakeAt(at: number): void {
    if (this.isStopped || (this.timer !== undefined && this.timer.at <= at)) return;
    this.timer?.cancel();
    const delayMs = Math.max(0, Math.ceil(at - this.context.clock.monotonic()));
    const cancel = this.context.clock.schedule(delayMs, () => {
      this.timer = undefined;
      this.pump();
    });
    this.timer = { at, cancel };
  }

  /** Frees the broker's memory; nobody minds if it fails. */
  private closeSession(node: number, { id }: FetchSession): void {
    const channel = this.context.cluster.channel(node, 'fetch');
    if (!channel.isReady) return;
    const body = {
      replicaId: -1,
      maxWaitMs: 0,
      minBytes: 0,
      sessionId: id,
      sessionEpoch: SESSIONLESS_EPOCH,
      topics: [],
      forgottenTopicsData: [],
    };
    channel.send(Fetch, channel.version(Fetch), body as never).catch(() => undefined);
  }
}

const sessionErrors: ReadonlySet<string> = new Set([
  'FETCH_SESSION_ID_NOT_FOUND',
  'INVALID_FETCH_SESSION_EPOCH',
  'FETCH_SESSION_TOPIC_ID_ERROR',
]);

/** What the broker did not foresee, or another replica may have intact. */
const tolerated: ReadonlySet<string> = new Set(['UNKNOWN_SERVER_ERROR', 'CORRUPT_MESSAGE']);

/** What the broker did not foresee may pass; wrong credentials and missing versions don't. */
function isCurable(error: KafkaError): boolean {
  return error.isRetriable || error.code === 'UNKNOWN_SERVER_ERROR' || error.code === 'ABORTED';
}

function byTopic<T>(
  partitions: readonly FetchPartition[],
  convert: (partition: FetchPartition) => T,
): { topic: string; topicId: string; partitions: T[] }[] {
  const topics = new Map<string, { topic: string; topicId: string; partitions: T[] }>();
  for (const each of partitions) {
    const { topic, topicId } = each;
    const key = `${topic} ${topicId}`;
    const known = topics.get(key);
    if (known === undefined) topics.set(key, { topic, topicId, partitions: [convert(each)] });
    else known.partitions.push(convert(each));
  }
  return [...topics.values()];
}
