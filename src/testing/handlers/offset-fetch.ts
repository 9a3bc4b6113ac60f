import { apis, ZERO_UUID, type RequestOf, type ResponseInput } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import { checkConsumerFetch } from '../state/groups/consumer-commits.js';
import type { CommittedOffset, CommittedOffsets } from '../state/groups/committed-offsets.js';
import { orRejection, Rejection } from '../state/rejection.js';
import {
  defineHandler,
  type HandlerContext,
  type IncomingRequest,
  type ResponseBody,
} from './handler.js';
import { locateTopic } from './locate.js';

type Request = IncomingRequest<typeof apis.OffsetFetch>;
type Response = ResponseInput<typeof apis.OffsetFetch>;
type GroupQuery = RequestOf<typeof apis.OffsetFetch>['groups'][number];
type TopicQuery = NonNullable<GroupQuery['topics']>[number];
type TopicAnswer = NonNullable<NonNullable<Response['groups']>[number]['topics']>[number];
type PartitionAnswer = NonNullable<TopicAnswer['partitions']>[number];

const FIRST_VERSION_WITH_GROUP_ERRORS = 2;
const FIRST_VERSION_OF_LISTS = 8;
const FIRST_VERSION_OF_TOPIC_IDS = 10;

/** Reads what groups have committed, of several at once from version 8 on (KIP-709). */
export const offsetFetch = defineHandler(apis.OffsetFetch, {
  handle: (request, context) => answer(request, (query) => read(query, request, context)),
  fail: (request, errorCode) => answer(request, () => new Rejection(errorCode, '')),
});

/** One group's offsets by topic. @throws Rejection when they may not be read. */
function read(
  query: GroupQuery,
  { version, body }: Request,
  context: HandlerContext,
): TopicAnswer[] {
  const { cluster, brokerId } = context;
  const { groupId, topics, memberId, memberEpoch } = query;
  const { requireStable } = body;
  const { groups } = cluster;
  if (version === 0) return readZooKeeper(query, context);
  groups.checkCoordinator(groupId, brokerId);
  const group = groups.get(groupId);
  if (group?.type === 'consumer') checkConsumerFetch(group.roster, memberId, memberEpoch);
  const offsets = groups.offsetsOf(groupId);
  const usesIds = version >= FIRST_VERSION_OF_TOPIC_IDS;
  const at = (name: string) => (index: number) =>
    requireStable && offsets.isPending(name, index)
      ? nothing(index, Errors.UNSTABLE_OFFSET_COMMIT)
      : committedAt(offsets, name, index);
  if (topics === null) return allOf(offsets, at, usesIds, context);
  return topics.map(({ name, topicId, partitionIndexes }) => {
    if (!usesIds) return { name, partitions: partitionIndexes.map(at(name)) };
    const found = locateTopic(context, name, topicId);
    if (!(found instanceof Rejection)) {
      return { name, topicId, partitions: partitionIndexes.map(at(found.name)) };
    }
    const { errorCode } = found;
    return { name, topicId, partitions: partitionIndexes.map((i) => nothing(i, errorCode)) };
  });
}

/** Version 0 has its own store, and takes a lack of offsets for an unknown partition. */
function readZooKeeper(
  { groupId, topics }: GroupQuery,
  { cluster }: HandlerContext,
): TopicAnswer[] {
  if (cluster.profile.isKraft) {
    throw new Rejection(Errors.UNSUPPORTED_VERSION, 'Version 0 needs ZooKeeper');
  }
  const offsets = cluster.groups.zooKeeperOffsetsOf(groupId);
  return (topics ?? []).map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partition) =>
      offsets.get(name, partition) === undefined
        ? nothing(partition, Errors.UNKNOWN_TOPIC_OR_PARTITION)
        : committedAt(offsets, name, partition),
    ),
  }));
}

function allOf(
  offsets: CommittedOffsets,
  at: (name: string) => (index: number) => PartitionAnswer,
  usesIds: boolean,
  { cluster }: HandlerContext,
): TopicAnswer[] {
  return [...offsets].map(([name, partitions]) => ({
    name,
    ...(usesIds && { topicId: cluster.topics.get(name)!.id }),
    partitions: [...partitions.keys()].map(at(name)),
  }));
}

function committedAt(offsets: CommittedOffsets, topic: string, partition: number): PartitionAnswer {
  const committed = offsets.get(topic, partition);
  return committed === undefined ? nothing(partition) : found(partition, committed);
}

function found(partitionIndex: number, committed: CommittedOffset): PartitionAnswer {
  const { offset, leaderEpoch, metadata } = committed;
  return {
    partitionIndex,
    committedOffset: offset,
    committedLeaderEpoch: leaderEpoch,
    metadata,
    errorCode: Errors.NONE,
  };
}

function nothing(partitionIndex: number, errorCode = Errors.NONE): PartitionAnswer {
  return {
    partitionIndex,
    committedOffset: -1,
    committedLeaderEpoch: -1,
    metadata: '',
    errorCode,
  };
}

function answer(
  { body, version }: Request,
  readGroup: (query: GroupQuery) => TopicAnswer[] | Rejection,
): ResponseBody<typeof apis.OffsetFetch> {
  if (version >= FIRST_VERSION_OF_LISTS) {
    const groups = body.groups.map((query) => {
      const topics = orRejection(() => readGroup(query));
      const isRefused = topics instanceof Rejection;
      return {
        groupId: query.groupId,
        errorCode: isRefused ? topics.errorCode : Errors.NONE,
        topics: isRefused ? [] : topics,
      };
    });
    return { groups };
  }
  const query = soleGroup(body);
  const topics = orRejection(() => readGroup(query));
  if (!(topics instanceof Rejection)) return { topics: topics };
  const { errorCode } = topics;
  if (version >= FIRST_VERSION_WITH_GROUP_ERRORS) return { errorCode, topics: [] };
  const failed = (query.topics ?? []).map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partition) => nothing(partition, errorCode)),
  }));
  return { topics: failed };
}

function soleGroup({ groupId, topics }: Request['body']): GroupQuery {
  const asked = topics?.map((topic): TopicQuery => ({ ...topic, topicId: ZERO_UUID })) ?? null;
  return { groupId, memberId: null, memberEpoch: -1, topics: asked };
}
