import { apis, type RequestOf } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import { checkConsumerCommit } from '../state/groups/consumer-commits.js';
import type { CommittedOffsets } from '../state/groups/committed-offsets.js';
import type { CommitIdentity, Group, PartitionCheck } from '../state/groups/group.js';
import { noSuchGroup } from '../state/groups/groups.js';
import { orRejection, Rejection } from '../state/rejection.js';
import type { Topic } from '../state/topic.js';
import { errorCodeFrom } from './coordinated.js';
import {
  defineHandler,
  type HandlerContext,
  type IncomingRequest,
  type ResponseBody,
} from './handler.js';
import { locatePartition, locateTopic } from './locate.js';
import { offsetToCommit } from './offset-to-commit.js';

type Request = IncomingRequest<typeof apis.OffsetCommit>;
type TopicCommit = RequestOf<typeof apis.OffsetCommit>['topics'][number];
type PartitionCommit = TopicCommit['partitions'][number];

const FIRST_VERSION_OF_MEMBER_EPOCHS = 9;

/** Stores a group's offsets: those of members after checking who they are (KIP-211, KIP-848). */
export const offsetCommit = defineHandler(apis.OffsetCommit, {
  handle(request, context) {
    let verdict: Admission | Rejection | undefined;
    // Nobody is asked who may commit while there is nothing that could be committed.
    const admission = () => (verdict ??= orRejection(() => admit(request, context)));
    return respond(request, (partition, topic) =>
      errorCodeFrom(() => {
        const found = locateTopic(context, topic.name, topic.topicId);
        locatePartition(found, partition.partitionIndex);
        const admitted = admission();
        if (admitted instanceof Rejection) throw admitted;
        const { name, id } = found as Topic;
        admitted.check?.(id, partition.partitionIndex);
        const offset = offsetToCommit(partition, context);
        admitted.offsets.set(name, partition.partitionIndex, offset);
      }),
    );
  },
  fail: (request, errorCode) => respond(request, () => errorCode),
});

/** Where the offsets go, and what is still to be checked for each partition. */
interface Admission {
  readonly offsets: CommittedOffsets;
  readonly check: PartitionCheck | undefined;
}

/** @throws Rejection where offsets may not be committed. */
function admit({ body, version }: Request, { cluster, brokerId }: HandlerContext): Admission {
  const { groupId } = body;
  const { groups } = cluster;
  if (version === 0) {
    if (!cluster.profile.isKraft) {
      return { offsets: groups.zooKeeperOffsetsOf(groupId), check: undefined };
    }
    throw new Rejection(Errors.UNSUPPORTED_VERSION, 'Version 0 needs ZooKeeper');
  }
  groups.checkCoordinator(groupId, brokerId);
  const epoch = body.generationIdOrMemberEpoch;
  const group = groups.get(groupId);
  if (group === undefined && epoch >= 0) {
    if (version >= FIRST_VERSION_OF_MEMBER_EPOCHS) throw noSuchGroup(groupId);
    throw new Rejection(Errors.ILLEGAL_GENERATION, `Group ${groupId} has no generation ${epoch}`);
  }
  const { memberId, groupInstanceId: instanceId } = body;
  const identity = { memberId, instanceId, epoch, version };
  // Who is no member of any group still has a group to keep the offsets.
  const check = admitTo(group ?? groups.simple(groupId), identity);
  return { offsets: groups.offsetsOf(groupId), check };
}

function admitTo(group: Group, identity: CommitIdentity): PartitionCheck | undefined {
  if (group.type === 'consumer') return checkConsumerCommit(group.roster, identity);
  group.checkCommit(identity);
  return undefined;
}

function respond(
  { body }: Request,
  judge: (partition: PartitionCommit, topic: TopicCommit) => number,
): ResponseBody<typeof apis.OffsetCommit> {
  const topics = body.topics.map((topic) => ({
    name: topic.name,
    topicId: topic.topicId,
    partitions: topic.partitions.map((partition) => ({
      partitionIndex: partition.partitionIndex,
      errorCode: judge(partition, topic),
    })),
  }));
  return { topics };
}
