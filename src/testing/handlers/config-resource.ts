import { Errors } from '../error-codes.js';
import type { BrokerNode, Cluster } from '../state/cluster.js';
import { complaintOnTopicName, type Topic } from '../state/topic.js';
import { Rejection } from '../state/rejection.js';

/** Resource types as Kafka numbers them. */
const TOPIC = 2;
const BROKER = 4;

/** What has settings. */
export type ConfigResource =
  | { readonly kind: 'topic'; readonly topic: Topic }
  | { readonly kind: 'broker'; readonly node: BrokerNode | undefined };

/** @throws Rejection when there is no such resource. */
export function locateResource(type: number, name: string, cluster: Cluster): ConfigResource {
  switch (type) {
    case TOPIC: {
      const topic = cluster.topics.get(name);
      if (topic !== undefined) return { kind: 'topic', topic };
      const complaint = complaintOnTopicName(name);
      if (complaint !== undefined) throw new Rejection(Errors.INVALID_TOPIC_EXCEPTION, complaint);
      throw new Rejection(Errors.UNKNOWN_TOPIC_OR_PARTITION, `There is no topic ${name}`);
    }
    case BROKER: {
      const node = cluster.node(Number(name));
      if (name === '' || node !== undefined) return { kind: 'broker', node };
      throw new Rejection(Errors.INVALID_REQUEST, `Unexpected broker id ${name}`);
    }
    default:
      throw new Rejection(Errors.INVALID_REQUEST, `Unsupported resource type: ${type}`);
  }
}
