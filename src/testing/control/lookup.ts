import { brokerError } from '../../core/protocol/index.js';
import { ConfigError, KafkaError } from '../../core/util/errors.js';
import type { BrokerNode, Cluster } from '../state/cluster.js';
import type { Group } from '../state/groups/group.js';
import type { Partition } from '../state/partition.js';
import { orRejection, Rejection } from '../state/rejection.js';
import type { Topic } from '../state/topic.js';

/** A refusal as an error that tests can match on. */
export function orKafkaError<T>(attempt: () => T): T {
  const outcome = orRejection(attempt);
  if (!(outcome instanceof Rejection)) return outcome;
  throw new KafkaError(outcome.message, { code: brokerError(outcome.errorCode).name });
}

export function noSuch(what: string): ConfigError {
  return new ConfigError(`The embedded cluster has no ${what}`, { code: 'NOT_FOUND' });
}

/** @throws ConfigError */
export function brokerOf(cluster: Cluster, id: number): BrokerNode {
  const node = cluster.node(id);
  if (node === undefined) throw noSuch(`broker ${id}`);
  return node;
}

/** @throws ConfigError */
export function topicOf(cluster: Cluster, name: string): Topic {
  const topic = cluster.topics.get(name);
  if (topic === undefined) throw noSuch(`topic ${name}`);
  return topic;
}

/** @throws ConfigError */
export function partitionOf(cluster: Cluster, topic: string, index: number): Partition {
  const partition = cluster.topics.get(topic)?.partitions[index];
  if (partition === undefined) throw noSuch(`partition ${topic}-${index}`);
  return partition;
}

/** @throws ConfigError */
export function groupOf(cluster: Cluster, groupId: string): Group {
  const group = cluster.groups.get(groupId);
  if (group === undefined) throw noSuch(`group ${groupId}`);
  return group;
}
