import { apis } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import { checkConsumerTransaction } from '../state/groups/consumer-commits.js';
import type { CommittedOffsets } from '../state/groups/committed-offsets.js';
import type { CommitIdentity, Group, PartitionCheck } from '../state/groups/group.js';
import { orRejection, Rejection } from '../state/rejection.js';
import type { Claim } from '../state/transactions/transaction.js';
import { errorCodeFrom } from './coordinated.js';
import {
  defineHandler,
  type HandlerContext,
  type IncomingRequest,
  type ResponseBody,
} from './handler.js';
import { locatePartition } from './locate.js';
import { offsetToCommit } from './offset-to-commit.js';
import { refusalOfWrite, type WritingClient } from './transactional.js';

type Request = IncomingRequest<typeof apis.TxnOffsetCommit>;

const FIRST_VERSION_WITH_ABORTABLE = 4;
const FIRST_VERSION_THAT_ADDS = 5;
const NO_TIMESTAMP = -1;

/** Keeps a group's offsets until the transaction that sent them ends (KIP-98, KIP-447). */
export const txnOffsetCommit = defineHandler(apis.TxnOffsetCommit, {
  handle(request, context) {
    let verdict: Admission | Rejection | undefined;
    // Nobody is asked who may commit while there is nothing that could be committed.
    const admission = () => (verdict ??= orRejection(() => admit(request, context)));
    return respond(request, (name, partition) =>
      errorCodeFrom(() => {
        const { partitionIndex: index } = partition;
        const topic = context.cluster.topics.get(name);
        locatePartition(topic, index);
        const admitted = admission();
        if (admitted instanceof Rejection) throw admitted;
        admitted.check?.(topic!.id, index);
        const offset = offsetToCommit({ ...partition, commitTimestamp: NO_TIMESTAMP }, context);
        admitted.offsets.stage(claimOf(request), name, index, offset);
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
function admit(request: Request, context: HandlerContext): Admission {
  const { groupId, memberId, groupInstanceId, generationId: epoch } = request.body;
  const { groups, profile } = context.cluster;
  if (groupId === '') throw new Rejection(Errors.INVALID_GROUP_ID, 'The group id is empty');
  groups.checkCoordinator(groupId, context.brokerId);
  checkTransaction(request, context);
  const group = groups.get(groupId);
  if (group === undefined && epoch >= 0 && !profile.foundsGroupsInTransactions) {
    throw new Rejection(Errors.ILLEGAL_GENERATION, `Group ${groupId} has no generation ${epoch}`);
  }
  const identity = { memberId, instanceId: groupInstanceId, epoch, version: request.version };
  const check = admitTo(group ?? groups.simple(groupId), identity);
  const offsets = groups.offsetsOf(groupId);
  offsets.checkProducer(claimOf(request));
  return { offsets, check };
}

function admitTo(group: Group, identity: CommitIdentity): PartitionCheck | undefined {
  if (group.type === 'consumer') return checkConsumerTransaction(group.roster, identity);
  group.checkTransactionalCommit(identity);
  return undefined;
}

/** Has the transaction's coordinator agree, or take the group in. @throws Rejection */
function checkTransaction(request: Request, { cluster }: HandlerContext): void {
  const { profile, transactions } = cluster;
  const { transactionalId, groupId } = request.body;
  if (!profile.verifiesTransactions) return;
  const claim = claimOf(request);
  const client = clientOf(request.version);
  const outcome = orRejection(() => {
    if (client !== 'adding') transactions.checkGroup(transactionalId, claim, groupId);
    else {
      const addition = { partitions: [], groups: [groupId], risesAtEnd: true };
      transactions.add(transactionalId, claim, addition);
    }
  });
  if (outcome instanceof Rejection) throw refusalOfWrite(outcome, client);
}

function claimOf({ body }: Request): Claim {
  return { producerId: body.producerId, epoch: body.producerEpoch };
}

function clientOf(version: number): WritingClient {
  if (version >= FIRST_VERSION_THAT_ADDS) return 'adding';
  return version >= FIRST_VERSION_WITH_ABORTABLE ? 'aborting' : 'old';
}

type PartitionCommit = Request['body']['topics'][number]['partitions'][number];

function respond(
  { body }: Request,
  judge: (topic: string, partition: PartitionCommit) => number,
): ResponseBody<typeof apis.TxnOffsetCommit> {
  const topics = body.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map((partition) => ({
      partitionIndex: partition.partitionIndex,
      errorCode: judge(name, partition),
    })),
  }));
  return { topics };
}
