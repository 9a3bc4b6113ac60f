import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { encodeControlBatch, encodeRecords } from '../../src/core/records/index.js';
import { startEmbeddedKafka, type EmbeddedKafkaOptions } from '../../src/testing/index.js';
import { EmbeddedClient, errorName, fetchFrom, produceTo } from '../support/embedded-client.js';
import { FakeClock, settled } from '../support/fake-clock.js';

const start = (options: EmbeddedKafkaOptions = {}) =>
  startEmbeddedKafka({ listen: 'memory', ...options });

/** Whether a connection to an address can be made. */
async function isListening({ host, port }: { host: string; port: number }): Promise<boolean> {
  const socket = connect(port, host);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

describe('starting', () => {
  test('listens on loopback, on a port of its own for each broker', async () => {
    await using cluster = await startEmbeddedKafka({ brokers: 3 });
    const addresses = cluster.brokerIds.map((id) => cluster.addressOf(id));
    expect(cluster.brokerIds).toEqual([1, 2, 3]);
    expect(new Set(addresses.map(({ port }) => port)).size).toBe(3);
    expect(cluster.bootstrapServers).toBe(
      addresses.map(({ host, port }) => `${host}:${port}`).join(','),
    );
    for (const address of addresses) expect(await isListening(address)).toBe(true);
  });

  test('in memory opens no socket', async () => {
    await using cluster = await start({ brokers: 2 });
    expect(cluster.bootstrapServers).toBe('broker-1:9092,broker-2:9092');
    const { topics } = await new EmbeddedClient(cluster).request('Metadata', 1, { topics: null });
    expect(topics).toEqual([]);
  });

  test('makes the topics that are wanted, by number of partitions or by their settings', async () => {
    await using cluster = await start({
      topics: { orders: 6, logs: { partitions: 1, configs: { 'cleanup.policy': 'compact' } } },
    });
    const { topics } = cluster.inspect();
    expect(topics['orders']!.partitions).toHaveLength(6);
    expect(topics['logs']!.configs).toEqual({ 'cleanup.policy': 'compact' });
  });

  test('with a topic that can’t be fails and leaves nothing listening', async () => {
    const port = await freePort();
    const broken = startEmbeddedKafka({ brokers: [{ id: 1, port }], topics: { 'a b': 1 } });
    await expect(broken).rejects.toMatchObject({ code: 'INVALID_TOPIC_EXCEPTION' });
    expect(await isListening({ host: '127.0.0.1', port })).toBe(false);
  });

  test('on a port that is taken fails', async () => {
    await using cluster = await startEmbeddedKafka();
    const { port } = cluster.addressOf(1);
    await expect(startEmbeddedKafka({ brokers: [{ id: 1, port }] })).rejects.toThrow('EADDRINUSE');
  });
});

describe('closing', () => {
  test('ends every connection and listens no more', async () => {
    const cluster = await startEmbeddedKafka({ brokers: 2 });
    const address = cluster.addressOf(2);
    const client = new EmbeddedClient(cluster);
    await client.request('Metadata', 1, { topics: null });
    await cluster.close();
    await client.closed;
    expect(await isListening(address)).toBe(false);
    await cluster.close();
  });

  test('leaves no timer behind, whatever waits', async () => {
    const clock = new FakeClock();
    const cluster = await start({ clock, topics: { orders: 1 } });
    cluster.delay('Metadata', 60_000);
    cluster.throttle('FindCoordinator', 60_000);
    const ask = (run: (client: EmbeddedClient) => Promise<unknown>) =>
      run(new EmbeddedClient(cluster)).catch(() => undefined);
    void ask((client) => fetchFrom(client, 'orders', { maxWaitMs: 60_000 }));
    void ask((client) => client.request('Metadata', 1, { topics: null }));
    void ask((client) => client.request('FindCoordinator', 0, { key: 'g' }));
    await cluster.whenRequested('FindCoordinator');
    await settled();
    expect(clock.pending).toBe(3);
    await cluster.close();
    await settled();
    expect(clock.pending).toBe(0);
  });
});

describe('intercept', () => {
  test('sees every request, and leaves the answer to the broker', async () => {
    await using cluster = await start({ topics: { orders: 1 } });
    const seen: unknown[] = [];
    cluster.intercept('Metadata', ({ api, version, broker, body, header }) => {
      seen.push([api.name, version, broker, body.topics, header.clientId]);
      return undefined;
    });
    const { topics } = await new EmbeddedClient(cluster).request('Metadata', 1, { topics: null });
    expect(topics).toHaveLength(1);
    expect(seen).toEqual([['Metadata', 1, 1, null, 'test']]);
  });

  test('answers instead of the broker, now or later, the newest first', async () => {
    await using cluster = await start();
    const client = new EmbeddedClient(cluster);
    const answer = (controllerId: number) => ({ brokers: [], topics: [], controllerId });
    const controller = async () =>
      (await client.request('Metadata', 1, { topics: null })).controllerId;
    cluster.intercept('Metadata', () => answer(70));
    const undo = cluster.intercept('Metadata', () => Promise.resolve(answer(71)));
    expect(await controller()).toBe(71);
    undo();
    expect(await controller()).toBe(70);
    cluster.clearFaults();
    expect(await controller()).toBe(1);
  });

  test('that throws ends the connection, and a warning and a complaint tell', async () => {
    await using cluster = await start();
    const warned = once(process, 'warning');
    cluster.intercept('Metadata', () => {
      throw new Error('a bug of the test');
    });
    const request = new EmbeddedClient(cluster).request('Metadata', 1, { topics: null });
    await expect(request).rejects.toThrow('hung up');
    expect(String((await warned)[0])).toContain('a bug of the test');
    expect(cluster.inspect().complaints[0]).toContain('a bug of the test');
  });

  test('can be for one broker', async () => {
    await using cluster = await start({ brokers: 2 });
    const seen: number[] = [];
    const note = ({ broker }: { broker: number }) => {
      seen.push(broker);
      return undefined;
    };
    cluster.intercept('Metadata', note, { broker: 2 });
    for (const broker of [1, 2]) {
      await new EmbeddedClient(cluster, broker).request('Metadata', 1, { topics: null });
    }
    expect(seen).toEqual([2]);
  });
});

describe('failNext', () => {
  test('fails as often as told, changes nothing, and then all is well', async () => {
    await using cluster = await start({ topics: { orders: 1 } });
    const client = new EmbeddedClient(cluster);
    cluster.failNext('Produce', 'NOT_LEADER_OR_FOLLOWER', 2);
    const errors: string[] = [];
    for (let i = 0; i < 3; i++) errors.push((await produceTo(client, 'orders', [{}])).error);
    expect(errors).toEqual(['NOT_LEADER_OR_FOLLOWER', 'NOT_LEADER_OR_FOLLOWER', 'NONE']);
    expect(cluster.records('orders')).toHaveLength(1);
  });

  test('takes a code as well, and can be taken back', async () => {
    await using cluster = await start({ topics: { orders: 1 } });
    const client = new EmbeddedClient(cluster);
    const undo = cluster.failNext('Fetch', 3, 5);
    expect((await fetchFrom(client, 'orders')).error).toBe('UNKNOWN_TOPIC_OR_PARTITION');
    undo();
    expect((await fetchFrom(client, 'orders')).error).toBe('NONE');
  });

  test('of a Produce that wants no answer hangs up', async () => {
    await using cluster = await start({ topics: { orders: 1 } });
    cluster.failNext('Produce', 'NOT_LEADER_OR_FOLLOWER');
    const client = new EmbeddedClient(cluster);
    const topicData = [
      { name: 'orders', partitionData: [{ index: 0, records: encodeRecords([{}]) }] },
    ];
    client.send(client.frame('Produce', 9, { acks: 0, timeoutMs: 0, topicData }));
    await client.closed;
    expect(cluster.records('orders')).toEqual([]);
  });

  test('refuses an error that Kafka does not have, with a hint', async () => {
    await using cluster = await start();
    expect(() => cluster.failNext('Produce', 'NOT_LEADER')).toThrow(/NOT_LEADER_OR_FOLLOWER/);
    expect(() => cluster.failNext('Produce', 'OOPS')).toThrow(/no error named 'OOPS'/);
    expect(() => cluster.failNext('Prodcue' as 'Produce', 3)).toThrow(/Prodcue/);
  });
});

describe('delay', () => {
  test('holds answers back, and those behind them, while the work is done at once', async () => {
    const clock = new FakeClock();
    await using cluster = await start({ clock, topics: { orders: 1 } });
    const client = new EmbeddedClient(cluster);
    cluster.delay('Produce', 100);
    cluster.delay('Produce', 500);
    const produced = produceTo(client, 'orders', [{}]);
    const behind = client.request('Metadata', 1, { topics: null });
    await cluster.whenRequested('Produce');
    await settled();
    expect(cluster.records('orders')).toHaveLength(1);
    clock.advance(499);
    await settled();
    expect(client.pending).toBe(2);
    clock.advance(1);
    expect((await produced).error).toBe('NONE');
    expect((await behind).topics).toHaveLength(1);
  });

  test('can be taken back', async () => {
    const clock = new FakeClock();
    await using cluster = await start({ clock, topics: { orders: 1 } });
    cluster.delay('Produce', 100)();
    expect((await produceTo(new EmbeddedClient(cluster), 'orders', [{}])).error).toBe('NONE');
    expect(clock.pending).toBe(0);
  });
});

describe('drop', () => {
  test('before: the connection breaks and nothing was written', async () => {
    await using cluster = await start({ topics: { orders: 1 } });
    cluster.drop('Produce');
    const dropped = produceTo(new EmbeddedClient(cluster), 'orders', [{}]);
    await expect(dropped).rejects.toThrow('hung up');
    expect(cluster.records('orders')).toHaveLength(0);
    expect((await produceTo(new EmbeddedClient(cluster), 'orders', [{}])).error).toBe('NONE');
  });

  test('after: the connection breaks and the record is written', async () => {
    await using cluster = await start({ topics: { orders: 1 } });
    cluster.drop('Produce', 1, { when: 'after' });
    const dropped = produceTo(new EmbeddedClient(cluster), 'orders', [{}]);
    await expect(dropped).rejects.toThrow('hung up');
    expect(cluster.records('orders')).toHaveLength(1);
  });

  test('can be taken back, and can be for one broker', async () => {
    await using cluster = await start({ brokers: 2 });
    const ask = (broker: number) =>
      new EmbeddedClient(cluster, broker).request('Metadata', 1, { topics: null });
    const undo = cluster.drop('Metadata', 10, { broker: 2 });
    await ask(1);
    await expect(ask(2)).rejects.toThrow('hung up');
    undo();
    await ask(2);
  });
});

describe('throttle', () => {
  test('is told at once, and the connection is read no further for that long', async () => {
    const clock = new FakeClock();
    await using cluster = await start({ clock });
    cluster.throttle('Metadata', 200);
    const client = new EmbeddedClient(cluster);
    const { throttleTimeMs } = await client.request('Metadata', 3, { topics: null });
    expect(throttleTimeMs).toBe(200);
    void client.request('ApiVersions', 0, {});
    await settled();
    expect(client.pending).toBe(1);
    clock.advance(200);
    await settled();
    expect(client.pending).toBe(0);
  });

  test('makes the answer itself late before 2.0', async () => {
    const clock = new FakeClock();
    await using cluster = await start({ clock, version: '1.1' });
    cluster.throttle('Metadata', 200);
    const client = new EmbeddedClient(cluster);
    const answer = client.request('Metadata', 3, { topics: null });
    await cluster.whenRequested('Metadata');
    await settled();
    expect(client.pending).toBe(1);
    clock.advance(200);
    expect((await answer).throttleTimeMs).toBe(200);
    await client.request('ApiVersions', 0, {});
  });
});

describe('topics', () => {
  test('that can’t be made throw what CreateTopics answers', async () => {
    await using cluster = await start({ topics: { orders: 1 } });
    expect(() => cluster.createTopic('orders')).toThrow(
      expect.objectContaining({ code: 'TOPIC_ALREADY_EXISTS' }) as Error,
    );
    expect(() => cluster.createTopic('x', { replicationFactor: 9 })).toThrow(
      expect.objectContaining({ code: 'INVALID_REPLICATION_FACTOR' }) as Error,
    );
  });

  test('and brokers and partitions that there are not are named', async () => {
    await using cluster = await start({ topics: { orders: 1 } });
    expect(() => cluster.deleteTopic('nowhere')).toThrow('has no topic nowhere');
    expect(() => cluster.records('nowhere')).toThrow('has no topic nowhere');
    expect(() => cluster.truncate('orders', 7, 0)).toThrow('has no partition orders-7');
    expect(() => cluster.addressOf(9)).toThrow('has no broker 9');
    await expect(cluster.stop(9)).rejects.toThrow('has no broker 9');
  });
});

describe('moveLeader', () => {
  test('begins a new epoch under another replica', async () => {
    await using cluster = await start({
      brokers: 3,
      topics: { orders: { assignments: [[1, 2]] } },
    });
    cluster.append('orders', 0, encodeRecords([{}]));
    cluster.moveLeader('orders', 0, 2);
    expect(cluster.inspect().topics['orders']!.partitions[0]).toMatchObject({
      leader: 2,
      leaderEpoch: 1,
      leaderEpochs: [
        { epoch: 0, startOffset: 0 },
        { epoch: 1, startOffset: 1 },
      ],
    });
    const client = (broker: number) => new EmbeddedClient(cluster, broker);
    expect((await produceTo(client(1), 'orders', [{}])).error).toBe('NOT_LEADER_OR_FOLLOWER');
    expect((await produceTo(client(2), 'orders', [{}])).error).toBe('NONE');
  });

  test('takes only a replica that runs', async () => {
    await using cluster = await start({
      brokers: 3,
      topics: { orders: { assignments: [[1, 2]] } },
    });
    expect(() => cluster.moveLeader('orders', 0, 3)).toThrow('its replicas are 1, 2');
    await cluster.stop(2);
    expect(() => cluster.moveLeader('orders', 0, 2)).toThrow('it is stopped');
  });
});

describe('setIsr', () => {
  test('takes only replicas, and at least one', async () => {
    await using cluster = await start({
      brokers: 3,
      topics: { orders: { assignments: [[1, 2]] } },
    });
    expect(() => cluster.setIsr('orders', 0, [3])).toThrow('its replicas, 1, 2');
    expect(() => cluster.setIsr('orders', 0, [])).toThrow('its replicas, 1, 2');
    cluster.setIsr('orders', 0, [2]);
    expect(cluster.inspect().topics['orders']!.partitions[0]!.isr).toEqual([2]);
  });
});

test('truncate loses the end of a log and begins a new epoch', async () => {
  await using cluster = await start({ topics: { orders: 1 } });
  for (let i = 0; i < 5; i++) cluster.append('orders', 0, encodeRecords([{ value: `${i}` }]));
  cluster.truncate('orders', 0, 2);
  cluster.append('orders', 0, encodeRecords([{ value: 'new' }]));
  expect(cluster.records('orders').map(({ offset, value }) => [offset, String(value)])).toEqual([
    [0, '0'],
    [1, '1'],
    [2, 'new'],
  ]);
  expect(cluster.inspect().topics['orders']!.partitions[0]!.leaderEpochs).toEqual([
    { epoch: 0, startOffset: 0 },
    { epoch: 1, startOffset: 2 },
  ]);
});

describe('append', () => {
  test('writes what Produce would refuse, such as markers', async () => {
    await using cluster = await start({ topics: { orders: 1 } });
    const marker = { kind: 'abort', producerId: 1, producerEpoch: 0, coordinatorEpoch: 0 } as const;
    expect(cluster.append('orders', 0, encodeRecords([{ value: 'a' }, { value: 'b' }]))).toBe(0);
    expect(cluster.append('orders', 0, encodeControlBatch({ ...marker, timestamp: 0 }))).toBe(2);
    const client = new EmbeddedClient(cluster);
    expect(await fetchFrom(client, 'orders')).toMatchObject({ highWatermark: 3 });
    expect(cluster.records('orders').map(({ value }) => String(value))).toEqual(['a', 'b']);
  });

  test('keeps to the sequence of an idempotent producer', async () => {
    await using cluster = await start({ topics: { orders: 1 } });
    const batch = (baseSequence: number) =>
      encodeRecords([{}], { producer: { producerId: 1, producerEpoch: 0, baseSequence } });
    cluster.append('orders', 0, batch(0));
    expect(() => cluster.append('orders', 0, batch(5))).toThrow(
      expect.objectContaining({ code: 'OUT_OF_ORDER_SEQUENCE_NUMBER' }) as Error,
    );
  });
});

describe('stop and start', () => {
  test('break the connections of one broker, keep its log and its port', async () => {
    await using cluster = await startEmbeddedKafka({ brokers: 2, topics: {} });
    cluster.createTopic('orders', { assignments: [[2]] });
    cluster.append('orders', 0, encodeRecords([{ value: 'kept' }]));
    const address = cluster.addressOf(2);
    const client = new EmbeddedClient(cluster, 2);
    await client.request('Metadata', 1, { topics: null });
    await cluster.stop(2);
    await client.closed;
    expect(await isListening(address)).toBe(false);
    expect(cluster.inspect().topics['orders']!.partitions[0]!.leader).toBe(-1);
    await cluster.start(2);
    expect(cluster.addressOf(2)).toEqual(address);
    expect(await isListening(address)).toBe(true);
    expect(cluster.inspect().topics['orders']!.partitions[0]).toMatchObject({
      leader: 2,
      records: 1,
    });
  });

  test('may be called in any order, also at once, and the last one counts', async () => {
    await using cluster = await startEmbeddedKafka({ brokers: 2 });
    const isRunning = () => cluster.inspect().brokers[1]!.isRunning;
    await Promise.all([cluster.stop(2), cluster.start(2), cluster.stop(2), cluster.stop(2)]);
    expect(isRunning()).toBe(false);
    await Promise.all([cluster.start(2), cluster.start(2), cluster.stop(2), cluster.start(2)]);
    expect(isRunning()).toBe(true);
    expect(await isListening(cluster.addressOf(2))).toBe(true);
  });

  test('a start that failed can be tried again', async () => {
    await using cluster = await startEmbeddedKafka({ brokers: 2 });
    const { port } = cluster.addressOf(2);
    await cluster.stop(2);
    const squatter = await startEmbeddedKafka({ brokers: [{ id: 1, port }] });
    await expect(cluster.start(2)).rejects.toThrow('EADDRINUSE');
    await squatter.close();
    await cluster.start(2);
    expect(await isListening({ host: '127.0.0.1', port })).toBe(true);
  });
});

test('inspect tells everything as plain data that does not change afterwards', async () => {
  await using cluster = await start({
    brokers: [{ id: 1, rack: 'a' }],
    topics: { orders: { partitions: 1, configs: { 'flush.ms': '5' } } },
  });
  const client = new EmbeddedClient(cluster);
  await produceTo(
    client,
    'orders',
    [{ key: 'k', value: 'v', headers: [['h', 'x']], timestamp: 9 }],
    {
      producer: { producerId: 4, producerEpoch: 1, baseSequence: 0 },
    },
  );
  const before = cluster.inspect();
  expect(before).toMatchObject({
    clusterId: 'rx-kafka-embedded-cluster',
    version: '4.3',
    controllerId: 1,
    brokers: [
      {
        id: 1,
        rack: 'a',
        host: 'broker-1',
        isRunning: true,
        connections: 1,
        requests: { Produce: 1 },
      },
    ],
    requests: { Produce: 1 },
    complaints: [],
    topics: {
      orders: {
        configs: { 'flush.ms': '5' },
        partitions: [
          {
            partition: 0,
            leader: 1,
            leaderEpoch: 0,
            replicas: [1],
            isr: [1],
            logStartOffset: 0,
            highWatermark: 1,
            logEndOffset: 1,
            batches: 1,
            records: 1,
            leaderEpochs: [{ epoch: 0, startOffset: 0 }],
            producers: [{ producerId: 4, epoch: 1, lastSequence: 0, lastOffset: 0 }],
          },
        ],
      },
    },
  });
  const copy = structuredClone(before);
  await produceTo(client, 'orders', [{}]);
  cluster.createTopic('more');
  expect(before).toEqual(copy);
  expect(cluster.records('orders', 0)[0]).toMatchObject({
    topic: 'orders',
    partition: 0,
    offset: 0,
    timestamp: 9,
    key: Buffer.from('k'),
    value: Buffer.from('v'),
    headers: [['h', Buffer.from('x')]],
  });
});

describe('whenRequested', () => {
  test('resolves when an API was called as often as wanted', async () => {
    await using cluster = await start({ brokers: 2 });
    let isDone = false;
    const waiting = cluster.whenRequested('Metadata', 2).then(() => (isDone = true));
    await new EmbeddedClient(cluster, 1).request('Metadata', 1, { topics: null });
    await settled();
    expect(isDone).toBe(false);
    await new EmbeddedClient(cluster, 2).request('Metadata', 1, { topics: null });
    await waiting;
    await cluster.whenRequested('Metadata');
  });
});

test('a Node stream reaches a broker too, also where the cluster listens on TCP', async () => {
  await using cluster = await startEmbeddedKafka();
  const { host, port } = cluster.addressOf(1);
  const stream = cluster.connect(host, port);
  await once(stream, 'connect');
  stream.write(new EmbeddedClient(cluster).frame('ApiVersions', 0, {}));
  const [answer] = (await once(stream, 'data')) as [Buffer];
  expect(errorName(answer.readInt16BE(8))).toBe('NONE');
  stream.destroy();
});

async function freePort(): Promise<number> {
  await using cluster = await startEmbeddedKafka();
  return cluster.addressOf(1).port;
}
