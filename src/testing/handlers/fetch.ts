import { apis, type RequestOf } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import { downConvert } from '../state/convert.js';
import type { EpochEnd } from '../state/leader-epochs.js';
import type { Partition } from '../state/partition.js';
import { orRejection, Rejection } from '../state/rejection.js';
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
type PartitionQuery = RequestOf<typeof apis.Fetch>['topics'][number]['partitions'][number];
type PartitionAnswer = Response['responses'][number]['partitions'][number];

/** One partition of a fetch, looked up. */
interface Target {
  readonly topic: string;
  readonly topicId: string;
  readonly query: PartitionQuery;
  readonly partition: Partition | Rejection;
}

const FIRST_VERSION_WITH_MAX_BYTES = 3;
const FIRST_VERSION_OF_MAGIC_1 = 2;
const FIRST_VERSION_OF_MAGIC_2 = 4;
const FIRST_VERSION_WITH_ZSTD = 10;
const FIRST_VERSION_FROM_FOLLOWERS = 11;
const FIRST_VERSION_WITH_LEADER_HINTS = 16;
const READ_COMMITTED = 1;
const NOTHING = Buffer.alloc(0);

/** Reads batches, and waits for them. Sessions are declined: every fetch is a full one (KIP-227). */
export const fetch = defineHandler(apis.Fetch, {
  handle(request, context) {
    const { body, version } = request;
    if (version >= 7 && body.sessionId !== 0) {
      return { errorCode: Errors.FETCH_SESSION_ID_NOT_FOUND, responses: [] };
    }
    const targets = locate(request, context);
    const isReady = () => isSatisfied(targets, request, context);
    if (body.maxWaitMs <= 0 || isReady()) return answer(targets, request, context);
    // Looked up anew: a topic may have been deleted, or made again, meanwhile.
    return wait(targets, request, context, isReady).then(() =>
      answer(locate(request, context), request, context),
    );
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
]);

function locate({ body }: Request, context: HandlerContext): Target[] {
  return body.topics.flatMap(({ topic, topicId, partitions }) => {
    const found = locateTopic(context, topic, topicId);
    return partitions.map((query) => ({
      topic,
      topicId,
      query,
      partition: orRejection(() => locatePartition(found, query.partition)),
    }));
  });
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
    bytes += partition.log.bytesFrom(query.fetchOffset, query.partitionMaxBytes);
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

function answer(targets: readonly Target[], request: Request, context: HandlerContext): Response {
  const leaders = new Set<number>();
  const responses: { topic: string; topicId: string; partitions: PartitionAnswer[] }[] = [];
  let left = maxBytesOf(request);
  let isFirst = true;
  for (const target of targets) {
    const found = read(target, request, context, { maxBytes: left, isFirst });
    left = Math.max(0, left - found.records!.length);
    if (found.records!.length > 0) isFirst = false;
    if (found.currentLeader !== undefined) leaders.add(found.currentLeader.leaderId!);
    const { topic, topicId } = target;
    const last = responses.at(-1);
    if (last?.topic === topic && last.topicId === topicId) last.partitions.push(found);
    else responses.push({ topic, topicId, partitions: [found] });
  }
  const hints = leaders.size > 0 ? { nodeEndpoints: endpointsOf(leaders, context) } : {};
  return { responses, ...hints };
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
    const records =
      elsewhere === undefined ? recordsOf(partition, query, request, limits) : NOTHING;
    return { ...watermarksOf(partition, request), ...elsewhere, records };
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
  query: PartitionQuery,
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
  { lastFetchedEpoch, fetchOffset }: PartitionQuery,
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

function recordsOf(
  { log }: Partition,
  { fetchOffset, partitionMaxBytes }: PartitionQuery,
  { version }: Request,
  { maxBytes, isFirst }: Limits,
): Buffer {
  const isOld = version < FIRST_VERSION_WITH_MAX_BYTES;
  const limit = Math.max(0, Math.min(partitionMaxBytes, maxBytes));
  const found = log.read(fetchOffset, limit, isFirst && !isOld);
  // Bytes that nothing can be made of are of use only to old clients, who learn from them that
  // they need to ask for more.
  if (found.isFirstBatchCut && !isOld) return NOTHING;
  if (version >= FIRST_VERSION_OF_MAGIC_2) return found.records;
  return downConvert(found.records, version >= FIRST_VERSION_OF_MAGIC_1 ? 1 : 0, fetchOffset);
}

function watermarksOf(partition: Partition, { body }: Request) {
  return {
    partitionIndex: partition.index,
    errorCode: Errors.NONE,
    highWatermark: partition.highWatermark,
    lastStableOffset: partition.lastStableOffset,
    logStartOffset: partition.log.startOffset,
    abortedTransactions: body.isolationLevel === READ_COMMITTED ? [] : null,
  };
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
