import type { apis } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import type { FetchQuery } from '../state/cluster.js';
import { downConvert } from '../state/convert.js';
import type { EpochEnd } from '../state/leader-epochs.js';
import type { AbortedTransaction } from '../state/open-transactions.js';
import type { Partition } from '../state/partition.js';
import { orRejection, Rejection } from '../state/rejection.js';
import type { HandlerContext, IncomingRequest, ResponseBody } from './handler.js';
import { checkLeader, checkLeaderEpoch, checkReplica, leaderHint } from './locate.js';

type Request = IncomingRequest<typeof apis.Fetch>;
export type PartitionAnswer = ResponseBody<
  typeof apis.Fetch
>['responses'][number]['partitions'][number];

/** One partition of a fetch, looked up. */
export interface FetchTarget {
  readonly topic: string;
  readonly topicId: string;
  readonly query: FetchQuery;
  readonly partition: Partition | Rejection;
}

export const FIRST_VERSION_WITH_MAX_BYTES = 3;
const FIRST_VERSION_OF_MAGIC_1 = 2;
const FIRST_VERSION_OF_MAGIC_2 = 4;
const FIRST_VERSION_WITH_ZSTD = 10;
const FIRST_VERSION_FROM_FOLLOWERS = 11;
const FIRST_VERSION_WITH_LEADER_HINTS = 16;
const READ_COMMITTED = 1;
const NOTHING = Buffer.alloc(0);

export interface FetchLimits {
  readonly maxBytes: number;
  /** No partition before this one had records: a batch that is too large is sent all the same. */
  readonly isFirst: boolean;
}

/** What is told of one partition. */
export function readPartition(
  { partition, query }: FetchTarget,
  request: Request,
  context: HandlerContext,
  limits: FetchLimits,
): PartitionAnswer {
  if (partition instanceof Rejection) {
    return { ...unread(query.partition, partition.errorCode), abortedTransactions: [] };
  }
  const outcome = orRejection(() => {
    const elsewhere = checkFetch(partition, query, request, context);
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
    ...unread(query.partition, outcome.errorCode),
    ...(isHinted && { currentLeader: leaderHint(partition) }),
  };
}

/**
 * What is to be told instead of records: where the log diverges, or which replica is nearer.
 * `undefined` when records can be read.
 *
 * @throws Rejection where they can't.
 */
export function checkFetch(
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
export function readableUpTo(partition: Partition, { body }: Request): number {
  const isStrict = body.isolationLevel === READ_COMMITTED;
  return isStrict ? partition.lastStableOffset : partition.highWatermark;
}

function recordsOf(
  partition: Partition,
  { fetchOffset, partitionMaxBytes }: FetchQuery,
  request: Request,
  { maxBytes, isFirst }: FetchLimits,
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

/** What is told of a partition that can't be read. */
export function unread(partitionIndex: number, errorCode: number): PartitionAnswer {
  return {
    partitionIndex,
    errorCode,
    highWatermark: -1,
    abortedTransactions: null,
    records: NOTHING,
  };
}
