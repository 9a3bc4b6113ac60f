import { describe, expect, it } from 'vitest';
import { AssignedPartition } from '../../../../src/core/consumer/assigned-partition.js';
import { demandOf, replicaFor } from '../../../../src/core/consumer/fetching/fetch-demand.js';
import { emptyMetadata, type ClusterMetadata } from '../../../../src/core/cluster/metadata.js';
import { testPipeline } from '../../../support/records.js';
import { upTo } from '../../../support/watching.js';

function partitionOf(index: number): AssignedPartition {
  const partition = new AssignedPartition('orders', index, 10, {
    pipeline: testPipeline(),
    onAcked: () => undefined,
    onAckedLate: () => undefined,
    onNacked: () => undefined,
    onReturned: () => undefined,
    onFailedUnheard: () => undefined,
  });
  partition.begin(0, -1);
  return partition;
}

describe('what could be fetched', () => {
  it('is sorted by whom to ask, beginning with another partition each time', () => {
    const partitions = upTo(5).map(partitionOf);
    const firsts = upTo(5).map((rotation) => {
      const { byNode } = demandOf(partitions, rotation, 0, ({ partition }) => partition % 2);
      expect(byNode.get(0)!.wanted).toHaveLength(3);
      expect(byNode.get(1)!.wanted).toHaveLength(2);
      return [...byNode.values()][0]!.wanted[0]!.partition;
    });
    expect(firsts).toEqual(upTo(5));
  });

  it('leaves out what is paused, wanted by nobody, given up, at its end, being fetched, or without a position', () => {
    const partitions = upTo(7).map(partitionOf);
    partitions[0]!.isPaused = true;
    partitions[1]!.isWanted = false;
    partitions[2]!.isDraining = true;
    partitions[3]!.endOffset = 0;
    partitions[4]!.fetch = {};
    partitions[5]!.forgetPosition();
    const { byNode } = demandOf(partitions, 0, 0, () => 1);
    expect(byNode.get(1)!.wanted).toEqual([partitions[6]]);
    expect(byNode.get(1)!.others).toBe(0);
  });

  it('tells when the first of those that wait after a failure may be asked for', () => {
    const partitions = upTo(3).map(partitionOf);
    partitions[0]!.retryAt = 300;
    partitions[1]!.retryAt = 200;
    expect(demandOf(partitions, 0, 100, () => 1)).toMatchObject({ retryAt: 200 });
    expect(demandOf(partitions, 0, 300, () => 1)).toMatchObject({ retryAt: Infinity });
  });

  it('tells of partitions that nobody leads, and asks for the others', () => {
    const partitions = upTo(2).map(partitionOf);
    const demand = demandOf(partitions, 0, 0, ({ partition }) => partition - 1);
    expect(demand.lacksLeaders).toBe(true);
    expect([...demand.byNode.keys()]).toEqual([0]);
  });
});

describe('whom a partition is read from', () => {
  const node = (id: number) => [id, { id, host: `b${id}`, port: 9092, rack: null }] as const;
  const metadata: ClusterMetadata = {
    ...emptyMetadata,
    brokers: new Map([node(1), node(2)]),
    topics: new Map([
      [
        'orders',
        {
          name: 'orders',
          id: '',
          isInternal: false,
          errorCode: 0,
          partitions: [
            {
              partition: 0,
              leader: 1,
              leaderEpoch: 0,
              replicas: [1, 2],
              isr: [1, 2],
              offline: [],
              errorCode: 0,
            },
          ],
        },
      ],
    ]),
  };

  it('is its leader, or the follower that the leader has named, for as long as that counts', () => {
    const partition = partitionOf(0);
    expect(replicaFor(partition, metadata, 0)).toBe(1);
    partition.preferredReplica = { node: 2, until: 100 };
    expect(replicaFor(partition, metadata, 99)).toBe(2);
    expect(replicaFor(partition, metadata, 100)).toBe(1);
  });

  it('is its leader when that follower has left the cluster', () => {
    const partition = partitionOf(0);
    partition.preferredReplica = { node: 3, until: 100 };
    expect(replicaFor(partition, metadata, 0)).toBe(1);
  });

  it('is nobody where no leader is known', () => {
    expect(replicaFor(partitionOf(7), metadata, 0)).toBe(-1);
  });
});
