import { pause, type Cluster } from '../../cluster/index.js';
import { groupByTopic, type GroupMetadata, type TopicPartition } from '../../group/index.js';
import { apis, brokerError, ZERO_UUID, type BrokerError } from '../../protocol/index.js';
import { backoffMs } from '../../util/backoff.js';
import { TimeoutError } from '../../util/errors.js';
import type { ConsumerContext, Patience } from '../context.js';
import { consumerError, nameOf } from '../errors.js';

const { OffsetCommit, OffsetFetch } = apis;
const LAST_VERSION_WITH_NAMES = 9;
const FIRST_BATCHED_VERSION = 8;
const FIRST_STABLE_VERSION = 7;

/** An offset that a group has stored. */
export interface CommittedOffset {
  /** Of the next record to be consumed. */
  readonly offset: number;
  /** Epoch of the leader that the record before was read from; -1 where unknown. */
  readonly leaderEpoch: number;
  /** What whoever stored it has added; mostly empty. */
  readonly metadata: string;
}

/** An offset to be stored. */
export interface OffsetToCommit extends TopicPartition {
  /** Of the next record to be consumed. */
  readonly offset: number;
  /** Epoch of the leader that the record before was read from (KIP-320). Default: unknown. */
  readonly leaderEpoch?: number;
  /** Anything that helps whoever looks at the group. */
  readonly metadata?: string;
}

/** As before, of a topic that another one may have replaced since. */
export interface OffsetOfTopic extends OffsetToCommit {
  readonly topicId?: string;
}

/**
 * What a group has stored for partitions; those it has nothing for are left out. Waits for
 * transactions that are storing offsets (KIP-447).
 *
 * @throws TimeoutError at the deadline; KafkaError for what retrying can't cure.
 */
export async function fetchCommitted(
  context: ConsumerContext,
  groupId: string,
  member: () => GroupMetadata | undefined,
  partitions: readonly TopicPartition[],
  { deadline, signal }: Patience,
): Promise<Map<string, CommittedOffset>> {
  const { cluster, clock, options } = context;
  for (let failures = 0; ; failures++) {
    const answers = await ask(context, groupId, member(), partitions, { deadline, signal });
    if (answers === undefined) continue;
    const refused = [...answers.values()].find(({ error }) => error.code !== 0);
    if (refused === undefined) return found(answers);
    const { error, topic, partition } = refused;
    if (!error.isRetriable && !curedByWaiting.has(error.name)) {
      const what = `read the committed offset of ${nameOf(refused)} in group ${groupId}`;
      throw consumerError(what, error, { topic, partition, groupId });
    }
    noteError(cluster, groupId, error);
    const { retryBackoffMs, retryBackoffMaxMs } = options;
    const waitMs = backoffMs(failures, retryBackoffMs, retryBackoffMaxMs, clock.random());
    if (clock.monotonic() + waitMs >= deadline) {
      const message = `The committed offsets of group ${groupId} could not be read in time: ${error.message}`;
      throw new TimeoutError(message, { context: { topic, partition } });
    }
    await pause(clock, waitMs, [signal]);
  }
}

/** A transaction is storing offsets, or the membership is just being renewed. */
const curedByWaiting: ReadonlySet<string> = new Set([
  'UNSTABLE_OFFSET_COMMIT',
  'STALE_MEMBER_EPOCH',
  'UNKNOWN_MEMBER_ID',
]);

/** Takes in what an error says about where to ask. */
export function noteError(cluster: Cluster, groupId: string, error: BrokerError): void {
  if (error.name === 'NOT_COORDINATOR' || error.name === 'COORDINATOR_NOT_AVAILABLE') {
    cluster.forgetCoordinator({ group: groupId });
  }
  if (error.refreshesMetadata) cluster.requestMetadataUpdate();
}

interface FetchedOffset extends TopicPartition, CommittedOffset {
  readonly error: BrokerError;
}

function found(answers: ReadonlyMap<string, FetchedOffset>): Map<string, CommittedOffset> {
  const known = [...answers].filter(([, { offset }]) => offset >= 0);
  return new Map(
    known.map(([key, { offset, leaderEpoch, metadata }]) => [
      key,
      { offset, leaderEpoch, metadata },
    ]),
  );
}

/** `undefined` when no answer came in the time of one attempt, and there is time for another. */
async function ask(
  context: ConsumerContext,
  groupId: string,
  member: GroupMetadata | undefined,
  partitions: readonly TopicPartition[],
  patience: Patience,
): Promise<Map<string, FetchedOffset> | undefined> {
  const { clock, options } = context;
  const isLast = patience.deadline - clock.monotonic() <= options.defaultApiTimeoutMs;
  try {
    return await askOnce(context, groupId, member, partitions, patience);
  } catch (error) {
    if (isLast || patience.signal.aborted || !(error instanceof TimeoutError)) throw error;
    return undefined;
  }
}

async function askOnce(
  { cluster, clock, options }: ConsumerContext,
  groupId: string,
  member: GroupMetadata | undefined,
  partitions: readonly TopicPartition[],
  { deadline, signal }: Patience,
): Promise<Map<string, FetchedOffset>> {
  const asked = groupByTopic(partitions);
  const isByEpoch = member !== undefined && member.generationId >= 0;
  const answer = await cluster.request(
    { group: groupId },
    OffsetFetch,
    (version) => {
      const topics = asked.map(({ topic, partitions: partitionIndexes }) => ({
        name: topic,
        ...(version > LAST_VERSION_WITH_NAMES && { topicId: idOf(cluster, topic) }),
        partitionIndexes,
      }));
      const requireStable = version >= FIRST_STABLE_VERSION;
      if (version < FIRST_BATCHED_VERSION) return { groupId, topics, requireStable };
      const identity =
        version >= 9 && isByEpoch
          ? { memberId: member.memberId, memberEpoch: member.generationId }
          : {};
      return { groups: [{ groupId, topics, ...identity }], requireStable };
    },
    {
      maxVersion: haveIds(cluster, asked) ? Infinity : LAST_VERSION_WITH_NAMES,
      timeoutMs: Math.min(deadline - clock.monotonic(), options.defaultApiTimeoutMs),
      signal,
    },
  );
  const group = answer.groups[0];
  const groupError = brokerError(group?.errorCode ?? answer.errorCode);
  const offsets = new Map<string, FetchedOffset>();
  if (groupError.code !== 0) {
    const none = { offset: -1, leaderEpoch: -1, metadata: '', error: groupError };
    for (const each of partitions) offsets.set(nameOf(each), { ...each, ...none });
    return offsets;
  }
  const topics: readonly FetchedTopic[] = group?.topics ?? answer.topics;
  for (const topic of topics) {
    const name = topic.name === '' ? nameById(cluster, topic.topicId) : topic.name;
    for (const {
      partitionIndex,
      committedOffset,
      committedLeaderEpoch,
      ...rest
    } of topic.partitions) {
      const where = { topic: name, partition: partitionIndex };
      // Before 0.9 an unknown offset was an error of its own kind.
      const isUnknown = rest.errorCode === UNKNOWN_TOPIC_OR_PARTITION && committedOffset < 0;
      offsets.set(nameOf(where), {
        ...where,
        offset: committedOffset,
        leaderEpoch: committedLeaderEpoch,
        metadata: rest.metadata ?? '',
        error: brokerError(isUnknown ? 0 : rest.errorCode),
      });
    }
  }
  return offsets;
}

const UNKNOWN_TOPIC_OR_PARTITION = 3;

interface FetchedTopic {
  readonly name: string;
  readonly topicId?: string;
  readonly partitions: readonly {
    readonly partitionIndex: number;
    readonly committedOffset: number;
    readonly committedLeaderEpoch: number;
    readonly metadata: string | null;
    readonly errorCode: number;
  }[];
}

/** What became of each offset; by topic and partition. */
export type CommitOutcome = ReadonlyMap<string, BrokerError>;

/**
 * Stores offsets for a group, once: what was refused is told, not repeated.
 *
 * @param member `undefined` for a consumer that shares no partitions with others.
 * @throws TimeoutError, or KafkaError for what retrying can't cure.
 */
export async function commitOffsets(
  { cluster }: ConsumerContext,
  groupId: string,
  member: GroupMetadata | undefined,
  offsets: readonly OffsetOfTopic[],
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<CommitOutcome> {
  const byKey = new Map(offsets.map((offset) => [nameOf(offset), offset]));
  const asked = groupByTopic(offsets);
  const ids = new Map(
    offsets.map(({ topic, topicId }) => [topic, topicId ?? idOf(cluster, topic)]),
  );
  const haveAll = [...ids.values()].every((id) => id !== '' && id !== ZERO_UUID);
  const answer = await cluster.request(
    { group: groupId },
    OffsetCommit,
    (version) => ({
      groupId,
      ...(version >= 1 &&
        member !== undefined && {
          memberId: member.memberId,
          generationIdOrMemberEpoch: member.generationId,
        }),
      ...(version >= 7 && { groupInstanceId: member?.groupInstanceId ?? null }),
      topics: asked.map(({ topic, partitions }) => ({
        name: topic,
        ...(version > LAST_VERSION_WITH_NAMES && { topicId: ids.get(topic)! }),
        partitions: partitions.map((partitionIndex) => {
          const { offset, leaderEpoch, metadata } = byKey.get(
            nameOf({ topic, partition: partitionIndex }),
          )!;
          return {
            partitionIndex,
            committedOffset: offset,
            committedLeaderEpoch: leaderEpoch ?? -1,
            committedMetadata: metadata ?? '',
          };
        }),
      })),
    }),
    {
      maxVersion: haveAll ? Infinity : LAST_VERSION_WITH_NAMES,
      timeoutMs,
      signal,
    },
  );
  const names = new Map([...ids].map(([topic, id]) => [id, topic]));
  const outcome = new Map<string, BrokerError>();
  for (const { name, topicId, partitions } of answer.topics) {
    const topic = name === '' ? (names.get(topicId) ?? '') : name;
    for (const { partitionIndex, errorCode } of partitions) {
      outcome.set(nameOf({ topic, partition: partitionIndex }), brokerError(errorCode));
    }
  }
  return outcome;
}

function haveIds(cluster: Cluster, topics: readonly { readonly topic: string }[]): boolean {
  return topics.every(({ topic }) => idOf(cluster, topic) !== ZERO_UUID);
}

function idOf(cluster: Cluster, topic: string): string {
  return cluster.metadata.topics.get(topic)?.id ?? ZERO_UUID;
}

function nameById(cluster: Cluster, topicId: string | undefined): string {
  return (topicId === undefined ? undefined : cluster.metadata.topicNames.get(topicId)) ?? '';
}
