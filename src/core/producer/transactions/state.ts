import type { BrokerError } from '../../protocol/index.js';
import type { KafkaError } from '../../util/errors.js';
import type { ProducerEvent } from '../events.js';
import type { ProducerIdentity } from '../sequences.js';

/** How far a transactional producer is, by the names of the Java client. */
export type TransactionPhase =
  | 'UNINITIALIZED'
  | 'INITIALIZING'
  | 'READY'
  | 'IN_TRANSACTION'
  | 'COMMITTING'
  | 'ABORTING'
  /** Something went wrong in the transaction: it can only be aborted. */
  | 'ABORTABLE_ERROR'
  /** The producer can't go on. */
  | 'FATAL_ERROR';

export interface Place {
  readonly topic: string;
  readonly partition: number;
}

/** The group that offsets belong to, and as whom they are stored (KIP-447). */
export interface TransactionGroup {
  readonly groupId: string;
  readonly memberId?: string;
  /** The generation of a classic group, or a member's epoch in one of the new protocol. */
  readonly generationId?: number;
  readonly groupInstanceId?: string | null;
}

/** An offset to be stored with a transaction. */
export interface TransactionOffset extends Place {
  /** Of the next record to be consumed. */
  readonly offset: number;
  readonly leaderEpoch?: number | undefined;
  readonly metadata?: string | undefined;
}

/** One call of `sendOffsets`. */
export interface OffsetsOperation {
  readonly id: number;
  readonly group: TransactionGroup;
  readonly offsets: readonly TransactionOffset[];
}

/** What the coordinators are asked for. */
export type TransactionRequest =
  | {
      readonly type: 'init-producer-id';
      /** With one it is raised by an epoch (KIP-360); without, predecessors are fenced. */
      readonly identity: ProducerIdentity | undefined;
    }
  | {
      readonly type: 'add-partitions';
      readonly identity: ProducerIdentity;
      readonly partitions: readonly Place[];
    }
  | {
      readonly type: 'add-offsets';
      readonly identity: ProducerIdentity;
      readonly groupId: string;
    }
  | {
      readonly type: 'commit-offsets';
      readonly identity: ProducerIdentity;
      readonly protocol: TransactionProtocol;
      readonly operation: OffsetsOperation;
    }
  | {
      readonly type: 'end';
      readonly identity: ProducerIdentity;
      readonly protocol: TransactionProtocol;
      readonly isCommit: boolean;
    };

/** The finalized feature `transaction.version`: with 2, brokers add partitions by themselves (KIP-890). */
export type TransactionProtocol = 1 | 2;

/** What a coordinator said: the worst error of all that it named, and the identity to go on with. */
export interface TransactionAnswer {
  readonly error: BrokerError;
  /** The first partition that the error was said of, where it was said of partitions. */
  readonly place?: Place | undefined;
  readonly identity?: ProducerIdentity | undefined;
}

/** Whether the producer has to be raised by an epoch before it goes on (KIP-360). */
export type Bump = 'none' | 'after-end' | 'instead-of-end';

export interface TransactionState {
  readonly transactionalId: string;
  readonly phase: TransactionPhase;
  readonly protocol: TransactionProtocol;
  /** Brokers since 2.5 raise an epoch on request. */
  readonly canBump: boolean;
  readonly identity: ProducerIdentity | undefined;
  /** What the error phases are about. */
  readonly error: KafkaError | undefined;
  /** Partitions that are part of the transaction, by name. */
  readonly partitions: ReadonlySet<string>;
  /** Partitions that are to become part of it. */
  readonly newPartitions: ReadonlyMap<string, Place>;
  readonly addedGroups: ReadonlySet<string>;
  /**
   * A request is on the way that makes partitions part of the transaction by itself (KIP-890): the
   * coordinator refuses a second one meanwhile, and brokers let that wait for 20 ms.
   */
  readonly isAdding: boolean;
  readonly operations: readonly OffsetsOperation[];
  /** The coordinator knows of the transaction, so that it has to be told of its end. */
  readonly hasBegun: boolean;
  /** While completing: nothing that was sent is unanswered any more. */
  readonly isDrained: boolean;
  readonly bump: Bump;
  /** One request at a time. */
  readonly current: TransactionRequest | undefined;
  /** Attempts of the current request that failed. */
  readonly failures: number;
  readonly isBackingOff: boolean;
  /** Why the last of them failed. */
  readonly hindrance: KafkaError | undefined;
}

export type TransactionInput =
  /** Fences predecessors and obtains an identity. */
  | { readonly type: 'init'; readonly protocol: TransactionProtocol; readonly canBump: boolean }
  | { readonly type: 'begin'; readonly protocol: TransactionProtocol; readonly canBump: boolean }
  /** Records are going to be sent to a partition. */
  | ({ readonly type: 'touched' } & Place)
  /** Batches go out: with protocol 2 that makes their partitions part of the transaction. */
  | { readonly type: 'sent'; readonly isAdding: boolean }
  /** What went out was answered: these partitions are part of the transaction. */
  | { readonly type: 'added'; readonly names: readonly string[] }
  | { readonly type: 'offsets'; readonly operation: OffsetsOperation }
  /** Offsets should have been stored by now. */
  | { readonly type: 'offsets-overdue'; readonly id: number; readonly maxBlockMs: number }
  | { readonly type: 'commit' }
  | { readonly type: 'abort' }
  /** While completing: everything that was sent is answered. */
  | { readonly type: 'drained' }
  /** A record of the transaction will not be written. */
  | { readonly type: 'record-failed'; readonly error: KafkaError }
  /** The numbering of a partition can't be put right within this epoch. */
  | { readonly type: 'numbering-lost'; readonly error: KafkaError }
  | {
      readonly type: 'answered';
      readonly request: TransactionRequest;
      readonly answer: TransactionAnswer;
    }
  /** No answer will come. */
  | {
      readonly type: 'unanswered';
      readonly request: TransactionRequest;
      readonly error: KafkaError;
    }
  | { readonly type: 'retry-due' };

export type TransactionEffect =
  | { readonly type: 'send'; readonly request: TransactionRequest }
  | {
      readonly type: 'retry-later';
      readonly failures: number;
      /** The markers of the last transaction are being written: that takes no time. */
      readonly isShort: boolean;
    }
  /** An operation is over, well or not. */
  | { readonly type: 'initialized'; readonly error?: KafkaError }
  | { readonly type: 'ended'; readonly error?: KafkaError }
  | { readonly type: 'offsets-sent'; readonly id: number; readonly error?: KafkaError }
  /** What was sent is to be answered before the end. */
  | { readonly type: 'flush' }
  /** Records that were not sent yet are to be given up. */
  | { readonly type: 'doomed'; readonly error: KafkaError }
  /** The producer can't go on. */
  | { readonly type: 'failed'; readonly error: KafkaError }
  /** What records wait for may have come. */
  | { readonly type: 'wake' }
  | { readonly type: 'emit'; readonly event: ProducerEvent };

export interface TransactionStep {
  readonly state: TransactionState;
  readonly effects: readonly TransactionEffect[];
}

export function step(state: TransactionState, ...effects: TransactionEffect[]): TransactionStep {
  return { state, effects };
}

/** Goes on from where a step has led. */
export function andThen(
  { state, effects }: TransactionStep,
  next: (state: TransactionState) => TransactionStep,
): TransactionStep {
  const after = next(state);
  return { state: after.state, effects: [...effects, ...after.effects] };
}

export function nameOf({ topic, partition }: Place): string {
  return `${topic}-${partition}`;
}

const NOTHING = {
  error: undefined,
  partitions: new Set<string>(),
  newPartitions: new Map<string, Place>(),
  addedGroups: new Set<string>(),
  isAdding: false,
  operations: [],
  hasBegun: false,
  isDrained: false,
  bump: 'none',
} as const;

export function initialState(transactionalId: string): TransactionState {
  return {
    ...NOTHING,
    transactionalId,
    phase: 'UNINITIALIZED',
    protocol: 1,
    canBump: false,
    identity: undefined,
    current: undefined,
    failures: 0,
    isBackingOff: false,
    hindrance: undefined,
  };
}

/** With nothing of a transaction left. */
export function cleared(state: TransactionState): TransactionState {
  return { ...state, ...NOTHING };
}
