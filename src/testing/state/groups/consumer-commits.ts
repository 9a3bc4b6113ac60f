import { Errors } from '../../error-codes.js';
import { orRejection, Rejection } from '../rejection.js';
import { checkCommitEpoch, type ConsumerMember } from './consumer-member.js';
import type { ConsumerRoster } from './consumer-roster.js';
import type { CommitIdentity, PartitionCheck } from './group.js';

const FIRST_VERSION_OF_MEMBER_EPOCHS = 9;

/** @throws Rejection unless a member may commit; what is left to be checked for a partition. */
export function checkConsumerCommit(
  roster: ConsumerRoster,
  { memberId, epoch, version }: CommitIdentity,
): PartitionCheck | undefined {
  if (epoch < 0 && roster.byId.size === 0) return undefined;
  const member = roster.member(memberId);
  if (member.classic === null && version < FIRST_VERSION_OF_MEMBER_EPOCHS) {
    const message = 'Members of the consumer protocol commit with version 9 or above';
    throw new Rejection(Errors.UNSUPPORTED_VERSION, message);
  }
  if (epoch === member.epoch) return undefined;
  if (epoch > member.epoch) throw stale(epoch, member);
  return (topicId, index) => checkCommitEpoch(member, epoch, topicId, index);
}

/** As {@link checkConsumerCommit}, for offsets of a transaction (KIP-447). @throws Rejection */
export function checkConsumerTransaction(
  roster: ConsumerRoster,
  identity: CommitIdentity,
): PartitionCheck | undefined {
  const { memberId, instanceId, epoch } = identity;
  const isNobody = memberId === '' && instanceId === null;
  if (epoch < 0 && (roster.byId.size === 0 || isNobody)) return undefined;
  const check = withoutMemberEpochs(() =>
    checkConsumerCommit(roster, { ...identity, version: FIRST_VERSION_OF_MEMBER_EPOCHS }),
  );
  if (check === undefined) return undefined;
  return (topicId, index) => withoutMemberEpochs(() => check(topicId, index));
}

/** @throws Rejection unless a member, or somebody who does not claim to be one, may read offsets. */
export function checkConsumerFetch(
  roster: ConsumerRoster,
  memberId: string | null,
  epoch: number,
): void {
  if (memberId === null && epoch < 0) return;
  const member = roster.member(memberId ?? '');
  if (epoch !== member.epoch) throw stale(epoch, member);
}

/** TxnOffsetCommit is older than member epochs: it knows generations only. */
function withoutMemberEpochs<T>(check: () => T): T {
  const outcome = orRejection(check);
  if (!(outcome instanceof Rejection)) return outcome;
  if (outcome.errorCode !== Errors.STALE_MEMBER_EPOCH) throw outcome;
  throw new Rejection(Errors.ILLEGAL_GENERATION, outcome.message);
}

function stale(epoch: number, member: ConsumerMember): Rejection {
  return new Rejection(
    member.classic === null ? Errors.STALE_MEMBER_EPOCH : Errors.ILLEGAL_GENERATION,
    `The member epoch is ${member.epoch}, not ${epoch}`,
  );
}
