import type { Clock } from '../../../core/util/clock.js';
import { Errors } from '../../error-codes.js';
import { Rejection } from '../rejection.js';
import type { Topic } from '../topic.js';
import {
  AWAY,
  checkEpoch,
  keyOf,
  newMember,
  reconcile,
  type ConsumerMember,
} from './consumer-member.js';
import {
  changesOf,
  hasSameTopics,
  isFullRequest,
  type ConsumerHeartbeat,
  type ConsumerVerdict,
} from './consumer-requests.js';
import { ConsumerRoster } from './consumer-roster.js';
import { MemberDeadlines } from './member-deadlines.js';
import { each, isSame, NO_PARTITIONS, without, type Partitions } from './partitions.js';
import type { GroupSettings } from './settings.js';
import { TargetAssignment } from './target-assignment.js';

export type ConsumerGroupState = 'Empty' | 'Assigning' | 'Reconciling' | 'Stable';

/** Who comes for the first time. */
type NewcomerIdentity = Pick<
  ConsumerHeartbeat,
  'memberId' | 'instanceId' | 'clientId' | 'clientHost'
>;

const LEAVE = -1;
const JOIN = 0;

/** A group of the consumer protocol, whose broker assigns, step by step and member by member (KIP-848). */
export class ConsumerGroup {
  readonly type = 'consumer';
  readonly protocolType = 'consumer';
  readonly roster: ConsumerRoster;
  private readonly target: TargetAssignment;
  readonly deadlines: MemberDeadlines;

  constructor(
    readonly id: string,
    private readonly settings: GroupSettings,
    clock: Clock,
    topics: ReadonlyMap<string, Topic>,
    /** Told after members have left or were put out; true when the group is no more by that. */
    private readonly onRemoved: (group: ConsumerGroup) => boolean,
  ) {
    this.deadlines = new MemberDeadlines(clock, settings.consumerSessionTimeoutMs, (memberId) =>
      this.expire(memberId),
    );
    this.roster = new ConsumerRoster(id);
    this.target = new TargetAssignment(this.members, settings, clock, topics);
  }

  /** Rises whenever members have to be assigned anew. */
  get epoch(): number {
    return this.target.groupEpoch;
  }

  /** The group epoch that the target assignment was made for. */
  get assignmentEpoch(): number {
    return this.target.epoch;
  }

  get assignor(): string {
    return this.target.assignor;
  }

  get members(): Map<string, ConsumerMember> {
    return this.roster.byId;
  }

  get isEmpty(): boolean {
    return this.members.size === 0;
  }

  get state(): ConsumerGroupState {
    if (this.isEmpty) return 'Empty';
    if (this.epoch > this.assignmentEpoch) return 'Assigning';
    const isSettled = [...this.members.values()].every((member) => this.isSettled(member));
    return isSettled ? 'Stable' : 'Reconciling';
  }

  hasMember(memberId: string): boolean {
    return this.members.has(memberId);
  }

  /** The topics that a member reads, by whatever it said. */
  topicNamesOf(member: ConsumerMember): string[] {
    return this.target.topicNamesOf(member);
  }

  /** What a member shall have in the end. */
  targetOf(memberId: string): Partitions {
    return this.target.targetOf(memberId);
  }

  /** Takes a member in, along or out. @throws Rejection that tells it what to do. */
  heartbeat(request: ConsumerHeartbeat): ConsumerVerdict {
    if (request.epoch === LEAVE || request.epoch === AWAY) return this.signOff(request);
    const before = this.subscribe(request);
    const member = { ...before, ...changesOf(request, before) };
    const reconciled = this.settle(before, member, request.owned);
    const isTold =
      request.epoch === JOIN ||
      isFullRequest(request) ||
      !isSame(before.assigned, reconciled.assigned);
    return {
      memberId: reconciled.id,
      epoch: reconciled.epoch,
      assignment: isTold ? reconciled.assigned : null,
    };
  }

  /** Takes a member along to where it may be by now. @throws Rejection when it reads nonsense. */
  settle(before: ConsumerMember, member: ConsumerMember, owned: Partitions | null): ConsumerMember {
    const readsOther = !hasSameTopics(member, before);
    // Nothing is changed before it is clear that all of it can be.
    if (member.regex !== '' && readsOther) this.target.check(member.regex);
    this.target.resolve();
    this.takeIn(member);
    this.target.refresh(readsOther);
    const reconciled = this.reconcile(member, owned, readsOther);
    this.deadlines.keepAlive(reconciled);
    return reconciled;
  }

  /** A member is out: its session is over, or it took too long to give partitions back. */
  expire(memberId: string): void {
    this.remove([memberId]);
  }

  /** Removes members as an administrator does; the error code of each in turn. */
  leave(leaving: readonly { memberId: string; instanceId: string | null }[]): number[] {
    const gone: string[] = [];
    const codes = leaving.map(({ memberId, instanceId }) => {
      try {
        const known = instanceId === null ? undefined : this.roster.ofInstance(instanceId)?.id;
        const id = memberId === '' ? (known ?? '') : memberId;
        gone.push(this.roster.identify(id, instanceId).id);
        return Errors.NONE;
      } catch (error) {
        if (!(error instanceof Rejection)) throw error;
        return error.errorCode;
      }
    });
    this.remove(gone);
    return codes;
  }

  /** Has all members be assigned anew. */
  rebalance(): void {
    this.target.groupEpoch++;
  }

  /** Offsets of topics that nobody reads may be deleted at any time. */
  checkOffsetDelete(): void {
    // Nothing stands in the way.
  }

  isSubscribedTo(topic: string): boolean {
    return [...this.members.values()].some((member) => this.topicNamesOf(member).includes(topic));
  }

  /** The group is no more, or another one now. */
  dissolve(): void {
    this.deadlines.stop();
  }

  /** The coordinator moves; all that members were told is kept in its log. */
  unload(): void {
    this.deadlines.stop();
  }

  load(): void {
    for (const member of this.members.values()) {
      this.deadlines.keepAlive(member);
      if (member.state === 'unrevoked') this.deadlines.awaitRevocation(member);
    }
  }

  /** Takes over members of another group as they stand. */
  adopt(epoch: number, members: readonly ConsumerMember[]): void {
    for (const member of members) this.members.set(member.id, member);
    this.target.adopt(epoch, members);
  }

  private signOff({ memberId, instanceId, epoch }: ConsumerHeartbeat): ConsumerVerdict {
    const member = this.roster.identify(memberId, instanceId);
    if (epoch === AWAY) {
      this.members.set(member.id, { ...member, epoch: AWAY, revoking: NO_PARTITIONS });
      this.deadlines.revoked(member);
    } else {
      this.expire(member.id);
    }
    return { memberId: member.id, epoch, assignment: null };
  }

  /** The member that a heartbeat is from, possibly a new one. */
  private subscribe(request: ConsumerHeartbeat): ConsumerMember {
    const { memberId, epoch, instanceId, owned } = request;
    if (instanceId !== null) return this.subscribeStatic(request, instanceId);
    const known = this.members.get(memberId);
    if (known === undefined && epoch === JOIN) return this.found(request);
    const member = this.roster.member(memberId);
    checkEpoch(member, epoch, owned);
    return member;
  }

  private subscribeStatic(request: ConsumerHeartbeat, instanceId: string): ConsumerMember {
    const { memberId, epoch, owned } = request;
    const known = this.roster.ofInstance(instanceId);
    if (epoch !== JOIN) {
      const member = this.roster.owner(instanceId, memberId);
      checkEpoch(member, epoch, owned);
      return member;
    }
    if (known === undefined) return this.found(request);
    if (known.epoch !== AWAY) {
      throw new Rejection(
        Errors.UNRELEASED_INSTANCE_ID,
        `Static member ${memberId} with instance id ${instanceId} cannot join the group ` +
          `because the instance id is owned by ${known.id} member.`,
      );
    }
    return succeed(known, memberId);
  }

  /** A member that nobody has heard of. @throws Rejection when there is no place for it. */
  found({ memberId, instanceId, clientId, clientHost }: NewcomerIdentity): ConsumerMember {
    if (this.members.size >= this.settings.maxSize) {
      const message = `The consumer group has reached its maximum capacity.`;
      throw new Rejection(Errors.GROUP_MAX_SIZE_REACHED, message);
    }
    return newMember(memberId, {
      instanceId,
      rackId: null,
      rebalanceTimeoutMs: -1,
      topicNames: [],
      regex: '',
      serverAssignor: null,
      clientId,
      clientHost,
      classic: null,
    });
  }

  /** Puts a member in its place, which is that of its instance where that was away. */
  private takeIn(member: ConsumerMember): void {
    const former =
      member.instanceId === null ? undefined : this.roster.ofInstance(member.instanceId);
    if (former !== undefined && former.id !== member.id) {
      this.target.inherit(member.id, former.id);
      this.members.delete(former.id);
      this.deadlines.forget(former.id);
    }
    this.members.set(member.id, member);
  }

  private reconcile(
    member: ConsumerMember,
    owned: Partitions | null,
    hasNewSubscription: boolean,
  ): ConsumerMember {
    if (!hasNewSubscription && this.isSettled(member)) return member;
    const held = this.roster.heldPartitions();
    const reconciled = reconcile(member, {
      target: this.targetOf(member.id),
      targetEpoch: this.assignmentEpoch,
      owned,
      subscribedTopicIds: this.target.topicIdsOf(member),
      hasNewSubscription,
      isFree: (topicId, index) => !held.has(keyOf(topicId, index)),
    });
    if (reconciled === member) return member;
    this.members.set(member.id, reconciled);
    if (reconciled.state === 'unrevoked') this.deadlines.awaitRevocation(reconciled);
    else this.deadlines.revoked(member);
    return reconciled;
  }

  private isSettled({ state, epoch }: ConsumerMember): boolean {
    return state === 'stable' && epoch === this.assignmentEpoch;
  }

  /** Whether something that a member shall have is still with another one. */
  isWaitingForOthers(member: ConsumerMember): boolean {
    const held = this.roster.heldPartitions();
    const missing = without(this.targetOf(member.id), member.assigned);
    return [...each(missing)].some(([topicId, index]) => held.has(keyOf(topicId, index)));
  }

  private remove(memberIds: readonly string[]): void {
    const gone = memberIds.filter((id) => this.members.delete(id));
    if (gone.length === 0) return;
    for (const id of gone) {
      this.deadlines.forget(id);
      this.target.forget(id);
    }
    if (!this.onRemoved(this)) this.target.groupEpoch++;
  }
}

/** The one who takes over a static member's place. */
export function succeed(member: ConsumerMember, memberId: string): ConsumerMember {
  return { ...member, id: memberId, epoch: 0, previousEpoch: 0 };
}
