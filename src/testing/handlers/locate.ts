import { ZERO_UUID } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import { NO_LEADER, type Partition } from '../state/partition.js';
import { Rejection } from '../state/rejection.js';
import type { Topic } from '../state/topic.js';
import type { HandlerContext } from './handler.js';

/** The topic that a request names, by id where the version has ids only. */
export function locateTopic(
  { cluster }: HandlerContext,
  name: string,
  topicId: string,
): Topic | Rejection {
  // Where there are ids only, names are empty, and the zero id is nobody's.
  if (topicId === ZERO_UUID && name !== '') return cluster.topics.get(name) ?? unknownTopic();
  return (
    cluster.topicById(topicId) ??
    new Rejection(Errors.UNKNOWN_TOPIC_ID, 'This server does not host this topic ID.')
  );
}

/** The partition at an index, wherever it is led. @throws Rejection */
export function locatePartition(topic: Topic | Rejection | undefined, index: number): Partition {
  if (topic instanceof Rejection) throw topic;
  const partition = topic?.partitions[index];
  if (partition === undefined) throw unknownTopic();
  return partition;
}

/** @throws Rejection unless this broker leads the partition. */
export function checkLeader(partition: Partition, { brokerId }: HandlerContext): void {
  if (partition.leaderId !== brokerId) throw notLeader();
}

/** @throws Rejection unless this broker leads or follows a partition that has a leader. */
export function checkReplica(partition: Partition, { brokerId }: HandlerContext): void {
  const { leaderId, replicas } = partition;
  if (leaderId === NO_LEADER || !replicas.includes(brokerId)) throw notLeader();
}

/**
 * @throws Rejection when client and broker disagree on who leads since when (KIP-320), which only a
 * broker with a replica can tell.
 */
export function checkLeaderEpoch(
  partition: Partition,
  claimed: number,
  { brokerId }: HandlerContext,
): void {
  if (!partition.replicas.includes(brokerId)) throw notLeader();
  if (claimed < 0 || claimed === partition.leaderEpoch) return;
  if (claimed < partition.leaderEpoch) {
    throw new Rejection(
      Errors.FENCED_LEADER_EPOCH,
      `The leader epoch in the request is ${claimed}, older than ${partition.leaderEpoch}`,
    );
  }
  throw new Rejection(
    Errors.UNKNOWN_LEADER_EPOCH,
    `The leader epoch in the request is ${claimed}, newer than ${partition.leaderEpoch}`,
  );
}

function unknownTopic(): Rejection {
  return new Rejection(
    Errors.UNKNOWN_TOPIC_OR_PARTITION,
    'This server does not host this topic-partition.',
  );
}

function notLeader(): Rejection {
  const message = 'For requests intended only for the leader, this broker is not the leader.';
  return new Rejection(Errors.NOT_LEADER_OR_FOLLOWER, message);
}

/** Who leads, for answers that spare the client a Metadata request (KIP-951). */
export function leaderHint(partition: Partition) {
  return { leaderId: partition.leaderId, leaderEpoch: partition.leaderEpoch };
}

/** Where the hinted leaders listen. */
export function endpointsOf(leaders: ReadonlySet<number>, { cluster }: HandlerContext) {
  return [...leaders]
    .filter((id) => id !== NO_LEADER)
    .map((id) => cluster.node(id)!)
    .map(({ id, host, port, rack }) => ({ nodeId: id, host, port, rack }));
}
