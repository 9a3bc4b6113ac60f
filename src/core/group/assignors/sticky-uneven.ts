import { invariant } from '../../util/assert.js';
import type { TopicPartition } from '../topic-partition.js';
import { compareStrings } from './java-order.js';
import { Movements } from './movements.js';
import { Ranking } from './ranking.js';
import type { StickyInput } from './sticky-input.js';
import type { StickyResult } from './sticky-even.js';

/**
 * A sticky assignment among members whose subscriptions differ. Members keep what they have, the
 * rest goes to whoever has least and subscribes to it, scarce topics first; then partitions move
 * from members with more to members with less, until none can move to any use.
 */
export function assignUnevenly(input: StickyInput): StickyResult {
  const deal = new UnevenDeal(input);
  deal.keep();
  deal.giveOut();
  deal.balance();
  return { shares: deal.result(), transfers: undefined };
}

class UnevenDeal {
  private readonly shares: Map<string, Set<TopicPartition>>;
  private readonly owners = new Map<TopicPartition, string>();
  /** Who could take each topic, and the reverse. */
  private readonly subscribers = new Map<string, string[]>();
  private readonly subscriptions = new Map<string, Set<string>>();
  private readonly ordered: TopicPartition[];
  private unassigned: TopicPartition[] = [];
  private readonly ranking: Ranking;
  private readonly movements = new Movements();
  /** Something had to be taken from a member, so that keeping things as they are is no aim. */
  private hasRevoked = false;
  /** Where a partition was last found that could move to use; looked at first the next time. */
  private suspect = 0;
  /** Stays true or false until something moves. */
  private knownBalance: boolean | undefined;
  private topics: readonly string[] = [];
  private wasEmpty = false;

  constructor(private readonly input: StickyInput) {
    this.shares = input.owned;
    for (const topic of input.topics.keys()) this.subscribers.set(topic, []);
    for (const { memberId, topics } of input.members) {
      const wanted = new Set(topics.filter((topic) => input.topics.has(topic)));
      this.subscriptions.set(memberId, wanted);
      for (const topic of wanted) this.subscribers.get(topic)!.push(memberId);
    }
    const scarcity = (topic: string) => this.subscribers.get(topic)!.length;
    const topics = [...input.topics.keys()].sort(
      (a, b) => scarcity(a) - scarcity(b) || compareStrings(a, b),
    );
    this.ordered = topics.flatMap((topic) => input.partitions.get(topic)!);
    this.ranking = new Ranking((memberId) => this.shares.get(memberId)!.size);
  }

  /** Members keep what they have, subscribe to, and are near to. */
  keep(): void {
    for (const [memberId, share] of this.shares) {
      for (const partition of share) {
        const isWanted = this.subscriptions.get(memberId)!.has(partition.topic);
        if (isWanted && !this.input.racks.mismatches(memberId, partition)) {
          this.owners.set(partition, memberId);
        } else {
          share.delete(partition);
          this.hasRevoked = true;
        }
      }
    }
    this.unassigned = this.ordered.filter((partition) => !this.owners.has(partition));
    for (const memberId of this.shares.keys()) this.ranking.add(memberId);
  }

  /** Each free partition goes to whoever has least, in a rack of a replica if there is one. */
  giveOut(): void {
    const { racks } = this.input;
    this.wasEmpty = this.shares.get(this.ranking.last())!.size === 0;
    let left = this.unassigned;
    if (racks.isOn) {
      left = left.filter(
        (partition) => !this.give(partition, (id) => !racks.mismatches(id, partition)),
      );
    }
    for (const partition of left) this.give(partition, () => true);
  }

  /** Moves partitions from members with more to members with less, if that makes it any evener. */
  balance(): void {
    const isMovable = ({ topic }: TopicPartition) => this.subscribers.get(topic)!.length >= 2;
    const movable = this.ordered.filter(isMovable);
    for (const memberId of this.shares.keys()) {
      if (!this.canTakePart(memberId)) this.ranking.remove(memberId);
    }
    this.topics = [...this.subscribers.keys()].filter(
      (topic) => this.subscribers.get(topic)!.length >= 2,
    );
    const before = new Map([...this.shares].map(([id, share]) => [id, new Set(share)]));
    if (!this.hasRevoked) this.reassign(this.unassigned.filter(isMovable));
    const hasMoved = this.reassign(movable);
    if (this.wasEmpty || !hasMoved) return;
    if (this.unevenness(this.shares) < this.unevenness(before)) return;
    for (const [memberId, share] of before) this.shares.set(memberId, share);
  }

  result(): Map<string, TopicPartition[]> {
    return new Map([...this.shares].map(([memberId, share]) => [memberId, [...share]]));
  }

  private give(partition: TopicPartition, mayTake: (memberId: string) => boolean): boolean {
    const memberId = this.ranking.find(
      (id) => this.subscriptions.get(id)!.has(partition.topic) && mayTake(id),
    );
    if (memberId === undefined) return false;
    this.ranking.remove(memberId);
    this.shares.get(memberId)!.add(partition);
    this.owners.set(partition, memberId);
    this.ranking.add(memberId);
    return true;
  }

  /** Whether a member might get or give anything. */
  private canTakePart(memberId: string): boolean {
    const share = this.shares.get(memberId)!;
    let most = 0;
    for (const topic of this.subscriptions.get(memberId)!) {
      most += this.input.topics.get(topic)!.partitionCount;
    }
    if (share.size < most) return true;
    return [...share].some(({ topic }) => this.subscribers.get(topic)!.length >= 2);
  }

  private reassign(candidates: readonly TopicPartition[]): boolean {
    let hasMoved = false;
    for (let goesOn = true; goesOn;) {
      goesOn = false;
      for (const partition of candidates) {
        if (this.isBalanced()) break;
        const target = this.betterMember(partition);
        if (target === undefined) continue;
        this.move(partition, target);
        hasMoved = goesOn = true;
      }
    }
    return hasMoved;
  }

  /** Who has at least two less: the one that had it before, else the one that has least. */
  private betterMember(partition: TopicPartition): string | undefined {
    const count = this.countOf(this.owners.get(partition)!);
    const earlier = this.input.earlier.get(partition);
    if (
      earlier !== undefined &&
      this.ranking.has(earlier) &&
      this.subscriptions.get(earlier)!.has(partition.topic) &&
      count > this.countOf(earlier) + 1
    ) {
      return earlier;
    }
    const least = this.leastLoaded(partition.topic);
    return least !== undefined && count > this.countOf(least) + 1 ? least : undefined;
  }

  private move(partition: TopicPartition, target: string): void {
    this.knownBalance = undefined;
    const moved = this.movements.substituteFor(partition, this.owners.get(partition)!, target);
    const source = this.owners.get(moved)!;
    this.ranking.remove(source);
    this.ranking.remove(target);
    this.movements.note(moved, source, target);
    this.shares.get(source)!.delete(moved);
    this.shares.get(target)!.add(moved);
    this.owners.set(moved, target);
    this.ranking.add(target);
    this.ranking.add(source);
  }

  /** Whether no partition could move to a member with at least two less than its own. */
  private isBalanced(): boolean {
    return (this.knownBalance ??= this.findBalance());
  }

  private findBalance(): boolean {
    if (this.countOf(this.ranking.first()) >= this.countOf(this.ranking.last()) - 1) return true;
    for (let i = 0; i < this.topics.length; i++) {
      const at = (this.suspect + i) % this.topics.length;
      if (!this.isTopicLopsided(this.topics[at]!)) continue;
      this.suspect = at;
      return false;
    }
    return true;
  }

  private isTopicLopsided(topic: string): boolean {
    const least = this.leastLoaded(topic);
    if (least === undefined) return false;
    const limit = this.countOf(least) + 1;
    return this.input.partitions.get(topic)!.some((partition) => {
      const owner = this.owners.get(partition);
      return owner !== undefined && this.countOf(owner) > limit;
    });
  }

  private leastLoaded(topic: string): string | undefined {
    return this.ranking.find((id) => this.subscriptions.get(id)!.has(topic));
  }

  private countOf(memberId: string): number {
    return this.shares.get(memberId)!.size;
  }

  /** The sum of the differences between all pairs of members that take part. */
  private unevenness(shares: ReadonlyMap<string, ReadonlySet<TopicPartition>>): number {
    const counts = [...shares]
      .filter(([memberId]) => this.ranking.has(memberId))
      .map(([, share]) => share.size)
      .sort((a, b) => a - b);
    let sum = 0;
    let score = 0;
    counts.forEach((count, i) => {
      score += count * i - sum;
      sum += count;
    });
    invariant(Number.isSafeInteger(score), 'the unevenness of a group is out of range');
    return score;
  }
}
