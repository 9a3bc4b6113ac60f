import { describe, expect, test } from 'vitest';
import type { apis, RequestInput } from '../../../src/core/protocol/index.js';
import { startEmbeddedKafka, type EmbeddedKafkaOptions } from '../../../src/testing/index.js';
import { EmbeddedClient, errorName } from '../../support/embedded-client.js';

type Wanted = RequestInput<typeof apis.CreateTopics>['topics'][number];

const start = (options: EmbeddedKafkaOptions = {}) =>
  startEmbeddedKafka({ listen: 'memory', brokers: 3, ...options });

const wanted = (rest: Partial<Wanted> = {}): Wanted => ({
  name: 'orders',
  numPartitions: 2,
  replicationFactor: 2,
  assignments: [],
  configs: [],
  ...rest,
});

async function create(
  client: EmbeddedClient,
  topics: readonly Wanted[],
  { version = 7, validateOnly = false } = {},
) {
  const answer = await client.request('CreateTopics', version, {
    topics,
    timeoutMs: 1000,
    ...(version >= 1 ? { validateOnly } : {}),
  });
  return answer.topics.map((topic) => ({ ...topic, error: errorName(topic.errorCode) }));
}

test.each([2, 3, 4, 5, 6, 7])('version %i makes a topic as wanted', async (version) => {
  await using cluster = await start();
  const configs = [{ name: 'retention.ms', value: '1000' }];
  const [created] = await create(new EmbeddedClient(cluster), [wanted({ configs })], { version });
  expect(created).toMatchObject({ name: 'orders', error: 'NONE' });
  const topic = cluster.inspect().topics['orders']!;
  expect(topic).toMatchObject({ configs: { 'retention.ms': '1000' }, partitions: { length: 2 } });
  expect(topic.partitions.every(({ replicas }) => replicas.length === 2)).toBe(true);
});

test('the answer tells id, size and settings', async () => {
  await using cluster = await start();
  const configs = [{ name: 'retention.ms', value: '1000' }];
  const [created] = await create(new EmbeddedClient(cluster), [wanted({ configs })]);
  expect(created).toMatchObject({
    topicId: cluster.inspect().topics['orders']!.topicId,
    numPartitions: 2,
    replicationFactor: 2,
  });
  const told = created!.configs!.find(({ name }) => name === 'retention.ms');
  expect(told).toMatchObject({ value: '1000', configSource: 1 });
  expect(created!.configs!.find(({ name }) => name === 'segment.bytes')?.configSource).toBe(5);
});

test('-1 stands for the cluster’s defaults', async () => {
  await using cluster = await start({ numPartitions: 5, defaultReplicationFactor: 1 });
  await create(new EmbeddedClient(cluster), [wanted({ numPartitions: -1, replicationFactor: -1 })]);
  const { partitions } = cluster.inspect().topics['orders']!;
  expect(partitions).toHaveLength(5);
  expect(partitions[0]!.replicas).toHaveLength(1);
});

test('replicas can be placed by hand', async () => {
  await using cluster = await start();
  const assignments = [
    { partitionIndex: 1, brokerIds: [2, 3] },
    { partitionIndex: 0, brokerIds: [3, 1] },
  ];
  const manual = { numPartitions: -1, replicationFactor: -1, assignments };
  await create(new EmbeddedClient(cluster), [wanted(manual)]);
  const { partitions } = cluster.inspect().topics['orders']!;
  expect(partitions.map(({ replicas }) => replicas)).toEqual([
    [3, 1],
    [2, 3],
  ]);
});

test('validateOnly makes nothing', async () => {
  await using cluster = await start();
  const client = new EmbeddedClient(cluster);
  const options = { validateOnly: true };
  expect(await create(client, [wanted()], options)).toMatchObject([
    { error: 'NONE', numPartitions: 2 },
  ]);
  expect(await create(client, [wanted({ replicationFactor: 9 })], options)).toMatchObject([
    { error: 'INVALID_REPLICATION_FACTOR' },
  ]);
  expect(cluster.inspect().topics).toEqual({});
});

describe('a topic is refused', () => {
  test.each<[string, string, Partial<Wanted>]>([
    ['whose name can’t be', 'INVALID_TOPIC_EXCEPTION', { name: '..' }],
    ['without partitions', 'INVALID_PARTITIONS', { numPartitions: 0 }],
    ['with more partitions than memory', 'POLICY_VIOLATION', { numPartitions: 0x7fff_ffff }],
    ['with more replicas than brokers', 'INVALID_REPLICATION_FACTOR', { replicationFactor: 4 }],
    ['with a setting unknown', 'INVALID_CONFIG', { configs: [{ name: 'nope', value: '1' }] }],
    ['with a setting null', 'INVALID_CONFIG', { configs: [{ name: 'retention.ms', value: null }] }],
    [
      'with numbers beside a placement',
      'INVALID_REQUEST',
      { assignments: [{ partitionIndex: 0, brokerIds: [1] }] },
    ],
    [
      'with a gap in its placement',
      'INVALID_REPLICA_ASSIGNMENT',
      {
        numPartitions: -1,
        replicationFactor: -1,
        assignments: [{ partitionIndex: 1, brokerIds: [1] }],
      },
    ],
  ])('%s', async (_, error, rest) => {
    await using cluster = await start();
    const [answer] = await create(new EmbeddedClient(cluster), [wanted(rest)]);
    expect(answer).toMatchObject({ error, name: rest.name ?? 'orders' });
    expect(answer!.errorMessage).not.toBe('');
    expect(cluster.inspect().topics).toEqual({});
  });

  test('that exists, or that is named twice, and others are made', async () => {
    await using cluster = await start({ topics: { old: 1 } });
    const topics = ['old', 'twice', 'new', 'twice'].map((name) => wanted({ name }));
    const answers = await create(new EmbeddedClient(cluster), topics);
    expect(answers.map(({ error }) => error)).toEqual([
      'TOPIC_ALREADY_EXISTS',
      'INVALID_REQUEST',
      'NONE',
      'INVALID_REQUEST',
    ]);
  });
});

test('under ZooKeeper only the controller makes topics', async () => {
  await using cluster = await start({ version: '2.8' });
  const [elsewhere] = await create(new EmbeddedClient(cluster, 2), [wanted()]);
  expect(elsewhere!.error).toBe('NOT_CONTROLLER');
  const [made] = await create(new EmbeddedClient(cluster, 1), [wanted()]);
  expect(made!.error).toBe('NONE');
});
