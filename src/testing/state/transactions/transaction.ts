import { Errors } from '../../error-codes.js';
import { Rejection } from '../rejection.js';

export const transactionStates = [
  'Empty',
  'Ongoing',
  'PrepareCommit',
  'PrepareAbort',
  'CompleteCommit',
  'CompleteAbort',
] as const;

/** As Kafka's tools print it. */
export type TransactionState = (typeof transactionStates)[number];

/** A partition by its name. */
export interface Place {
  readonly topic: string;
  readonly index: number;
}

/** Who says to be the producer. */
export interface Claim {
  readonly producerId: number;
  readonly epoch: number;
}

/** What the coordinator knows of a transactional id and of its transaction. */
export interface Transaction {
  readonly transactionalId: string;
  readonly state: TransactionState;
  readonly producerId: number;
  /** -1 until the first producer was told its own. */
  readonly epoch: number;
  /** The producer id whose epochs are used up; -1 where there was none. */
  readonly previousProducerId: number;
  /** The producer id that follows when the transaction has ended; -1 where it stays. */
  readonly nextProducerId: number;
  /** The epoch from which the producer itself asked for the present one; -1 where it did not. */
  readonly previousEpoch: number;
  readonly timeoutMs: number;
  /** -1 before the first transaction. */
  readonly startedAtMs: number;
  /** Whether the client knows that the epoch rises with each end (KIP-890). */
  readonly risesAtEnd: boolean;
  /** Where records were, or may be, written and no marker yet. */
  readonly partitions: readonly Place[];
  /** Groups whose offsets are committed along. */
  readonly groups: readonly string[];
}

export const NONE = -1;
/** The last epoch that clients are given; the one after it is for the marker that fences them. */
export const LAST_EPOCH = 0x7ffe;

/** A transactional id that nobody has used before. */
export function newTransaction(transactionalId: string, producerId: number): Transaction {
  return {
    transactionalId,
    state: 'Empty',
    producerId,
    epoch: NONE,
    previousProducerId: NONE,
    nextProducerId: NONE,
    previousEpoch: NONE,
    timeoutMs: 0,
    startedAtMs: NONE,
    risesAtEnd: false,
    partitions: [],
    groups: [],
  };
}

export function isPrepared({ state }: Transaction): boolean {
  return state === 'PrepareCommit' || state === 'PrepareAbort';
}

export function isExhausted(epoch: number): boolean {
  return epoch >= LAST_EPOCH;
}

export function isSamePlace(a: Place, b: Place): boolean {
  return a.topic === b.topic && a.index === b.index;
}

export function concurrent({ transactionalId, state }: Transaction): Rejection {
  const message = `Transaction ${transactionalId} is about to end: ${state}`;
  return new Rejection(Errors.CONCURRENT_TRANSACTIONS, message);
}

export function fenced({ transactionalId, epoch }: Transaction, claimed: number): Rejection {
  const message = `The epoch of ${transactionalId} is ${epoch}, not ${claimed}`;
  return new Rejection(Errors.PRODUCER_FENCED, message);
}

export function notMapped(transactionalId: string, producerId: number): Rejection {
  const message = `${transactionalId} is not that of producer ${producerId}`;
  return new Rejection(Errors.INVALID_PRODUCER_ID_MAPPING, message);
}

export function invalidState({ transactionalId, state }: Transaction): Rejection {
  return new Rejection(Errors.INVALID_TXN_STATE, `Transaction ${transactionalId} is ${state}`);
}
