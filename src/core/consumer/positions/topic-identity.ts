import type { ClusterMetadata } from '../../cluster/index.js';
import { ZERO_UUID } from '../../protocol/index.js';
import type { AssignedPartition } from '../assigned-partition.js';

const UNKNOWN_TOPIC_OR_PARTITION = 3;

/** Whether ids are those of two topics; brokers before 2.8 tell none. */
export function areDifferent(id: string, other: string): boolean {
  return isKnown(id) && isKnown(other) && id !== other;
}

/**
 * Whether the topic that was consumed is deleted, as far as is known: nothing has its name, or another
 * topic. Where brokers tell no ids it can't be said: they may not have heard of a topic yet.
 */
export function isGone(
  { topic, topicId }: AssignedPartition,
  { topics }: ClusterMetadata,
): boolean {
  const now = topics.get(topic);
  if (now === undefined || !isKnown(topicId)) return false;
  return now.errorCode === UNKNOWN_TOPIC_OR_PARTITION || areDifferent(topicId, now.id);
}

function isKnown(id: string): boolean {
  return id !== '' && id !== ZERO_UUID;
}
