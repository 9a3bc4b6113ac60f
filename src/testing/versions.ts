import { allApis, apis, type ApiName, type VersionRange } from '../core/protocol/index.js';
import { invariant } from '../core/util/assert.js';
import { UNLIMITED } from './state/topic-config.js';

/** The Kafka lines that the embedded broker can pass for. */
export const kafkaReleases = [
  '0.8.2',
  '0.9',
  '0.10.0',
  '0.10.2',
  '0.11',
  '1.0',
  '1.1',
  '2.8',
  '3.9',
  '4.3',
] as const;

/**
 * A Kafka line, as in `'4.3'`.
 *
 * @see {@link kafkaReleases}
 */
export type KafkaRelease = (typeof kafkaReleases)[number];

/** What brokers of one Kafka line understand and how they differ from others. */
export interface Profile {
  readonly release: KafkaRelease;
  /** Versions of each API by key that are answered. */
  readonly served: ReadonlyMap<number, VersionRange>;
  /** Versions of each API by key that ApiVersions tells. */
  readonly advertised: ReadonlyMap<number, VersionRange>;
  /** What happens to a request that the broker does not know. */
  readonly onUnknownRequest: 'close' | 'ignore';
  /** The newest record format: 2 since 0.11, 1 since 0.10. */
  readonly maxMagic: 0 | 1 | 2;
  /** Since Kafka 3 the metadata is kept by a KRaft quorum, so that any broker forwards changes. */
  readonly isKraft: boolean;
  /** Since 2.0 a throttled client gets its answer at once and is muted then (KIP-219). */
  readonly mutesWhenThrottled: boolean;
  /** Since 3.6 the coordinator is asked whether a partition is in the transaction (KIP-890). */
  readonly verifiesTransactions: boolean;
  /** Before 4.0 whoever committed in a transaction founded the group, whatever it said to be. */
  readonly foundsGroupsInTransactions: boolean;
  /** How a gap or a repetition in a producer's sequence is called. */
  readonly sequenceRules: SequenceRules;
  /** What ApiVersions tells of features (KIP-584). */
  readonly features: readonly Feature[];
  /** Topic settings whose defaults were others than those of 4.x. */
  readonly topicDefaults: ReadonlyMap<string, string>;
}

/** A feature of the cluster: the levels a broker knows, and the one in force. */
export interface Feature {
  readonly name: string;
  readonly minVersion: number;
  readonly maxVersion: number;
  /** 0 when it is off. */
  readonly finalized: number;
}

/** How idempotent producers are judged; it changed with nearly every line. */
export interface SequenceRules {
  /** Batches of each producer that are remembered to recognise duplicates. */
  readonly window: number;
  /** What a duplicate of a batch that fell out of the window gets. */
  readonly forgottenDuplicate: 'DUPLICATE_SEQUENCE_NUMBER' | 'OUT_OF_ORDER_SEQUENCE_NUMBER';
  /** What a producer without history gets whose sequence does not start at 0. */
  readonly unknownProducer: 'accept' | 'UNKNOWN_PRODUCER_ID' | 'OUT_OF_ORDER_SEQUENCE_NUMBER';
  /** Before 2.4 a producer was forgotten when its last record was deleted. */
  readonly forgetsWithRecords: boolean;
}

/**
 * The API versions of each line, read from `ApiKeys` of its kafka-clients jar (brokers before 0.10
 * from what they were seen to answer).
 */
const table = `
api                           0.8.2  0.9    0.10.0 0.10.2 0.11   1.0    1.1    2.8    3.9    4.3
Produce                       0      0-1    0-2    0-2    0-3    0-5    0-5    0-9    0-11   3-13
Fetch                         0      0-1    0-2    0-3    0-5    0-6    0-7    0-12   0-17   4-18
ListOffsets                   0      0      0      0-1    0-2    0-2    0-2    0-6    0-9    1-11
Metadata                      0      0      0-1    0-2    0-4    0-5    0-5    0-11   0-12   0-13
OffsetCommit                  0-1    0-2    0-2    0-2    0-3    0-3    0-3    0-8    0-9    2-10
OffsetFetch                   0-1    0-1    0-1    0-2    0-3    0-3    0-3    0-7    0-9    1-10
FindCoordinator               0      0      0      0      0-1    0-1    0-1    0-3    0-6    0-6
JoinGroup                     -      0      0      0-1    0-2    0-2    0-2    0-7    0-9    0-9
Heartbeat                     -      0      0      0      0-1    0-1    0-1    0-4    0-4    0-4
LeaveGroup                    -      0      0      0      0-1    0-1    0-1    0-4    0-5    0-5
SyncGroup                     -      0      0      0      0-1    0-1    0-1    0-5    0-5    0-5
DescribeGroups                -      0      0      0      0-1    0-1    0-1    0-5    0-5    0-6
ListGroups                    -      0      0      0      0-1    0-1    0-1    0-4    0-5    0-5
SaslHandshake                 -      -      0      0      0      0-1    0-1    0-1    0-1    0-1
ApiVersions                   -      -      0      0      0-1    0-1    0-1    0-3    0-4    0-4
CreateTopics                  -      -      -      0-1    0-2    0-2    0-2    0-7    0-7    2-7
DeleteTopics                  -      -      -      0      0-1    0-1    0-1    0-6    0-6    1-6
DeleteRecords                 -      -      -      -      0      0      0      0-2    0-2    0-2
InitProducerId                -      -      -      -      0      0      0      0-4    0-5    0-5
OffsetForLeaderEpoch          -      -      -      -      0      0      0      0-4    0-4    2-4
AddPartitionsToTxn            -      -      -      -      0      0      0      0-3    0-5    0-5
AddOffsetsToTxn               -      -      -      -      0      0      0      0-3    0-4    0-4
EndTxn                        -      -      -      -      0      0      0      0-3    0-4    0-5
TxnOffsetCommit               -      -      -      -      0      0      0      0-3    0-4    0-5
DescribeAcls                  -      -      -      -      0      0      0      0-2    0-3    1-3
CreateAcls                    -      -      -      -      0      0      0      0-2    0-3    1-3
DeleteAcls                    -      -      -      -      0      0      0      0-2    0-3    1-3
DescribeConfigs               -      -      -      -      0      0      0-1    0-4    0-4    1-4
AlterConfigs                  -      -      -      -      0      0      0      0-2    0-2    0-2
AlterReplicaLogDirs           -      -      -      -      -      0      0      0-2    0-2    1-2
DescribeLogDirs               -      -      -      -      -      0      0      0-2    0-4    1-5
SaslAuthenticate              -      -      -      -      -      0      0      0-2    0-2    0-2
CreatePartitions              -      -      -      -      -      0      0      0-3    0-3    0-3
CreateDelegationToken         -      -      -      -      -      -      0      0-2    0-3    1-3
RenewDelegationToken          -      -      -      -      -      -      0      0-2    0-2    1-2
ExpireDelegationToken         -      -      -      -      -      -      0      0-2    0-2    1-2
DescribeDelegationToken       -      -      -      -      -      -      0      0-2    0-3    1-3
DeleteGroups                  -      -      -      -      -      -      0      0-2    0-2    0-2
ElectLeaders                  -      -      -      -      -      -      -      0-2    0-2    0-2
IncrementalAlterConfigs       -      -      -      -      -      -      -      0-1    0-1    0-1
AlterPartitionReassignments   -      -      -      -      -      -      -      0      0      0-1
ListPartitionReassignments    -      -      -      -      -      -      -      0      0      0
OffsetDelete                  -      -      -      -      -      -      -      0      0      0
DescribeClientQuotas          -      -      -      -      -      -      -      0-1    0-1    0-1
AlterClientQuotas             -      -      -      -      -      -      -      0-1    0-1    0-1
DescribeUserScramCredentials  -      -      -      -      -      -      -      0      0      0
AlterUserScramCredentials     -      -      -      -      -      -      -      0      0      0
DescribeQuorum                -      -      -      -      -      -      -      -      0-2    0-2
UpdateFeatures                -      -      -      -      -      -      -      0      0-1    0-2
DescribeCluster               -      -      -      -      -      -      -      0      0-1    0-2
DescribeProducers             -      -      -      -      -      -      -      0      0      0
UnregisterBroker              -      -      -      -      -      -      -      -      0      0
DescribeTransactions          -      -      -      -      -      -      -      -      0      0
ListTransactions              -      -      -      -      -      -      -      -      0-1    0-2
ConsumerGroupHeartbeat        -      -      -      -      -      -      -      -      0      0-1
ConsumerGroupDescribe         -      -      -      -      -      -      -      -      0      0-1
GetTelemetrySubscriptions     -      -      -      -      -      -      -      -      0      0
PushTelemetry                 -      -      -      -      -      -      -      -      0      0
ListConfigResources           -      -      -      -      -      -      -      -      0      0-1
DescribeTopicPartitions       -      -      -      -      -      -      -      -      0      0
ShareGroupHeartbeat           -      -      -      -      -      -      -      -      -      1
ShareGroupDescribe            -      -      -      -      -      -      -      -      -      1
ShareFetch                    -      -      -      -      -      -      -      -      -      1-2
ShareAcknowledge              -      -      -      -      -      -      -      -      -      1-2
DescribeShareGroupOffsets     -      -      -      -      -      -      -      -      -      0-1
AlterShareGroupOffsets        -      -      -      -      -      -      -      -      -      0
DeleteShareGroupOffsets       -      -      -      -      -      -      -      -      -      0
`;

/** Versions that are advertised though they are refused: librdkafka took the lack of them amiss. */
const advertisedOnly: Partial<Record<KafkaRelease, Partial<Record<ApiName, number>>>> = {
  '4.3': { Produce: 0 },
};

const AFTER_MAX_MS = 'message.timestamp.after.max.ms';

const modernRules: SequenceRules = {
  window: 5,
  forgottenDuplicate: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
  unknownProducer: 'accept',
  forgetsWithRecords: false,
};

const rules: Partial<Record<KafkaRelease, SequenceRules>> = {
  '0.11': {
    window: 1,
    forgottenDuplicate: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
    unknownProducer: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
    forgetsWithRecords: true,
  },
  '1.0': {
    window: 5,
    forgottenDuplicate: 'DUPLICATE_SEQUENCE_NUMBER',
    unknownProducer: 'UNKNOWN_PRODUCER_ID',
    forgetsWithRecords: true,
  },
  '1.1': {
    window: 5,
    forgottenDuplicate: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
    unknownProducer: 'UNKNOWN_PRODUCER_ID',
    forgetsWithRecords: true,
  },
};

const feature = (name: string, finalized: number, minVersion = 0): Feature => ({
  name,
  minVersion,
  maxVersion: finalized,
  finalized,
});

/** As a real broker tells them after formatting its storage with no feature named. */
const features: Partial<Record<KafkaRelease, readonly Feature[]>> = {
  '3.9': [feature('metadata.version', 21, 1)],
  '4.3': [
    feature('eligible.leader.replicas.version', 1),
    feature('group.version', 1),
    feature('kraft.version', 1),
    feature('metadata.version', 30, 7),
    feature('share.version', 1),
    feature('streams.version', 1),
    feature('transaction.version', 2),
  ],
};

/**
 * What brokers of a Kafka line do.
 *
 * @param implemented Keys of the APIs that can be answered: others are not advertised.
 */
export function profileOf(release: KafkaRelease, implemented: ReadonlySet<number>): Profile {
  const served = new Map([...rangesOf(release)].filter(([key]) => implemented.has(key)));
  const advertised = new Map(served);
  for (const [name, min] of Object.entries(advertisedOnly[release] ?? {})) {
    const { key } = apis[name as ApiName];
    const range = served.get(key);
    if (range !== undefined) advertised.set(key, { min, max: range.max });
  }
  const line = kafkaReleases.indexOf(release);
  const isSince = (other: KafkaRelease) => line >= kafkaReleases.indexOf(other);
  return {
    release,
    served,
    advertised,
    // 0.8.2 hung up on what it did not know; 0.9 stayed silent and left the connection open.
    onUnknownRequest: release === '0.9' ? 'ignore' : 'close',
    maxMagic: isSince('0.11') ? 2 : isSince('0.10.0') ? 1 : 0,
    isKraft: isSince('3.9'),
    mutesWhenThrottled: isSince('2.8'),
    verifiesTransactions: isSince('3.9'),
    foundsGroupsInTransactions: !isSince('4.3'),
    sequenceRules: rules[release] ?? modernRules,
    features: features[release] ?? [],
    // Since 4.0 records more than an hour ahead of the broker's clock are refused (KIP-1030).
    topicDefaults: isSince('4.3') ? new Map() : new Map([[AFTER_MAX_MS, UNLIMITED]]),
  };
}

/** The versions of each API by key, in one column of the table. */
function rangesOf(release: KafkaRelease): Map<number, VersionRange> {
  const [heading, ...rows] = table.trim().split('\n');
  const column = heading!.split(/ +/).indexOf(release);
  const ranges = new Map<number, VersionRange>();
  for (const row of rows) {
    const cells = row.split(/ +/);
    const api = allApis.find(({ name }) => name === cells[0]);
    invariant(api !== undefined, `the version table names ${cells[0]!}`);
    const [min, max = min] = cells[column]!.split('-').map(Number);
    if (cells[column] !== '-') ranges.set(api.key, { min: min!, max: max! });
  }
  return ranges;
}
