import { describe, expect, test } from 'vitest';
import { ZERO_UUID } from '../../../src/core/protocol/index.js';
import { encodeRecords } from '../../../src/core/records/index.js';
import { startEmbeddedKafka, type EmbeddedKafkaOptions } from '../../../src/testing/index.js';
import { EmbeddedClient, errorName, produceTo } from '../../support/embedded-client.js';
import { FakeClock } from '../../support/fake-clock.js';

const start = (options: EmbeddedKafkaOptions = {}) =>
  startEmbeddedKafka({
    listen: 'memory',
    clock: new FakeClock(),
    topics: { orders: 1 },
    ...options,
  });

const one = [{ key: 'k', value: 'v', timestamp: 1 }];

test('records are in the log when the answer comes, with the offset it tells', async () => {
  await using cluster = await start();
  const client = new EmbeddedClient(cluster);
  expect(await produceTo(client, 'orders', [...one, ...one])).toMatchObject({
    error: 'NONE',
    baseOffset: 0,
    logAppendTimeMs: -1,
    logStartOffset: 0,
  });
  expect(await produceTo(client, 'orders', one)).toMatchObject({ baseOffset: 2 });
  expect(cluster.records('orders').map(({ offset }) => offset)).toEqual([0, 1, 2]);
});

test.each([3, 5, 7, 8, 9, 10, 11, 12])('version %i appends by name', async (version) => {
  await using cluster = await start();
  const answer = await produceTo(new EmbeddedClient(cluster), 'orders', one, { version });
  expect(answer).toMatchObject({ error: 'NONE', baseOffset: 0 });
});

describe('version 13', () => {
  const ask = (client: EmbeddedClient, topicId: string) =>
    client.request('Produce', 13, {
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ topicId, partitionData: [{ index: 0, records: encodeRecords(one) }] }],
    });

  test('appends by id', async () => {
    await using cluster = await start();
    const { topicId } = cluster.inspect().topics['orders']!;
    const { responses } = await ask(new EmbeddedClient(cluster), topicId);
    expect(responses[0]).toMatchObject({ topicId, partitionResponses: [{ errorCode: 0 }] });
  });

  test('knows no id of a topic that was deleted and made anew', async () => {
    await using cluster = await start();
    const { topicId } = cluster.inspect().topics['orders']!;
    cluster.deleteTopic('orders');
    cluster.createTopic('orders');
    const { responses } = await ask(new EmbeddedClient(cluster), topicId);
    expect(errorName(responses[0]!.partitionResponses[0]!.errorCode)).toBe('UNKNOWN_TOPIC_ID');
  });

  test('does not take the zero id for a name', async () => {
    await using cluster = await start();
    const { responses } = await ask(new EmbeddedClient(cluster), ZERO_UUID);
    expect(errorName(responses[0]!.partitionResponses[0]!.errorCode)).toBe('UNKNOWN_TOPIC_ID');
  });
});

describe('acks', () => {
  test('0 gets no answer, and the records are written', async () => {
    await using cluster = await start();
    const client = new EmbeddedClient(cluster);
    const body = { acks: 0, timeoutMs: 0, topicData: [topicData(encodeRecords(one))] };
    client.send(client.frame('Produce', 9, body));
    const { topics } = await client.request('Metadata', 1, { topics: [{ name: 'orders' }] });
    expect(topics).toHaveLength(1);
    expect(cluster.records('orders')).toHaveLength(1);
    expect(client.isClosed).toBe(false);
  });

  test('0 with records that can’t be written ends the connection', async () => {
    await using cluster = await start();
    const client = new EmbeddedClient(cluster);
    const body = { acks: 0, timeoutMs: 0, topicData: [topicData(Buffer.from('nonsense'))] };
    client.send(client.frame('Produce', 9, body));
    await client.closed;
    expect(cluster.records('orders')).toEqual([]);
  });

  test('1 is content with the leader', async () => {
    await using cluster = await start({ brokers: 2, minInsyncReplicas: 2, topics: {} });
    cluster.createTopic('orders', { assignments: [[1, 2]] });
    cluster.setIsr('orders', 0, [1]);
    const client = new EmbeddedClient(cluster);
    expect(await produceTo(client, 'orders', one, { acks: 1 })).toMatchObject({ error: 'NONE' });
  });

  test('all needs min.insync.replicas', async () => {
    await using cluster = await start({ brokers: 2, minInsyncReplicas: 2, topics: {} });
    cluster.createTopic('orders', { assignments: [[1, 2]] });
    const client = new EmbeddedClient(cluster);
    expect(await produceTo(client, 'orders', one)).toMatchObject({ error: 'NONE' });
    cluster.setIsr('orders', 0, [1]);
    expect(await produceTo(client, 'orders', one)).toMatchObject({ error: 'NOT_ENOUGH_REPLICAS' });
    expect(cluster.records('orders')).toHaveLength(1);
  });

  test('all never needs more replicas than there are, under KRaft', async () => {
    await using modern = await start({ minInsyncReplicas: 2 });
    expect((await produceTo(new EmbeddedClient(modern), 'orders', one)).error).toBe('NONE');
    await using old = await start({ minInsyncReplicas: 2, version: '2.8' });
    const answer = await produceTo(new EmbeddedClient(old), 'orders', one, { version: 9 });
    expect(answer.error).toBe('NOT_ENOUGH_REPLICAS');
  });

  test.each([2, -2])('%i is no number of acks', async (acks) => {
    await using cluster = await start();
    const answer = await produceTo(new EmbeddedClient(cluster), 'orders', one, { acks });
    expect(answer.error).toBe('INVALID_REQUIRED_ACKS');
  });
});

describe('a partition', () => {
  test.each([
    ['of an unknown topic', 'nowhere', 0],
    ['beyond the last', 'orders', 1],
    ['below 0', 'orders', -1],
  ])('%s is unknown', async (_, topic, partition) => {
    await using cluster = await start();
    const answer = await produceTo(new EmbeddedClient(cluster), topic, one, { partition });
    expect(answer).toMatchObject({ error: 'UNKNOWN_TOPIC_OR_PARTITION', baseOffset: -1 });
  });

  test('that another broker leads is refused, and since version 10 its leader is named', async () => {
    await using cluster = await start({ brokers: 2, topics: {} });
    cluster.createTopic('orders', { assignments: [[2, 1]] });
    const client = new EmbeddedClient(cluster, 1);
    const ask = (version: number) =>
      client.request('Produce', version, {
        acks: -1,
        timeoutMs: 1000,
        topicData: [topicData(encodeRecords(one))],
      });
    const { responses, nodeEndpoints } = await ask(10);
    expect(responses[0]!.partitionResponses[0]).toMatchObject({
      errorCode: 6,
      currentLeader: { leaderId: 2, leaderEpoch: 0 },
    });
    expect(nodeEndpoints).toEqual([{ nodeId: 2, host: 'broker-2', port: 9092, rack: null }]);
    const old = await ask(9);
    expect(old.responses[0]!.partitionResponses[0]).toMatchObject({
      errorCode: 6,
      currentLeader: { leaderId: -1 },
    });
    expect(old.nodeEndpoints).toEqual([]);
  });

  test('at fault does not keep the others from being written', async () => {
    await using cluster = await start({ topics: { orders: 2 } });
    const { responses } = await new EmbeddedClient(cluster).request('Produce', 9, {
      acks: -1,
      timeoutMs: 1000,
      topicData: [
        {
          name: 'orders',
          partitionData: [
            { index: 0, records: Buffer.from('garbage') },
            { index: 1, records: encodeRecords(one) },
          ],
        },
      ],
    });
    expect(responses[0]!.partitionResponses.map(({ errorCode }) => errorName(errorCode))).toEqual([
      'INVALID_RECORD',
      'NONE',
    ]);
    expect(cluster.records('orders', 1)).toHaveLength(1);
  });
});

describe('an idempotent producer', () => {
  const producer = (baseSequence: number, producerEpoch = 0) => ({
    producer: { producerId: 1, producerEpoch, baseSequence },
  });

  test('that repeats a batch gets the offset it has, and it is there once', async () => {
    await using cluster = await start();
    const client = new EmbeddedClient(cluster);
    await produceTo(client, 'orders', one, producer(0));
    await produceTo(client, 'orders', one, producer(1));
    expect(await produceTo(client, 'orders', one, producer(0))).toMatchObject({
      error: 'NONE',
      baseOffset: 0,
    });
    expect(cluster.records('orders')).toHaveLength(2);
  });

  test('that leaves a gap is refused', async () => {
    await using cluster = await start();
    const client = new EmbeddedClient(cluster);
    await produceTo(client, 'orders', one, producer(0));
    expect(await produceTo(client, 'orders', one, producer(2))).toMatchObject({
      error: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
      logStartOffset: 0,
    });
  });

  test('of an old epoch is refused', async () => {
    await using cluster = await start();
    const client = new EmbeddedClient(cluster);
    await produceTo(client, 'orders', one, producer(0, 1));
    const answer = await produceTo(client, 'orders', one, producer(0, 0));
    expect(answer.error).toBe('INVALID_PRODUCER_EPOCH');
  });
});

describe('records of a wrong kind', () => {
  test('are named one by one since version 8', async () => {
    await using cluster = await start({
      topics: { orders: { configs: { 'cleanup.policy': 'compact' } } },
    });
    const client = new EmbeddedClient(cluster);
    const records = [{ key: 'a' }, { value: 'no key' }];
    expect(await produceTo(client, 'orders', records)).toMatchObject({
      error: 'INVALID_RECORD',
      recordErrors: [{ batchIndex: 1 }],
    });
    expect(await produceTo(client, 'orders', records, { version: 7 })).toMatchObject({
      error: 'INVALID_RECORD',
      recordErrors: [],
      errorMessage: null,
    });
  });

  test('too large for the topic are refused', async () => {
    await using cluster = await start({
      topics: { orders: { configs: { 'max.message.bytes': '100' } } },
    });
    const answer = await produceTo(new EmbeddedClient(cluster), 'orders', [
      { value: 'x'.repeat(100) },
    ]);
    expect(answer).toMatchObject({ error: 'MESSAGE_TOO_LARGE', logStartOffset: -1 });
  });

  test('of a transaction that nobody began are refused', async () => {
    await using cluster = await start();
    const answer = await produceTo(new EmbeddedClient(cluster), 'orders', one, {
      isTransactional: true,
      producer: { producerId: 1, producerEpoch: 0, baseSequence: 0 },
    });
    expect(answer.error).toBe('TRANSACTIONAL_ID_AUTHORIZATION_FAILED');
  });
});

test('compressed batches are stored as they came', async () => {
  await using cluster = await start();
  const client = new EmbeddedClient(cluster);
  const batch = encodeRecords([{ value: 'x'.repeat(1000) }], { compressionType: 'zstd' });
  await produceTo(client, 'orders', Buffer.from(batch));
  expect(cluster.inspect().topics['orders']!.partitions[0]!.sizeBytes).toBe(batch.length);
  expect(String(cluster.records('orders')[0]!.value)).toBe('x'.repeat(1000));
});

test('a topic with a codec of its own stores everything in it', async () => {
  await using cluster = await start({
    topics: { orders: { configs: { 'compression.type': 'gzip' } } },
  });
  const batch = encodeRecords([{ value: 'x'.repeat(1000) }]);
  await produceTo(new EmbeddedClient(cluster), 'orders', batch);
  expect(cluster.inspect().topics['orders']!.partitions[0]!.sizeBytes).toBeLessThan(200);
  expect(String(cluster.records('orders')[0]!.value)).toBe('x'.repeat(1000));
});

test('LogAppendTime is told and stored', async () => {
  const clock = new FakeClock();
  await using cluster = await start({
    clock,
    topics: { orders: { configs: { 'message.timestamp.type': 'LogAppendTime' } } },
  });
  const answer = await produceTo(new EmbeddedClient(cluster), 'orders', one);
  expect(answer.logAppendTimeMs).toBe(clock.now());
  expect(cluster.records('orders')[0]!.timestamp).toBe(clock.now());
});

test.each([
  [0, 0],
  [1, 0],
  [2, 1],
] as const)(
  'message sets of version %i become batches of the broker’s own format',
  async (version, magic) => {
    await using cluster = await start({ version: '2.8' });
    const client = new EmbeddedClient(cluster);
    const records = [
      { value: 'a', timestamp: 5 },
      { value: 'b', timestamp: 6 },
    ];
    expect(await produceTo(client, 'orders', records, { version, magic })).toMatchObject({
      error: 'NONE',
      baseOffset: 0,
    });
    expect(await produceTo(client, 'orders', records, { version, magic })).toMatchObject({
      baseOffset: 2,
    });
    expect(cluster.records('orders').map(({ value }) => String(value))).toEqual([
      'a',
      'b',
      'a',
      'b',
    ]);
    expect(cluster.inspect().topics['orders']!.partitions[0]!.batches).toBe(2);
  },
);

function topicData(records: Buffer) {
  return { name: 'orders', partitionData: [{ index: 0, records }] };
}
