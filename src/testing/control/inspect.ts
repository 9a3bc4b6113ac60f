import {
  decodeRecords,
  readBatches,
  recordsOf,
  type Header,
  type Record as KafkaRecord,
} from '../../core/records/index.js';
import type { GroupSnapshot } from './inspect-groups.js';
import type { TransactionSnapshot } from './inspect-transactions.js';
import type { Cluster } from '../state/cluster.js';
import type { EpochStart } from '../state/leader-epochs.js';
import type { Partition } from '../state/partition.js';
import type { ProducerSnapshot } from '../state/producer-states.js';
import type { StoredBatch } from '../state/segment.js';

/**
 * A whole cluster at one moment: plain data, to be compared and printed. What happens later does not
 * change it.
 *
 * @example
 * const { topics, requests } = cluster.inspect();
 * expect(topics.orders?.partitions[0]).toMatchObject({ leader: 2, records: 10 });
 * expect(requests.Produce).toBe(1);
 */
export interface ClusterSnapshot {
  readonly clusterId: string;
  /** The Kafka line it passes for, as in `'4.3'`. */
  readonly version: string;
  /** -1 when no broker runs. */
  readonly controllerId: number;
  readonly brokers: readonly BrokerSnapshot[];
  readonly topics: Readonly<Record<string, TopicSnapshot>>;
  readonly groups: Readonly<Record<string, GroupSnapshot>>;
  /** By their transactional ids. */
  readonly transactions: Readonly<Record<string, TransactionSnapshot>>;
  /** Requests of each API by name, over all brokers, since the start. */
  readonly requests: Readonly<Record<string, number>>;
  /** Why brokers hung up on clients: unknown requests, bytes that make no sense. The newest last. */
  readonly complaints: readonly string[];
}

/** One broker at one moment. */
export interface BrokerSnapshot {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
  readonly isRunning: boolean;
  /** Open connections. */
  readonly connections: number;
  /** Requests of each API by name that it got since the start. */
  readonly requests: Readonly<Record<string, number>>;
}

/** One topic at one moment. */
export interface TopicSnapshot {
  /** 22 characters of base64url; another one for a topic that was made anew (KIP-516). */
  readonly topicId: string;
  /** The settings that differ from the defaults. */
  readonly configs: Readonly<Record<string, string>>;
  readonly partitions: readonly PartitionSnapshot[];
}

/** One partition with its log at one moment. */
export interface PartitionSnapshot {
  /** Its index in the topic. */
  readonly partition: number;
  /** -1 when there is none. */
  readonly leader: number;
  /** Raised by one with each change of leader. */
  readonly leaderEpoch: number;
  /** Broker ids, the preferred leader first. */
  readonly replicas: readonly number[];
  /** Those of the replicas that are in sync. */
  readonly isr: readonly number[];
  /** The first offset there is. */
  readonly logStartOffset: number;
  readonly highWatermark: number;
  /** The first offset of an open transaction; the high watermark where none is open. */
  readonly lastStableOffset: number;
  readonly logEndOffset: number;
  /** Batches in the log, or messages of old formats. */
  readonly batches: number;
  /** Records that can be read. */
  readonly records: number;
  /** Bytes in the log, as they are stored. */
  readonly sizeBytes: number;
  /** Which leader epoch began where in the log, the oldest first. */
  readonly leaderEpochs: readonly EpochStart[];
  /** What is remembered of idempotent producers. */
  readonly producers: readonly ProducerSnapshot[];
}

/** A record in the log. */
export interface StoredRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Milliseconds since 1970; -1 when there is none. */
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** As on the wire: ordered, names may come twice. */
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
    lastStableOffset: partition.lastStableOffset,
    logEndOffset: log.endOffset,
    batches: batches.length,
    records: batches
      .filter(isData)
      .reduce(
        (sum, { baseOffset, lastOffset }) =>
          sum + lastOffset - Math.max(baseOffset, log.startOffset) + 1,
        0,
      ),
    sizeBytes: log.sizeBytes,
    leaderEpochs: [...log.epochs.all],
    producers: log.producers.snapshot,
  };
}

/** Producers number their batches; markers have none. */
function isData({ producerId, baseSequence }: StoredBatch): boolean {
  return producerId < 0 || baseSequence >= 0;
}

/** What consumers can read of a partition, decoded. */
export function recordsIn(partition: Partition): StoredRecord[] {
  const { log } = partition;
  return storedRecords(partition, decodeRecords(log.read(log.startOffset, Infinity, true).records));
}

/** What consumers can read of a partition who want decided records only, decoded. */
export function committedRecordsIn(partition: Partition): StoredRecord[] {
  const { log } = partition;
  const upTo = partition.lastStableOffset;
  const { records } = log.read(log.startOffset, Infinity, true, upTo);
  const aborted = log.abortedIn(log.startOffset, records.length);
  const kept = readBatches(records).filter(
    (batch) =>
      !batch.isTransactional ||
      !aborted.some(
        ({ producerId, firstOffset, lastOffset }) =>
          producerId === batch.producerId &&
          firstOffset <= batch.baseOffset &&
          batch.baseOffset <= lastOffset,
      ),
  );
  const decided = kept
    .filter(({ isControl }) => !isControl)
    .flatMap((batch) => [...recordsOf(batch)]);
  return storedRecords(partition, decided);
}

function storedRecords(
  { topic, index, log }: Partition,
  records: readonly KafkaRecord[],
): StoredRecord[] {
  return records
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
