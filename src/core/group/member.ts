import type { KafkaError } from '../util/errors.js';
import type { GroupEvent } from './events.js';
import type { TopicPartition } from './topic-partition.js';

/** Who a member is, as OffsetCommit and TxnOffsetCommit want to know it. */
export interface GroupMetadata {
  readonly groupId: string;
  readonly memberId: string;
  /** The generation of a classic group, the member's epoch in one of the new protocol. */
  readonly generationId: number;
  readonly groupInstanceId: string | null;
}

/**
 * What a member tells the consumer it belongs to: one call at a time, in order, the next when the
 * promise of the last is settled. Heartbeats go on meanwhile.
 *
 * {@link GroupHandler.onLost}, {@link GroupHandler.onFatal} and {@link GroupHandler.onEvent} don't
 * wait: they may come while an `onRevoked` or `onAssigned` is awaited. What is lost then includes
 * the partitions that are being handed back or taken up; the awaited promise should settle soon, and
 * decides nothing any more.
 */
export interface GroupHandler {
  onAssigned(
    added: readonly TopicPartition[],
    all: readonly TopicPartition[],
  ): void | Promise<void>;
  /**
   * Resolves when the partitions are drained and committed; the member then hands them back. A
   * rejection counts as drained, with a warning.
   *
   * @param deadlineMs on the monotonic clock: later, the group expels the member.
   */
  onRevoked(removed: readonly TopicPartition[], deadlineMs: number): Promise<void>;
  /** They belong to others by now: nothing can be committed. */
  onLost(lost: readonly TopicPartition[]): void;
  /**
   * The member can't go on: {@link Member.leave} is to follow. Where the group has ended the membership,
   * what it had was given to `onLost` before; else it can be committed yet.
   */
  onFatal(error: KafkaError): void;
  onEvent(event: GroupEvent): void;
}

/** One membership in one group. */
export interface Member {
  /** As commits want it at this moment; `undefined` while there is no generation to commit in. */
  readonly metadata: GroupMetadata | undefined;
  /** `undefined` until it is known. */
  readonly protocol: 'classic' | 'consumer' | undefined;
  /** It has its place and its partitions, and no rebalance is under way. */
  readonly isJoined: boolean;
  /** Enters the group and stays in it, whatever happens, until {@link Member.leave}. Never throws. */
  join(): void;
  /**
   * Something suggests that the membership is out of date, as ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID
   * or STALE_MEMBER_EPOCH from a commit. The coordinator is asked; what it says is acted on.
   */
  requestRejoin(reason: string): void;
  /**
   * Stops heartbeats and leaves. Nothing but the event `left` is called back from now on: the
   * consumer hands back what it has first. Never rejects; resolves when the coordinator knows, or
   * can't be told within `requestTimeoutMs`.
   *
   * @param options.keepsMembership stay known to the group until the session times out. Default:
   * static members do, others don't.
   */
  leave(options?: { readonly keepsMembership?: boolean }): Promise<void>;
}
