import { apis } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import type { FetchQuery } from '../state/cluster.js';
import { downConvert } from '../state/convert.js';
import type { EpochEnd } from '../state/leader-epochs.js';
import type { Partition } from '../state/partition.js';
import type { FetchContext, FetchPartition, PartitionNews } from '../state/fetch-sessions.js';
import { orRejection, Rejection } from '../state/rejection.js';
import type { AbortedTransaction } from '../state/open-transactions.js';
import {
  defineHandler,
  type HandlerContext,
  type IncomingRequest,
  type ResponseBody,
} from './handler.js';
import {
  checkLeader,
  checkLeaderEpoch,
  checkReplica,
  endpointsOf,
  leaderHint,
  locatePartition,
  locateTopic,
} from './locate.js';

type Request = IncomingRequest<typeof apis.Fetch>;
type Response = ResponseBody<typeof apis.Fetch>;
type PartitionAnswer = Response['responses'][number]['partitions'][number];

/** One partition of a fetch, looked up. */
interface Target {
  readonly topic: string;
  readonly topicId: string;
  readonly query: FetchQuery;
  readonly partition: Partition | Rejection;
}

const FIRST_VERSION_WITH_MAX_BYTES = 3;
const FIRST_VERSION_OF_MAGIC_1 = 2;
const FIRST_VERSION_OF_MAGIC_2 = 4;
const FIRST_VERSION_WITH_ZSTD = 10;
const FIRST_VERSION_FROM_FOLLOWERS = 11;
const FIRST_VERSION_WITH_TOPIC_IDS = 13;
const FIRST_VERSION_WITH_LEADER_HINTS = 16;
const READ_COMMITTED = 1;
const NOTHING = Buffer.alloc(0);

/** Reads batches, and waits for them; in sessions that tell only what is new (KIP-227). */
export const fetch = defineHandler(apis.Fetch, {
  handle(request, context) {
    const session = orRejection(() => openSession(request, context));
    if (session instanceof Rejection) return { errorCode: session.errorCode, responses: [] };
    const lookUp = () => session.partitions.map((wanted) => locate(wanted, context));
    const targets = lookUp();
    const isReady = () => isSatisfied(targets, request, context);
    const respond = (found: readonly Target[]) => answer(session, found, request, context);
    if (request.body.maxWaitMs <= 0 || isReady()) return respond(targets);
    // Looked up anew: a topic may have been deleted, or made again, meanwhile.
    return wait(targets, request, context, isReady).then(() => respond(lookUp()));
  },
  fail: ({ body, version }, errorCode) => ({
    // From version 7 on the error of a session is one of the whole fetch.
    ...(version >= 7 ? { errorCode: sessionErrors.has(errorCode) ? errorCode : 0 } : {}),
    responses: sessionErrors.has(errorCode)
      ? []
      : body.topics.map(({ topic, topicId, partitions }) => ({
          topic,
          topicId,
          partitions: partitions.map(({ partition }) => failed(partition, errorCode)),
        })),
  }),
});

const sessionErrors: ReadonlySet<number> = new Set([
  Errors.FETCH_SESSION_ID_NOT_FOUND,
  Errors.INVALID_FETCH_SESSION_EPOCH,
  Errors.FETCH_SESSION_TOPIC_ID_ERROR,
]);

function openSession({ body, version }: Request, { cluster, brokerId }: HandlerContext) {
  const { sessionId, sessionEpoch: epoch, topics, forgottenTopicsData } = body;
  return cluster.fetchSessionsOf(brokerId).open({
    sessionId,
    epoch,
    usesTopicIds: version >= FIRST_VERSION_WITH_TOPIC_IDS,
    partitions: topics.flatMap(({ topic, topicId, partitions }) =>
      partitions.map((query) => ({ topic, topicId, partition: query.partition, query })),
    ),
    forgotten: forgottenTopicsData.flatMap(({ topic, topicId, partitions }) =>
      partitions.map((partition) => ({ topic, topicId, partition, query: undefined })),
    ),
  });
}

function locate(wanted: FetchPartition<FetchQuery>, context: HandlerContext): Target {
  const { topic, topicId, query } = wanted;
  const partition = orRejection(() =>
    locatePartition(locateTopic(context, topic, topicId), query.partition),
  );
  return { topic, topicId, query, partition };
}

/** Whether the answer would hold `minBytes`, or something that the client should know at once. */
function isSatisfied(targets: readonly Target[], request: Request, context: HandlerContext) {
  // More than the answer may hold can't be waited for.
  const minBytes = Math.min(request.body.minBytes, maxBytesOf(request));
  let bytes = 0;
  for (const { partition, query } of targets) {
    if (partition instanceof Rejection) return true;
    const state = orRejection(() => check(partition, query, request, context));
    if (state !== undefined) return true;
    const upTo = readableUpTo(partition, request);
    bytes += partition.log.bytesFrom(query.fetchOffset, query.partitionMaxBytes, upTo);
    if (bytes >= minBytes) return true;
  }
  return targets.length === 0 || bytes >= minBytes;
}

/** Resolves when there is enough, when `maxWaitMs` have passed or when the client is gone. */
function wait(
  targets: readonly Target[],
  { body, signal }: Request,
  { cluster }: HandlerContext,
  isReady: () => boolean,
): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      cancelTimeout();
      signal.removeEventListener('abort', done);
      for (const stop of stops) stop();
      resolve();
    };
    const cancelTimeout = cluster.clock.schedule(body.maxWaitMs, done);
    signal.addEventListener('abort', done, { once: true });
    const stops = targets.map(({ partition }) =>
      (partition as Partition).watch(() => {
        if (isReady()) done();
      }),
    );
  });
}

function answer(
  session: FetchContext<FetchQuery>,
  targets: readonly Target[],
  request: Request,
  context: HandlerContext,
): Response {
  const answers = readAll(targets, request, context);
  const verdict = orRejection(() => session.finish(answers.map(newsOf)));
  if (verdict instanceof Rejection) return { errorCode: verdict.errorCode, responses: [] };
  const leaders = new Set<number>();
  const responses: { topic: string; topicId: string; partitions: PartitionAnswer[] }[] = [];
  for (const [i, found] of answers.entries()) {
    if (!verdict.isTold[i]!) continue;
    if (found.currentLeader !== undefined) leaders.add(found.currentLeader.leaderId!);
    const { topic, topicId } = targets[i]!;
    const last = responses.at(-1);
    if (last?.topic === topic && last.topicId === topicId) last.partitions.push(found);
    else responses.push({ topic, topicId, partitions: [found] });
  }
  const hints = leaders.size > 0 ? { nodeEndpoints: endpointsOf(leaders, context) } : {};
  return { sessionId: verdict.sessionId, responses, ...hints };
}

/** The partitions in turn, as far as `maxBytes` go (KIP-74). */
function readAll(
  targets: readonly Target[],
  request: Request,
  context: HandlerContext,
): PartitionAnswer[] {
  let left = maxBytesOf(request);
  let isFirst = true;
  return targets.map((target) => {
    const found = read(target, request, context, { maxBytes: left, isFirst });
    left = Math.max(0, left - found.records!.length);
    if (found.records!.length > 0) isFirst = false;
    return found;
  });
}

function newsOf(found: PartitionAnswer): PartitionNews {
  return {
    errorCode: found.errorCode,
    highWatermark: found.highWatermark,
    logStartOffset: found.logStartOffset ?? -1,
    hasRecords: found.records!.length > 0,
    isUrgent: found.divergingEpoch !== undefined || found.preferredReadReplica !== undefined,
  };
}

function maxBytesOf({ version, body }: Request): number {
  return version >= FIRST_VERSION_WITH_MAX_BYTES ? body.maxBytes : Infinity;
}

interface Limits {
  readonly maxBytes: number;
  /** No partition before this one had records: a batch that is too large is sent all the same. */
  readonly isFirst: boolean;
}

function read(
  { partition, query }: Target,
  request: Request,
  context: HandlerContext,
  limits: Limits,
): PartitionAnswer {
  if (partition instanceof Rejection) {
    return { ...failed(query.partition, partition.errorCode), abortedTransactions: [] };
  }
  const outcome = orRejection(() => {
    const elsewhere = check(partition, query, request, context);
    if (elsewhere !== undefined) {
      return { ...watermarksOf(partition, request, []), ...elsewhere, records: NOTHING };
    }
    const records = recordsOf(partition, query, request, limits);
    const aborted = partition.log.abortedIn(query.fetchOffset, records.length);
    return { ...watermarksOf(partition, request, aborted), records };
  });
  if (!(outcome instanceof Rejection)) return outcome;
  const isMoved =
    outcome.errorCode === Errors.NOT_LEADER_OR_FOLLOWER ||
    outcome.errorCode === Errors.FENCED_LEADER_EPOCH;
  const isHinted = isMoved && request.version >= FIRST_VERSION_WITH_LEADER_HINTS;
  return {
    ...failed(query.partition, outcome.errorCode),
    ...(isHinted && { currentLeader: leaderHint(partition) }),
  };
}

/**
 * What is to be told instead of records: where the log diverges, or which replica is nearer.
 * `undefined` when records can be read.
 *
 * @throws Rejection where they can't.
 */
function check(
  partition: Partition,
  query: FetchQuery,
  { version, body }: Request,
  context: HandlerContext,
): { divergingEpoch: EpochEnd } | { preferredReadReplica: number } | undefined {
  checkLeaderEpoch(partition, query.currentLeaderEpoch, context);
  if (version < FIRST_VERSION_FROM_FOLLOWERS) checkLeader(partition, context);
  else checkReplica(partition, context);
  const diverging = divergence(partition, query);
  if (diverging !== undefined) return { divergingEpoch: diverging };
  const { log } = partition;
  if (query.fetchOffset < log.startOffset || query.fetchOffset > log.endOffset) {
    throw new Rejection(Errors.OFFSET_OUT_OF_RANGE, `There is no offset ${query.fetchOffset}`);
  }
  if (version < FIRST_VERSION_WITH_ZSTD && partition.config.compressionType === 'zstd') {
    throw new Rejection(Errors.UNSUPPORTED_COMPRESSION_TYPE, 'Fetch 10 is the first with zstd');
  }
  const nearer = nearerReplica(partition, body.rackId, context);
  return nearer === undefined ? undefined : { preferredReadReplica: nearer };
}

/** Where the client's log and this one part ways, if they do (KIP-595). */
function divergence(
  { log }: Partition,
  { lastFetchedEpoch, fetchOffset }: FetchQuery,
): EpochEnd | undefined {
  if (lastFetchedEpoch < 0) return undefined;
  const end = log.epochs.endOf(lastFetchedEpoch, log.endOffset);
  if (end.epoch < 0 || end.endOffset < 0) {
    throw new Rejection(Errors.OFFSET_OUT_OF_RANGE, `There is no epoch ${lastFetchedEpoch}`);
  }
  if (fetchOffset < log.startOffset) return undefined;
  return end.epoch < lastFetchedEpoch || end.endOffset < fetchOffset ? end : undefined;
}

/** The in-sync replica in the client's own rack, unless that is this one (KIP-392). */
function nearerReplica(
  partition: Partition,
  rackId: string,
  { cluster, brokerId }: HandlerContext,
): number | undefined {
  if (!cluster.settings.rackAwareFetch || rackId === '') return undefined;
  if (partition.leaderId !== brokerId || cluster.node(brokerId)?.rack === rackId) return undefined;
  return partition.isr.find((id) => {
    const node = cluster.node(id);
    return node?.rack === rackId && node.isRunning;
  });
}

/** Consumers that want decided records only get none of an open transaction, nor any after it. */
function readableUpTo(partition: Partition, { body }: Request): number {
  const isStrict = body.isolationLevel === READ_COMMITTED;
  return isStrict ? partition.lastStableOffset : partition.highWatermark;
}

function recordsOf(
  partition: Partition,
  { fetchOffset, partitionMaxBytes }: FetchQuery,
  request: Request,
  { maxBytes, isFirst }: Limits,
): Buffer {
  const { version } = request;
  const isOld = version < FIRST_VERSION_WITH_MAX_BYTES;
  const limit = Math.max(0, Math.min(partitionMaxBytes, maxBytes));
  const upTo = readableUpTo(partition, request);
  const found = partition.log.read(fetchOffset, limit, isFirst && !isOld, upTo);
  // Bytes that nothing can be made of are of use only to old clients, who learn from them that
  // they need to ask for more.
  if (found.isFirstBatchCut && !isOld) return NOTHING;
  if (version >= FIRST_VERSION_OF_MAGIC_2) return found.records;
  return downConvert(found.records, version >= FIRST_VERSION_OF_MAGIC_1 ? 1 : 0, fetchOffset);
}

function watermarksOf(
  partition: Partition,
  { body }: Request,
  aborted: readonly AbortedTransaction[],
) {
  return {
    partitionIndex: partition.index,
    errorCode: Errors.NONE,
    highWatermark: partition.highWatermark,
    lastStableOffset: partition.lastStableOffset,
    logStartOffset: partition.log.startOffset,
    abortedTransactions: body.isolationLevel === READ_COMMITTED ? aborted.map(toWire) : null,
  };
}

function toWire({ producerId, firstOffset }: AbortedTransaction) {
  return { producerId, firstOffset };
}

function failed(partitionIndex: number, errorCode: number): PartitionAnswer {
  return {
    partitionIndex,
    errorCode,
    highWatermark: -1,
    abortedTransactions: null,
    records: NOTHING,
  };
}
