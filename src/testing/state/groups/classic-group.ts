import type { Clock } from '../../../core/util/clock.js';
import { Errors } from '../../error-codes.js';
import { Rejection } from '../rejection.js';
import { Timers } from '../timers.js';
import {
  ClassicRoster,
  hasSameProtocols,
  metadataOf,
  NO_ASSIGNMENT,
  type ClassicMember,
  type JoinOutcome,
  type MemberIdentity,
  type MemberTerms,
  type SyncOutcome,
} from './classic-roster.js';
import { readSubscription } from './embedded-protocol.js';
import type { CommitIdentity } from './group.js';
import { newMemberId } from './member-id.js';
import type { GroupSettings } from './settings.js';

export type ClassicState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable';

/** A JoinGroup. */
export interface JoinRequest extends MemberTerms {
  /** `''` for one that has none yet. */
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  /** A dynamic member gets an id first and joins with it then (KIP-394). */
  readonly mustKnowId: boolean;
  /** The leader understands that there is nothing to assign (KIP-814). */
  readonly knowsSkippedAssignment: boolean;
}

/** A SyncGroup. */
export interface SyncRequest {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly generationId: number;
  /** `null` where the version does not say. */
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  /** Of the leader: what each member shall have. */
  readonly assignments: ReadonlyMap<string, Buffer>;
}

/** What a coordinator finds again after it moved to another broker. */
interface StoredGeneration {
  readonly generationId: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leaderId: string | null;
  readonly members: readonly ClassicMember[];
}

/** What groups of consumers call their protocol type. */
const CONSUMER = 'consumer';
/** How long a member that has not been told its id may wait in a rebalance. */
const NEW_MEMBER_TIMEOUT_MS = 300_000;

/**
 * A group of the classic protocol: all members meet in a rebalance, one of them assigns. The broker
 * knows nothing of what they agree on.
 */
export class ClassicGroup {
  readonly type = 'classic';
  readonly roster = new ClassicRoster();
  state: ClassicState = 'Empty';
  generationId = 0;
  protocolName: string | null = null;
  private stored: StoredGeneration | undefined;
  private readonly pendingSyncs = new Set<string>();
  private readonly timers: Timers;
  /** The first rebalance of an empty group is held open for more members. */
  private isHeldOpen = false;
  private hasNewcomers = false;

  constructor(
    readonly id: string,
    private readonly settings: GroupSettings,
    private readonly clock: Clock,
  ) {
    this.timers = new Timers(clock);
  }

  get isEmpty(): boolean {
    return this.state === 'Empty';
  }

  /** `null` for a group that only keeps offsets. */
  get protocolType(): string | null {
    return this.roster.protocolType;
  }

  /** Enters the group; the answer comes when the rebalance is over. */
  join(request: JoinRequest, answer: (outcome: JoinOutcome) => void): void {
    try {
      this.admit(request);
      if (request.memberId === '') this.joinAnew(request, answer);
      else this.joinAgain(request, answer);
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      answer(joinRefusal(error.errorCode, request.memberId));
    }
  }

  /** Hands out the leader's assignment; the answer comes when there is one. */
  sync(request: SyncRequest, answer: (outcome: SyncOutcome) => void): void {
    const member = this.validate(request.memberId, request.instanceId);
    this.checkGeneration(request.generationId);
    const disagrees = (said: string | null, known: string | null) =>
      said !== null && said !== known;
    if (
      disagrees(request.protocolType, this.roster.protocolType) ||
      disagrees(request.protocolName, this.protocolName)
    ) {
      throw new Rejection(Errors.INCONSISTENT_GROUP_PROTOCOL, 'The group has another protocol');
    }
    switch (this.state) {
      case 'Empty':
        throw unknownMember(request.memberId);
      case 'PreparingRebalance':
        throw rebalanceInProgress();
      case 'CompletingRebalance':
        member.answerSync = answer;
        this.pendingSyncs.delete(member.id);
        if (member.id === this.roster.leaderId) this.assign(request.assignments);
        return;
      case 'Stable':
        this.pendingSyncs.delete(member.id);
        answer(this.assignmentOf(member));
    }
  }

  /** Says that a member is alive. @throws Rejection that tells it what to do. */
  heartbeat(memberId: string, instanceId: string | null, generationId: number): void {
    const member = this.validate(memberId, instanceId);
    this.checkGeneration(generationId);
    if (this.state === 'Empty') throw unknownMember(memberId);
    this.keepAlive(member);
    if (this.state === 'PreparingRebalance') throw rebalanceInProgress();
  }

  /** Removes members; the error code of each in turn. */
  leave(leaving: readonly { memberId: string; instanceId: string | null }[]): number[] {
    const gone: ClassicMember[] = [];
    const codes = leaving.map(({ memberId, instanceId }) => {
      if (this.roster.pendingIds.has(memberId)) {
        this.removePending(memberId);
        return Errors.NONE;
      }
      try {
        // An administrator who removes a static member need not know its id.
        const known = instanceId === null ? undefined : this.roster.idOfInstance(instanceId);
        const id = memberId === '' && known !== undefined ? known : memberId;
        const member = this.validate(id, instanceId);
        this.roster.remove(member.id);
        gone.push(member);
        return Errors.NONE;
      } catch (error) {
        if (!(error instanceof Rejection)) throw error;
        return error.errorCode;
      }
    });
    if (gone.length > 0) this.dismiss(gone);
    return codes;
  }

  hasMember(memberId: string): boolean {
    return this.roster.get(memberId) !== undefined;
  }

  /** A member's session is over. */
  expire(memberId: string): void {
    if (this.roster.pendingIds.has(memberId)) {
      this.removePending(memberId);
      return;
    }
    const member = this.roster.get(memberId);
    if (member === undefined) return;
    this.roster.remove(memberId);
    this.dismiss([member]);
  }

  /** Has all members meet again. */
  rebalance(): void {
    if (this.state === 'Stable' || this.state === 'CompletingRebalance') this.prepareRebalance();
  }

  /** @throws Rejection unless offsets may be committed with this identity. */
  checkCommit({ memberId, instanceId, epoch: generationId }: CommitIdentity): void {
    if (generationId < 0 && this.isEmpty) return;
    const isMember = generationId >= 0 || memberId !== '' || instanceId !== null;
    if (!isMember) throw unknownMember(memberId);
    const member = this.validate(memberId, instanceId);
    this.checkGeneration(generationId);
    if (this.state === 'CompletingRebalance') throw rebalanceInProgress();
    // Commits are signs of life, too.
    this.keepAlive(member);
  }

  /**
   * As {@link ClassicGroup.checkCommit}, for offsets of a transaction: older producers do not say
   * whose they are, and a generation that is about to begin is as good as the last one (KIP-447).
   *
   * @throws Rejection
   */
  checkTransactionalCommit({ memberId, instanceId, epoch: generationId }: CommitIdentity): void {
    if (generationId < 0 && (this.isEmpty || (memberId === '' && instanceId === null))) return;
    this.validate(memberId, instanceId);
    this.checkGeneration(generationId);
  }

  /** @throws Rejection while members might commit what is to be deleted. */
  checkOffsetDelete(): void {
    if (this.isEmpty || this.roster.protocolType === CONSUMER) return;
    throw new Rejection(Errors.NON_EMPTY_GROUP, `Group ${this.id} is not empty.`);
  }

  /** Whether a member of a group of consumers reads a topic; yes where that can't be told. */
  isSubscribedTo(topic: string): boolean {
    if (this.isEmpty || this.roster.protocolType !== CONSUMER) return false;
    return this.roster.members.some((member) => {
      const subscription = readSubscription(metadataOf(member, this.protocolName));
      return subscription === undefined || subscription.topics.includes(topic);
    });
  }

  /** Takes over members of another group as they stand. */
  adopt(generationId: number, members: readonly ClassicMember[]): void {
    for (const member of members) this.roster.add(member);
    this.generationId = generationId;
    this.protocolName = this.roster.selectProtocol();
    this.state = 'Stable';
    this.store();
  }

  /** The group is no more, or another one now: those who wait have to come again. */
  dissolve(): void {
    this.sendAway(Errors.REBALANCE_IN_PROGRESS);
  }

  /** Another broker takes over: those who wait are sent away, what was not stored is lost. */
  unload(): void {
    this.sendAway(Errors.NOT_COORDINATOR);
    this.roster.clear();
    this.pendingSyncs.clear();
    this.isHeldOpen = false;
    for (const member of this.stored?.members ?? []) this.roster.add({ ...member });
    this.roster.protocolType = this.stored?.protocolType ?? null;
    this.roster.leaderId = this.stored?.leaderId ?? null;
    this.generationId = this.stored?.generationId ?? 0;
    this.protocolName = this.stored?.protocolName ?? null;
    this.state = this.roster.size === 0 ? 'Empty' : 'Stable';
  }

  /** A broker has taken over: sessions begin anew. */
  load(): void {
    for (const member of this.roster.members) this.keepAlive(member);
  }

  private sendAway(errorCode: number): void {
    this.timers.cancelAll();
    for (const member of this.roster.members) {
      this.answerJoin(member, joinRefusal(errorCode, member.id));
      this.answerSync(member, errorCode);
    }
  }

  private joinAnew(request: JoinRequest, answer: (outcome: JoinOutcome) => void): void {
    const { instanceId, clientId, clientHost } = request;
    const id = newMemberId(instanceId ?? clientId, this.clock);
    const identity = { id, instanceId, clientId, clientHost };
    if (instanceId !== null) {
      const old = this.roster.get(this.roster.idOfInstance(instanceId) ?? '');
      if (old === undefined) this.add(identity, request, answer);
      else this.replace(old, identity, request, answer);
    } else if (request.mustKnowId) {
      this.roster.pendingIds.add(id);
      this.timers.set(id, request.sessionTimeoutMs, () => this.expire(id));
      answer(joinRefusal(Errors.MEMBER_ID_REQUIRED, id));
    } else {
      this.add(identity, request, answer);
    }
  }

  private joinAgain(request: JoinRequest, answer: (outcome: JoinOutcome) => void): void {
    const { memberId: id, instanceId, clientId, clientHost } = request;
    if (this.roster.pendingIds.has(id)) {
      this.add({ id, instanceId, clientId, clientHost }, request, answer);
      return;
    }
    const member = this.validate(id, instanceId);
    const isSame = hasSameProtocols(member, request.protocols);
    const isLeader = this.roster.leaderId === id;
    const isSettled =
      (this.state === 'CompletingRebalance' && isSame) ||
      // A leader joins again when it wants to assign anew.
      (this.state === 'Stable' && isSame && !isLeader);
    if (isSettled) {
      const members = this.state === 'CompletingRebalance' && isLeader;
      answer(this.welcome(member, members));
      return;
    }
    if (this.state === 'Empty') throw unknownMember(id);
    this.renew(member, request, answer);
    this.advance();
  }

  private add(
    identity: MemberIdentity,
    request: JoinRequest,
    answer: (outcome: JoinOutcome) => void,
  ): void {
    const terms = termsOf(request);
    const member = { ...identity, terms, assignment: NO_ASSIGNMENT, isNew: true };
    this.roster.add({ ...member, answerJoin: answer });
    if (this.generationId === 0) this.hasNewcomers = true;
    // Its session can't begin yet: it could send no heartbeat without knowing its id.
    this.timers.set(identity.id, NEW_MEMBER_TIMEOUT_MS, () => this.expireSession(identity.id));
    this.advance();
  }

  private replace(
    old: ClassicMember,
    identity: MemberIdentity,
    request: JoinRequest,
    answer: (outcome: JoinOutcome) => void,
  ): void {
    const formerLeader = this.roster.leaderId!;
    this.answerJoin(old, joinRefusal(Errors.FENCED_INSTANCE_ID, old.id));
    this.answerSync(old, Errors.FENCED_INSTANCE_ID);
    this.timers.cancel(old.id);
    if (this.pendingSyncs.delete(old.id)) this.pendingSyncs.add(identity.id);
    const heir = this.roster.replace(old, identity);
    this.renew(heir, request, answer);
    this.keepAlive(heir);
    const isUnchanged =
      this.state === 'Stable' && this.roster.selectProtocol() === this.protocolName;
    if (!isUnchanged) {
      this.advance();
      return;
    }
    this.store();
    const isLeader = this.roster.leaderId === heir.id;
    // Older leaders would assign anew, so they are not told that they lead.
    const outcome = request.knowsSkippedAssignment
      ? { ...this.welcome(heir, isLeader), skipAssignment: isLeader }
      : { ...this.welcome(heir, false), leader: formerLeader };
    this.answerJoin(heir, outcome);
  }

  private renew(
    member: ClassicMember,
    request: JoinRequest,
    answer: (outcome: JoinOutcome) => void,
  ): void {
    member.terms = termsOf(request);
    // A client that asks twice has given up on its first question: that is never answered.
    member.answerJoin = answer;
  }

  /** Somebody joined: that begins a rebalance, or may end one. */
  private advance(): void {
    if (this.state === 'PreparingRebalance') this.completeJoinIfAllAreHere();
    else this.prepareRebalance();
  }

  private prepareRebalance(): void {
    if (this.state === 'CompletingRebalance') {
      for (const member of this.roster.members) {
        this.answerSync(member, Errors.REBALANCE_IN_PROGRESS);
      }
    }
    this.timers.cancel('sync');
    const isInitial = this.state === 'Empty';
    this.state = 'PreparingRebalance';
    const { initialRebalanceDelayMs: delayMs } = this.settings;
    if (isInitial && delayMs > 0) {
      this.isHeldOpen = true;
      this.holdOpen(delayMs, Math.max(0, this.roster.rebalanceTimeoutMs - delayMs));
    } else if (this.roster.hasAllJoined) {
      this.completeJoin();
    } else {
      this.timers.set('join', this.roster.rebalanceTimeoutMs, () => this.completeJoin());
    }
  }

  /** Members of a new group tend to start together: each that comes extends the wait. */
  private holdOpen(delayMs: number, remainingMs: number): void {
    this.hasNewcomers = false;
    this.timers.set('join', delayMs, () => {
      if (!this.hasNewcomers || remainingMs === 0) {
        this.completeJoin();
        return;
      }
      const next = Math.min(this.settings.initialRebalanceDelayMs, remainingMs);
      this.holdOpen(next, Math.max(0, remainingMs - delayMs));
    });
  }

  private completeJoinIfAllAreHere(): void {
    if (this.state !== 'PreparingRebalance' || this.isHeldOpen) return;
    if (this.roster.hasAllJoined) this.completeJoin();
  }

  private completeJoin(): void {
    this.timers.cancel('join');
    this.isHeldOpen = false;
    for (const { id, answerJoin, instanceId } of this.roster.members) {
      // Static members keep their place until their session is over.
      if (answerJoin !== undefined || instanceId !== null) continue;
      this.timers.cancel(id);
      this.roster.remove(id);
    }
    if (this.roster.size > 0 && !this.roster.electAmongJoined()) {
      this.timers.set('join', this.roster.rebalanceTimeoutMs, () => this.completeJoin());
      return;
    }
    this.generationId++;
    this.pendingSyncs.clear();
    if (this.roster.size === 0) this.becomeEmpty();
    else this.beginSync();
  }

  private becomeEmpty(): void {
    this.protocolName = null;
    this.state = 'Empty';
    this.store();
  }

  private beginSync(): void {
    this.protocolName = this.roster.selectProtocol();
    this.state = 'CompletingRebalance';
    const { rebalanceTimeoutMs } = this.roster;
    this.timers.set('sync', rebalanceTimeoutMs, () => this.expireSync());
    for (const member of this.roster.members) {
      this.pendingSyncs.add(member.id);
      this.answerJoin(member, this.welcome(member, member.id === this.roster.leaderId));
      this.keepAlive(member);
      member.isNew = false;
    }
  }

  private assign(assignments: ReadonlyMap<string, Buffer>): void {
    this.state = 'Stable';
    for (const member of this.roster.members) {
      member.assignment = assignments.get(member.id) ?? NO_ASSIGNMENT;
    }
    this.store();
    for (const member of this.roster.members) this.answerSync(member, Errors.NONE);
  }

  /** Members who learned of the generation but never asked for their assignment are out. */
  private expireSync(): void {
    if (this.pendingSyncs.size === 0) return;
    const late = this.roster.members.filter(({ id }) => this.pendingSyncs.has(id));
    for (const { id } of late) this.roster.remove(id);
    this.dismiss(late);
  }

  private expireSession(memberId: string): void {
    const member = this.roster.get(memberId);
    // Whoever waits for an answer can't send a heartbeat.
    const isWaiting = member?.answerJoin !== undefined || member?.answerSync !== undefined;
    if (isWaiting && !member.isNew) return;
    this.expire(memberId);
  }

  /** Sees off members that are no longer in the roster, and goes on without them. */
  private dismiss(gone: readonly ClassicMember[]): void {
    for (const member of gone) {
      this.answerJoin(member, joinRefusal(Errors.UNKNOWN_MEMBER_ID, ''));
      this.answerSync(member, Errors.UNKNOWN_MEMBER_ID);
      this.pendingSyncs.delete(member.id);
      this.timers.cancel(member.id);
    }
    if (this.state === 'PreparingRebalance') this.completeJoinIfAllAreHere();
    else if (this.state !== 'Empty') this.prepareRebalance();
  }

  private removePending(memberId: string): void {
    this.timers.cancel(memberId);
    this.roster.pendingIds.delete(memberId);
    this.completeJoinIfAllAreHere();
  }

  private keepAlive(member: ClassicMember): void {
    const { id, terms } = member;
    this.timers.set(id, terms.sessionTimeoutMs, () => this.expireSession(id));
  }

  private answerJoin(member: ClassicMember, outcome: JoinOutcome): void {
    const { answerJoin } = member;
    member.answerJoin = undefined;
    answerJoin?.(outcome);
  }

  private answerSync(member: ClassicMember, errorCode: number): void {
    const { answerSync } = member;
    if (answerSync === undefined) return;
    member.answerSync = undefined;
    const isDone = errorCode === Errors.NONE;
    if (isDone) this.keepAlive(member);
    answerSync(isDone ? this.assignmentOf(member) : syncRefusal(errorCode));
  }

  private assignmentOf({ assignment }: ClassicMember): SyncOutcome {
    const { protocolName } = this;
    const { protocolType } = this.roster;
    return { errorCode: Errors.NONE, protocolType, protocolName, assignment };
  }

  private welcome({ id }: ClassicMember, isToldMembers: boolean): JoinOutcome {
    return {
      errorCode: Errors.NONE,
      memberId: id,
      generationId: this.generationId,
      protocolType: this.roster.protocolType,
      protocolName: this.protocolName,
      leader: this.roster.leaderId ?? '',
      skipAssignment: false,
      members: isToldMembers ? this.roster.describeFor(this.protocolName) : [],
    };
  }

  /** @throws Rejection where there is no place, or no protocol in common. */
  private admit({ memberId, protocolType, protocols }: JoinRequest): void {
    if (!this.hasPlaceFor(memberId)) {
      throw new Rejection(Errors.GROUP_MAX_SIZE_REACHED, 'The group has reached its maximum size');
    }
    if (this.roster.supports(protocolType, protocols)) return;
    throw new Rejection(
      Errors.INCONSISTENT_GROUP_PROTOCOL,
      'The member has no protocol in common with the others',
    );
  }

  private hasPlaceFor(memberId: string): boolean {
    const { maxSize } = this.settings;
    const member = this.roster.get(memberId);
    switch (this.state) {
      case 'Empty':
        return true;
      case 'PreparingRebalance':
        return member?.answerJoin !== undefined || this.roster.numAwaitingJoin < maxSize;
      case 'CompletingRebalance':
      case 'Stable':
        return member !== undefined || this.roster.size < maxSize;
    }
  }

  /** @throws Rejection unless there is such a member. */
  private validate(memberId: string, instanceId: string | null): ClassicMember {
    if (instanceId !== null) {
      const known = this.roster.idOfInstance(instanceId);
      if (known !== undefined && known !== memberId) {
        throw new Rejection(Errors.FENCED_INSTANCE_ID, `${instanceId} is ${known} now`);
      }
      if (known === undefined) throw unknownMember(memberId);
    }
    const member = this.roster.get(memberId);
    if (member === undefined) throw unknownMember(memberId);
    return member;
  }

  private checkGeneration(generationId: number): void {
    if (generationId === this.generationId) return;
    const message = `The group is at generation ${this.generationId}, not ${generationId}`;
    throw new Rejection(Errors.ILLEGAL_GENERATION, message);
  }

  private store(): void {
    this.stored = {
      generationId: this.generationId,
      protocolType: this.roster.protocolType,
      protocolName: this.protocolName,
      leaderId: this.roster.leaderId,
      members: this.roster.members.map((member) => ({
        ...member,
        isNew: false,
        answerJoin: undefined,
        answerSync: undefined,
      })),
    };
  }
}

/** A JoinGroup that got nowhere. */
export function joinRefusal(errorCode: number, memberId: string): JoinOutcome {
  return {
    errorCode,
    memberId,
    generationId: -1,
    protocolType: null,
    protocolName: null,
    leader: '',
    skipAssignment: false,
    members: [],
  };
}

/** A SyncGroup that got nowhere. */
export function syncRefusal(errorCode: number): SyncOutcome {
  return { errorCode, protocolType: null, protocolName: null, assignment: NO_ASSIGNMENT };
}

export function unknownMember(memberId: string): Rejection {
  return new Rejection(Errors.UNKNOWN_MEMBER_ID, `The group has no member '${memberId}'`);
}

function rebalanceInProgress(): Rejection {
  return new Rejection(Errors.REBALANCE_IN_PROGRESS, 'The group is rebalancing');
}

function termsOf(request: JoinRequest): MemberTerms {
  const { sessionTimeoutMs, rebalanceTimeoutMs, protocolType, protocols } = request;
  return { sessionTimeoutMs, rebalanceTimeoutMs, protocolType, protocols };
}
