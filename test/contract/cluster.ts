import {
  encodeControlBatch,
  encodeRecords,
  type EncodeOptions,
  type RecordContent,
} from '../../src/protocol.js';
import { startEmbeddedKafka, type KafkaRelease } from '../../src/testing/index.js';
import { startKafka, type KafkaCluster } from '../support/kafka/cluster.js';
import type { Properties } from '../support/kafka/properties.js';
import { isAtLeast } from '../support/kafka/releases.js';
import { Wire, type LoggedRecord, type TransactionOutcome } from '../support/kafka/wire.js';

/** The lines of Kafka that the contract is held to. */
export const contractReleases: readonly KafkaRelease[] = [
  '4.3',
  '3.9',
  '2.8',
  '1.1',
  '0.10.2',
  '0.8.2',
];

/** Partitions of a topic, unless a spec asks for another number. */
export const PARTITIONS = 3;

/** How often members of groups show that they live: often, so that rebalances are quick. */
export const HEARTBEAT_MS = 200;

export interface TopicWish {
  /** Default {@link PARTITIONS}. */
  readonly partitions?: number;
  readonly config?: Properties;
}

/** What a spec of the contract needs of a cluster, be it real or embedded. */
export interface ContractCluster extends AsyncDisposable {
  readonly bootstrapServers: string;
  createTopic(name: string, wish?: TopicWish): Promise<void>;
  /** Waits for a topic, which brokers before 0.11 make since they are asked for it. */
  awaitTopic(name: string): Promise<void>;
  addPartitions(name: string, count: number): Promise<void>;
  deleteTopic(name: string): Promise<void>;
  /** Every record of a topic, ordered by partition and offset, read without the client's help. */
  readAll(topic: string): Promise<LoggedRecord[]>;
  /** Writes one batch without the client's help; returns the offset of its first record. */
  write(
    topic: string,
    partition: number,
    records: readonly RecordContent[],
    options?: EncodeOptions,
  ): Promise<number>;
  /** Writes records in a transaction, and ends it or leaves it open. */
  writeTransaction(
    topic: string,
    partition: number,
    records: readonly RecordContent[],
    outcome: TransactionOutcome,
  ): Promise<void>;
}

/** What the brokers of a line can do, so that a spec can ask for it or for its refusal. */
export interface Capabilities {
  readonly hasTimestamps: boolean;
  readonly hasHeaders: boolean;
  readonly hasIdempotence: boolean;
  readonly hasZstd: boolean;
  /** Topics can be made, with settings, by a request. */
  readonly hasTopicRequests: boolean;
  /** A client can ask for a topic without making it. */
  readonly canForbidAutoCreation: boolean;
  readonly canAddPartitions: boolean;
  /** Topics can refuse records that are too old. */
  readonly hasTimestampLimits: boolean;
  readonly hasGroups: boolean;
  /** KIP-848 is on without further ado. */
  readonly hasConsumerProtocol: boolean;
  readonly hasTransactions: boolean;
  /** Offsets of a member can be part of a transaction (KIP-447). */
  readonly hasGroupTransactions: boolean;
}

export function capabilitiesOf(version: string): Capabilities {
  return {
    hasTimestamps: isAtLeast(version, '0.10'),
    hasHeaders: isAtLeast(version, '0.11'),
    hasIdempotence: isAtLeast(version, '0.11'),
    hasZstd: isAtLeast(version, '2.1'),
    hasTopicRequests: isAtLeast(version, '0.10.1'),
    canForbidAutoCreation: isAtLeast(version, '0.11'),
    canAddPartitions: isAtLeast(version, '1.0'),
    hasTimestampLimits: isAtLeast(version, '3.6'),
    hasGroups: isAtLeast(version, '0.9'),
    hasConsumerProtocol: isAtLeast(version, '4.0'),
    hasTransactions: isAtLeast(version, '0.11'),
    hasGroupTransactions: isAtLeast(version, '2.5'),
  };
}

/** A cluster inside this process that passes for a line of Kafka. */
export async function embeddedCluster(version: KafkaRelease): Promise<ContractCluster> {
  const kafka = await startEmbeddedKafka({
    version,
    numPartitions: PARTITIONS,
    groupConsumerHeartbeatIntervalMs: HEARTBEAT_MS,
  });
  const { bootstrapServers } = kafka;
  const cluster = contractCluster(bootstrapServers, capabilitiesOf(version), () => kafka.close());
  let producerId = 1_000_000;
  const writeTransaction: ContractCluster['writeTransaction'] = (
    topic,
    partition,
    records,
    outcome,
  ) => {
    const producer = { producerId: producerId++, producerEpoch: 0, baseSequence: 0 };
    const timed = records.map((record) => ({ timestamp: Date.now(), ...record }));
    kafka.append(topic, partition, encodeRecords(timed, { isTransactional: true, producer }));
    if (outcome !== 'open') {
      const marker = { kind: outcome, ...producer, coordinatorEpoch: 0, timestamp: Date.now() };
      kafka.append(topic, partition, encodeControlBatch(marker));
    }
    return Promise.resolve();
  };
  return { ...cluster, writeTransaction };
}

/** A real broker. */
export async function realCluster(
  version: string,
  features: Readonly<Record<string, number>> = {},
): Promise<ContractCluster> {
  const kafka: KafkaCluster = await startKafka({
    version,
    features,
    properties: {
      'num.partitions': PARTITIONS,
      'delete.topic.enable': 'true',
      // Half a minute after its start a broker deletes records with timestamps older than a week.
      'log.retention.hours': 876_000,
      'group.consumer.min.heartbeat.interval.ms': HEARTBEAT_MS,
      'group.consumer.heartbeat.interval.ms': HEARTBEAT_MS,
    },
  });
  return contractCluster(kafka.bootstrapServers, capabilitiesOf(version), () => kafka.stop());
}

function contractCluster(
  bootstrapServers: string,
  { hasTopicRequests }: Capabilities,
  stop: () => Promise<void>,
): ContractCluster {
  const wire = new Wire(bootstrapServers);
  return {
    bootstrapServers,
    async createTopic(name, { partitions = PARTITIONS, config } = {}) {
      if (hasTopicRequests) await wire.createTopic(name, { partitions, ...(config && { config }) });
      // Before, only asking for it makes a topic, with the broker's own number of partitions.
      else await wire.awaitLeaders(name, PARTITIONS);
    },
    awaitTopic: (name) => wire.awaitLeaders(name, PARTITIONS),
    addPartitions: (name, count) => wire.addPartitions(name, count),
    deleteTopic: (name) => wire.deleteTopic(name),
    readAll: (topic) => wire.readAll(topic),
    write: (...args) => wire.write(...args),
    writeTransaction: (...args) => wire.writeTransaction(...args),
    async [Symbol.asyncDispose]() {
      await wire.close();
      await stop();
    },
  };
}
