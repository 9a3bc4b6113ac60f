import type { Cluster, ClusterMetadata, TopicMetadata } from '../../cluster/index.js';
import { brokerError, type BrokerError } from '../../protocol/index.js';
import type { KafkaError } from '../../util/errors.js';
import { consumerError } from '../errors.js';
import type { RunSource } from './run-source.js';

/**
 * Why one of the topics that are subscribed to by name can't be consumed. A group's leader would just
 * leave it out: nobody would get anything of it, and nobody would hear why.
 */
export function refusalOf(source: RunSource, { topics }: ClusterMetadata): KafkaError | undefined {
  if (source.type !== 'topics') return undefined;
  for (const topic of source.topics) {
    const error = errorOf(topics.get(topic));
    if (isForGood(error)) return consumerError(`consume ${topic}`, error, { topic });
  }
  return undefined;
}

/** What was refused before may be granted by now: it isn't believed until it is told again. */
export function askAnewOfRefused(source: RunSource, cluster: Cluster): void {
  const { topics } = cluster.metadata;
  const refused = topicsOf(source).filter((name) => isForGood(errorOf(topics.get(name))));
  if (refused.length > 0) cluster.askAnewOf(refused);
}

/** Those that are consumed whatever there is in the cluster. */
function topicsOf(source: RunSource): readonly string[] {
  switch (source.type) {
    case 'topics':
      return source.topics;
    case 'partitions':
      return [...new Set(source.ranges.map(({ topic }) => topic))];
    case 'pattern':
      return [];
  }
}

function errorOf(topic: TopicMetadata | undefined): BrokerError {
  return brokerError(topic?.errorCode ?? 0);
}

function isForGood({ code, isRetriable }: BrokerError): boolean {
  return code !== 0 && !isRetriable;
}
