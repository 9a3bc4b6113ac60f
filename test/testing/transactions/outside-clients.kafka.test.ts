import { Kafka, logLevel } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startEmbeddedKafka, type EmbeddedKafka } from '../../../src/testing/index.js';
import { JavaClients, type JavaRecord } from '../../support/java/clients.js';

let newest: JavaClients;
let older: JavaClients;

beforeAll(async () => {
  [newest, older] = await Promise.all([JavaClients.start('4.3.1'), JavaClients.start('3.9.2')]);
});

afterAll(async () => {
  await newest[Symbol.asyncDispose]();
  await older[Symbol.asyncDispose]();
});

/** What a `read_committed` consumer of Java finds, by partition. */
async function committed(cluster: EmbeddedKafka, topic: string): Promise<string[]> {
  const config = { 'isolation.level': 'read_committed' };
  const read = await newest.readAll(cluster.bootstrapServers, topic, config);
  return read.map(({ partition, value }) => `${partition}: ${String(value)}`);
}

const records = (...values: readonly string[]): JavaRecord[] =>
  values.flatMap((value) =>
    [0, 1, 2].map((partition) => ({ topic: 'invoices', partition, value })),
  );

const inAll = (...values: readonly string[]) =>
  [0, 1, 2].flatMap((partition) => values.map((value) => `${partition}: ${value}`));

describe.each([
  ['4.3 with transaction.version 2', () => newest, { version: '4.3' }],
  [
    '4.3 with transaction.version 1',
    () => newest,
    { version: '4.3', features: { 'transaction.version': 1 } },
  ],
  ['3.9', () => older, { version: '3.9' }],
  ['2.8', () => older, { version: '2.8' }],
] as const)('Java on an embedded %s', (_, javaOf, options) => {
  const start = () =>
    startEmbeddedKafka({ ...options, brokers: 3, topics: { invoices: 3, orders: 1 } });

  test('commits and aborts transactions with the offsets of a group', async () => {
    const java = javaOf();
    await using cluster = await start();
    const { bootstrapServers } = cluster;
    const config = { 'transactional.id': 'billing', 'linger.ms': 0 };
    const transact = (then: 'commit' | 'abort', offset: number, ...values: string[]) =>
      java.send(bootstrapServers, {
        config,
        records: records(...values),
        offsets: { groupId: 'billing', positions: [{ topic: 'orders', partition: 0, offset }] },
        then,
      });
    await transact('commit', 1, 'a', 'b');
    await transact('abort', 2, 'c');
    expect(cluster.groupOffsets('billing')['orders']?.[0]?.offset).toBe(1);
    await transact('commit', 3, 'd');
    await java.send(bootstrapServers, { config, records: records('e') });
    expect(cluster.inspect().transactions['billing']).toMatchObject({
      state: 'Ongoing',
      partitions: { invoices: [0, 1, 2] },
    });
    expect(await committed(cluster, 'invoices')).toEqual(inAll('a', 'b', 'd'));
    await java.send(bootstrapServers, { config, records: [], then: 'abort' });
    expect(await committed(cluster, 'invoices')).toEqual(inAll('a', 'b', 'd'));
    await java.send(bootstrapServers, { config, records: [], then: 'close' });
    expect(cluster.groupOffsets('billing')['orders']?.[0]?.offset).toBe(3);
    expect(cluster.inspect().complaints).toEqual([]);
  });

  test('fences a producer by its successor', async () => {
    const java = javaOf();
    await using cluster = await start();
    const { bootstrapServers } = cluster;
    const config = { 'transactional.id': 'billing', 'linger.ms': 0, 'max.block.ms': 10_000 };
    await java.send(bootstrapServers, { config, producer: 'first', records: records('a') });
    await java.send(bootstrapServers, {
      config,
      producer: 'second',
      records: records('b'),
      then: 'commit',
    });
    const late = java.send(bootstrapServers, { producer: 'first', records: [], then: 'commit' });
    await expect(late).rejects.toThrow(/Fenced|InvalidProducerEpoch|newer producer/);
    expect(await committed(cluster, 'invoices')).toEqual(inAll('b'));
  });

  test('goes on over leaders and coordinators that move or stop', async () => {
    const java = javaOf();
    await using cluster = await start();
    const { bootstrapServers } = cluster;
    const config = { 'transactional.id': 'billing', 'linger.ms': 0 };
    const send = (value: string, then?: 'commit') =>
      java.send(bootstrapServers, { config, records: records(value), ...(then && { then }) });
    await send('a', 'commit');
    await send('b');
    cluster.moveCoordinator('billing', 2);
    await send('c', 'commit');
    await send('d');
    await cluster.stop(2);
    await send('e', 'commit');
    await cluster.start(2);
    expect(await committed(cluster, 'invoices')).toEqual(inAll('a', 'b', 'c', 'd', 'e'));
  });
});

test('kafkajs commits and aborts transactions with the offsets of a group', async () => {
  await using cluster = await startEmbeddedKafka({
    brokers: 3,
    topics: { invoices: 3, orders: 1 },
  });
  const kafka = new Kafka({
    brokers: cluster.bootstrapServers.split(','),
    logLevel: logLevel.NOTHING,
  });
  const producer = kafka.producer({
    transactionalId: 'billing',
    maxInFlightRequests: 1,
    idempotent: true,
  });
  await producer.connect();
  const begin = async (value: string, offset: number) => {
    const transaction = await producer.transaction();
    const messages = [0, 1, 2].map((partition) => ({ partition, value }));
    await transaction.send({ topic: 'invoices', messages });
    await transaction.sendOffsets({
      consumerGroupId: 'billing',
      topics: [{ topic: 'orders', partitions: [{ partition: 0, offset: `${offset}` }] }],
    });
    return transaction;
  };
  await (await begin('a', 1)).commit();
  await (await begin('b', 2)).abort();
  expect(cluster.groupOffsets('billing')['orders']?.[0]?.offset).toBe(1);
  await (await begin('c', 3)).commit();
  const open = await begin('d', 4);
  expect(await committed(cluster, 'invoices')).toEqual(inAll('a', 'c'));
  await open.abort();
  await producer.disconnect();
  expect(await committed(cluster, 'invoices')).toEqual(inAll('a', 'c'));
  expect(cluster.groupOffsets('billing')['orders']?.[0]?.offset).toBe(3);
  expect(cluster.inspect().complaints).toEqual([]);
});
