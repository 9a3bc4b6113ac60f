import type { Clock } from '../../../core/util/clock.js';
import { Errors } from '../../error-codes.js';
import { Rejection } from '../rejection.js';
import { joinRefusal, termsOf, type JoinRequest } from './classic-requests.js';
import {
  hasSameProtocols,
  NO_ASSIGNMENT,
  unknownMember,
  type ClassicMember,
  type ClassicRoster,
  type JoinOutcome,
  type MemberIdentity,
} from './classic-roster.js';
import type { ClassicRounds } from './classic-rounds.js';
import { newMemberId } from './member-id.js';
import type { GroupSettings } from './settings.js';

type TellOutcome = (outcome: JoinOutcome) => void;

/** How members come into a classic group: as new ones, once more, or in the place of a static member. */
export class ClassicEntrance {
  constructor(
    private readonly rounds: ClassicRounds,
    private readonly settings: GroupSettings,
    private readonly clock: Clock,
  ) {}

  /**
   * Lets somebody in, who is told when the rebalance is over.
   *
   * @throws Rejection where there is no place, no such member, or no protocol in common.
   */
  join(request: JoinRequest, answer: TellOutcome): void {
    this.admit(request);
    if (request.memberId === '') this.joinAnew(request, answer);
    else this.joinAgain(request, answer);
  }

  private get roster(): ClassicRoster {
    return this.rounds.roster;
  }

  private joinAnew(request: JoinRequest, answer: TellOutcome): void {
    const { instanceId, clientId, clientHost } = request;
    const id = newMemberId(instanceId ?? clientId, this.clock);
    const identity = { id, instanceId, clientId, clientHost };
    if (instanceId !== null) {
      const old = this.roster.get(this.roster.idOfInstance(instanceId) ?? '');
      if (old === undefined) this.add(identity, request, answer);
      else this.replace(old, identity, request, answer);
    } else if (request.mustKnowId) {
      this.rounds.expect(id, request.sessionTimeoutMs);
      answer(joinRefusal(Errors.MEMBER_ID_REQUIRED, id));
    } else {
      this.add(identity, request, answer);
    }
  }

  private joinAgain(request: JoinRequest, answer: TellOutcome): void {
    const { memberId: id, instanceId, clientId, clientHost } = request;
    if (this.roster.pendingIds.has(id)) {
      this.add({ id, instanceId, clientId, clientHost }, request, answer);
      return;
    }
    const member = this.roster.identify(id, instanceId);
    const isSame = hasSameProtocols(member, request.protocols);
    const isLeader = this.roster.leaderId === id;
    const isSettled =
      (this.rounds.state === 'CompletingRebalance' && isSame) ||
      // A leader joins again when it wants to assign anew.
      (this.rounds.state === 'Stable' && isSame && !isLeader);
    if (isSettled) {
      const members = this.rounds.state === 'CompletingRebalance' && isLeader;
      answer(this.rounds.welcome(member, members));
      return;
    }
    if (this.rounds.state === 'Empty') throw unknownMember(id);
    this.renew(member, request, answer);
    this.rounds.advance();
  }

  private add(identity: MemberIdentity, request: JoinRequest, answer: TellOutcome): void {
    const terms = termsOf(request);
    const member = { ...identity, terms, assignment: NO_ASSIGNMENT, isNew: true };
    this.rounds.enter({ ...member, answerJoin: answer });
  }

  private replace(
    old: ClassicMember,
    identity: MemberIdentity,
    request: JoinRequest,
    answer: TellOutcome,
  ): void {
    const formerLeader = this.roster.leaderId!;
    const heir = this.rounds.replace(old, identity);
    this.renew(heir, request, answer);
    this.rounds.keepAlive(heir);
    const isUnchanged =
      this.rounds.state === 'Stable' && this.roster.selectProtocol() === this.rounds.protocolName;
    if (!isUnchanged) {
      this.rounds.advance();
      return;
    }
    this.rounds.store();
    const isLeader = this.roster.leaderId === heir.id;
    // Older leaders would assign anew, so they are not told that they lead.
    const outcome = request.knowsSkippedAssignment
      ? { ...this.rounds.welcome(heir, isLeader), skipAssignment: isLeader }
      : { ...this.rounds.welcome(heir, false), leader: formerLeader };
    this.rounds.answerJoin(heir, outcome);
  }

  private renew(member: ClassicMember, request: JoinRequest, answer: TellOutcome): void {
    member.terms = termsOf(request);
    // A client that asks twice has given up on its first question: that is never answered.
    member.answerJoin = answer;
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
    switch (this.rounds.state) {
      case 'Empty':
        return true;
      case 'PreparingRebalance':
        return member?.answerJoin !== undefined || this.roster.numAwaitingJoin < maxSize;
      case 'CompletingRebalance':
      case 'Stable':
        return member !== undefined || this.roster.size < maxSize;
    }
  }
}
