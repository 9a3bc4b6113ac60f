import { describe, expect, test } from 'vitest';
import { ZERO_UUID } from '../../../src/core/protocol/index.js';
import { startEmbeddedKafka, type EmbeddedKafkaOptions } from '../../../src/testing/index.js';
import { EmbeddedClient, errorName } from '../../support/embedded-client.js';

const start = (options: EmbeddedKafkaOptions = {}) =>
  startEmbeddedKafka({ listen: 'memory', topics: { orders: 2 }, ...options });

async function ask(client: EmbeddedClient, names: readonly string[] | null, version = 12) {
  const topics = names?.map((name) => ({ name })) ?? null;
  const answer = await client.request('Metadata', version, { topics });
  return {
    ...answer,
    topics: answer.topics.map((topic) => ({ ...topic, error: errorName(topic.errorCode) })),
  };
}

test.each([0, 1, 2, 5, 7, 8, 9, 10, 11, 12])(
  'version %i tells brokers, leaders and replicas',
  async (version) => {
    await using cluster = await start({ brokers: 2, version: '3.9', topics: {} });
    cluster.createTopic('orders', { assignments: [[2, 1]] });
    const { brokers, topics } = await ask(new EmbeddedClient(cluster), ['orders'], version);
    expect(brokers).toMatchObject([
      { nodeId: 1, host: 'broker-1', port: 9092 },
      { nodeId: 2, host: 'broker-2', port: 9092 },
    ]);
    expect(topics).toMatchObject([
      {
        name: 'orders',
        error: 'NONE',
        partitions: [{ partitionIndex: 0, leaderId: 2, replicaNodes: [2, 1], isrNodes: [2, 1] }],
      },
    ]);
  },
);

test('epochs, ids, racks and the cluster’s id are there as soon as versions have them', async () => {
  await using cluster = await start({ brokers: [{ id: 7, rack: 'north' }], clusterId: 'mine' });
  const { topicId } = cluster.inspect().topics['orders']!;
  const answer = await ask(new EmbeddedClient(cluster, 7), ['orders'], 13);
  expect(answer).toMatchObject({
    clusterId: 'mine',
    controllerId: 7,
    errorCode: 0,
    brokers: [{ nodeId: 7, rack: 'north' }],
    topics: [{ topicId, partitions: [{ leaderEpoch: 0 }, { leaderEpoch: 0 }] }],
  });
});

describe('which topics', () => {
  test('null means all, and an empty list none', async () => {
    await using cluster = await start();
    const client = new EmbeddedClient(cluster);
    expect((await ask(client, null)).topics.map(({ name }) => name)).toEqual(['orders']);
    expect((await ask(client, [])).topics).toEqual([]);
  });

  test('an empty list means all in version 0', async () => {
    await using cluster = await start({ version: '0.8.2' });
    const { topics } = await ask(new EmbeddedClient(cluster), [], 0);
    expect(topics.map(({ name }) => name)).toEqual(['orders']);
  });

  test('can be said by id since version 12', async () => {
    await using cluster = await start();
    const { topicId } = cluster.inspect().topics['orders']!;
    const client = new EmbeddedClient(cluster);
    const byId = async (version: number, id: string) =>
      client.request('Metadata', version, { topics: [{ topicId: id, name: null }] });
    expect((await byId(12, topicId)).topics).toMatchObject([{ name: 'orders', topicId }]);
    const unknown = (await byId(12, 'AAAAAAAAAAAAAAAAAAAAAQ')).topics[0]!;
    expect([unknown.name, errorName(unknown.errorCode)]).toEqual([null, 'UNKNOWN_TOPIC_ID']);
    expect(errorName((await byId(10, topicId)).topics[0]!.errorCode)).toBe('INVALID_REQUEST');
    expect(errorName((await byId(12, ZERO_UUID)).topics[0]!.errorCode)).toBe('INVALID_REQUEST');
  });

  test('with a name that can’t be are refused', async () => {
    await using cluster = await start();
    const { topics } = await ask(new EmbeddedClient(cluster), ['a b']);
    expect(topics[0]!.error).toBe('INVALID_TOPIC_EXCEPTION');
  });
});

describe('an unknown topic', () => {
  test.each([
    ['4.3', 'UNKNOWN_TOPIC_OR_PARTITION'],
    ['2.8', 'LEADER_NOT_AVAILABLE'],
  ] as const)('is made, and %s says at first %s', async (version, error) => {
    await using cluster = await start({ version, numPartitions: 3 });
    const client = new EmbeddedClient(cluster);
    expect((await ask(client, ['new'], 9)).topics[0]!.error).toBe(error);
    const { topics } = await ask(client, ['new'], 9);
    expect(topics[0]).toMatchObject({ error: 'NONE', partitions: { length: 3 } });
  });

  test('is not made when the client does not want it', async () => {
    await using cluster = await start();
    const { topics } = await new EmbeddedClient(cluster).request('Metadata', 9, {
      topics: [{ name: 'new' }],
      allowAutoTopicCreation: false,
    });
    expect(errorName(topics[0]!.errorCode)).toBe('UNKNOWN_TOPIC_OR_PARTITION');
    expect(cluster.inspect().topics).not.toHaveProperty('new');
  });

  test('is not made when the cluster does not want it', async () => {
    await using cluster = await start({ autoCreateTopicsEnable: false });
    const { topics } = await ask(new EmbeddedClient(cluster), ['new']);
    expect(topics[0]!.error).toBe('UNKNOWN_TOPIC_OR_PARTITION');
    expect(cluster.inspect().topics).not.toHaveProperty('new');
  });
});

test('a stopped broker is no longer there, and its replicas are offline', async () => {
  await using cluster = await start({ brokers: 2, topics: {} });
  cluster.createTopic('orders', { assignments: [[2, 1], [2]] });
  await cluster.stop(2);
  const { brokers, topics } = await ask(new EmbeddedClient(cluster, 1), ['orders']);
  expect(brokers.map(({ nodeId }) => nodeId)).toEqual([1]);
  expect(topics[0]!.partitions).toMatchObject([
    { errorCode: 0, leaderId: 1, leaderEpoch: 1, isrNodes: [1], offlineReplicas: [2] },
    { errorCode: 5, leaderId: -1, offlineReplicas: [2] },
  ]);
});

test('permissions are told when asked for', async () => {
  await using cluster = await start();
  const { topics, clusterAuthorizedOperations } = await new EmbeddedClient(cluster).request(
    'Metadata',
    9,
    {
      topics: [{ name: 'orders' }],
      includeTopicAuthorizedOperations: true,
      includeClusterAuthorizedOperations: true,
    },
  );
  expect(topics[0]!.topicAuthorizedOperations).toBeGreaterThan(0);
  expect(clusterAuthorizedOperations).toBeGreaterThan(0);
  const silent = await ask(new EmbeddedClient(cluster), ['orders'], 9);
  expect(silent.topics[0]!.topicAuthorizedOperations).toBe(-2147483648);
});

test('fails for each topic that was asked for, or as a whole where the error is of that', async () => {
  await using cluster = await start();
  const client = new EmbeddedClient(cluster);
  cluster.failNext('Metadata', 'TOPIC_AUTHORIZATION_FAILED');
  const refused = await ask(client, ['orders'], 13);
  expect(refused.topics).toMatchObject([{ error: 'TOPIC_AUTHORIZATION_FAILED', partitions: [] }]);
  expect(refused.brokers).toHaveLength(1);
  cluster.failNext('Metadata', 'REBOOTSTRAP_REQUIRED');
  const sentAway = await ask(client, ['orders'], 13);
  expect(sentAway).toMatchObject({ errorCode: 129, brokers: [], topics: [] });
});
