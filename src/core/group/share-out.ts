import { ConfigError, KafkaError } from '../util/errors.js';
import type { Assignor, MemberAssignment, MemberSubscription } from './assignors/assignor.js';
import { encodeAssignment } from './classic/blobs.js';
import { assignorFailed } from './coordinator.js';
import type { Layouts } from './machine.js';
import { formatPartitions, PartitionSet, type TopicPartition } from './topic-partition.js';

/** Considers what the generations say of who holds what, so its answers need no check. */
const TRUSTED = 'cooperative-sticky';

/**
 * Has an assignor share the topics out, and checks what it answers where that could harm the group.
 *
 * @throws KafkaError naming the assignor.
 */
export function shareOut(
  assignor: Assignor,
  layouts: Layouts,
  members: readonly MemberSubscription[],
  isCooperative: boolean,
): { memberId: string; assignment: Buffer }[] {
  let shares: ReadonlyMap<string, MemberAssignment>;
  try {
    shares = assignor.assign(layouts, members);
  } catch (error) {
    throw assignorFailed(assignor.name, error);
  }
  const complaint =
    complaintAbout(shares, members) ??
    (isCooperative && assignor.name !== TRUSTED ? directMoves(shares, members) : undefined);
  if (complaint !== undefined) {
    throw new KafkaError(`The assignor '${assignor.name}' ${complaint}`, {
      code: 'ASSIGNOR_FAILED',
    });
  }
  return [...shares].map(([memberId, share]) => ({
    memberId,
    assignment: encodeAssignment(share),
  }));
}

function complaintAbout(
  shares: ReadonlyMap<string, MemberAssignment>,
  members: readonly MemberSubscription[],
): string | undefined {
  const known = new Set(members.map(({ memberId }) => memberId));
  const given = new PartitionSet();
  for (const [memberId, { partitions }] of shares) {
    if (!known.has(memberId)) return `gave something to ${memberId}, who is no member`;
    for (const partition of partitions) {
      if (given.has(partition)) return `gave ${formatPartitions([partition])} to two members`;
      given.add(partition);
    }
  }
  return undefined;
}

/** A partition must be given up by one member before another may have it (KIP-429). */
function directMoves(
  shares: ReadonlyMap<string, MemberAssignment>,
  members: readonly MemberSubscription[],
): string | undefined {
  const revoked = new PartitionSet();
  const added: TopicPartition[] = [];
  for (const { memberId, ownedPartitions } of members) {
    const partitions = shares.get(memberId)?.partitions ?? [];
    const share = new PartitionSet(partitions);
    const owned = new PartitionSet(ownedPartitions);
    for (const partition of ownedPartitions) if (!share.has(partition)) revoked.add(partition);
    added.push(...partitions.filter((partition) => !owned.has(partition)));
  }
  const moved = added.filter((partition) => revoked.has(partition));
  if (moved.length === 0) return undefined;
  return `gave ${formatPartitions(moved)} to members while others hold them, which the cooperative protocol forbids`;
}

/** What all of a member's assignors can do. Checks that they can be offered together. */
export function commonProtocol(
  groupId: string,
  assignors: readonly Assignor[],
): 'cooperative' | 'eager' {
  const of = `Cannot be a member of group '${groupId}': option partitionAssignmentStrategy`;
  if (assignors.length === 0) throw new ConfigError(`${of} is empty; name an assignor`);
  const names = assignors.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new ConfigError(`${of} has '${twice}' twice`);
  for (const protocol of ['cooperative', 'eager'] as const) {
    if (assignors.every((each) => each.supportedProtocols.includes(protocol))) return protocol;
  }
  throw new ConfigError(
    `${of} is ${names.join(', ')}, which support no rebalance protocol in common`,
  );
}
