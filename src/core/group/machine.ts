import type { apis, ResponseOf } from '../protocol/index.js';
import type { KafkaError } from '../util/errors.js';
import type { MemberAssignment, MemberSubscription, TopicLayout } from './assignors/assignor.js';
import type { GroupEvent } from './events.js';
import type { TopicPartition } from './topic-partition.js';

/**
 * The language that the state machines of both protocols share with the shell that runs them. A
 * machine is a pure function from a state and an input to the next state and effects; the shell
 * carries the effects out in order and turns what comes of them into inputs, one at a time.
 */
export interface Step<S> {
  readonly state: S;
  readonly effects: readonly Effect[];
}

/** What a machine's state says to the outside. */
export interface MembershipView {
  readonly memberId: string;
  /** Negative while there is none. */
  readonly generationId: number;
  readonly isJoined: boolean;
}

export interface JoinRequest {
  readonly type: 'join';
  readonly memberId: string;
  readonly generationId: number;
  readonly topics: readonly string[];
  readonly ownedPartitions: readonly TopicPartition[];
  readonly reason: string;
}

export interface SyncRequest {
  readonly type: 'sync';
  readonly memberId: string;
  readonly generationId: number;
  readonly assignor: string;
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[];
}

export interface HeartbeatRequest {
  readonly type: 'heartbeat';
  readonly memberId: string;
  readonly generationId: number;
}

export interface LeaveRequest {
  readonly type: 'leave';
  readonly memberId: string;
}

/** Both heartbeat and everything else of the new protocol. */
export interface ConsumerHeartbeatRequest {
  readonly type: 'consumer-heartbeat';
  readonly memberId: string;
  readonly memberEpoch: number;
  /** What has changed since the last one; `undefined` what hasn't. */
  readonly fields: ConsumerHeartbeatFields;
}

export interface ConsumerHeartbeatFields {
  readonly rackId?: string | undefined;
  readonly rebalanceTimeoutMs?: number | undefined;
  readonly subscribedTopicNames?: readonly string[] | undefined;
  readonly subscribedTopicRegex?: string | undefined;
  readonly serverAssignor?: string | undefined;
  readonly topicPartitions?: AssignmentById | undefined;
}

/** Partitions by topic id. */
export type AssignmentById = ReadonlyMap<string, readonly number[]>;

export type GroupRequest =
  JoinRequest | SyncRequest | HeartbeatRequest | LeaveRequest | ConsumerHeartbeatRequest;

/** What the coordinator said to what. */
export type Answer =
  | {
      readonly type: 'join';
      readonly request: JoinRequest;
      readonly body: ResponseOf<typeof apis.JoinGroup>;
    }
  | {
      readonly type: 'sync';
      readonly request: SyncRequest;
      readonly body: ResponseOf<typeof apis.SyncGroup>;
    }
  | {
      readonly type: 'heartbeat';
      readonly request: HeartbeatRequest;
      readonly body: ResponseOf<typeof apis.Heartbeat>;
    }
  | {
      readonly type: 'leave';
      readonly request: LeaveRequest;
      readonly body: ResponseOf<typeof apis.LeaveGroup>;
    }
  | {
      readonly type: 'consumer-heartbeat';
      readonly request: ConsumerHeartbeatRequest;
      readonly body: ResponseOf<typeof apis.ConsumerGroupHeartbeat>;
    };

/** What happens to a member. */
export type Input =
  | { readonly type: 'join' }
  | { readonly type: 'answered'; readonly answer: Answer }
  /** No answer will come. */
  | { readonly type: 'unanswered'; readonly request: GroupRequest; readonly error: KafkaError }
  | { readonly type: 'heartbeat-due' }
  | { readonly type: 'retry-due' }
  /** The handler is done with `revoke` or `assign` number `call`. */
  | { readonly type: 'called-back'; readonly call: number }
  | {
      readonly type: 'shared-out';
      readonly generationId: number;
      readonly assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[];
      readonly layouts: Layouts;
    }
  | {
      readonly type: 'not-shared-out';
      readonly generationId: number;
      readonly error: KafkaError;
    }
  /** The topics that a pattern matches now. */
  | { readonly type: 'topics-matched'; readonly topics: readonly string[] }
  /** What the leader's metadata says of the topics it has shared out. */
  | { readonly type: 'layouts-seen'; readonly layouts: Layouts }
  | { readonly type: 'topics-resolved'; readonly names: ReadonlyMap<string, string> }
  | { readonly type: 'check-wanted' }
  /** Something around the machine failed for good. */
  | { readonly type: 'broke'; readonly error: KafkaError }
  | { readonly type: 'leave'; readonly keepsMembership: boolean };

/** By topic; what doesn't exist is missing. */
export type Layouts = ReadonlyMap<string, TopicLayout>;

/** What a machine wants done. */
export type Effect =
  | { readonly type: 'send'; readonly request: GroupRequest }
  | { readonly type: 'schedule-heartbeat'; readonly delayMs: number }
  /** After a backoff for so many failures. */
  | { readonly type: 'schedule-retry'; readonly failures: number }
  | { readonly type: 'stop-timers' }
  /** No answer is awaited any more. */
  | { readonly type: 'call-off' }
  /** What is under way is awaited, but not asked once more where it fails. */
  | { readonly type: 'repeat-no-more' }
  | {
      readonly type: 'revoke';
      readonly call: number;
      readonly partitions: readonly TopicPartition[];
    }
  | {
      readonly type: 'assign';
      readonly call: number;
      readonly added: readonly TopicPartition[];
      readonly all: readonly TopicPartition[];
    }
  | { readonly type: 'lose'; readonly partitions: readonly TopicPartition[] }
  /** The membership has ended for good. */
  | { readonly type: 'fail'; readonly error: KafkaError }
  /** It can't go on, but the group doesn't know: it stays a member until it is told to leave. */
  | { readonly type: 'give-up'; readonly error: KafkaError }
  | { readonly type: 'emit'; readonly event: GroupEvent }
  | {
      readonly type: 'share-out';
      readonly generationId: number;
      readonly assignor: string;
      readonly members: readonly MemberSubscription[];
      /** The leader came back and everybody keeps what they have (KIP-814). */
      readonly isSkipped: boolean;
    }
  | {
      readonly type: 'note-assignment';
      readonly assignor: string;
      readonly assignment: MemberAssignment;
      readonly generationId: number;
    }
  | { readonly type: 'resolve-topics'; readonly ids: readonly string[] }
  /** Nothing more is to come. */
  | { readonly type: 'left' };

/** A step that changes the state and wants something done. */
export function step<S>(state: S, ...effects: readonly Effect[]): Step<S> {
  return { state, effects };
}

/** One step after another. */
export function andThen<S>(first: Step<S>, next: (state: S) => Step<S>): Step<S> {
  const second = next(first.state);
  return { state: second.state, effects: [...first.effects, ...second.effects] };
}
