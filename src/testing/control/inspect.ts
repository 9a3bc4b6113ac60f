import { decodeRecords, type Header } from '../../core/records/index.js';
import type { GroupSnapshot } from './inspect-groups.js';
import type { Cluster } from '../state/cluster.js';
import type { EpochStart } from '../state/leader-epochs.js';
import type { Partition } from '../state/partition.js';
import type { ProducerSnapshot } from '../state/producer-states.js';

/** A whole cluster at one moment: plain data, to be compared and printed. */
export interface ClusterSnapshot {
  readonly clusterId: string;
  readonly version: string;
  /** -1 when no broker runs. */
  readonly controllerId: number;
  readonly brokers: readonly BrokerSnapshot[];
  readonly topics: Readonly<Record<string, TopicSnapshot>>;
  readonly groups: Readonly<Record<string, GroupSnapshot>>;
  /** Requests of each API by name, over all brokers, since the start. */
  readonly requests: Readonly<Record<string, number>>;
  /** Why brokers hung up on clients: unknown requests, bytes that make no sense. The newest last. */
  readonly complaints: readonly string[];
}

export interface BrokerSnapshot {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
  readonly isRunning: boolean;
  /** Open connections. */
  readonly connections: number;
  readonly requests: Readonly<Record<string, number>>;
}

export interface TopicSnapshot {
  readonly topicId: string;
  /** The settings that differ from the defaults. */
  readonly configs: Readonly<Record<string, string>>;
  readonly partitions: readonly PartitionSnapshot[];
}

export interface PartitionSnapshot {
  readonly partition: number;
  /** -1 when there is none. */
  readonly leader: number;
  readonly leaderEpoch: number;
  readonly replicas: readonly number[];
  readonly isr: readonly number[];
  readonly logStartOffset: number;
  readonly highWatermark: number;
  readonly logEndOffset: number;
  /** Batches in the log, or messages of old formats. */
  readonly batches: number;
  /** Records that can be read. */
  readonly records: number;
  readonly sizeBytes: number;
  readonly leaderEpochs: readonly EpochStart[];
  readonly producers: readonly ProducerSnapshot[];
}

/** A record in the log. */
export interface StoredRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly Header[];
}

export function snapshotTopics(cluster: Cluster): Record<string, TopicSnapshot> {
  const topics = [...cluster.topics.values()].map(({ name, id, config, partitions }) => [
    name,
    { topicId: id, configs: config.overrides, partitions: partitions.map(snapshotPartition) },
  ]);
  return Object.fromEntries(topics) as Record<string, TopicSnapshot>;
}

function snapshotPartition(partition: Partition): PartitionSnapshot {
  const { index, leaderId, leaderEpoch, replicas, isr, log, highWatermark } = partition;
  const batches = log.batches.filter(({ lastOffset }) => lastOffset >= log.startOffset);
  return {
    partition: index,
    leader: leaderId,
    leaderEpoch,
    replicas: [...replicas],
    isr: [...isr],
    logStartOffset: log.startOffset,
    highWatermark,
    logEndOffset: log.endOffset,
    batches: batches.length,
    records: batches.reduce(
      (sum, { baseOffset, lastOffset }) =>
        sum + lastOffset - Math.max(baseOffset, log.startOffset) + 1,
      0,
    ),
    sizeBytes: log.sizeBytes,
    leaderEpochs: [...log.epochs.all],
    producers: log.producers.snapshot,
  };
}

/** What consumers can read of a partition, decoded. */
export function recordsIn({ topic, index, log }: Partition): StoredRecord[] {
  const { records } = log.read(log.startOffset, Infinity, true);
  return decodeRecords(records)
    .filter(({ offset }) => offset >= log.startOffset)
    .map(({ offset, timestamp, key, value, headers }) => ({
      topic,
      partition: index,
      offset,
      timestamp,
      key,
      value,
      headers,
    }));
}
