import type { Clock } from '../../../core/util/clock.js';
import { Errors } from '../../error-codes.js';
import { Timers } from '../timers.js';
import { joinRefusal, syncRefusal } from './classic-requests.js';
import {
  ClassicRoster,
  NO_ASSIGNMENT,
  type ClassicMember,
  type JoinOutcome,
  type MemberIdentity,
  type SyncOutcome,
} from './classic-roster.js';
import type { GroupSettings } from './settings.js';
import {
  NO_GENERATION,
  restore,
  storedGeneration,
  type StoredGeneration,
} from './stored-generation.js';

export type ClassicState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable';

/** How long a member that has not been told its id may wait in a rebalance. */
const NEW_MEMBER_TIMEOUT_MS = 300_000;

/**
 * The rounds in which the members of a classic group meet: all join, one of them assigns, all are told.
 * Each makes a generation.
 */
export class ClassicRounds {
  readonly roster = new ClassicRoster();
  state: ClassicState = 'Empty';
  generationId = 0;
  protocolName: string | null = null;
  private stored: StoredGeneration = NO_GENERATION;
  private readonly pendingSyncs = new Set<string>();
  private readonly timers: Timers;
  /** The first rebalance of an empty group is held open for more members. */
  private isHeldOpen = false;
  private hasNewcomers = false;

  constructor(
    private readonly settings: GroupSettings,
    clock: Clock,
  ) {
    this.timers = new Timers(clock);
  }

  /** Gives out an id that is to be used soon. */
  expect(memberId: string, timeoutMs: number): void {
    this.roster.pendingIds.add(memberId);
    this.timers.set(memberId, timeoutMs, () => this.expire(memberId));
  }

  /** Takes a member in that waits for its answer. */
  enter(member: ClassicMember): void {
    this.roster.add(member);
    if (this.generationId === 0) this.hasNewcomers = true;
    // Its session can't begin yet: it could send no heartbeat without knowing its id.
    this.timers.set(member.id, NEW_MEMBER_TIMEOUT_MS, () => this.expireSession(member.id));
    this.advance();
  }

  /** Puts another process in the place of a static member, which is sent away. */
  replace(old: ClassicMember, identity: MemberIdentity): ClassicMember {
    this.answerJoin(old, joinRefusal(Errors.FENCED_INSTANCE_ID, old.id));
    this.answerSync(old, Errors.FENCED_INSTANCE_ID);
    this.timers.cancel(old.id);
    if (this.pendingSyncs.delete(old.id)) this.pendingSyncs.add(identity.id);
    return this.roster.replace(old, identity);
  }

  /** A member has asked for its assignment. */
  asked({ id }: ClassicMember): void {
    this.pendingSyncs.delete(id);
  }

  /** Has all members meet again. */
  rebalance(): void {
    if (this.state === 'Stable' || this.state === 'CompletingRebalance') this.prepareRebalance();
  }

  /** Takes over members of another group as they stand. */
  adopt(generationId: number, members: readonly ClassicMember[]): void {
    for (const member of members) this.roster.add(member);
    this.generationId = generationId;
    this.protocolName = this.roster.selectProtocol();
    this.state = 'Stable';
    this.store();
  }

  /** Another broker takes over: those who wait are sent away, what was not stored is lost. */
  unload(): void {
    this.sendAway(Errors.NOT_COORDINATOR);
    this.pendingSyncs.clear();
    this.isHeldOpen = false;
    restore(this.roster, this.stored);
    this.generationId = this.stored.generationId;
    this.protocolName = this.stored.protocolName;
    this.state = this.roster.size === 0 ? 'Empty' : 'Stable';
  }

  /** A broker has taken over: sessions begin anew. */
  load(): void {
    for (const member of this.roster.members) this.keepAlive(member);
  }

  sendAway(errorCode: number): void {
    this.timers.cancelAll();
    for (const member of this.roster.members) {
      this.answerJoin(member, joinRefusal(errorCode, member.id));
      this.answerSync(member, errorCode);
    }
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

  /** Somebody joined: that begins a rebalance, or may end one. */
  advance(): void {
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

  assign(assignments: ReadonlyMap<string, Buffer>): void {
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
  dismiss(gone: readonly ClassicMember[]): void {
    for (const member of gone) {
      this.answerJoin(member, joinRefusal(Errors.UNKNOWN_MEMBER_ID, ''));
      this.answerSync(member, Errors.UNKNOWN_MEMBER_ID);
      this.pendingSyncs.delete(member.id);
      this.timers.cancel(member.id);
    }
    if (this.state === 'PreparingRebalance') this.completeJoinIfAllAreHere();
    else if (this.state !== 'Empty') this.prepareRebalance();
  }

  removePending(memberId: string): void {
    this.timers.cancel(memberId);
    this.roster.pendingIds.delete(memberId);
    this.completeJoinIfAllAreHere();
  }

  keepAlive(member: ClassicMember): void {
    const { id, terms } = member;
    this.timers.set(id, terms.sessionTimeoutMs, () => this.expireSession(id));
  }

  answerJoin(member: ClassicMember, outcome: JoinOutcome): void {
    const { answerJoin } = member;
    member.answerJoin = undefined;
    answerJoin?.(outcome);
  }

  answerSync(member: ClassicMember, errorCode: number): void {
    const { answerSync } = member;
    if (answerSync === undefined) return;
    member.answerSync = undefined;
    const isDone = errorCode === Errors.NONE;
    if (isDone) this.keepAlive(member);
    answerSync(isDone ? this.assignmentOf(member) : syncRefusal(errorCode));
  }

  assignmentOf({ assignment }: ClassicMember): SyncOutcome {
    const { protocolName } = this;
    const { protocolType } = this.roster;
    return { errorCode: Errors.NONE, protocolType, protocolName, assignment };
  }

  welcome({ id }: ClassicMember, isToldMembers: boolean): JoinOutcome {
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

  store(): void {
    this.stored = storedGeneration(this.roster, this.generationId, this.protocolName);
  }
}
