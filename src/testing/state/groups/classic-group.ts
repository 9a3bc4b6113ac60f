import type { Clock } from '../../../core/util/clock.js';
import { Errors } from '../../error-codes.js';
import { Rejection } from '../rejection.js';
import { ClassicEntrance } from './classic-entrance.js';
import {
  joinRefusal,
  rebalanceInProgress,
  type JoinRequest,
  type SyncRequest,
} from './classic-requests.js';
import {
  metadataOf,
  unknownMember,
  type ClassicMember,
  type ClassicRoster,
  type JoinOutcome,
  type SyncOutcome,
} from './classic-roster.js';
import { ClassicRounds, type ClassicState } from './classic-rounds.js';
import { readSubscription } from './embedded-protocol.js';
import type { CommitIdentity } from './group.js';
import type { GroupSettings } from './settings.js';

/** What groups of consumers call their protocol type. */
const CONSUMER = 'consumer';

/**
 * A group of the classic protocol: all members meet in a rebalance, one of them assigns. The broker
 * knows nothing of what they agree on.
 */
export class ClassicGroup {
  readonly type = 'classic';
  private readonly rounds: ClassicRounds;
  private readonly entrance: ClassicEntrance;

  constructor(
    readonly id: string,
    settings: GroupSettings,
    clock: Clock,
  ) {
    this.rounds = new ClassicRounds(settings, clock);
    this.entrance = new ClassicEntrance(this.rounds, settings, clock);
  }

  get roster(): ClassicRoster {
    return this.rounds.roster;
  }

  get state(): ClassicState {
    return this.rounds.state;
  }

  get generationId(): number {
    return this.rounds.generationId;
  }

  get protocolName(): string | null {
    return this.rounds.protocolName;
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
      this.entrance.join(request, answer);
    } catch (error) {
      if (!(error instanceof Rejection)) throw error;
      answer(joinRefusal(error.errorCode, request.memberId));
    }
  }

  /** Hands out the leader's assignment; the answer comes when there is one. */
  sync(request: SyncRequest, answer: (outcome: SyncOutcome) => void): void {
    const member = this.roster.identify(request.memberId, request.instanceId);
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
        this.rounds.asked(member);
        if (member.id === this.roster.leaderId) this.rounds.assign(request.assignments);
        return;
      case 'Stable':
        this.rounds.asked(member);
        answer(this.rounds.assignmentOf(member));
    }
  }

  /** Says that a member is alive. @throws Rejection that tells it what to do. */
  heartbeat(memberId: string, instanceId: string | null, generationId: number): void {
    const member = this.roster.identify(memberId, instanceId);
    this.checkGeneration(generationId);
    if (this.state === 'Empty') throw unknownMember(memberId);
    this.rounds.keepAlive(member);
    if (this.state === 'PreparingRebalance') throw rebalanceInProgress();
  }

  /** Removes members; the error code of each in turn. */
  leave(leaving: readonly { memberId: string; instanceId: string | null }[]): number[] {
    const gone: ClassicMember[] = [];
    const codes = leaving.map(({ memberId, instanceId }) => {
      if (this.roster.pendingIds.has(memberId)) {
        this.rounds.removePending(memberId);
        return Errors.NONE;
      }
      try {
        // An administrator who removes a static member need not know its id.
        const known = instanceId === null ? undefined : this.roster.idOfInstance(instanceId);
        const id = memberId === '' && known !== undefined ? known : memberId;
        const member = this.roster.identify(id, instanceId);
        this.roster.remove(member.id);
        gone.push(member);
        return Errors.NONE;
      } catch (error) {
        if (!(error instanceof Rejection)) throw error;
        return error.errorCode;
      }
    });
    if (gone.length > 0) this.rounds.dismiss(gone);
    return codes;
  }

  /** A member's session is over. */
  expire(memberId: string): void {
    this.rounds.expire(memberId);
  }

  /** Has all members meet again. */
  rebalance(): void {
    this.rounds.rebalance();
  }

  /** Takes over members of another group as they stand. */
  adopt(generationId: number, members: readonly ClassicMember[]): void {
    this.rounds.adopt(generationId, members);
  }

  /** The group is no more, or another one now: those who wait have to come again. */
  dissolve(): void {
    this.rounds.sendAway(Errors.REBALANCE_IN_PROGRESS);
  }

  /** Another broker takes over: those who wait are sent away, what was not stored is lost. */
  unload(): void {
    this.rounds.unload();
  }

  /** A broker has taken over: sessions begin anew. */
  load(): void {
    this.rounds.load();
  }

  hasMember(memberId: string): boolean {
    return this.roster.get(memberId) !== undefined;
  }

  /** @throws Rejection unless offsets may be committed with this identity. */
  checkCommit({ memberId, instanceId, epoch: generationId }: CommitIdentity): void {
    if (generationId < 0 && this.isEmpty) return;
    const isMember = generationId >= 0 || memberId !== '' || instanceId !== null;
    if (!isMember) throw unknownMember(memberId);
    const member = this.roster.identify(memberId, instanceId);
    this.checkGeneration(generationId);
    if (this.state === 'CompletingRebalance') throw rebalanceInProgress();
    // Commits are signs of life, too.
    this.rounds.keepAlive(member);
  }

  /**
   * As {@link ClassicGroup.checkCommit}, for offsets of a transaction: older producers do not say
   * whose they are, and a generation that is about to begin is as good as the last one (KIP-447).
   *
   * @throws Rejection
   */
  checkTransactionalCommit({ memberId, instanceId, epoch: generationId }: CommitIdentity): void {
    if (generationId < 0 && (this.isEmpty || (memberId === '' && instanceId === null))) return;
    this.roster.identify(memberId, instanceId);
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

  private checkGeneration(generationId: number): void {
    if (generationId === this.generationId) return;
    const message = `The group is at generation ${this.generationId}, not ${generationId}`;
    throw new Rejection(Errors.ILLEGAL_GENERATION, message);
  }
}
