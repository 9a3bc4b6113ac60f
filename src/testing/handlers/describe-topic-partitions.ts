import { apis, ZERO_UUID, type RequestOf } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import type { Cluster } from '../state/cluster.js';
import { NO_LEADER, type Partition } from '../state/partition.js';
import { complaintOnTopicName, type Topic } from '../state/topic.js';
import { defineHandler, type ResponseBody } from './handler.js';

type Query = RequestOf<typeof apis.DescribeTopicPartitions>;
type Answer = ResponseBody<typeof apis.DescribeTopicPartitions>;
type TopicAnswer = Answer['topics'][number];

/** Kafka's `max.request.partition.size.limit`. */
const MAX_PARTITIONS = 2000;

/** Topics in the order of their names, page by page (KIP-966). */
export const describeTopicPartitions = defineHandler(apis.DescribeTopicPartitions, {
  handle({ body }, { cluster }) {
    const { cursor } = body;
    if (cursor !== null && cursor.partitionIndex < 0) return refuse(body, Errors.INVALID_REQUEST);
    return page(wantedBy(body, cluster), body, cluster);
  },
  fail: ({ body }, errorCode) => refuse(body, errorCode),
});

function refuse({ topics }: Query, errorCode: number): Answer {
  return { topics: topics.map(({ name }) => failed(name, errorCode)), nextCursor: null };
}

/** Names in order, without those that earlier pages told. No names stand for all topics. */
function wantedBy({ topics, cursor }: Query, cluster: Cluster): string[] {
  const names = topics.length > 0 ? topics.map(({ name }) => name) : [...cluster.topics.keys()];
  return [...new Set(names)]
    .filter((name) => cursor === null || name >= cursor.topicName)
    .sort((a, b) => (a < b ? -1 : 1));
}

function page(names: readonly string[], query: Query, cluster: Cluster): Answer {
  const { responsePartitionLimit, cursor } = query;
  let left = Math.max(1, Math.min(responsePartitionLimit, MAX_PARTITIONS));
  const topics: TopicAnswer[] = [];
  for (const name of names) {
    const topic = cluster.topics.get(name);
    const first = cursor?.topicName === name ? cursor.partitionIndex : 0;
    if (left === 0) return { topics, nextCursor: { topicName: name, partitionIndex: first } };
    if (topic === undefined) {
      // Those who ask for all topics don't care for one that went between two pages.
      if (query.topics.length > 0) topics.push(missing(name));
      continue;
    }
    const shown = topic.partitions.slice(first, first + left);
    topics.push(describe(topic, shown, cluster));
    left -= shown.length;
    const next = first + shown.length;
    if (next >= topic.partitions.length) continue;
    return { topics, nextCursor: { topicName: name, partitionIndex: next } };
  }
  return { topics, nextCursor: null };
}

function describe(topic: Topic, shown: readonly Partition[], cluster: Cluster): TopicAnswer {
  return {
    errorCode: Errors.NONE,
    name: topic.name,
    topicId: topic.id,
    partitions: shown.map(({ index, leaderId, leaderEpoch, replicas, isr }) => ({
      errorCode: leaderId === NO_LEADER ? Errors.LEADER_NOT_AVAILABLE : Errors.NONE,
      partitionIndex: index,
      leaderId,
      leaderEpoch,
      replicaNodes: replicas,
      isrNodes: isr,
      eligibleLeaderReplicas: [],
      lastKnownElr: [],
      offlineReplicas: replicas.filter((id) => cluster.node(id)?.isRunning !== true),
    })),
  };
}

function missing(name: string): TopicAnswer {
  const isValid = complaintOnTopicName(name) === undefined;
  return failed(name, isValid ? Errors.UNKNOWN_TOPIC_OR_PARTITION : Errors.INVALID_TOPIC_EXCEPTION);
}

function failed(name: string, errorCode: number): TopicAnswer {
  return { errorCode, name, topicId: ZERO_UUID, partitions: [] };
}
