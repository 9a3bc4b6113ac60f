import { startEmbeddedKafka, type KafkaRelease } from '../../src/testing/index.js';
import { startKafka, type KafkaCluster } from '../support/kafka/cluster.js';
import type { Properties } from '../support/kafka/properties.js';
import { isAtLeast } from '../support/kafka/releases.js';
import { Wire, type LoggedRecord } from '../support/kafka/wire.js';

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

export interface TopicWish {
  /** Default {@link PARTITIONS}. */
  readonly partitions?: number;
  readonly config?: Properties;
}

/** What a spec of the contract needs of a cluster, be it real or embedded. */
export interface ContractCluster extends AsyncDisposable {
  readonly bootstrapServers: string;
  createTopic(name: string, wish?: TopicWish): Promise<void>;
  addPartitions(name: string, count: number): Promise<void>;
  deleteTopic(name: string): Promise<void>;
  /** Every record of a topic, ordered by partition and offset, read without the client's help. */
  readAll(topic: string): Promise<LoggedRecord[]>;
}

/** What the brokers of a line can do, so that a spec can ask for it or for its refusal. */
export interface Capabilities {
  readonly hasTimestamps: boolean;
  readonly hasHeaders: boolean;
  readonly hasIdempotence: boolean;
  readonly hasZstd: boolean;
  /** Topics can be made, with settings, by a request. */
  readonly hasTopicRequests: boolean;
  readonly canAddPartitions: boolean;
  /** Topics can refuse records that are too old. */
  readonly hasTimestampLimits: boolean;
}

export function capabilitiesOf(version: string): Capabilities {
  return {
    hasTimestamps: isAtLeast(version, '0.10'),
    hasHeaders: isAtLeast(version, '0.11'),
    hasIdempotence: isAtLeast(version, '0.11'),
    hasZstd: isAtLeast(version, '2.1'),
    hasTopicRequests: isAtLeast(version, '0.10.1'),
    canAddPartitions: isAtLeast(version, '1.0'),
    hasTimestampLimits: isAtLeast(version, '3.6'),
  };
}

/** A cluster inside this process that passes for a line of Kafka. */
export async function embeddedCluster(version: KafkaRelease): Promise<ContractCluster> {
  const kafka = await startEmbeddedKafka({ version, numPartitions: PARTITIONS });
  const { bootstrapServers } = kafka;
  return contractCluster(bootstrapServers, capabilitiesOf(version), () => kafka.close());
}

/** A real broker. */
export async function realCluster(version: KafkaRelease): Promise<ContractCluster> {
  const kafka: KafkaCluster = await startKafka({
    version,
    properties: { 'num.partitions': PARTITIONS, 'delete.topic.enable': 'true' },
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
    addPartitions: (name, count) => wire.addPartitions(name, count),
    deleteTopic: (name) => wire.deleteTopic(name),
    readAll: (topic) => wire.readAll(topic),
    async [Symbol.asyncDispose]() {
      await wire.close();
      await stop();
    },
  };
}
