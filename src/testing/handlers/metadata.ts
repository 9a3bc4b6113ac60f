import { apis, ZERO_UUID, type RequestOf, type ResponseInput } from '../../core/protocol/index.js';
import { errorCodeOf, Errors } from '../error-codes.js';
import type { Cluster } from '../state/cluster.js';
import { NO_LEADER, type Partition } from '../state/partition.js';
import { orRejection, Rejection } from '../state/rejection.js';
import { complaintOnTopicName, type Topic } from '../state/topic.js';
import { defineHandler, type IncomingRequest } from './handler.js';

type Request = IncomingRequest<typeof apis.Metadata>;
type TopicQuery = NonNullable<RequestOf<typeof apis.Metadata>['topics']>[number];
type TopicAnswer = ResponseInput<typeof apis.Metadata>['topics'][number];

/** Versions 10 and 11 have room for ids but brokers refuse them. */
const FIRST_VERSION_BY_ID = 12;
const FIRST_VERSION_WITH_ERROR = 13;
/** Not of single topics but of the whole answer (KIP-1102). */
const REBOOTSTRAP_REQUIRED = errorCodeOf('REBOOTSTRAP_REQUIRED');

/** Each operation that exists for the resource, as a broker without an authorizer grants it. */
const ALL_TOPIC_OPERATIONS = 0b1101_1111_1000;
const ALL_CLUSTER_OPERATIONS = 0b1_1111_1010_0000;

/** Who is in the cluster and who leads what. */
export const metadata = defineHandler(apis.Metadata, {
  handle(request, { cluster }) {
    const asksById = request.body.topics?.some(({ topicId }) => topicId !== ZERO_UUID) ?? false;
    if (asksById && request.version < FIRST_VERSION_BY_ID) {
      return refuse(request, Errors.INVALID_REQUEST);
    }
    return {
      ...clusterOf(cluster),
      topics: topicsFor(request, cluster),
      ...(request.body.includeClusterAuthorizedOperations
        ? { clusterAuthorizedOperations: ALL_CLUSTER_OPERATIONS }
        : {}),
    };
  },
  fail(request, errorCode, { cluster }) {
    if (errorCode === REBOOTSTRAP_REQUIRED && request.version >= FIRST_VERSION_WITH_ERROR) {
      return { errorCode, brokers: [], topics: [] };
    }
    return { ...refuse(request, errorCode), ...clusterOf(cluster) };
  },
});

function refuse({ body, version }: Request, errorCode: number) {
  const nullName = version < FIRST_VERSION_BY_ID ? '' : null;
  return {
    brokers: [],
    topics: (body.topics ?? []).map(({ name, topicId }) =>
      failed({ name: name ?? nullName, topicId, errorCode }),
    ),
  };
}

function clusterOf(cluster: Cluster) {
  return {
    brokers: cluster.runningNodes.map(({ id, host, port, rack }) => ({
      nodeId: id,
      host,
      port,
      rack,
    })),
    clusterId: cluster.settings.clusterId,
    controllerId: cluster.controllerId,
  };
}

function topicsFor(request: Request, cluster: Cluster): TopicAnswer[] {
  const { version, body } = request;
  const isAll = body.topics === null || (version === 0 && body.topics.length === 0);
  if (isAll) return [...cluster.topics.values()].map((topic) => known(topic, request, cluster));
  return (body.topics ?? []).map((query) => topicFor(query, request, cluster));
}

function topicFor(query: TopicQuery, request: Request, cluster: Cluster): TopicAnswer {
  const { name, topicId } = query;
  if (topicId !== ZERO_UUID) {
    const topic = cluster.topicById(topicId);
    if (topic !== undefined) return known(topic, request, cluster);
    return failed({ name: null, topicId, errorCode: Errors.UNKNOWN_TOPIC_ID });
  }
  if (name === null) return failed({ ...query, errorCode: Errors.INVALID_REQUEST });
  const topic = cluster.topics.get(name);
  if (topic !== undefined) return known(topic, request, cluster);
  return failed({ ...query, errorCode: missing(name, request, cluster) });
}

/** Creates the topic if that is wanted; it is there only when the client asks again. */
function missing(name: string, { body }: Request, cluster: Cluster): number {
  if (complaintOnTopicName(name) !== undefined) return Errors.INVALID_TOPIC_EXCEPTION;
  const isWanted = body.allowAutoTopicCreation && cluster.settings.autoCreateTopicsEnable;
  if (!isWanted) return Errors.UNKNOWN_TOPIC_OR_PARTITION;
  const created = orRejection(() => cluster.createTopic(name));
  if (created instanceof Rejection) return created.errorCode;
  // Under ZooKeeper the new topic waits for its leaders; under KRaft for the controller.
  return cluster.profile.isKraft ? Errors.UNKNOWN_TOPIC_OR_PARTITION : Errors.LEADER_NOT_AVAILABLE;
}

function known(topic: Topic, { body }: Request, cluster: Cluster): TopicAnswer {
  return {
    errorCode: Errors.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: false,
    partitions: topic.partitions.map((partition) => partitionOf(partition, cluster)),
    ...(body.includeTopicAuthorizedOperations
      ? { topicAuthorizedOperations: ALL_TOPIC_OPERATIONS }
      : {}),
  };
}

function partitionOf(partition: Partition, cluster: Cluster) {
  const { index, leaderId, leaderEpoch, replicas, isr } = partition;
  return {
    errorCode: leaderId === NO_LEADER ? Errors.LEADER_NOT_AVAILABLE : Errors.NONE,
    partitionIndex: index,
    leaderId,
    leaderEpoch,
    replicaNodes: replicas,
    isrNodes: isr,
    offlineReplicas: replicas.filter((id) => cluster.node(id)?.isRunning !== true),
  };
}

function failed({
  name,
  topicId,
  errorCode,
}: TopicQuery & { readonly errorCode: number }): TopicAnswer {
  return { errorCode, name, topicId, partitions: [] };
}
