import type { ClusterMetadata } from '../../cluster/index.js';
import { ZERO_UUID } from '../../protocol/index.js';
import type { AssignedPartition } from '../assigned-partition.js';
import {
  newSession,
  planSession,
  type FetchPartition,
  type FetchSession,
  type SessionRequest,
} from './fetch-session.js';
import type { ResolvedConsumerOptions } from '../options.js';

export const LAST_VERSION_WITH_NAMES = 12;
export const FIRST_VERSION_WITH_TOTAL_LIMIT = 3;
const FIRST_VERSION_WITH_SESSIONS = 7;
const FIRST_VERSION_WITH_DIVERGENCE = 12;
export const SESSIONLESS_EPOCH = -1;

type FetchOptions = Pick<
  ResolvedConsumerOptions,
  'fetchMinBytes' | 'isolationLevel' | 'clientRack' | 'enableIncrementalFetchSessions'
>;

/** The bounds of one fetch. */
export interface FetchBounds {
  /** What the answer may bring. */
  readonly bytes: number;
  /** Of one partition, unless one of its batches is known to be larger. */
  readonly partitionBytes: number;
  /** Before version 3 only the partitions have limits. */
  readonly hasTotalLimit: boolean;
}

/** What is asked of one partition. */
export interface AskedPartition extends FetchPartition {
  readonly from: AssignedPartition;
}

/** What to ask for of each partition, as far as the bytes go. */
export function askFor(
  wanted: readonly AssignedPartition[],
  { bytes, partitionBytes, hasTotalLimit }: FetchBounds,
  { topics }: ClusterMetadata,
): AskedPartition[] {
  const asked: AskedPartition[] = [];
  let left = bytes;
  for (const partition of wanted) {
    const limit = Math.max(partitionBytes, partition.wantedBytes);
    // Without a limit for the whole answer it is kept by asking for fewer partitions.
    if (!hasTotalLimit && asked.length > 0 && left < limit) continue;
    left -= limit;
    const topic = topics.get(partition.topic);
    asked.push({
      from: partition,
      topic: partition.topic,
      topicId: topic?.id ?? ZERO_UUID,
      partition: partition.partition,
      currentLeaderEpoch: topic?.partitions[partition.partition]?.leaderEpoch ?? -1,
      fetchOffset: partition.fetchOffset,
      lastFetchedEpoch: partition.lastFetchedEpoch,
      partitionMaxBytes: limit,
      isUnheard: partition.highWatermark < 0,
    });
  }
  return asked;
}

/** What of it is to be sent, in a session or without one. */
export function requestIn(
  session: FetchSession,
  asked: readonly FetchPartition[],
  version: number,
  { enableIncrementalFetchSessions }: FetchOptions,
): SessionRequest {
  if (enableIncrementalFetchSessions && version >= FIRST_VERSION_WITH_SESSIONS) {
    return planSession(session, asked);
  }
  const sessionEpoch = SESSIONLESS_EPOCH;
  return { sessionId: 0, sessionEpoch, send: asked, forget: [], next: newSession };
}

/**
 * The body of a fetch.
 *
 * @param askedBytes what all partitions together are asked for: more can't be waited for.
 */
export function fetchBody(
  { sessionId, sessionEpoch, send, forget }: SessionRequest,
  version: number,
  { bytes, askedBytes, waitMs }: Record<'bytes' | 'askedBytes' | 'waitMs', number>,
  { fetchMinBytes, isolationLevel, clientRack }: FetchOptions,
) {
  const canDiverge = version >= FIRST_VERSION_WITH_DIVERGENCE;
  return {
    replicaId: -1,
    maxWaitMs: waitMs,
    minBytes: Math.min(fetchMinBytes, askedBytes),
    maxBytes: bytes,
    isolationLevel: isolationLevel === 'read_committed' ? 1 : 0,
    sessionId,
    sessionEpoch,
    topics: byTopic(send, (each) => ({
      partition: each.partition,
      currentLeaderEpoch: each.currentLeaderEpoch,
      fetchOffset: each.fetchOffset,
      ...(canDiverge && { lastFetchedEpoch: each.lastFetchedEpoch }),
      partitionMaxBytes: each.partitionMaxBytes,
    })),
    ...(version >= FIRST_VERSION_WITH_SESSIONS && {
      forgottenTopicsData: byTopic(forget, ({ partition }) => partition),
    }),
    rackId: clientRack,
  } as never;
}

/** The body of a request that does nothing but end a session. */
export function closingBody({ id }: FetchSession) {
  return {
    replicaId: -1,
    maxWaitMs: 0,
    minBytes: 0,
    sessionId: id,
    sessionEpoch: SESSIONLESS_EPOCH,
    topics: [],
    forgottenTopicsData: [],
  } as never;
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
