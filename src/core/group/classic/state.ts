import type { RebalanceProtocol } from '../assignors/assignor.js';
import type { Answer, Layouts, MembershipView, Step } from '../machine.js';
import type { TopicPartition } from '../topic-partition.js';

/** What never changes for a member of a classic group. */
export interface ClassicSettings {
  readonly groupId: string;
  readonly groupInstanceId: string | null;
  /** What all of the member's assignors can do. */
  readonly rebalanceProtocol: RebalanceProtocol;
  readonly assignors: readonly string[];
  readonly heartbeatIntervalMs: number;
  /** Racks count when the leader compares topics with what it has shared out. */
  readonly isRackAware: boolean;
}

/**
 * Where a member stands.
 *
 * - `revoking`: what it must give up before it may join again is being drained.
 * - `joining`: JoinGroup is under way; it lasts as long as the slowest member needs.
 * - `sharing-out`: as leader, it computes everybody's share.
 * - `syncing`: it waits for its own share.
 * - `completing`: the handler is told what goes and what comes.
 * - `backing-off`: it joins again after a pause.
 * - `leaving`: it has left, but its id is still to come so that the group can be told.
 */
export type ClassicPhase =
  | 'idle'
  | 'revoking'
  | 'joining'
  | 'sharing-out'
  | 'syncing'
  | 'completing'
  | 'stable'
  | 'backing-off'
  | 'leaving'
  | 'over';

export interface ClassicState {
  readonly settings: ClassicSettings;
  readonly phase: ClassicPhase;
  /** Empty until the coordinator has given one. */
  readonly memberId: string;
  /** -1 for none. */
  readonly generationId: number;
  readonly assignor: string;
  readonly isLeader: boolean;
  /** What the member subscribes to now. */
  readonly topics: readonly string[];
  /** What it subscribed to when it last joined. */
  readonly joinedTopics: readonly string[];
  /** What the handler has, as far as this member is concerned. */
  readonly owned: readonly TopicPartition[];
  /** What the handler is to have when the call under way is done. */
  readonly incoming: readonly TopicPartition[];
  /** What the leader has shared out: the group has to rebalance when it changes. */
  readonly watched: Layouts | undefined;
  /** The call to the handler that is awaited. */
  readonly call: number;
  readonly isHeartbeatUnderWay: boolean;
  /** Attempts in a row that failed. */
  readonly failures: number;
  /** Why the member has to join again as soon as it can. */
  readonly rejoinReason: string | undefined;
}

export type ClassicStep = Step<ClassicState>;
export type AnswerTo<T extends Answer['type']> = Extract<Answer, { type: T }>;

export const NO_GENERATION = -1;

export function initialClassicState(
  settings: ClassicSettings,
  topics: readonly string[],
): ClassicState {
  return {
    settings,
    phase: 'idle',
    memberId: '',
    generationId: NO_GENERATION,
    assignor: '',
    isLeader: false,
    topics,
    joinedTopics: [],
    owned: [],
    incoming: [],
    watched: undefined,
    call: 0,
    isHeartbeatUnderWay: false,
    failures: 0,
    rejoinReason: undefined,
  };
}

/** In these the coordinator expects heartbeats; while joining, JoinGroup itself stands for them. */
export function isBeating({ phase }: ClassicState): boolean {
  return beating.has(phase);
}

const beating: ReadonlySet<ClassicPhase> = new Set([
  'revoking',
  'sharing-out',
  'syncing',
  'completing',
  'stable',
]);

export function viewClassic(state: ClassicState): MembershipView {
  return {
    memberId: state.memberId,
    generationId: state.generationId,
    isJoined: state.phase === 'stable',
  };
}
