import type { Cluster, ClusterMetadata } from '../../cluster/index.js';
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
    const error = brokerError(topics.get(topic)?.errorCode ?? 0);
    if (isForGood(error)) return consumerError(`consume ${topic}`, error, { topic });
  }
  return undefined;
}

/** What was refused before may be granted by now. */
export function askAnewOfRefused(source: RunSource, cluster: Cluster): void {
  if (refusalOf(source, cluster.metadata) !== undefined) cluster.requestMetadataUpdate();
}

function isForGood({ code, isRetriable }: BrokerError): boolean {
  return code !== 0 && !isRetriable;
}
