import type { ClusterMetadata } from '../../cluster/index.js';
import type { AssignedPartition } from '../assigned-partition.js';
import { obstacleOf } from './fetch-plan.js';

/** What is wanted of one broker at a time. */
export interface BrokerDemand {
  /** In the order in which they are to be asked for. */
  readonly wanted: AssignedPartition[];
  /** How many partitions are consumed, but not asked for now. */
  others: number;
  /** What {@link AssignedPartition.moves} of all of them comes to. */
  moves: number;
}

/** What could be fetched at a time. */
export interface FetchDemand {
  /** By the broker's id. */
  readonly byNode: ReadonlyMap<number, BrokerDemand>;
  /** When the first of those that wait after a failure may be asked for; else Infinity. */
  readonly retryAt: number;
  /** Whether there are partitions that nobody is known to lead. */
  readonly lacksLeaders: boolean;
}

/**
 * Sorts what could be asked for by whom to ask, beginning with a partition that is another one each
 * time: what a broker can't put into its answer any more comes first the next time.
 *
 * @param rotation the number of this look.
 * @param nodeOf whom to ask for a partition; below 0 when that is not known.
 */
export function demandOf(
  partitions: readonly AssignedPartition[],
  rotation: number,
  now: number,
  nodeOf: (partition: AssignedPartition) => number,
): FetchDemand {
  const byNode = new Map<number, BrokerDemand>();
  let retryAt = Infinity;
  let lacksLeaders = false;
  for (let i = 0; i < partitions.length; i++) {
    const partition = partitions[(rotation + i) % partitions.length]!;
    const obstacle = obstacleOf(partition, now);
    if (obstacle === 'other') continue;
    if (obstacle === 'backing-off') {
      retryAt = Math.min(retryAt, partition.retryAt);
      continue;
    }
    const node = nodeOf(partition);
    if (node < 0) {
      lacksLeaders = true;
      continue;
    }
    let demand = byNode.get(node);
    if (demand === undefined) byNode.set(node, (demand = { wanted: [], others: 0, moves: 0 }));
    if (obstacle === 'none') demand.wanted.push(partition);
    else demand.others++;
    demand.moves += partition.moves;
  }
  return { byNode, retryAt, lacksLeaders };
}

/** Whom to read a partition from: the follower that its leader has named (KIP-392), or the leader. */
export function replicaFor(
  { topic, partition, preferredReplica }: AssignedPartition,
  { brokers, topics }: ClusterMetadata,
  now: number,
): number {
  const { node, until } = preferredReplica;
  if (node >= 0 && now < until && brokers.has(node)) return node;
  return topics.get(topic)?.partitions[partition]?.leader ?? -1;
}
