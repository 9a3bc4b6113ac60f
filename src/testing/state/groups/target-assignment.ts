import type { Clock } from '../../../core/util/clock.js';
import type { Topic } from '../topic.js';
import type { ConsumerMember } from './consumer-member.js';
import { NO_PARTITIONS, type Partitions } from './partitions.js';
import { serverAssignors } from './server-assignors.js';
import type { GroupSettings } from './settings.js';
import { TopicPatterns } from './topic-patterns.js';

/** What each member of a group shall have in the end, made anew where members or topics change. */
export class TargetAssignment {
  /** Rises whenever members have to be assigned anew. */
  groupEpoch = 0;
  /** The group epoch that it was made for. */
  epoch = 0;
  assignor: string;
  private readonly targets = new Map<string, Partitions>();
  /** What members read has changed since the last group epoch. */
  private isStale = true;
  private assignedAtMs = -Infinity;
  /** What is known of the topics that are read, to notice when it changes. */
  private topicFacts = '';
  private readonly patterns: TopicPatterns;

  constructor(
    private readonly members: ReadonlyMap<string, ConsumerMember>,
    private readonly settings: GroupSettings,
    private readonly clock: Clock,
    private readonly topics: ReadonlyMap<string, Topic>,
  ) {
    this.patterns = new TopicPatterns(clock, topics);
    this.assignor = [...serverAssignors.keys()][0]!;
  }

  /** The topics that a member reads, by whatever it said. */
  topicNamesOf(member: ConsumerMember): string[] {
    return [...new Set([...member.topicNames, ...this.patterns.topicsOf(member.regex)])].sort();
  }

  /** What a member shall have in the end. */
  targetOf(memberId: string): Partitions {
    return this.targets.get(memberId) ?? NO_PARTITIONS;
  }

  /** @throws Rejection when a regular expression is none. */
  check(regex: string): void {
    this.patterns.check(regex);
  }

  /** Looks what regular expressions find by now. */
  resolve(): void {
    this.isStale ||= this.patterns.resolve();
  }

  /** Somebody takes the place of another. */
  inherit(id: string, formerId: string): void {
    this.targets.set(id, this.targetOf(formerId));
    this.targets.delete(formerId);
  }

  forget(id: string): void {
    this.targets.delete(id);
  }

  /** Takes what members of another group have for what they shall have. */
  adopt(epoch: number, members: readonly ConsumerMember[]): void {
    this.groupEpoch = epoch;
    this.epoch = epoch;
    for (const { id, assigned } of members) this.targets.set(id, assigned);
  }

  /** Makes it anew where what members read, or the topics themselves, have changed. */
  refresh(readsOther: boolean): void {
    this.patterns.require([...this.members.values()].map(({ regex }) => regex));
    this.refreshTopics(readsOther);
    this.assign();
  }

  /** Begins a new group epoch where what members read, or the topics themselves, have changed. */
  private refreshTopics(readsOther: boolean): void {
    const facts = [...this.topicSizes()].map(([id, size]) => `${id}:${size}`).join();
    if (!readsOther && !this.isStale && facts === this.topicFacts) return;
    this.topicFacts = facts;
    this.isStale = false;
    this.groupEpoch++;
  }

  /** Makes a new target assignment where the group epoch is ahead of the last one. */
  private assign(): void {
    const now = this.clock.monotonic();
    if (this.groupEpoch === this.epoch) return;
    if (now - this.assignedAtMs < this.settings.assignmentIntervalMs) return;
    this.assignor = this.electAssignor();
    const assignees = [...this.members.values()].map((member) => ({
      id: member.id,
      instanceId: member.instanceId,
      topicIds: this.topicIdsOf(member),
      current: this.targetOf(member.id),
    }));
    const made = serverAssignors.get(this.assignor)!(assignees, this.topicSizes());
    this.targets.clear();
    for (const [id, partitions] of made) this.targets.set(id, partitions);
    this.epoch = this.groupEpoch;
    this.assignedAtMs = now;
  }

  private electAssignor(): string {
    const votes = new Map<string, number>();
    for (const { serverAssignor } of this.members.values()) {
      if (serverAssignor !== null) votes.set(serverAssignor, (votes.get(serverAssignor) ?? 0) + 1);
    }
    const [first] = [...votes].sort(([, a], [, b]) => b - a);
    return first?.[0] ?? [...serverAssignors.keys()][0]!;
  }

  topicIdsOf(member: ConsumerMember): Set<string> {
    const found = this.topicNamesOf(member).map((name) => this.topics.get(name)?.id);
    return new Set(found.filter((id) => id !== undefined));
  }

  /** How many partitions each topic that is read has, by its id. */
  private topicSizes(): Map<string, number> {
    const names = [...this.members.values()].flatMap((member) => this.topicNamesOf(member));
    const topics = [...new Set(names)].sort().map((name) => this.topics.get(name));
    return new Map(
      topics.flatMap((topic) => (topic === undefined ? [] : [[topic.id, topic.partitions.length]])),
    );
  }
}
