import type { BrokerError } from '../../protocol/index.js';
import type { KafkaError } from '../../util/errors.js';

/** What to do about the error that a broker has for one partition of a fetch. */
export type FetchVerdict =
  /** The log has no such offset. */
  | 'out-of-range'
  /** It passes, or another broker is to be asked. */
  | 'retry'
  | 'fatal';

/** What the broker did not foresee, or another replica may have intact. */
const tolerated: ReadonlySet<string> = new Set(['UNKNOWN_SERVER_ERROR', 'CORRUPT_MESSAGE']);

export function verdictOf(error: BrokerError, isFromFollower: boolean): FetchVerdict {
  // A follower lags behind, or is ahead of what was deleted: the leader decides (KIP-392).
  if (error.name === 'OFFSET_OUT_OF_RANGE') return isFromFollower ? 'retry' : 'out-of-range';
  return error.isRetriable || tolerated.has(error.name) ? 'retry' : 'fatal';
}

/** Of the session alone (KIP-227): a new one cures them. */
const sessionErrors: ReadonlySet<string> = new Set([
  'FETCH_SESSION_ID_NOT_FOUND',
  'INVALID_FETCH_SESSION_EPOCH',
  'FETCH_SESSION_TOPIC_ID_ERROR',
]);

export function isOfSession({ name }: BrokerError): boolean {
  return sessionErrors.has(name);
}

/** What the broker did not foresee may pass; wrong credentials and missing versions don't. */
export function isCurable(error: KafkaError): boolean {
  return error.isRetriable || error.code === 'UNKNOWN_SERVER_ERROR' || error.code === 'ABORTED';
}
