import { FencedError, KafkaError, TransactionAbortedError } from '../../core/util/errors.js';

/** Refusals that say nothing about the records: the next attempt may go through. */
const passing: ReadonlySet<string> = new Set([
  'TRANSACTION_ABORTABLE',
  'INVALID_PRODUCER_EPOCH',
  'INVALID_TXN_STATE',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_ID_MAPPING',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'STALE_MEMBER_EPOCH',
  'FENCED_MEMBER_EPOCH',
  'REBALANCE_IN_PROGRESS',
]);

/** Whether an error of a transaction is of the brokers' making, and passes. */
export function isPassing(error: unknown): boolean {
  if (error instanceof FencedError) return false;
  if (error instanceof TransactionAbortedError) {
    return error.cause === undefined || isPassing(error.cause);
  }
  return error instanceof KafkaError && (error.isRetriable || passing.has(error.code));
}

/** The error behind the one that says that the transaction had to be aborted. */
export function rootOf(error: unknown): unknown {
  return error instanceof TransactionAbortedError && error.cause !== undefined
    ? rootOf(error.cause)
    : error;
}
