import { apis } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import type { FetchQuery } from '../state/cluster.js';
import type { Partition } from '../state/partition.js';
import type { FetchContext, FetchPartition, PartitionNews } from '../state/fetch-sessions.js';
import { orRejection, Rejection } from '../state/rejection.js';
import {
  defineHandler,
  type HandlerContext,
  type IncomingRequest,
  type ResponseBody,
} from './handler.js';
import {
  checkFetch,
  FIRST_VERSION_WITH_MAX_BYTES,
  readableUpTo,
  readPartition,
  unread,
  type FetchTarget,
  type PartitionAnswer,
} from './fetch-partition.js';
import { endpointsOf, locatePartition, locateTopic } from './locate.js';

type Request = IncomingRequest<typeof apis.Fetch>;
type Response = ResponseBody<typeof apis.Fetch>;

const FIRST_VERSION_WITH_TOPIC_IDS = 13;

/** Reads batches, and waits for them; in sessions that tell only what is new (KIP-227). */
export const fetch = defineHandler(apis.Fetch, {
  handle(request, context) {
    const session = orRejection(() => openSession(request, context));
    if (session instanceof Rejection) return { errorCode: session.errorCode, responses: [] };
    const lookUp = () => session.partitions.map((wanted) => locate(wanted, context));
    const targets = lookUp();
    const isReady = () => isSatisfied(targets, request, context);
    const respond = (found: readonly FetchTarget[]) => answer(session, found, request, context);
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
          partitions: partitions.map(({ partition }) => unread(partition, errorCode)),
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

function locate(wanted: FetchPartition<FetchQuery>, context: HandlerContext): FetchTarget {
  const { topic, topicId, query } = wanted;
  const partition = orRejection(() =>
    locatePartition(locateTopic(context, topic, topicId), query.partition),
  );
  return { topic, topicId, query, partition };
}

/** Whether the answer would hold `minBytes`, or something that the client should know at once. */
function isSatisfied(targets: readonly FetchTarget[], request: Request, context: HandlerContext) {
  // More than the answer may hold can't be waited for.
  const minBytes = Math.min(request.body.minBytes, maxBytesOf(request));
  let bytes = 0;
  for (const { partition, query } of targets) {
    if (partition instanceof Rejection) return true;
    const state = orRejection(() => checkFetch(partition, query, request, context));
    if (state !== undefined) return true;
    const upTo = readableUpTo(partition, request);
    bytes += partition.log.bytesFrom(query.fetchOffset, query.partitionMaxBytes, upTo);
    if (bytes >= minBytes) return true;
  }
  return targets.length === 0 || bytes >= minBytes;
}

/** Resolves when there is enough, when `maxWaitMs` have passed or when the client is gone. */
function wait(
  targets: readonly FetchTarget[],
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
  targets: readonly FetchTarget[],
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
  targets: readonly FetchTarget[],
  request: Request,
  context: HandlerContext,
): PartitionAnswer[] {
  let left = maxBytesOf(request);
  let isFirst = true;
  return targets.map((target) => {
    const found = readPartition(target, request, context, { maxBytes: left, isFirst });
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
