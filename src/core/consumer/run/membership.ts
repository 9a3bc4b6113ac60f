import type { GroupMetadata, Member } from '../../group/index.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { ConsumerContext } from '../context.js';
import { Absence, type AbsenceHooks } from './absence.js';

/** What a {@link Membership} asks of, and tells, the run. */
export interface MembershipHooks extends Pick<AbsenceHooks, 'isEnding' | 'onFatal'> {
  readonly newMember: () => Member;
  /** Gives up all partitions; tells whether records were in hand. */
  readonly abandon: () => Promise<boolean>;
}

/**
 * The run's place among those who share partitions: one member, and after a while in which the
 * pipeline hung the next.
 */
export class Membership {
  private member: Member;
  private readonly absence: Absence | undefined;

  /**
   * @param groupId the group that a hung pipeline leaves; `undefined` where nobody waits for its
   * partitions.
   */
  constructor(
    context: ConsumerContext,
    groupId: string | undefined,
    private readonly hooks: MembershipHooks,
  ) {
    this.member = hooks.newMember();
    if (groupId === undefined) return;
    this.absence = new Absence(context, groupId, {
      isEnding: hooks.isEnding,
      leave: () => this.leaveForAWhile(),
      rejoin: () => this.joinAnew(),
      onFatal: hooks.onFatal,
    });
  }

  /** As commits want it; `undefined` while there is no generation to commit in. */
  get metadata(): GroupMetadata | undefined {
    return this.member.metadata;
  }

  join(): void {
    this.member.join();
  }

  leave(): Promise<void> {
    return this.member.leave();
  }

  requestRejoin(reason: string): void {
    this.member.requestRejoin(reason);
  }

  /** Nothing was done with records in hand for `maxPollIntervalMs`. */
  pipelineHangs(partition: AssignedPartition): void {
    this.absence?.hung(partition);
  }

  /** A record came back, however late. */
  pipelineLives(): void {
    this.absence?.pipelineLives();
  }

  private async leaveForAWhile(): Promise<boolean> {
    const { member } = this;
    const isInHand = await this.hooks.abandon();
    await member.leave();
    return isInHand;
  }

  private joinAnew(): void {
    this.member = this.hooks.newMember();
    this.member.join();
  }
}
