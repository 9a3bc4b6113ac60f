import { describe, expect, test } from 'vitest';
import { ZERO_UUID } from '../../../src/core/protocol/index.js';
import { decodeRecords, encodeRecords, readBatches } from '../../../src/core/records/index.js';
import {
  startEmbeddedKafka,
  type EmbeddedKafka,
  type EmbeddedKafkaOptions,
} from '../../../src/testing/index.js';
import { EmbeddedClient, errorName, fetchFrom, produceTo } from '../../support/embedded-client.js';
import { FakeClock, settled } from '../../support/fake-clock.js';

const start = (options: EmbeddedKafkaOptions = {}) =>
  startEmbeddedKafka({
    listen: 'memory',
    clock: new FakeClock(),
    topics: { orders: 1 },
    ...options,
  });

const values = (records: Buffer | null) =>
  decodeRecords(records ?? Buffer.alloc(0)).map(({ value }) => String(value));

/** Appends batches of one record each, as large as wanted, and returns the size of one. */
function fill(cluster: EmbeddedKafka, count: number, bytes = 1, partition = 0): number {
  const value = 'x'.repeat(bytes);
  for (let i = 0; i < count; i++) cluster.append('orders', partition, encodeRecords([{ value }]));
  return encodeRecords([{ value }]).length;
}

test.each([4, 5, 7, 10, 11, 12])('version %i reads what was produced', async (version) => {
  await using cluster = await start();
  const client = new EmbeddedClient(cluster);
  await produceTo(client, 'orders', [{ value: 'a' }, { value: 'b' }]);
  const answer = await fetchFrom(client, 'orders', { version });
  expect(answer).toMatchObject({ error: 'NONE', highWatermark: 2, lastStableOffset: 2 });
  expect(values(answer.records)).toEqual(['a', 'b']);
});

describe('topic ids', () => {
  const ask = async (cluster: EmbeddedKafka, version: number, topicId: string) => {
    const { responses } = await new EmbeddedClient(cluster).request('Fetch', version, {
      maxWaitMs: 0,
      minBytes: 0,
      topics: [
        { topicId, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }] },
      ],
    });
    return { topicId: responses[0]!.topicId, ...responses[0]!.partitions[0]! };
  };

  test.each([13, 15, 17, 18])('are what version %i asks with', async (version) => {
    await using cluster = await start();
    fill(cluster, 2);
    const { topicId } = cluster.inspect().topics['orders']!;
    const answer = await ask(cluster, version, topicId);
    expect(answer).toMatchObject({ topicId, errorCode: 0 });
    expect(values(answer.records)).toEqual(['x', 'x']);
  });

  test.each(['AAAAAAAAAAAAAAAAAAAAAQ', ZERO_UUID])('that nobody has (%s) are told', async (id) => {
    await using cluster = await start();
    expect(errorName((await ask(cluster, 13, id)).errorCode)).toBe('UNKNOWN_TOPIC_ID');
  });
});

describe('limits', () => {
  test('of a partition cut the last batch short', async () => {
    await using cluster = await start();
    const size = fill(cluster, 3, 100);
    const client = new EmbeddedClient(cluster);
    const answer = await fetchFrom(client, 'orders', { partitionMaxBytes: 2 * size + 20 });
    expect(answer.records).toHaveLength(2 * size + 20);
    expect(readBatches(answer.records!)).toHaveLength(2);
  });

  test('give way to the first batch, so that a consumer gets on', async () => {
    await using cluster = await start();
    const size = fill(cluster, 2, 1000);
    const client = new EmbeddedClient(cluster);
    const answer = await fetchFrom(client, 'orders', { partitionMaxBytes: 1, maxBytes: 1 });
    expect(answer.records).toHaveLength(size);
  });

  test('give way to the first batch of the whole answer only', async () => {
    await using cluster = await start({ topics: { orders: 3 } });
    for (const partition of [1, 2]) fill(cluster, 1, 1000, partition);
    const { responses } = await new EmbeddedClient(cluster).request('Fetch', 12, {
      maxWaitMs: 0,
      minBytes: 1,
      maxBytes: 10,
      topics: [
        {
          topic: 'orders',
          partitions: [0, 1, 2].map((partition) => ({
            partition,
            fetchOffset: 0,
            partitionMaxBytes: 10,
          })),
        },
      ],
    });
    const sizes = responses[0]!.partitions.map(({ records }) => records!.length);
    expect(sizes[0]).toBe(0);
    expect(sizes[1]).toBeGreaterThan(1000);
    expect(sizes[2]).toBe(0);
  });

  test('of the whole answer hold over all partitions', async () => {
    await using cluster = await start({ topics: { orders: 2 } });
    const size = fill(cluster, 5, 100, 0);
    fill(cluster, 5, 100, 1);
    const { responses } = await new EmbeddedClient(cluster).request('Fetch', 12, {
      maxWaitMs: 0,
      minBytes: 1,
      maxBytes: 7 * size,
      topics: [
        {
          topic: 'orders',
          partitions: [0, 1].map((partition) => ({
            partition,
            fetchOffset: 0,
            partitionMaxBytes: 100 * size,
          })),
        },
      ],
    });
    const sizes = responses[0]!.partitions.map(({ records }) => records!.length);
    expect(sizes).toEqual([5 * size, 2 * size]);
  });

  test('are hard before version 3: a client learns from the cut batch that it must ask for more', async () => {
    await using cluster = await start({ version: '0.10.0' });
    cluster.append('orders', 0, encodeRecords([{ value: 'x'.repeat(500) }], { magic: 1 }));
    const client = new EmbeddedClient(cluster);
    const answer = await fetchFrom(client, 'orders', { version: 2, partitionMaxBytes: 100 });
    expect(answer.records).toHaveLength(100);
    expect(readBatches(answer.records!)).toEqual([]);
  });
});

describe('waiting', () => {
  const clock = () => new FakeClock();

  test('ends when records come', async () => {
    await using cluster = await start();
    const waiting = fetchFrom(new EmbeddedClient(cluster), 'orders', { maxWaitMs: 60_000 });
    await cluster.whenRequested('Fetch');
    await produceTo(new EmbeddedClient(cluster), 'orders', [{ value: 'late' }]);
    expect(values((await waiting).records)).toEqual(['late']);
  });

  test('ends with nothing when the time is over', async () => {
    const time = clock();
    await using cluster = await start({ clock: time });
    const client = new EmbeddedClient(cluster);
    const waiting = fetchFrom(client, 'orders', { maxWaitMs: 500 });
    await cluster.whenRequested('Fetch');
    await settled();
    time.advance(499);
    await settled();
    expect(client.pending).toBe(1);
    time.advance(1);
    expect(await waiting).toMatchObject({ error: 'NONE', records: Buffer.alloc(0) });
    expect(time.pending).toBe(0);
  });

  test('goes on until there are as many bytes as wanted', async () => {
    await using cluster = await start();
    const client = new EmbeddedClient(cluster);
    const size = encodeRecords([{ value: 'x' }]).length;
    const waiting = fetchFrom(client, 'orders', { maxWaitMs: 60_000, minBytes: 3 * size });
    await cluster.whenRequested('Fetch');
    fill(cluster, 2);
    await settled();
    expect(client.pending).toBe(1);
    fill(cluster, 1);
    expect(values((await waiting).records)).toHaveLength(3);
  });

  test('asks for no more bytes than the answer may hold', async () => {
    await using cluster = await start();
    fill(cluster, 5, 100);
    const answer = await fetchFrom(new EmbeddedClient(cluster), 'orders', {
      maxWaitMs: 60_000,
      minBytes: 1_000_000,
      maxBytes: 200,
    });
    expect(answer.error).toBe('NONE');
  });

  test('does not begin where there is something to tell', async () => {
    await using cluster = await start();
    const client = new EmbeddedClient(cluster);
    const options = { maxWaitMs: 60_000, minBytes: 1_000_000 };
    expect((await fetchFrom(client, 'nowhere', options)).error).toBe('UNKNOWN_TOPIC_OR_PARTITION');
    expect((await fetchFrom(client, 'orders', { ...options, offset: 5 })).error).toBe(
      'OFFSET_OUT_OF_RANGE',
    );
    const { responses } = await client.request('Fetch', 12, { ...options, topics: [] });
    expect(responses).toEqual([]);
  });

  test('ends when the leader moves', async () => {
    await using cluster = await start({ brokers: 2, topics: {} });
    cluster.createTopic('orders', { assignments: [[1]] });
    cluster.createTopic('moving', { assignments: [[1, 2]] });
    const waiting = fetchFrom(new EmbeddedClient(cluster), 'moving', {
      maxWaitMs: 60_000,
      currentLeaderEpoch: 0,
    });
    await cluster.whenRequested('Fetch');
    cluster.moveLeader('moving', 0, 2);
    expect((await waiting).error).toBe('FENCED_LEADER_EPOCH');
  });

  test('ends when the topic is deleted', async () => {
    await using cluster = await start();
    const waiting = fetchFrom(new EmbeddedClient(cluster), 'orders', { maxWaitMs: 60_000 });
    await cluster.whenRequested('Fetch');
    cluster.deleteTopic('orders');
    expect((await waiting).error).toBe('UNKNOWN_TOPIC_OR_PARTITION');
  });

  test('leaves nothing behind when the client is gone', async () => {
    const time = clock();
    await using cluster = await start({ clock: time });
    const client = new EmbeddedClient(cluster);
    void fetchFrom(client, 'orders', { maxWaitMs: 60_000 }).catch(() => undefined);
    await cluster.whenRequested('Fetch');
    await settled();
    expect(time.pending).toBe(1);
    client.close();
    await settled();
    expect(time.pending).toBe(0);
  });
});

describe('an offset', () => {
  test.each([-1, 3])('of %i is out of range', async (offset) => {
    await using cluster = await start();
    fill(cluster, 2);
    const answer = await fetchFrom(new EmbeddedClient(cluster), 'orders', { offset });
    expect(answer).toMatchObject({ error: 'OFFSET_OUT_OF_RANGE', highWatermark: -1 });
  });

  test('that was deleted is out of range', async () => {
    await using cluster = await start();
    fill(cluster, 3);
    const client = new EmbeddedClient(cluster);
    await client.request('DeleteRecords', 2, {
      topics: [{ name: 'orders', partitions: [{ partitionIndex: 0, offset: 2 }] }],
      timeoutMs: 1000,
    });
    expect((await fetchFrom(client, 'orders', { offset: 1 })).error).toBe('OFFSET_OUT_OF_RANGE');
    expect(await fetchFrom(client, 'orders', { offset: 2 })).toMatchObject({
      error: 'NONE',
      logStartOffset: 2,
    });
  });

  test('at the end is where new records will be', async () => {
    await using cluster = await start();
    fill(cluster, 2);
    const answer = await fetchFrom(new EmbeddedClient(cluster), 'orders', { offset: 2 });
    expect(answer).toMatchObject({ error: 'NONE', records: Buffer.alloc(0) });
  });
});

describe('leaders and their epochs', () => {
  async function moved() {
    const cluster = await start({ brokers: 3, topics: {} });
    cluster.createTopic('orders', { assignments: [[1, 2]] });
    fill(cluster, 3);
    cluster.moveLeader('orders', 0, 2);
    return cluster;
  }

  test('since version 12 a broker without a replica names no leader, since 16 it does', async () => {
    await using cluster = await moved();
    const { topicId } = cluster.inspect().topics['orders']!;
    const client = new EmbeddedClient(cluster, 3);
    const ask = (version: number) =>
      client.request('Fetch', version, {
        maxWaitMs: 0,
        minBytes: 0,
        topics: [
          { topicId, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 99 }] },
        ],
      });
    const hinted = await ask(16);
    expect(hinted.responses[0]!.partitions[0]).toMatchObject({
      errorCode: 6,
      currentLeader: { leaderId: 2, leaderEpoch: 1 },
    });
    expect(hinted.nodeEndpoints).toEqual([{ nodeId: 2, host: 'broker-2', port: 9092, rack: null }]);
    expect((await ask(15)).responses[0]!.partitions[0]).toMatchObject({
      errorCode: 6,
      currentLeader: { leaderId: -1 },
    });
  });

  test('a follower is read from since version 11', async () => {
    await using cluster = await moved();
    const client = new EmbeddedClient(cluster, 1);
    expect((await fetchFrom(client, 'orders', { version: 10 })).error).toBe(
      'NOT_LEADER_OR_FOLLOWER',
    );
    expect(values((await fetchFrom(client, 'orders', { version: 11 })).records)).toHaveLength(3);
  });

  test('an old epoch is fenced, and one that is yet to come is unknown', async () => {
    await using cluster = await moved();
    const client = new EmbeddedClient(cluster, 2);
    const errorWith = async (currentLeaderEpoch: number) =>
      (await fetchFrom(client, 'orders', { currentLeaderEpoch })).error;
    expect(await errorWith(0)).toBe('FENCED_LEADER_EPOCH');
    expect(await errorWith(1)).toBe('NONE');
    expect(await errorWith(2)).toBe('UNKNOWN_LEADER_EPOCH');
    expect(await errorWith(-1)).toBe('NONE');
  });

  test('a client whose records were lost is told where the logs part ways', async () => {
    await using cluster = await start();
    fill(cluster, 10);
    cluster.truncate('orders', 0, 4);
    fill(cluster, 20);
    const client = new EmbeddedClient(cluster);
    const lost = await fetchFrom(client, 'orders', { offset: 10, lastFetchedEpoch: 0 });
    expect(lost).toMatchObject({
      error: 'NONE',
      divergingEpoch: { epoch: 0, endOffset: 4 },
      records: Buffer.alloc(0),
    });
    const sound = await fetchFrom(client, 'orders', { offset: 4, lastFetchedEpoch: 0 });
    expect(sound).toMatchObject({ error: 'NONE', divergingEpoch: { epoch: -1, endOffset: -1 } });
    expect(values(sound.records)).toHaveLength(20);
  });

  test('an epoch that there never was is out of range', async () => {
    await using cluster = await start();
    fill(cluster, 3);
    const answer = await fetchFrom(new EmbeddedClient(cluster), 'orders', {
      offset: 1,
      lastFetchedEpoch: 9,
    });
    expect(answer.error).toBe('OFFSET_OUT_OF_RANGE');
  });
});

describe('racks', () => {
  async function racked() {
    const cluster = await start({
      brokers: [
        { id: 1, rack: 'a' },
        { id: 2, rack: 'b' },
      ],
      rackAwareFetch: true,
      topics: {},
    });
    cluster.createTopic('orders', { assignments: [[1, 2]] });
    fill(cluster, 2);
    return cluster;
  }

  test('send a consumer to the replica in its own', async () => {
    await using cluster = await racked();
    const answer = await fetchFrom(new EmbeddedClient(cluster, 1), 'orders', { rackId: 'b' });
    expect(answer).toMatchObject({ error: 'NONE', preferredReadReplica: 2 });
    expect(answer.records).toHaveLength(0);
    const near = await fetchFrom(new EmbeddedClient(cluster, 2), 'orders', { rackId: 'b' });
    expect(near).toMatchObject({ error: 'NONE', preferredReadReplica: -1 });
    expect(values(near.records)).toHaveLength(2);
  });

  test('matter only while the near replica is in sync', async () => {
    await using cluster = await racked();
    cluster.setIsr('orders', 0, [1]);
    const answer = await fetchFrom(new EmbeddedClient(cluster, 1), 'orders', { rackId: 'b' });
    expect(answer.preferredReadReplica).toBe(-1);
    expect(values(answer.records)).toHaveLength(2);
  });
});

describe('old formats', () => {
  test.each([
    [0, 0],
    [1, 0],
    [2, 1],
    [3, 1],
    [4, 2],
  ] as const)('version %i gets magic %i at most', async (version, magic) => {
    await using cluster = await start({ version: '2.8' });
    cluster.append('orders', 0, encodeRecords([{ key: 'k', value: 'v', timestamp: 9 }]));
    const answer = await fetchFrom(new EmbeddedClient(cluster), 'orders', { version });
    expect(readBatches(answer.records!).map((batch) => batch.magic)).toEqual([magic]);
    expect(values(answer.records)).toEqual(['v']);
  });

  test('have no zstd', async () => {
    await using cluster = await start({ version: '2.8' });
    cluster.append('orders', 0, encodeRecords([{ value: 'v' }], { compressionType: 'zstd' }));
    const client = new EmbeddedClient(cluster);
    expect((await fetchFrom(client, 'orders', { version: 3 })).error).toBe(
      'UNSUPPORTED_COMPRESSION_TYPE',
    );
    expect((await fetchFrom(client, 'orders', { version: 4 })).error).toBe('NONE');
  });

  test('a topic that insists on zstd needs version 10', async () => {
    await using cluster = await start({
      topics: { orders: { configs: { 'compression.type': 'zstd' } } },
    });
    fill(cluster, 1);
    const client = new EmbeddedClient(cluster);
    expect((await fetchFrom(client, 'orders', { version: 9 })).error).toBe(
      'UNSUPPORTED_COMPRESSION_TYPE',
    );
    expect((await fetchFrom(client, 'orders', { version: 10 })).error).toBe('NONE');
  });
});
