import { invariant } from '../../util/assert.js';
import type { TopicPartition } from '../topic-partition.js';
import { compareStrings } from './java-order.js';
import type { StickyInput } from './sticky-input.js';

/** What a sticky assignment came to. */
export interface StickyResult {
  readonly shares: Map<string, TopicPartition[]>;
  /**
   * Partitions given to another member than the one that holds them, by its id; `undefined` where
   * that was not followed.
   */
  readonly transfers: Map<TopicPartition, string> | undefined;
}

/**
 * A sticky assignment among members that all subscribe to the same topics, in time linear in the
 * partitions. Every member ends up with either `least` or `least + 1` partitions; members first keep
 * what they have up to that, then the rest is dealt out in turn.
 */
export function assignEvenly(input: StickyInput): StickyResult {
  const deal = new EvenDeal(input);
  deal.keep();
  deal.fillWithinRacks();
  deal.fill();
  return { shares: deal.shares, transfers: deal.transfers };
}

class EvenDeal {
  readonly shares: Map<string, TopicPartition[]>;
  readonly transfers = new Map<TopicPartition, string>();
  private readonly least: number;
  private readonly most: number;
  /** How many members get `most` where that is more than `least`. */
  private readonly fullSeats: number;
  private full = 0;
  /** Members that must get more. */
  private needy: string[] = [];
  /** Members that have `least` and may get one more. */
  private content: string[] = [];
  /** What members could not keep, by who had it. */
  private readonly released = new Map<TopicPartition, string>();
  private unassigned: TopicPartition[] = [];

  constructor(private readonly input: StickyInput) {
    const memberCount = input.members.length;
    this.shares = new Map(input.members.map(({ memberId }) => [memberId, []]));
    this.least = Math.floor(input.partitionCount / memberCount);
    this.most = Math.ceil(input.partitionCount / memberCount);
    this.fullSeats = input.partitionCount % memberCount;
  }

  /** Members keep what they have, as far as the shares stay even and the racks match. */
  keep(): void {
    const { members, partitions, racks } = this.input;
    const kept = new Set<TopicPartition>();
    for (const { memberId } of members) {
      const mine = this.keepable(memberId);
      const count = Math.min(mine.length, this.quotaFor(memberId, mine.length));
      const share = this.shares.get(memberId)!;
      for (const partition of mine.slice(0, count)) {
        share.push(partition);
        kept.add(partition);
      }
      for (const partition of mine.slice(count)) this.released.set(partition, memberId);
    }
    const left = [...partitions.values()].flat().filter((partition) => !kept.has(partition));
    this.unassigned = racks.scarcestFirst(left);
    this.needy.sort(compareStrings);
    this.content.sort(compareStrings);
  }

  /** Deals to members in a rack of a replica, as far as the shares stay even. */
  fillWithinRacks(): void {
    const { racks } = this.input;
    if (!racks.isOn) return;
    let turn = 0;
    this.unassigned = this.unassigned.filter((partition) => {
      const at = this.nextInRack(this.needy, turn, partition);
      if (at >= 0) {
        turn = this.giveToNeedy(at, partition);
        return false;
      }
      const second = this.nextInRack(this.content, 0, partition);
      if (second < 0) return true;
      const memberId = this.content[second]!;
      if (this.give(partition, memberId) === this.most) {
        this.content.splice(second, 1);
        this.takeSeat();
      }
      return false;
    });
  }

  /** Deals the rest in turn: first to those that have too little, then one more to some. */
  fill(): void {
    let turn = 0;
    for (const partition of this.unassigned) {
      if (this.needy.length === 0) {
        const memberId = this.content.shift();
        invariant(memberId !== undefined, 'partitions are left, but no member has room for them');
        this.give(partition, memberId);
        continue;
      }
      if (turn >= this.needy.length) turn = 0;
      const memberId = this.needy[turn]!;
      if (this.give(partition, memberId) === this.least) {
        this.needy.splice(turn, 1);
        this.content.push(memberId);
      } else {
        turn++;
      }
    }
  }

  private keepable(memberId: string): TopicPartition[] {
    const { owned, racks, contested } = this.input;
    const mine = [...owned.get(memberId)!].filter((partition) => {
      if (!racks.mismatches(memberId, partition)) return !contested.has(partition);
      this.released.set(partition, memberId);
      return false;
    });
    return mine.sort((a, b) => a.partition - b.partition || compareStrings(a.topic, b.topic));
  }

  /** How many a member keeps; notes what it is to get besides. */
  private quotaFor(memberId: string, owns: number): number {
    if (owns < this.least) {
      this.needy.push(memberId);
      return owns;
    }
    const hasSeat = this.full < this.fullSeats;
    if (owns >= this.most && hasSeat) {
      this.takeSeat();
      return this.most;
    }
    if (hasSeat) this.content.push(memberId);
    return this.least;
  }

  private takeSeat(): void {
    this.full++;
    if (this.full === this.fullSeats) this.content = [];
  }

  /** Returns whose turn is next. */
  private giveToNeedy(at: number, partition: TopicPartition): number {
    const memberId = this.needy[at]!;
    let next = at + 1;
    if (this.give(partition, memberId) >= this.least) {
      this.needy.splice(at, 1);
      next = at;
      if (this.least < this.most && this.full < this.fullSeats) this.content.push(memberId);
    }
    return this.needy.length === 0 ? 0 : next % this.needy.length;
  }

  private nextInRack(ids: readonly string[], from: number, partition: TopicPartition): number {
    for (let i = 0; i < ids.length; i++) {
      const at = (from + i) % ids.length;
      if (this.input.racks.matches(ids[at]!, partition)) return at;
    }
    return -1;
  }

  private give(partition: TopicPartition, memberId: string): number {
    const share = this.shares.get(memberId)!;
    share.push(partition);
    const holder = this.released.get(partition);
    const isMoved = holder !== undefined && holder !== memberId;
    if (isMoved || this.input.contested.has(partition)) this.transfers.set(partition, memberId);
    return share.length;
  }
}
