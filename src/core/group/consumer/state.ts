import type { Answer, AssignmentById, MembershipView, Step } from '../machine.js';
import type { TopicPartition } from '../topic-partition.js';

/** What never changes for a member of a group of the new protocol. */
export interface ConsumerSettings {
  readonly groupId: string;
  readonly groupInstanceId: string | null;
  readonly rackId: string | undefined;
  readonly rebalanceTimeoutMs: number;
  readonly serverAssignor: string | undefined;
  /** A pattern that the broker matches; `undefined` where the member names its topics. */
  readonly topicRegex: string | undefined;
}

/**
 * Where a member stands (KIP-848).
 *
 * - `joining`: it has no epoch yet, or lost the one it had.
 * - `reconciling`: it moves from what it has to what it is to have, or waits for names of topics.
 * - `acknowledging`: it is to tell the coordinator what it has now.
 * - `leaving`: the coordinator is being told.
 *
 * Two states of Java's client are not here: the consumer drains before it leaves (`PREPARE_LEAVING`),
 * and watches over its own progress (`STALE`).
 */
export type ConsumerPhase =
  'idle' | 'joining' | 'reconciling' | 'acknowledging' | 'stable' | 'leaving' | 'over';

export interface ConsumerState {
  readonly settings: ConsumerSettings;
  readonly phase: ConsumerPhase;
  readonly memberId: string;
  /** 0 asks to join. */
  readonly epoch: number;
  /** The names that the member subscribes to; unused where the broker matches a pattern. */
  readonly topics: readonly string[];
  /** What the coordinator has been told; `undefined` when it is to be told everything. */
  readonly told: Told | undefined;
  readonly isHeartbeatUnderWay: boolean;
  /** Something is to be told as soon as the heartbeat under way is answered. */
  readonly isHeartbeatWanted: boolean;
  /** What the member is to have, as the coordinator last said. */
  readonly target: AssignmentById | undefined;
  /** What it has; `undefined` until the handler was told for the first time. */
  readonly current: AssignmentById | undefined;
  /** What the handler is being brought to; `undefined` when nothing is under way. */
  readonly next: AssignmentById | undefined;
  /** Names of topics by id. */
  readonly names: ReadonlyMap<string, string>;
  /** What the handler has, by name. */
  readonly owned: readonly TopicPartition[];
  /** What it is to have when the calls under way are done. */
  readonly incoming: readonly TopicPartition[];
  readonly call: number;
  readonly failures: number;
}

/** What the last heartbeat that told anything said. */
export interface Told {
  readonly topics: readonly string[];
  readonly current: AssignmentById | undefined;
}

export type ConsumerStep = Step<ConsumerState>;
export type HeartbeatAnswer = Extract<Answer, { type: 'consumer-heartbeat' }>;

/** @param memberId chosen by the member; empty for brokers that choose it themselves (version 0). */
export function initialConsumerState(
  settings: ConsumerSettings,
  topics: readonly string[],
  memberId: string,
): ConsumerState {
  return {
    settings,
    phase: 'idle',
    memberId,
    epoch: 0,
    topics,
    told: undefined,
    isHeartbeatUnderWay: false,
    isHeartbeatWanted: false,
    target: undefined,
    current: undefined,
    next: undefined,
    names: new Map(),
    owned: [],
    incoming: [],
    call: 0,
    failures: 0,
  };
}

/** There is no epoch to commit in until the coordinator has given one. */
export function viewConsumer({ memberId, epoch, phase, next }: ConsumerState): MembershipView {
  return {
    memberId,
    generationId: epoch > 0 ? epoch : -1,
    isJoined: next === undefined && (phase === 'stable' || phase === 'acknowledging'),
  };
}
