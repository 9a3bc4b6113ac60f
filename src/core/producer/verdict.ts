import { brokerError, type BrokerError } from '../protocol/index.js';
import { isNextSequence, isOvertaken, type PartitionSequences } from './sequences.js';

/** What a broker answered for one batch. */
export interface BatchAnswer {
  readonly errorCode: number;
  readonly baseOffset: number;
  readonly logAppendTimeMs: number;
  readonly logStartOffset: number;
  readonly errorMessage: string | null;
  /** The records at fault, where the broker names them (KIP-467). */
  readonly recordErrors: readonly { batchIndex: number; batchIndexErrorMessage: string | null }[];
}

/** What is known of the batch that was answered. */
export interface BatchFacts {
  readonly recordCount: number;
  readonly firstSequence: number;
  /** An earlier attempt may have been written after all. */
  readonly mayBeWritten: boolean;
  readonly attemptsLeft: number;
  /** `undefined` for a producer that isn't idempotent. */
  readonly sequences: PartitionSequences | undefined;
  /** Only the end of its transaction brings a new epoch. */
  readonly isTransactional: boolean;
}

/** What to do with a batch. */
export type Verdict =
  | { readonly type: 'acknowledge'; readonly baseOffset: number; readonly logAppendTimeMs: number }
  | {
      readonly type: 'retry';
      readonly error: BrokerError;
      /** The broker's idea of the numbering is another one: a new epoch is needed. */
      readonly restarts: boolean;
    }
  /** Too large, but of several records: send it in parts. */
  | { readonly type: 'split'; readonly error: BrokerError }
  /** Some records are at fault: fail those, send the rest again. */
  | {
      readonly type: 'drop-records';
      readonly error: BrokerError;
      readonly records: ReadonlyMap<number, string | null>;
    }
  | {
      readonly type: 'fail';
      readonly error: BrokerError;
    };

const NONE = 0;
const MESSAGE_TOO_LARGE = 10;
const RECORD_LIST_TOO_LARGE = 18;
const OUT_OF_ORDER_SEQUENCE_NUMBER = 45;
const DUPLICATE_SEQUENCE_NUMBER = 46;
const UNKNOWN_PRODUCER_ID = 59;
const INVALID_PRODUCER_EPOCH = 47;
const UNKNOWN_OFFSET = -1;

/**
 * UNKNOWN_SERVER_ERROR, REQUEST_TIMED_OUT, NETWORK_EXCEPTION, NOT_ENOUGH_REPLICAS_AFTER_APPEND,
 * KAFKA_STORAGE_ERROR: it may be in the log. Whatever goes wrong in the middle of an append is the first
 * or the last of them.
 */
const ambiguous: ReadonlySet<number> = new Set([-1, 7, 13, 20, 56]);

/** Whether an answer leaves open if the batch was written. */
export function isAmbiguous({ errorCode }: BatchAnswer): boolean {
  return ambiguous.has(errorCode);
}

/** Judges the answer to a batch, by the rules of the Java client (KIP-98, 126, 360, 467). */
export function judge(answer: BatchAnswer, batch: BatchFacts): Verdict {
  const error = brokerError(answer.errorCode);
  switch (answer.errorCode) {
    case NONE:
      return {
        type: 'acknowledge',
        baseOffset: answer.baseOffset,
        logAppendTimeMs: answer.logAppendTimeMs,
      };
    case DUPLICATE_SEQUENCE_NUMBER:
      // Written by an earlier attempt, too long ago for the broker to know where.
      return { type: 'acknowledge', baseOffset: UNKNOWN_OFFSET, logAppendTimeMs: -1 };
    case MESSAGE_TOO_LARGE:
    case RECORD_LIST_TOO_LARGE:
      return batch.recordCount > 1 && mayBeRebuilt(batch)
        ? { type: 'split', error }
        : { type: 'fail', error };
    case OUT_OF_ORDER_SEQUENCE_NUMBER:
    case INVALID_PRODUCER_EPOCH:
    case UNKNOWN_PRODUCER_ID:
      return judgeSequence(answer, batch, error);
    default:
      return judgeOther(answer, batch, error);
  }
}

/** Numbers of a batch that may be in the log must not be given to other records. */
function mayBeRebuilt({ mayBeWritten, sequences }: BatchFacts): boolean {
  return !mayBeWritten || sequences === undefined;
}

function judgeSequence(answer: BatchAnswer, batch: BatchFacts, error: BrokerError): Verdict {
  const { sequences } = batch;
  if (sequences === undefined || batch.attemptsLeft <= 0) return { type: 'fail', error };
  if (answer.errorCode === UNKNOWN_PRODUCER_ID) {
    // Below Produce v5 the broker can't tell whether it lost data or just forgot the producer.
    return restart(batch, error, answer.logStartOffset >= 0);
  }
  if (answer.errorCode === INVALID_PRODUCER_EPOCH && batch.isTransactional) {
    return { type: 'fail', error };
  }
  // What follows it is written, as a topic was made anew meanwhile: it could only come behind that.
  const isRefused = answer.errorCode === OUT_OF_ORDER_SEQUENCE_NUMBER;
  if (isRefused && isOvertaken(sequences, batch.firstSequence)) return { type: 'fail', error };
  // Out of order because an earlier batch is still to be repeated: it only has to wait its turn.
  const isItsTurn = isNextSequence(sequences, batch.firstSequence);
  return restart(batch, error, isItsTurn || sequences.disorder === 'unresolved');
}

/** Within a transaction nothing can be numbered anew: it has to be aborted (KIP-588). */
function restart({ isTransactional }: BatchFacts, error: BrokerError, restarts: boolean): Verdict {
  return isTransactional && restarts ? { type: 'fail', error } : { type: 'retry', error, restarts };
}

function judgeOther(answer: BatchAnswer, batch: BatchFacts, error: BrokerError): Verdict {
  const records = refusedRecords(answer, batch);
  if (records.size > 0 && mayBeRebuilt(batch)) return { type: 'drop-records', error, records };
  if (error.isRetriable && batch.attemptsLeft > 0) return { type: 'retry', error, restarts: false };
  return { type: 'fail', error };
}

/** The records at fault; numbers that the batch doesn't have are the broker's fault. */
function refusedRecords(
  { recordErrors }: BatchAnswer,
  { recordCount }: BatchFacts,
): Map<number, string | null> {
  return new Map(
    recordErrors
      .filter(({ batchIndex }) => batchIndex >= 0 && batchIndex < recordCount)
      .map(({ batchIndex, batchIndexErrorMessage }) => [batchIndex, batchIndexErrorMessage]),
  );
}
