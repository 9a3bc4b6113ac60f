import { brokerError, type BrokerError } from '../protocol/index.js';
import { isNextSequence, type PartitionSequences } from './sequences.js';

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
  /** Its numbers were changed after it had been sent. */
  readonly wasRenumbered: boolean;
  readonly attemptsLeft: number;
  /** `undefined` for a producer that isn't idempotent. */
  readonly sequences: PartitionSequences | undefined;
}

/** What to do with a batch. */
export type Verdict =
  | { readonly type: 'acknowledge'; readonly baseOffset: number; readonly logAppendTimeMs: number }
  | {
      readonly type: 'retry';
      readonly error: BrokerError;
      /** Number the partition anew under a higher epoch first. */
      readonly bumpsEpoch: boolean;
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
      /** Whether this or an earlier attempt may have succeeded after all. */
      readonly mayBeWritten: boolean;
    };

const NONE = 0;
const MESSAGE_TOO_LARGE = 10;
const RECORD_LIST_TOO_LARGE = 18;
const OUT_OF_ORDER_SEQUENCE_NUMBER = 45;
const DUPLICATE_SEQUENCE_NUMBER = 46;
const UNKNOWN_PRODUCER_ID = 59;
const INVALID_PRODUCER_EPOCH = 47;
const UNKNOWN_OFFSET = -1;

/** REQUEST_TIMED_OUT, NETWORK_EXCEPTION, NOT_ENOUGH_REPLICAS_AFTER_APPEND: it may be in the log. */
const ambiguous: ReadonlySet<number> = new Set([7, 13, 20]);

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
      return batch.recordCount > 1 ? { type: 'split', error } : refusal(error);
    case OUT_OF_ORDER_SEQUENCE_NUMBER:
    case INVALID_PRODUCER_EPOCH:
    case UNKNOWN_PRODUCER_ID:
      return judgeSequence(answer, batch, error);
    default:
      return judgeOther(answer, batch, error);
  }
}

function judgeSequence(answer: BatchAnswer, batch: BatchFacts, error: BrokerError): Verdict {
  const { sequences } = batch;
  if (sequences === undefined || batch.attemptsLeft <= 0) return refusal(error);
  const retry: Verdict = { type: 'retry', error, bumpsEpoch: false };
  if (batch.wasRenumbered) return retry;
  if (answer.errorCode === UNKNOWN_PRODUCER_ID) {
    // Below Produce v5 the broker can't tell whether it lost data or just forgot the producer.
    return answer.logStartOffset < 0 ? retry : { ...retry, bumpsEpoch: true };
  }
  // Out of order because an earlier batch is still to be repeated: it only has to wait its turn.
  const isItsTurn = isNextSequence(sequences, batch.firstSequence);
  return isItsTurn || sequences.isUnresolved ? { ...retry, bumpsEpoch: true } : retry;
}

function judgeOther(answer: BatchAnswer, batch: BatchFacts, error: BrokerError): Verdict {
  const { recordErrors } = answer;
  if (recordErrors.length > 0 && recordErrors.length < batch.recordCount) {
    const records = new Map(
      recordErrors.map(({ batchIndex, batchIndexErrorMessage }) => [
        batchIndex,
        batchIndexErrorMessage,
      ]),
    );
    return { type: 'drop-records', error, records };
  }
  if (error.isRetriable && batch.attemptsLeft > 0) {
    return { type: 'retry', error, bumpsEpoch: false };
  }
  return { type: 'fail', error, mayBeWritten: ambiguous.has(answer.errorCode) };
}

/** A refusal that says that the broker has written nothing. */
function refusal(error: BrokerError): Verdict {
  return { type: 'fail', error, mayBeWritten: false };
}
