import type { BrokerError } from '../../protocol/index.js';
import type { TransactionRequest } from './state.js';

/** What an error that a coordinator named means for the transaction. */
export type Judgement =
  | 'success'
  /** The same request is sent again soon: the markers of the last transaction are being written. */
  | 'retry-soon'
  /** The same request is sent again. */
  | 'retry'
  /** The transaction has to be aborted; the producer goes on after that. */
  | 'abort'
  /** As before, but only with a new epoch. */
  | 'abort-and-bump'
  /** As before, and the coordinator has no transaction that could be aborted. */
  | 'bump'
  | 'fatal';

/** The membership is out of date: the offsets are another member's to store by now. */
const membershipErrors: ReadonlySet<string> = new Set([
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'FENCED_INSTANCE_ID',
  'STALE_MEMBER_EPOCH',
  'FENCED_MEMBER_EPOCH',
  'REBALANCE_IN_PROGRESS',
  'GROUP_ID_NOT_FOUND',
  'GROUP_AUTHORIZATION_FAILED',
]);

/**
 * Judges an error by the rules of the Java client (KIP-98, 360, 447, 588, 890). What a Produce
 * request meets is judged elsewhere: INVALID_PRODUCER_EPOCH there is a reason to abort, here it
 * means that the producer has been fenced.
 */
export function judgeCoordinator(
  request: TransactionRequest['type'],
  { name, isRetriable }: BrokerError,
): Judgement {
  const isInit = request === 'init-producer-id';
  switch (name) {
    case 'NONE':
      return 'success';
    case 'CONCURRENT_TRANSACTIONS':
      return 'retry-soon';
    case 'TRANSACTION_ABORTABLE':
      return isInit ? 'fatal' : 'abort';
    case 'UNKNOWN_PRODUCER_ID':
      return isInit ? 'fatal' : 'abort-and-bump';
    case 'INVALID_PRODUCER_ID_MAPPING':
      return isInit ? 'fatal' : 'bump';
    case 'TOPIC_AUTHORIZATION_FAILED':
    case 'OPERATION_NOT_ATTEMPTED':
      return request === 'add-partitions' || isOffsets(request) ? 'abort' : 'fatal';
    default:
      if (isRetriable) return 'retry';
      return isOffsets(request) && membershipErrors.has(name) ? 'abort' : 'fatal';
  }
}

/** Whether an error says that another producer has taken this one's place. */
export function isFencing(code: string): boolean {
  return code === 'PRODUCER_FENCED' || code === 'INVALID_PRODUCER_EPOCH';
}

function isOffsets(request: TransactionRequest['type']): boolean {
  return request === 'add-offsets' || request === 'commit-offsets';
}

const severity: Readonly<Record<Judgement, number>> = {
  success: 0,
  'retry-soon': 1,
  retry: 2,
  abort: 3,
  'abort-and-bump': 4,
  bump: 5,
  fatal: 6,
};

/**
 * The error that decides among those of several partitions. What the broker did not get to says
 * nothing, where another error says why.
 */
export function worstOf(
  request: TransactionRequest['type'],
  errors: readonly [BrokerError, ...BrokerError[]],
): BrokerError {
  const rank = (error: BrokerError) =>
    error.name === 'OPERATION_NOT_ATTEMPTED' ? 0.5 : severity[judgeCoordinator(request, error)];
  return errors.reduce((worst, error) => (rank(error) > rank(worst) ? error : worst));
}
