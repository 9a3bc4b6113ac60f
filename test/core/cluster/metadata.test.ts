import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  applyLeaderHint,
  emptyMetadata,
  forgetBrokers,
  forgetTopics,
  reduceMetadata,
  type ClusterMetadata,
} from '../../../src/core/cluster/metadata.js';
import {
  apis,
  decodeResponse,
  encodeResponse,
  ZERO_UUID,
  type ResponseInput,
} from '../../../src/core/protocol/index.js';

const { Metadata } = apis;
const ID_A = '8iYoVbBRQb2M5GW2eLYxwA';
const ID_B = '1mvtEbZPSLmAqj5CYvTVDg';
const VERSION = 12;

interface Part {
  readonly leader: number;
  readonly epoch?: number;
  readonly error?: number;
}

interface Topic {
  readonly id?: string;
  readonly error?: number;
  readonly partitions: readonly Part[];
}

/** An answer as it comes off the wire. */
function answer(topics: Readonly<Record<string, Topic>>, brokers = [1, 2, 3]) {
  const body: ResponseInput<typeof Metadata> = {
    brokers: brokers.map((nodeId) => ({ nodeId, host: `b${nodeId}`, port: 9092 })),
    clusterId: 'c',
    controllerId: 1,
    topics: Object.entries(topics).map(([name, { id = ID_A, error = 0, partitions }]) => ({
      name,
      topicId: id,
      errorCode: error,
      partitions: partitions.map(({ leader, epoch = 0, error: errorCode = 0 }, partitionIndex) => ({
        errorCode,
        partitionIndex,
        leaderId: leader,
        leaderEpoch: epoch,
        replicaNodes: [1, 2, 3],
        isrNodes: [1, 2, 3],
      })),
    })),
  };
  return decodeResponse(Metadata, VERSION, encodeResponse(Metadata, VERSION, body));
}

function reduce(
  previous: ClusterMetadata,
  topics: Readonly<Record<string, Topic>>,
  version = VERSION,
) {
  return reduceMetadata(previous, answer(topics), version);
}

function leaders(metadata: ClusterMetadata, topic: string): number[] {
  return metadata.topics.get(topic)!.partitions.map(({ leader }) => leader);
}

const first = reduce(emptyMetadata, {
  orders: {
    partitions: [
      { leader: 1, epoch: 5 },
      { leader: 2, epoch: 5 },
    ],
  },
}).metadata;

describe('what an answer changes', () => {
  it('is everything at first', () => {
    const { metadata, changes } = reduce(emptyMetadata, {
      orders: { partitions: [{ leader: 1 }] },
    });
    expect(changes).toEqual([{ type: 'brokers' }, { type: 'topic-added', topic: 'orders' }]);
    expect(metadata).toMatchObject({ clusterId: 'c', controllerId: 1 });
    expect(metadata.brokers.get(2)).toEqual({ id: 2, host: 'b2', port: 9092, rack: null });
    expect(metadata.topicNames.get(ID_A)).toBe('orders');
  });

  it('is nothing when the answer is the same', () => {
    const { changes } = reduce(first, {
      orders: {
        partitions: [
          { leader: 1, epoch: 5 },
          { leader: 2, epoch: 5 },
        ],
      },
    });
    expect(changes).toEqual([]);
  });

  it('is a leader with a higher epoch', () => {
    const { metadata, changes } = reduce(first, {
      orders: {
        partitions: [
          { leader: 3, epoch: 6 },
          { leader: 2, epoch: 5 },
        ],
      },
    });
    expect(changes).toEqual([{ type: 'leader', topic: 'orders', partition: 0 }]);
    expect(leaders(metadata, 'orders')).toEqual([3, 2]);
  });

  it('is not a leader with a lower epoch than the one known', () => {
    const { metadata, changes } = reduce(first, {
      orders: {
        partitions: [
          { leader: 3, epoch: 4 },
          { leader: 2, epoch: 5 },
        ],
      },
    });
    expect(changes).toEqual([]);
    expect(leaders(metadata, 'orders')).toEqual([1, 2]);
  });

  it('is any leader where epochs are not to be trusted, before Metadata 9', () => {
    const { metadata } = reduce(
      first,
      {
        orders: {
          partitions: [
            { leader: 3, epoch: 4 },
            { leader: 2, epoch: 5 },
          ],
        },
      },
      8,
    );
    expect(leaders(metadata, 'orders')).toEqual([3, 2]);
    expect(metadata.topics.get('orders')!.partitions[0]!.leaderEpoch).toBe(-1);
  });

  it('is a whole topic whose id changed, whatever its epochs', () => {
    const { metadata, changes } = reduce(first, {
      orders: { id: ID_B, partitions: [{ leader: 3, epoch: 0 }] },
    });
    expect(changes).toEqual([{ type: 'topic-recreated', topic: 'orders' }]);
    expect(leaders(metadata, 'orders')).toEqual([3]);
    expect([...metadata.topicNames]).toEqual([[ID_B, 'orders']]);
  });

  it('is not the id where one of the brokers has none', () => {
    const { changes } = reduce(first, {
      orders: {
        id: ZERO_UUID,
        partitions: [
          { leader: 1, epoch: 5 },
          { leader: 2, epoch: 5 },
        ],
      },
    });
    expect(changes).toEqual([]);
  });

  it('is more partitions', () => {
    const { changes } = reduce(first, {
      orders: { partitions: [{ leader: 1, epoch: 5 }, { leader: 2, epoch: 5 }, { leader: 3 }] },
    });
    expect(changes).toEqual([{ type: 'partitions-added', topic: 'orders', count: 3 }]);
  });

  it('is a deleted topic', () => {
    const { metadata, changes } = reduce(first, { orders: { error: 3, partitions: [] } });
    expect(changes).toEqual([{ type: 'topic-removed', topic: 'orders' }]);
    expect(metadata.topics.get('orders')).toMatchObject({ errorCode: 3, partitions: [] });
  });

  it('leaves topics alone that were not asked for', () => {
    const { metadata } = reduce(first, { clicks: { id: ID_B, partitions: [{ leader: 1 }] } });
    expect([...metadata.topics.keys()]).toEqual(['orders', 'clicks']);
  });

  it('keeps the brokers known where an answer names none', () => {
    const { metadata } = reduceMetadata(first, answer({}, []), VERSION);
    expect([...metadata.brokers.keys()]).toEqual([1, 2, 3]);
  });

  it('never changes the snapshot before', () => {
    const before = structuredClone(first);
    reduce(first, { orders: { id: ID_B, partitions: [{ leader: 3, epoch: 9 }] } });
    expect(first).toEqual(before);
  });

  it('fills partitions in that the broker left out, so that the list stays dense', () => {
    const given = answer({ orders: { partitions: [{ leader: 1 }, { leader: 2 }, { leader: 3 }] } });
    const [topic] = given.topics;
    const sparse = {
      ...given,
      topics: [{ ...topic!, partitions: topic!.partitions.filter((_, i) => i !== 1) }],
    };
    const { metadata } = reduceMetadata(emptyMetadata, sparse, VERSION);
    expect(leaders(metadata, 'orders')).toEqual([1, -1, 3]);
  });

  it('never lets a leader epoch go down while the topic stays the same', () => {
    const steps = fc.array(
      fc.record({ leader: fc.integer({ min: -1, max: 3 }), epoch: fc.nat(9) }),
    );
    fc.assert(
      fc.property(steps, (parts) => {
        let metadata = emptyMetadata;
        let highest = -1;
        for (const part of parts) {
          ({ metadata } = reduce(metadata, { orders: { partitions: [part] } }));
          highest = Math.max(highest, part.epoch);
          expect(metadata.topics.get('orders')!.partitions[0]!.leaderEpoch).toBe(highest);
        }
      }),
    );
  });
});

describe('a leader that a refusal names (KIP-951)', () => {
  const hint = { topic: 'orders', partition: 0, leaderId: 3, leaderEpoch: 6 };

  it('is taken when its epoch is newer', () => {
    const { metadata, changes } = applyLeaderHint(first, hint, []);
    expect(leaders(metadata, 'orders')).toEqual([3, 2]);
    expect(changes).toEqual([{ type: 'leader', topic: 'orders', partition: 0 }]);
  });

  it.each([5, 4])('is ignored when its epoch is not newer: %i', (leaderEpoch) => {
    expect(applyLeaderHint(first, { ...hint, leaderEpoch }, []).metadata).toBe(first);
  });

  it('brings the address of a broker that was not known', () => {
    const endpoint = { nodeId: 4, host: 'b4', port: 9094, rack: 'r' };
    const { metadata, changes } = applyLeaderHint(first, { ...hint, leaderId: 4 }, [endpoint]);
    expect(metadata.brokers.get(4)).toEqual({ id: 4, host: 'b4', port: 9094, rack: 'r' });
    expect(changes[0]).toEqual({ type: 'brokers' });
  });

  it('is ignored when nobody knows where that broker is', () => {
    expect(applyLeaderHint(first, { ...hint, leaderId: 4 }, []).metadata).toBe(first);
  });

  it('is ignored for what is not known', () => {
    expect(applyLeaderHint(first, { ...hint, topic: 'other' }, []).metadata).toBe(first);
    expect(applyLeaderHint(first, { ...hint, partition: 7 }, []).metadata).toBe(first);
  });
});

describe('forgetting', () => {
  it('drops topics and their ids', () => {
    const metadata = forgetTopics(first, () => false);
    expect(metadata.topics.size).toBe(0);
    expect(metadata.topicNames.size).toBe(0);
    expect(metadata.brokers).toBe(first.brokers);
  });

  it('of brokers takes any epoch afterwards, for the cluster may be another one', () => {
    const metadata = forgetBrokers(first);
    expect(metadata.brokers.size).toBe(0);
    const next = reduce(metadata, { orders: { partitions: [{ leader: 3, epoch: 0 }] } });
    expect(leaders(next.metadata, 'orders')).toEqual([3]);
  });
});
