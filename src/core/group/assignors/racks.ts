import type { MemberSubscription, TopicLayout } from './assignor.js';

/** The rack of each member that has one. */
export function racksOfMembers(members: readonly MemberSubscription[]): Map<string, string> {
  const racks = new Map<string, string>();
  for (const { memberId, rackId } of members) {
    if (rackId !== undefined && rackId !== '') racks.set(memberId, rackId);
  }
  return racks;
}

/**
 * Whether racks make a difference (KIP-881): some member has a replica in its rack, and not every
 * partition has replicas in all racks.
 */
export function racksMatter(
  memberRacks: ReadonlySet<string>,
  layouts: readonly TopicLayout[],
): boolean {
  if (memberRacks.size === 0) return false;
  const all = new Set(layouts.flatMap(({ racks }) => racks.flat()));
  if (![...memberRacks].some((rack) => all.has(rack))) return false;
  return layouts.some((layout) => hasPartitionOutside(layout, all));
}

function hasPartitionOutside(
  { partitionCount, racks }: TopicLayout,
  all: ReadonlySet<string>,
): boolean {
  for (let partition = 0; partition < partitionCount; partition++) {
    if (new Set(racks[partition]).size !== all.size) return true;
  }
  return false;
}
