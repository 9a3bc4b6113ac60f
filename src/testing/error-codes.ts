import { brokerErrors } from '../core/protocol/index.js';
import { ConfigError } from '../core/util/errors.js';

const codes: ReadonlyMap<string, number> = new Map(
  brokerErrors.map(({ name, code }) => [name, code]),
);

/**
 * The number of a broker error, given by Kafka's name or by the number itself: 6 for
 * `NOT_LEADER_OR_FOLLOWER`.
 *
 * @throws ConfigError when Kafka has no error of that name.
 */
export function errorCodeOf(error: string | number): number {
  if (typeof error === 'number') return error;
  const code = codes.get(error);
  if (code !== undefined) return code;
  const wanted = error.slice(0, 6).toUpperCase();
  const similar = [...codes.keys()].filter((name) => name.includes(wanted));
  const hint = similar.length > 0 ? `; did you mean ${similar.join(' or ')}?` : '';
  throw new ConfigError(`Kafka has no error named '${error}'${hint}`, {
    code: 'UNKNOWN_ERROR_NAME',
  });
}

function lookUp<const N extends string>(...names: N[]): Readonly<Record<N, number>> {
  return Object.fromEntries(names.map((name) => [name, errorCodeOf(name)])) as Record<N, number>;
}

/** The numbers of the errors that this broker gives by itself. */
export const Errors = lookUp(
  'NONE',
  'UNKNOWN_SERVER_ERROR',
  'OFFSET_OUT_OF_RANGE',
  'CORRUPT_MESSAGE',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_OR_FOLLOWER',
  'MESSAGE_TOO_LARGE',
  'COORDINATOR_NOT_AVAILABLE',
  'INVALID_TOPIC_EXCEPTION',
  'RECORD_LIST_TOO_LARGE',
  'NOT_ENOUGH_REPLICAS',
  'INVALID_REQUIRED_ACKS',
  'INVALID_TIMESTAMP',
  'UNSUPPORTED_VERSION',
  'TOPIC_ALREADY_EXISTS',
  'INVALID_PARTITIONS',
  'INVALID_REPLICATION_FACTOR',
  'INVALID_REPLICA_ASSIGNMENT',
  'INVALID_CONFIG',
  'NOT_CONTROLLER',
  'INVALID_REQUEST',
  'UNSUPPORTED_FOR_MESSAGE_FORMAT',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'DUPLICATE_SEQUENCE_NUMBER',
  'INVALID_PRODUCER_EPOCH',
  'INVALID_TXN_STATE',
  'SECURITY_DISABLED',
  'UNKNOWN_PRODUCER_ID',
  'FETCH_SESSION_ID_NOT_FOUND',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'UNSUPPORTED_COMPRESSION_TYPE',
  'INVALID_RECORD',
  'UNKNOWN_TOPIC_ID',
  'MISMATCHED_ENDPOINT_TYPE',
  'UNSUPPORTED_ENDPOINT_TYPE',
  'POLICY_VIOLATION',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'INVALID_FETCH_SESSION_EPOCH',
  'NOT_COORDINATOR',
  'ILLEGAL_GENERATION',
  'INCONSISTENT_GROUP_PROTOCOL',
  'INVALID_GROUP_ID',
  'UNKNOWN_MEMBER_ID',
  'INVALID_SESSION_TIMEOUT',
  'REBALANCE_IN_PROGRESS',
  'OFFSET_METADATA_TOO_LARGE',
  'NON_EMPTY_GROUP',
  'GROUP_ID_NOT_FOUND',
  'MEMBER_ID_REQUIRED',
  'GROUP_MAX_SIZE_REACHED',
  'FENCED_INSTANCE_ID',
  'GROUP_SUBSCRIBED_TO_TOPIC',
  'UNSTABLE_OFFSET_COMMIT',
  'FENCED_MEMBER_EPOCH',
  'UNRELEASED_INSTANCE_ID',
  'UNSUPPORTED_ASSIGNOR',
  'STALE_MEMBER_EPOCH',
  'INVALID_REGULAR_EXPRESSION',
  'FETCH_SESSION_TOPIC_ID_ERROR',
  'INVALID_PRODUCER_ID_MAPPING',
  'INVALID_TRANSACTION_TIMEOUT',
  'CONCURRENT_TRANSACTIONS',
  'OPERATION_NOT_ATTEMPTED',
  'PRODUCER_FENCED',
  'TRANSACTIONAL_ID_NOT_FOUND',
  'TRANSACTION_ABORTABLE',
);
