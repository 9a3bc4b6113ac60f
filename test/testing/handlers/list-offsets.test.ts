import { describe, expect, test } from 'vitest';
import { encodeRecords } from '../../../src/core/records/index.js';
import {
  startEmbeddedKafka,
  type EmbeddedKafka,
  type EmbeddedKafkaOptions,
} from '../../../src/testing/index.js';
import { EmbeddedClient, errorName } from '../../support/embedded-client.js';

/** `orders` with records at 100, 200, 300 and 250, the last in an epoch of its own. */
async function start(options: EmbeddedKafkaOptions = {}): Promise<EmbeddedKafka> {
  const cluster = await startEmbeddedKafka({
    listen: 'memory',
    brokers: 2,
    topics: { orders: { assignments: [[1, 2]] } },
    ...options,
  });
  for (const timestamp of [100, 200, 300]) write(cluster, timestamp);
  cluster.moveLeader('orders', 0, 1);
  write(cluster, 250);
  return cluster;
}

const write = (cluster: EmbeddedKafka, timestamp: number) =>
  cluster.append('orders', 0, encodeRecords([{ value: 'v', timestamp }]));

interface Query {
  readonly version?: number;
  readonly topic?: string;
  readonly partition?: number;
  readonly currentLeaderEpoch?: number;
  readonly isolationLevel?: number;
}

async function ask(
  client: EmbeddedClient,
  timestamp: number,
  {
    version = 11,
    topic = 'orders',
    partition = 0,
    currentLeaderEpoch = -1,
    isolationLevel = 0,
  }: Query = {},
) {
  const { topics } = await client.request('ListOffsets', version, {
    replicaId: -1,
    ...(version >= 2 ? { isolationLevel } : {}),
    topics: [
      {
        name: topic,
        partitions: [
          { partitionIndex: partition, timestamp: BigInt(timestamp), currentLeaderEpoch },
        ],
      },
    ],
  });
  const { errorCode, offset, timestamp: found, leaderEpoch } = topics[0]!.partitions[0]!;
  return { error: errorName(errorCode), offset, timestamp: Number(found), leaderEpoch };
}

test.each([
  ['the latest', -1, { offset: 4, timestamp: -1, leaderEpoch: 1 }],
  ['the earliest', -2, { offset: 0, timestamp: -1, leaderEpoch: 0 }],
  ['the largest timestamp', -3, { offset: 2, timestamp: 300, leaderEpoch: 0 }],
  ['the earliest on this broker', -4, { offset: 0, timestamp: -1, leaderEpoch: 0 }],
  ['the last that was tiered', -5, { offset: -1, timestamp: -1, leaderEpoch: -1 }],
  ['the first that waits to be tiered', -6, { offset: -1, timestamp: -1, leaderEpoch: -1 }],
  ['a time before all', 0, { offset: 0, timestamp: 100, leaderEpoch: 0 }],
  ['a time in between', 201, { offset: 2, timestamp: 300, leaderEpoch: 0 }],
  ['a time after all', 301, { offset: -1, timestamp: -1, leaderEpoch: -1 }],
])('%s (%i) is found', async (_, timestamp, expected) => {
  await using cluster = await start();
  expect(await ask(new EmbeddedClient(cluster), timestamp)).toEqual({ error: 'NONE', ...expected });
});

test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])(
  'version %i finds by time and position',
  async (version) => {
    await using cluster = await start();
    const client = new EmbeddedClient(cluster);
    const leaderEpoch = version < 4 ? -1 : 1;
    expect(await ask(client, -1, { version })).toMatchObject({
      error: 'NONE',
      offset: 4,
      leaderEpoch,
    });
    expect(await ask(client, 150, { version })).toMatchObject({ offset: 1, timestamp: 200 });
  },
);

test.each([
  [-3, 7],
  [-4, 8],
  [-5, 9],
  [-6, 11],
  [-7, 12],
])('the position %i is unknown below version %i', async (timestamp, first) => {
  await using cluster = await start();
  const client = new EmbeddedClient(cluster);
  const older = await ask(client, timestamp, { version: first - 1 });
  expect(older.error).toBe('UNSUPPORTED_VERSION');
  if (first > 11) return;
  expect((await ask(client, timestamp, { version: first })).error).toBe('NONE');
});

test('an empty log begins and ends at the same offset', async () => {
  await using cluster = await startEmbeddedKafka({ listen: 'memory', topics: { orders: 1 } });
  const client = new EmbeddedClient(cluster);
  expect(await ask(client, -1)).toMatchObject({ offset: 0, leaderEpoch: 0 });
  expect(await ask(client, -2)).toMatchObject({ offset: 0 });
  expect(await ask(client, -3)).toMatchObject({ offset: -1, timestamp: -1 });
});

test('the latest offset comes with the current epoch, also where it wrote nothing yet', async () => {
  await using cluster = await start();
  await cluster.stop(2);
  await cluster.stop(1);
  await cluster.start(1);
  const { leaderEpoch } = cluster.inspect().topics['orders']!.partitions[0]!;
  expect(leaderEpoch).toBeGreaterThan(1);
  expect(await ask(new EmbeddedClient(cluster), -1)).toMatchObject({ leaderEpoch });
});

test('with read_committed, records of an open transaction are not there yet', async () => {
  await using cluster = await start();
  const open = encodeRecords([{ value: 'v', timestamp: 400 }], {
    isTransactional: true,
    producer: { producerId: 1, producerEpoch: 0, baseSequence: 0 },
  });
  cluster.append('orders', 0, open);
  const client = new EmbeddedClient(cluster);
  const committed = { isolationLevel: 1 };
  expect(await ask(client, -1)).toMatchObject({ offset: 5 });
  expect(await ask(client, -1, committed)).toMatchObject({ offset: 4 });
  expect(await ask(client, 350)).toMatchObject({ offset: 4, timestamp: 400 });
  expect(await ask(client, 350, committed)).toMatchObject({ offset: -1, timestamp: -1 });
});

describe('an error', () => {
  test('is told for a partition that there is not', async () => {
    await using cluster = await start();
    const client = new EmbeddedClient(cluster);
    const error = 'UNKNOWN_TOPIC_OR_PARTITION';
    expect((await ask(client, -1, { topic: 'nowhere' })).error).toBe(error);
    expect((await ask(client, -1, { partition: 1 })).error).toBe(error);
  });

  test('is told by a broker that does not lead', async () => {
    await using cluster = await start();
    const answer = await ask(new EmbeddedClient(cluster, 2), -1);
    expect(answer).toMatchObject({ error: 'NOT_LEADER_OR_FOLLOWER', offset: -1 });
  });

  test('is told to those who are behind or ahead of the leader’s epoch', async () => {
    await using cluster = await start();
    const client = new EmbeddedClient(cluster);
    const errorWith = async (currentLeaderEpoch: number) =>
      (await ask(client, -1, { currentLeaderEpoch })).error;
    expect(await errorWith(0)).toBe('FENCED_LEADER_EPOCH');
    expect(await errorWith(1)).toBe('NONE');
    expect(await errorWith(2)).toBe('UNKNOWN_LEADER_EPOCH');
  });
});

describe('version 0', () => {
  async function offsets(client: EmbeddedClient, timestamp: number, maxNumOffsets: number) {
    const { topics } = await client.request('ListOffsets', 0, {
      replicaId: -1,
      topics: [
        {
          name: 'orders',
          partitions: [{ partitionIndex: 0, timestamp: BigInt(timestamp), maxNumOffsets }],
        },
      ],
    });
    return topics[0]!.partitions[0]!.oldStyleOffsets;
  }

  test('lists offsets from the end on, as many as wanted', async () => {
    await using cluster = await start({ version: '2.8' });
    const client = new EmbeddedClient(cluster);
    expect(await offsets(client, -1, 1)).toEqual([4]);
    expect(await offsets(client, -1, 10)).toEqual([4, 0]);
    expect(await offsets(client, -2, 10)).toEqual([0]);
  });

  test('knows time only as that of whole segments', async () => {
    await using cluster = await start({
      version: '2.8',
      topics: { orders: { assignments: [[1, 2]], configs: { 'segment.bytes': '200' } } },
    });
    const client = new EmbeddedClient(cluster);
    const all = await offsets(client, -1, 10);
    expect(all.length).toBeGreaterThan(2);
    expect(await offsets(client, 1000, 10)).toEqual(all.slice(1));
    expect(await offsets(client, 50, 10)).toEqual([]);
  });
});
