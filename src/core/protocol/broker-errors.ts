/** What a broker's error code means for a client. */
export interface BrokerError {
  readonly code: number;
  /** Kafka's name of it, as in `NOT_LEADER_OR_FOLLOWER`. */
  readonly name: string;
  /** A clause that says what happened. */
  readonly message: string;
  /** The same request may succeed later. */
  readonly isRetriable: boolean;
  /** What the client knows of the cluster is out of date. */
  readonly refreshesMetadata: boolean;
  /** An access control entry is missing. */
  readonly isAuthorization: boolean;
  /** The connection, member or producer that got it can't go on; a new one has to be made. */
  readonly isFatal: boolean;
}

/** r: retriable, m: refreshes metadata, a: authorization, f: fatal. */
type Marks = '' | 'r' | 'rm' | 'a' | 'f' | 'af';

const table: readonly (readonly [code: number, name: string, marks: Marks, message: string])[] = [
  [
    -1,
    'UNKNOWN_SERVER_ERROR',
    '',
    'the broker failed in a way it did not foresee; its log says more',
  ],
  [0, 'NONE', '', 'success'],
  [
    1,
    'OFFSET_OUT_OF_RANGE',
    '',
    'the partition has no record at that offset: it was deleted, or not yet written',
  ],
  [
    2,
    'CORRUPT_MESSAGE',
    'r',
    'the batch fails its checksum, is malformed, or lacks a key that a compacted topic needs',
  ],
  [3, 'UNKNOWN_TOPIC_OR_PARTITION', 'rm', 'this broker does not host the partition'],
  [4, 'INVALID_FETCH_SIZE', '', 'the fetch size makes no sense'],
  [5, 'LEADER_NOT_AVAILABLE', 'rm', 'the partition has no leader while one is being elected'],
  [
    6,
    'NOT_LEADER_OR_FOLLOWER',
    'rm',
    'this broker is not, or no longer, the one to ask for the partition',
  ],
  [
    7,
    'REQUEST_TIMED_OUT',
    'r',
    'the broker could not finish within the time that the request allowed',
  ],
  [8, 'BROKER_NOT_AVAILABLE', '', 'the broker is not available'],
  [9, 'REPLICA_NOT_AVAILABLE', 'rm', 'the replica is not available on this broker'],
  [10, 'MESSAGE_TOO_LARGE', '', 'the batch is larger than max.message.bytes of the topic allows'],
  [11, 'STALE_CONTROLLER_EPOCH', '', 'the controller has moved to another broker'],
  [
    12,
    'OFFSET_METADATA_TOO_LARGE',
    '',
    'the metadata of a committed offset is longer than the broker allows',
  ],
  [13, 'NETWORK_EXCEPTION', 'rm', 'the connection broke before the answer came'],
  [14, 'COORDINATOR_LOAD_IN_PROGRESS', 'r', 'the coordinator is still loading its state'],
  [15, 'COORDINATOR_NOT_AVAILABLE', 'r', 'there is no coordinator yet'],
  [16, 'NOT_COORDINATOR', 'r', 'this broker does not coordinate the group or the transactional id'],
  [
    17,
    'INVALID_TOPIC_EXCEPTION',
    '',
    "the topic's name is not valid, or the topic must not be used so",
  ],
  [18, 'RECORD_LIST_TOO_LARGE', '', 'the batch is larger than a segment of the topic'],
  [
    19,
    'NOT_ENOUGH_REPLICAS',
    'r',
    'fewer replicas are in sync than min.insync.replicas demands; nothing was written',
  ],
  [
    20,
    'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
    'r',
    'written, but to fewer in-sync replicas than min.insync.replicas demands',
  ],
  [21, 'INVALID_REQUIRED_ACKS', '', 'acks must be 0, 1 or -1'],
  [22, 'ILLEGAL_GENERATION', '', 'the group has moved on to another generation'],
  [
    23,
    'INCONSISTENT_GROUP_PROTOCOL',
    '',
    'the member shares no assignment protocol with the group',
  ],
  [24, 'INVALID_GROUP_ID', '', 'the group id is not valid'],
  [25, 'UNKNOWN_MEMBER_ID', '', 'the coordinator does not know this member, any more'],
  [
    26,
    'INVALID_SESSION_TIMEOUT',
    '',
    'the session timeout lies outside group.min.session.timeout.ms and group.max.session.timeout.ms',
  ],
  [27, 'REBALANCE_IN_PROGRESS', '', 'the group is rebalancing, the member has to join again'],
  [
    28,
    'INVALID_COMMIT_OFFSET_SIZE',
    '',
    'the committed offsets take more room than the broker allows',
  ],
  [29, 'TOPIC_AUTHORIZATION_FAILED', 'a', 'the principal may not do this to the topic'],
  [30, 'GROUP_AUTHORIZATION_FAILED', 'a', 'the principal may not use the group'],
  [31, 'CLUSTER_AUTHORIZATION_FAILED', 'a', 'the principal may not do this to the cluster'],
  [32, 'INVALID_TIMESTAMP', '', 'the timestamp lies outside what the topic accepts'],
  [33, 'UNSUPPORTED_SASL_MECHANISM', 'f', 'the broker does not offer the SASL mechanism'],
  [34, 'ILLEGAL_SASL_STATE', 'f', 'the request does not fit the state of the SASL exchange'],
  [35, 'UNSUPPORTED_VERSION', '', 'the broker does not know this version of the request'],
  [36, 'TOPIC_ALREADY_EXISTS', '', 'a topic of that name exists'],
  [37, 'INVALID_PARTITIONS', '', 'the number of partitions must be at least 1, and can only grow'],
  [
    38,
    'INVALID_REPLICATION_FACTOR',
    '',
    'the replication factor is below 1 or above the number of brokers',
  ],
  [39, 'INVALID_REPLICA_ASSIGNMENT', '', 'the replica assignment makes no sense'],
  [40, 'INVALID_CONFIG', '', 'a configuration entry is not valid'],
  [41, 'NOT_CONTROLLER', 'r', 'this broker is not the controller'],
  [42, 'INVALID_REQUEST', '', 'the broker finds the request malformed or contradictory'],
  [43, 'UNSUPPORTED_FOR_MESSAGE_FORMAT', '', "the topic's message format can't do this"],
  [44, 'POLICY_VIOLATION', '', 'a policy of the cluster forbids this'],
  [
    45,
    'OUT_OF_ORDER_SEQUENCE_NUMBER',
    '',
    "the batch's sequence number does not follow the last one",
  ],
  [46, 'DUPLICATE_SEQUENCE_NUMBER', '', 'the batch was written before'],
  [47, 'INVALID_PRODUCER_EPOCH', '', "the producer's epoch is older than the one the broker knows"],
  [48, 'INVALID_TXN_STATE', '', 'the transaction is not in a state that allows this'],
  [
    49,
    'INVALID_PRODUCER_ID_MAPPING',
    '',
    'the producer id does not belong to the transactional id',
  ],
  [
    50,
    'INVALID_TRANSACTION_TIMEOUT',
    '',
    "the transaction timeout exceeds the broker's transaction.max.timeout.ms",
  ],
  [
    51,
    'CONCURRENT_TRANSACTIONS',
    'r',
    'the previous transaction of this id is still being completed',
  ],
  [
    52,
    'TRANSACTION_COORDINATOR_FENCED',
    '',
    'another broker coordinates these transactions by now',
  ],
  [
    53,
    'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
    'af',
    'the principal may not use the transactional id',
  ],
  [54, 'SECURITY_DISABLED', '', 'the cluster has no authorizer'],
  [55, 'OPERATION_NOT_ATTEMPTED', '', 'the broker did not get to this part of the request'],
  [56, 'KAFKA_STORAGE_ERROR', 'rm', "the broker's disk failed"],
  [57, 'LOG_DIR_NOT_FOUND', '', 'the broker has no such log directory'],
  [58, 'SASL_AUTHENTICATION_FAILED', 'f', 'the credentials were refused'],
  [
    59,
    'UNKNOWN_PRODUCER_ID',
    '',
    'the broker has forgotten the producer, whose records may have been deleted',
  ],
  [60, 'REASSIGNMENT_IN_PROGRESS', '', 'the partition is being moved already'],
  [61, 'DELEGATION_TOKEN_AUTH_DISABLED', '', 'the cluster does not use delegation tokens'],
  [62, 'DELEGATION_TOKEN_NOT_FOUND', '', 'there is no such delegation token'],
  [
    63,
    'DELEGATION_TOKEN_OWNER_MISMATCH',
    '',
    'the principal neither owns nor may renew the delegation token',
  ],
  [
    64,
    'DELEGATION_TOKEN_REQUEST_NOT_ALLOWED',
    '',
    "delegation tokens can't be managed over this kind of connection",
  ],
  [
    65,
    'DELEGATION_TOKEN_AUTHORIZATION_FAILED',
    'a',
    'the principal may not do this to the delegation token',
  ],
  [66, 'DELEGATION_TOKEN_EXPIRED', '', 'the delegation token has expired'],
  [67, 'INVALID_PRINCIPAL_TYPE', '', 'the type of the principal is not supported'],
  [68, 'NON_EMPTY_GROUP', '', 'the group still has members'],
  [69, 'GROUP_ID_NOT_FOUND', '', 'there is no such group'],
  [70, 'FETCH_SESSION_ID_NOT_FOUND', 'r', 'the broker has forgotten the fetch session'],
  [71, 'INVALID_FETCH_SESSION_EPOCH', 'r', 'the fetch session is at another epoch'],
  [
    72,
    'LISTENER_NOT_FOUND',
    'rm',
    'the leader has no listener of the name this client came through',
  ],
  [73, 'TOPIC_DELETION_DISABLED', '', 'the cluster does not allow topics to be deleted'],
  [74, 'FENCED_LEADER_EPOCH', 'rm', "the client's leader epoch is older than the broker's"],
  [75, 'UNKNOWN_LEADER_EPOCH', 'r', "the client's leader epoch is newer than the broker's"],
  [
    76,
    'UNSUPPORTED_COMPRESSION_TYPE',
    '',
    "the records' compression needs a newer version of the request",
  ],
  [77, 'STALE_BROKER_EPOCH', '', 'the broker has registered anew since'],
  [78, 'OFFSET_NOT_AVAILABLE', 'r', 'the new leader does not know its high watermark yet'],
  [79, 'MEMBER_ID_REQUIRED', '', 'the member has to join again with the id it was just given'],
  [80, 'PREFERRED_LEADER_NOT_AVAILABLE', 'rm', 'the preferred leader is not available'],
  [81, 'GROUP_MAX_SIZE_REACHED', '', 'the group has as many members as it may have'],
  [82, 'FENCED_INSTANCE_ID', 'f', 'another member has taken over the group instance id'],
  [83, 'ELIGIBLE_LEADERS_NOT_AVAILABLE', 'rm', 'no replica that may lead is available'],
  [84, 'ELECTION_NOT_NEEDED', 'rm', 'the partition has the leader it should have'],
  [85, 'NO_REASSIGNMENT_IN_PROGRESS', '', 'the partition is not being moved'],
  [
    86,
    'GROUP_SUBSCRIBED_TO_TOPIC',
    '',
    "the group is subscribed to the topic, so its offsets can't be deleted",
  ],
  [87, 'INVALID_RECORD', '', "the broker's validation refused the record"],
  [88, 'UNSTABLE_OFFSET_COMMIT', 'r', 'offsets of a transaction under way are still to be decided'],
  [89, 'THROTTLING_QUOTA_EXCEEDED', 'r', 'the quota is used up'],
  [90, 'PRODUCER_FENCED', 'f', 'a newer producer with the same transactional id has taken over'],
  [91, 'RESOURCE_NOT_FOUND', '', 'the resource does not exist'],
  [92, 'DUPLICATE_RESOURCE', '', 'the request names a resource twice'],
  [93, 'UNACCEPTABLE_CREDENTIAL', '', "the credential does not meet the cluster's demands"],
  [94, 'INCONSISTENT_VOTER_SET', '', 'the sender or the receiver is not a voter of the quorum'],
  [95, 'INVALID_UPDATE_VERSION', '', "the feature can't be set to that version"],
  [96, 'FEATURE_UPDATE_FAILED', '', 'the features could not be updated'],
  [
    97,
    'PRINCIPAL_DESERIALIZATION_FAILURE',
    '',
    'the brokers disagree on how principals are written down',
  ],
  [98, 'SNAPSHOT_NOT_FOUND', '', 'there is no such snapshot'],
  [99, 'POSITION_OUT_OF_RANGE', '', 'the position lies outside the snapshot'],
  [100, 'UNKNOWN_TOPIC_ID', 'rm', 'this broker does not host the topic id'],
  [101, 'DUPLICATE_BROKER_REGISTRATION', '', 'the broker id is taken'],
  [102, 'BROKER_ID_NOT_REGISTERED', '', 'the broker id is not registered'],
  [
    103,
    'INCONSISTENT_TOPIC_ID',
    'rm',
    "the topic's id is another one by now: it was deleted and created again",
  ],
  [104, 'INCONSISTENT_CLUSTER_ID', '', 'the request was meant for another cluster'],
  [105, 'TRANSACTIONAL_ID_NOT_FOUND', '', 'there is no such transactional id'],
  [106, 'FETCH_SESSION_TOPIC_ID_ERROR', 'r', 'the fetch session mixes topics with and without ids'],
  [107, 'INELIGIBLE_REPLICA', '', 'a replica that may not be in sync was named so'],
  [108, 'NEW_LEADER_ELECTED', '', 'done, but another broker leads the partition now'],
  [109, 'OFFSET_MOVED_TO_TIERED_STORAGE', '', 'the offset has moved to tiered storage'],
  [
    110,
    'FENCED_MEMBER_EPOCH',
    '',
    "the group has moved past the member's epoch: its partitions are lost and it must join again",
  ],
  [111, 'UNRELEASED_INSTANCE_ID', 'f', 'another member still holds the group instance id'],
  [112, 'UNSUPPORTED_ASSIGNOR', 'f', "the group's brokers do not have the assignor"],
  [113, 'STALE_MEMBER_EPOCH', '', "the member's epoch is out of date until its next heartbeat"],
  [
    114,
    'MISMATCHED_ENDPOINT_TYPE',
    '',
    'the request belongs to a controller where it reached a broker, or the reverse',
  ],
  [115, 'UNSUPPORTED_ENDPOINT_TYPE', '', 'this kind of endpoint is not supported'],
  [116, 'UNKNOWN_CONTROLLER_ID', '', 'there is no such controller'],
  [117, 'UNKNOWN_SUBSCRIPTION_ID', '', 'the telemetry subscription is out of date'],
  [118, 'TELEMETRY_TOO_LARGE', '', 'the pushed metrics are larger than the broker accepts'],
  [119, 'INVALID_REGISTRATION', '', "the controller refuses the broker's registration"],
  [
    120,
    'TRANSACTION_ABORTABLE',
    '',
    'the transaction has to be aborted; the transactional id can go on',
  ],
  [
    121,
    'INVALID_RECORD_STATE',
    '',
    "the record is no longer acquired by this member, so it can't be acknowledged",
  ],
  [122, 'SHARE_SESSION_NOT_FOUND', 'r', 'the broker has forgotten the share session'],
  [123, 'INVALID_SHARE_SESSION_EPOCH', 'r', 'the share session is at another epoch'],
  [124, 'FENCED_STATE_EPOCH', '', "the share group's state has moved on to another epoch"],
  [125, 'INVALID_VOTER_KEY', '', "the voter's key is not the one of the receiver"],
  [126, 'DUPLICATE_VOTER', '', 'the voter is in the quorum already'],
  [127, 'VOTER_NOT_FOUND', '', 'the voter is not in the quorum'],
  [
    128,
    'INVALID_REGULAR_EXPRESSION',
    'f',
    "the broker can't read the regular expression, which must be RE2",
  ],
  [
    129,
    'REBOOTSTRAP_REQUIRED',
    '',
    "the client's metadata is stale: it has to start again from its bootstrap servers",
  ],
  [130, 'STREAMS_INVALID_TOPOLOGY', '', 'the topology is not valid'],
  [131, 'STREAMS_INVALID_TOPOLOGY_EPOCH', '', "the topology's epoch is not valid"],
  [132, 'STREAMS_TOPOLOGY_FENCED', '', "the topology's epoch is out of date"],
  [133, 'SHARE_SESSION_LIMIT_REACHED', 'r', 'the broker has as many share sessions as it may have'],
];

const byCode = new Map<number, BrokerError>(
  table.map(([code, name, marks, message]) => [
    code,
    {
      code,
      name,
      message,
      isRetriable: marks.includes('r'),
      refreshesMetadata: marks.includes('m'),
      isAuthorization: marks.includes('a'),
      isFatal: marks.includes('f'),
    },
  ]),
);

/** Every error code of Kafka 4.3, in the order of the codes. */
export const brokerErrors: readonly BrokerError[] = [...byCode.values()];

/**
 * What an error code means. A code that a newer broker invented is not retriable and is named by its
 * number.
 *
 * @example
 * brokerError(6).name // 'NOT_LEADER_OR_FOLLOWER'
 */
export function brokerError(code: number): BrokerError {
  return byCode.get(code) ?? unknownError(code);
}

function unknownError(code: number): BrokerError {
  return {
    code,
    name: `UNKNOWN_ERROR_${code}`,
    message: 'the broker is newer than this client and uses an error code unknown to it',
    isRetriable: false,
    refreshesMetadata: false,
    isAuthorization: false,
    isFatal: false,
  };
}
