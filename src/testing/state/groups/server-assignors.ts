import type { Partitions } from './partitions.js';

/** A member as an assignor sees it. */
export interface Assignee {
  readonly id: string;
  readonly instanceId: string | null;
  /** Ids of the topics that it reads. */
  readonly topicIds: ReadonlySet<string>;
  /** What it was to have before. */
  readonly current: Partitions;
}

/** Gives each partition of each topic to one member that reads it. */
export type ServerAssignor = (
  members: readonly Assignee[],
  /** How many partitions each topic has, by its id. */
  sizes: ReadonlyMap<string, number>,
) => Map<string, Partitions>;

/** The assignors of the broker, the default first. */
export const serverAssignors: ReadonlyMap<string, ServerAssignor> = new Map([
  ['uniform', uniform],
  ['range', range],
]);

interface Partition {
  readonly topicId: string;
  readonly index: number;
}

/** A member with what it gets. */
class Share {
  readonly partitions: Partition[] = [];

  constructor(readonly member: Assignee) {}

  reads({ topicId }: Partition): boolean {
    return this.member.topicIds.has(topicId);
  }

  toPartitions(): Partitions {
    const sets = new Map<string, Set<number>>();
    for (const { topicId, index } of this.partitions) {
      let indexes = sets.get(topicId);
      if (indexes === undefined) sets.set(topicId, (indexes = new Set()));
      indexes.add(index);
    }
    return sets;
  }
}

/** Neighbouring partitions of each topic, the same ones of topics that are read by the same members. */
function range(members: readonly Assignee[], sizes: ReadonlyMap<string, number>) {
  const shares = [...members].sort(compare).map((member) => new Share(member));
  for (const [topicId, size] of sizes) {
    const readers = shares.filter(({ member }) => member.topicIds.has(topicId));
    const [least, more] = [Math.floor(size / readers.length), size % readers.length];
    let next = 0;
    for (const [i, { partitions }] of readers.entries()) {
      const end = next + least + (i < more ? 1 : 0);
      while (next < end) partitions.push({ topicId, index: next++ });
    }
  }
  return collect(shares);
}

/** As many partitions for each as can be, moving as few as possible. */
function uniform(members: readonly Assignee[], sizes: ReadonlyMap<string, number>) {
  const shares = [...members].sort(compare).map((member) => new Share(member));
  const left = keepCurrent(shares, sizes);
  for (const partition of left) least(shares, partition)?.partitions.push(partition);
  level(shares);
  return collect(shares);
}

/** Gives everybody what it had, once each; returns what nobody had. */
function keepCurrent(shares: readonly Share[], sizes: ReadonlyMap<string, number>): Partition[] {
  const takers = new Map<string, Share>();
  for (const share of shares) {
    for (const [topicId, indexes] of share.member.current) {
      for (const index of indexes) {
        if (share.reads({ topicId, index })) takers.set(`${topicId} ${index}`, share);
      }
    }
  }
  const left: Partition[] = [];
  for (const [topicId, size] of sizes) {
    for (let index = 0; index < size; index++) {
      const taker = takers.get(`${topicId} ${index}`);
      if (taker === undefined) left.push({ topicId, index });
      else taker.partitions.push({ topicId, index });
    }
  }
  return left;
}

function least(shares: readonly Share[], partition: Partition): Share | undefined {
  let best: Share | undefined;
  for (const share of shares) {
    if (!share.reads(partition)) continue;
    if (best === undefined || share.partitions.length < best.partitions.length) best = share;
  }
  return best;
}

/** Moves one partition at a time, from whoever has most, until nothing is gained by it. */
function level(shares: readonly Share[]): void {
  const byLoad = () => [...shares].sort((a, b) => b.partitions.length - a.partitions.length);
  while (byLoad().some((giver) => giveOne(giver, shares)));
}

function giveOne(giver: Share, shares: readonly Share[]): boolean {
  // The last one goes first: what a member has had longest stays with it.
  for (let i = giver.partitions.length - 1; i >= 0; i--) {
    const taker = least(shares, giver.partitions[i]!);
    if (taker === undefined) continue;
    if (taker.partitions.length + 1 >= giver.partitions.length) continue;
    taker.partitions.push(...giver.partitions.splice(i, 1));
    return true;
  }
  return false;
}

function collect(shares: readonly Share[]): Map<string, Partitions> {
  return new Map(shares.map((share) => [share.member.id, share.toPartitions()]));
}

/** Static members first, so that they get the same again after a restart. */
function compare(a: Assignee, b: Assignee): number {
  if (a.instanceId !== null && b.instanceId !== null) return order(a.instanceId, b.instanceId);
  if (a.instanceId !== null) return -1;
  if (b.instanceId !== null) return 1;
  return order(a.id, b.id);
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
