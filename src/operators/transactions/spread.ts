import type { ConsumerRecord } from '../../core/consumer/index.js';

type Owner = ConsumerRecord['owner'];

/**
 * Spreads partitions over lanes: each stays in its lane while it is held, so that its records are in
 * one transaction after the other, and so are its offsets.
 */
export class Spread<L> {
  private readonly homes = new Map<Owner, L>();
  /** Partitions of which nothing came yet, while a lane stores where they begin. */
  private readonly guests = new Map<Owner, L>();

  constructor(readonly lanes: readonly L[]) {}

  /** The lane of a partition that has a record: at first the lane that has the fewest. */
  laneOf(owner: Owner): L {
    const known = this.homes.get(owner);
    if (known !== undefined) return known;
    const lane = this.guests.get(owner) ?? this.emptiest();
    this.homes.set(owner, lane);
    return lane;
  }

  /**
   * Whether a lane is to store the offset of a partition: of one of its own, and, until its
   * transaction ends, of one that has nothing to deliver and is nobody's yet.
   */
  claims(lane: L, owner: Owner): boolean {
    const known = this.homes.get(owner) ?? this.guests.get(owner);
    if (known !== undefined) return known === lane;
    if (this.lanes.length > 1 && !isIdle(owner)) return false;
    this.guests.set(owner, lane);
    return true;
  }

  /** A lane's transaction has ended: what it had of partitions that are given up is done or went back. */
  release(lane: L): void {
    for (const [owner, at] of this.guests) if (at === lane) this.guests.delete(owner);
    for (const [owner, at] of this.homes) {
      if (at === lane && owner.isLeaving) this.homes.delete(owner);
    }
  }

  private emptiest(): L {
    const counts = new Map(this.lanes.map((lane) => [lane, 0]));
    for (const [owner, lane] of this.homes) {
      if (!owner.isLeaving) counts.set(lane, counts.get(lane)! + 1);
    }
    const [[emptiest]] = [...counts].sort(([, a], [, b]) => a - b) as [[L, number]];
    return emptiest;
  }
}

function isIdle(owner: Owner): boolean {
  const end = owner.endOfLog(true);
  return end >= 0 && owner.position >= end;
}
