import type { ClusterMetadata } from '../../cluster/index.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { Positions } from '../positions/positions.js';
import { areDifferent } from '../positions/topic-identity.js';

/** Takes in what metadata says of partitions: another topic under their name, or another leader. */
export function noteWhereabouts(
  partitions: readonly AssignedPartition[],
  { topics }: ClusterMetadata,
  positions: Positions,
): void {
  const moved: AssignedPartition[] = [];
  for (const partition of partitions) {
    const topic = topics.get(partition.topic);
    const known = topic?.partitions[partition.partition];
    if (topic === undefined || known === undefined) continue;
    if (areDifferent(partition.topicId, topic.id)) positions.reset(partition, 'recreated');
    else if (hasMoved(partition, known.leaderEpoch)) moved.push(partition);
  }
  positions.validate(moved);
}

/** Whether another leader is to be asked if it has what was consumed. */
function hasMoved(partition: AssignedPartition, leaderEpoch: number): boolean {
  if (leaderEpoch < 0 || leaderEpoch === partition.validatedEpoch) return false;
  const isFirst = partition.validatedEpoch < 0;
  partition.validatedEpoch = leaderEpoch;
  if (isFirst) return false;
  // What is on the way from the old leader may never come.
  partition.fetch = undefined;
  return partition.phase === 'active' && partition.lastFetchedEpoch >= 0;
}
