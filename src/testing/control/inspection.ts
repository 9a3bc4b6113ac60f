import { apis, resolveApi, type Api, type ApiOrName } from '../../core/protocol/index.js';
import type { Broker } from '../broker.js';
import type { Cluster } from '../state/cluster.js';
import type { Partition } from '../state/partition.js';
import {
  committedRecordsIn,
  recordsIn,
  snapshotTopics,
  type ClusterSnapshot,
  type StoredRecord,
} from './inspect.js';
import { snapshotGroups, snapshotOffsets, type OffsetsSnapshot } from './inspect-groups.js';
import { snapshotTransactions } from './inspect-transactions.js';
import { partitionOf, topicOf } from './lookup.js';
import type { RequestLog } from './request-log.js';

/** Tells what there is, and what was asked for. */
export interface Inspection {
  /**
   * Everything about the cluster at this moment, as plain data.
   *
   * @example
   * expect(cluster.inspect().topics.orders?.partitions[0]).toMatchObject({ leader: 2, records: 10 });
   */
  inspect(): ClusterSnapshot;

  /**
   * The records of a topic, or of one partition, that consumers can read, decoded.
   *
   * @example
   * cluster.records('orders').map(({ value }) => String(value));
   */
  records(topic: string, partition?: number): StoredRecord[];

  /**
   * The records of a topic, or of one partition, that consumers with `read_committed` can read: none
   * of transactions that were aborted, and none from the first that is still open.
   *
   * @example
   * cluster.committedRecords('invoices').map(({ value }) => String(value));
   */
  committedRecords(topic: string, partition?: number): StoredRecord[];

  /**
   * What a group has committed, by topic and partition; nothing for a group that there is not.
   *
   * @example
   * cluster.groupOffsets('billing').orders?.[0]?.offset; // 42
   */
  groupOffsets(groupId: string): OffsetsSnapshot;

  /**
   * Resolves when an API has been called `count` times since the start, over all brokers: what tests
   * wait for instead of sleeping.
   *
   * @example
   * await cluster.whenRequested('Fetch');
   */
  whenRequested(api: ApiOrName, count?: number): Promise<void>;
}

/** What is looked at. */
export interface Inspected {
  readonly cluster: Cluster;
  readonly brokers: readonly Broker[];
  readonly requests: RequestLog;
}

export function inspection({ cluster, brokers, requests }: Inspected): Inspection {
  const inPartitions = (
    read: (partition: Partition) => StoredRecord[],
    topic: string,
    index: number | undefined,
  ) =>
    index === undefined
      ? topicOf(cluster, topic).partitions.flatMap(read)
      : read(partitionOf(cluster, topic, index));
  return {
    inspect: () => snapshot(cluster, brokers, requests),
    records: (topic, index) => inPartitions(recordsIn, topic, index),
    committedRecords: (topic, index) => inPartitions(committedRecordsIn, topic, index),
    groupOffsets: (groupId) => snapshotOffsets(cluster.groups.offsetsOf(groupId)),
    whenRequested: (api, count = 1) => requests.whenTotal((resolveApi(api) as Api).key, count),
  };
}

function snapshot(
  cluster: Cluster,
  brokers: readonly Broker[],
  requests: RequestLog,
): ClusterSnapshot {
  const { settings, controllerId } = cluster;
  const counted = Object.values(apis).map(({ name, key }) => [name, requests.total(key)]);
  return {
    clusterId: settings.clusterId,
    version: settings.profile.release,
    controllerId,
    brokers: brokers.map(({ node, connectionCount }) => ({
      ...node,
      connections: connectionCount,
      requests: requests.of(node.id),
    })),
    topics: snapshotTopics(cluster),
    groups: snapshotGroups(cluster),
    transactions: snapshotTransactions(cluster),
    requests: Object.fromEntries(counted.filter(([, count]) => count !== 0)) as Record<
      string,
      number
    >,
    complaints: [...requests.complaints],
  };
}
