import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readBatches, readControlRecord, recordsOf } from '../../../src/core/records/index.js';
import { startEmbeddedKafka, type EmbeddedKafka } from '../../../src/testing/index.js';
import { EmbeddedClient, fetchFrom, produceTo } from '../../support/embedded-client.js';
import { FakeClock } from '../../support/fake-clock.js';
import { HandProducer, routesWithin, type ProducerOptions } from '../../support/hand-producer.js';

let cluster: EmbeddedKafka;
let client: EmbeddedClient;
let clock: FakeClock;

beforeEach(async () => {
  clock = new FakeClock();
  cluster = await startEmbeddedKafka({
    listen: 'memory',
    clock,
    topics: { orders: 2, invoices: 1 },
  });
  client = new EmbeddedClient(cluster);
});

afterEach(() => cluster.close());

async function ready(options: ProducerOptions = {}): Promise<HandProducer> {
  const producer = new HandProducer(routesWithin(cluster), options);
  expect(await producer.initAtLast()).toBe('NONE');
  return producer;
}

/** What a consumer that wants decided records gets, aborted ones left out. */
async function committed(topic: string, partition = 0): Promise<string[]> {
  const { responses } = await client.request('Fetch', 12, {
    maxWaitMs: 0,
    minBytes: 1,
    isolationLevel: 1,
    topics: [{ topic, partitions: [{ partition, fetchOffset: 0, partitionMaxBytes: 1_000_000 }] }],
  });
  const { records, abortedTransactions } = responses[0]!.partitions[0]!;
  const aborted = new Map<number, number>();
  const left = [...abortedTransactions!];
  const values: string[] = [];
  for (const batch of readBatches(records!)) {
    for (const one of left.filter(({ firstOffset }) => firstOffset <= batch.lastOffset)) {
      aborted.set(one.producerId, one.firstOffset);
      left.splice(left.indexOf(one), 1);
    }
    if (batch.isControl) {
      aborted.delete(batch.producerId);
      continue;
    }
    if (aborted.has(batch.producerId)) continue;
    values.push(...[...recordsOf(batch)].map(({ value }) => String(value)));
  }
  return values;
}

/** The markers in a partition, in order. */
async function markers(topic: string, partition = 0) {
  const { records } = await fetchFrom(client, topic, { partition });
  return readBatches(records!)
    .filter(({ isControl }) => isControl)
    .map((batch) => {
      const [record] = recordsOf(batch);
      const { kind } = readControlRecord(record!.key, record!.value);
      return { kind, epoch: batch.producerEpoch, isTransactional: batch.isTransactional };
    });
}

async function ends(topic: string, partition = 0) {
  const at = async (isolationLevel: number) => {
    const { topics } = await client.request('ListOffsets', 7, {
      replicaId: -1,
      isolationLevel,
      topics: [{ name: topic, partitions: [{ partitionIndex: partition, timestamp: -1n }] }],
    });
    return topics[0]!.partitions[0]!.offset;
  };
  return { stable: await at(1), end: await at(0) };
}

describe.each([1, 2] as const)('with transaction.version %i', (transactionVersion) => {
  /** Writes to a partition, which older producers have to add before. */
  async function write(producer: HandProducer, place: readonly [string, number], value: string) {
    if (transactionVersion === 1) expect(await producer.add(place)).toEqual(['NONE']);
    return producer.send(...place, value);
  }

  test('what is committed can be read when the transaction has ended, on all partitions', async () => {
    const producer = await ready({ transactionVersion });
    await write(producer, ['orders', 0], 'a');
    await write(producer, ['orders', 1], 'b');
    expect(await ends('orders', 0)).toEqual({ stable: 0, end: 1 });
    expect([await committed('orders', 0), await committed('orders', 1)]).toEqual([[], []]);
    expect(await producer.commit()).toBe('NONE');
    expect([await committed('orders', 0), await committed('orders', 1)]).toEqual([['a'], ['b']]);
    expect(await ends('orders', 0)).toEqual({ stable: 2, end: 2 });
  });

  test('what is aborted is skipped', async () => {
    const producer = await ready({ transactionVersion });
    await write(producer, ['orders', 0], 'a');
    expect(await producer.abort()).toBe('NONE');
    await write(producer, ['orders', 0], 'b');
    expect(await producer.commit()).toBe('NONE');
    expect(await committed('orders')).toEqual(['b']);
    const raised = transactionVersion - 1;
    expect(await markers('orders')).toEqual([
      { kind: 'abort', epoch: raised, isTransactional: true },
      { kind: 'commit', epoch: 2 * raised, isTransactional: true },
    ]);
  });

  test('many transactions follow each other, each with a sequence that fits', async () => {
    const producer = await ready({ transactionVersion });
    for (let i = 0; i < 5; i++) {
      expect(await write(producer, ['orders', 0], `${i}`)).toMatchObject({ error: 'NONE' });
      expect(await write(producer, ['orders', 0], `${i}'`)).toMatchObject({ error: 'NONE' });
      expect(await producer.commit()).toBe('NONE');
    }
    expect(await committed('orders')).toHaveLength(10);
  });

  test('a repeated batch is stored once', async () => {
    const producer = await ready({ transactionVersion });
    const first = await write(producer, ['orders', 0], 'a');
    expect(await producer.sendAs('orders', 0, 0, 'a')).toEqual(first);
    await producer.commit();
    expect(await committed('orders')).toEqual(['a']);
  });

  test('a successor aborts the open transaction and fences its producer', async () => {
    const first = await ready({ transactionVersion });
    await write(first, ['orders', 0], 'a');
    const second = new HandProducer(routesWithin(cluster), { transactionVersion });
    expect(await second.init()).toBe('CONCURRENT_TRANSACTIONS');
    expect(await second.init()).toBe('NONE');
    expect(second.producerId).toBe(first.producerId);
    expect(second.epoch).toBe(first.epoch + 2);
    expect(await ends('orders')).toEqual({ stable: 2, end: 2 });
    expect(await committed('orders')).toEqual([]);
    expect(await first.send('orders', 0, 'b')).toMatchObject({ error: 'INVALID_PRODUCER_EPOCH' });
    expect(await first.add(['orders', 1])).toEqual(['PRODUCER_FENCED']);
    expect(await first.addOffsets('group')).toBe('PRODUCER_FENCED');
    expect(await first.commitOffset('group', ['orders', 0, 1])).toBe('INVALID_PRODUCER_EPOCH');
    expect(await first.commit()).toBe('PRODUCER_FENCED');
    const { producerId, epoch: producerEpoch } = first;
    expect(await first.init({ producerId, producerEpoch })).toBe('PRODUCER_FENCED');
    await write(second, ['orders', 0], 'c');
    await second.commit();
    expect(await committed('orders')).toEqual(['c']);
  });

  test('a successor takes over at once where no transaction is open', async () => {
    const first = await ready({ transactionVersion });
    const second = await ready({ transactionVersion });
    expect(second.epoch).toBe(first.epoch + 1);
    expect(await first.add(['orders', 0])).toEqual(['PRODUCER_FENCED']);
  });

  test('a transaction that takes too long is aborted, and its producer fenced', async () => {
    const producer = await ready({ transactionVersion, timeoutMs: 5000 });
    await write(producer, ['orders', 0], 'a');
    clock.advance(4999);
    expect(await ends('orders')).toEqual({ stable: 0, end: 1 });
    clock.advance(1);
    expect(await ends('orders')).toEqual({ stable: 2, end: 2 });
    expect(await committed('orders')).toEqual([]);
    expect(await producer.send('orders', 0, 'b')).toMatchObject({
      error: 'INVALID_PRODUCER_EPOCH',
    });
    expect(await producer.commit()).not.toBe('NONE');
  });

  test('time between transactions is free', async () => {
    const producer = await ready({ transactionVersion, timeoutMs: 5000 });
    for (let i = 0; i < 3; i++) {
      await write(producer, ['orders', 0], `${i}`);
      clock.advance(3000);
      expect(await producer.commit()).toBe('NONE');
      clock.advance(60_000);
    }
    expect(await committed('orders')).toEqual(['0', '1', '2']);
  });

  test('a record outside of the transaction is refused while it is open', async () => {
    const producer = await ready({ transactionVersion });
    await write(producer, ['orders', 0], 'a');
    const { producerId, epoch: producerEpoch } = producer;
    const sequence = { producerId, producerEpoch, baseSequence: 1 };
    const answer = await produceTo(client, 'orders', [{ value: 'x' }], { producer: sequence });
    expect(answer.error).toBe('INVALID_TXN_STATE');
  });
});

describe('with transaction.version 1', () => {
  const transactionVersion = 1;

  test.each([
    [11, 'TRANSACTION_ABORTABLE'],
    [10, 'INVALID_TXN_STATE'],
  ])('Produce %i to a partition that was not added gets %s', async (produce, error) => {
    const producer = await ready({ transactionVersion, versions: { produce } });
    await producer.add(['orders', 0]);
    expect(await producer.send('orders', 1, 'a')).toMatchObject({ error });
    expect(await ends('orders', 1)).toEqual({ stable: 0, end: 0 });
  });

  test('the end of a transaction leaves the epoch as it is', async () => {
    const producer = await ready({ transactionVersion });
    const { epoch } = producer;
    await producer.add(['orders', 0]);
    await producer.commit();
    expect(await producer.add(['orders', 0])).toEqual(['NONE']);
    expect(producer.epoch).toBe(epoch);
  });

  test('ending is idempotent, but no change of mind', async () => {
    const producer = await ready({ transactionVersion });
    expect(await producer.commit()).toBe('INVALID_TXN_STATE');
    await producer.add(['orders', 0]);
    expect(await producer.commit()).toBe('NONE');
    expect(await producer.commit()).toBe('NONE');
    expect(await producer.abort()).toBe('INVALID_TXN_STATE');
  });

  test('partitions without records get a marker, too', async () => {
    const producer = await ready({ transactionVersion });
    await producer.add(['orders', 0], ['orders', 1]);
    await producer.send('orders', 0, 'a');
    await producer.commit();
    expect(await markers('orders', 1)).toHaveLength(1);
  });

  test('an unknown partition keeps the others out', async () => {
    const producer = await ready({ transactionVersion });
    expect(await producer.add(['orders', 0], ['nowhere', 0], ['orders', 7])).toEqual([
      'OPERATION_NOT_ATTEMPTED',
      'UNKNOWN_TOPIC_OR_PARTITION',
      'UNKNOWN_TOPIC_OR_PARTITION',
    ]);
  });

  test('old clients hear of an old epoch where newer ones hear that they are fenced', async () => {
    const old = { init: 3, add: 1, offsets: 1, end: 1 };
    const first = await ready({ transactionVersion, versions: old });
    await ready({ transactionVersion });
    expect(await first.add(['orders', 0])).toEqual(['INVALID_PRODUCER_EPOCH']);
    expect(await first.addOffsets('group')).toBe('INVALID_PRODUCER_EPOCH');
    expect(await first.commit()).toBe('INVALID_PRODUCER_EPOCH');
    const { producerId, epoch: producerEpoch } = first;
    expect(await first.init({ producerId, producerEpoch })).toBe('INVALID_PRODUCER_EPOCH');
  });
});

describe('with transaction.version 2', () => {
  test('the epoch rises with each end, and an end that is repeated gets the same', async () => {
    const producer = await ready();
    const { producerId, epoch } = producer;
    await producer.send('orders', 0, 'a');
    await producer.commit();
    expect([producer.producerId, producer.epoch]).toEqual([producerId, epoch + 1]);
    producer.epoch = epoch;
    expect(await producer.commit()).toBe('NONE');
    expect(producer.epoch).toBe(epoch + 1);
    producer.epoch = epoch;
    expect(await producer.abort()).toBe('INVALID_TXN_STATE');
  });

  test('an empty transaction can be aborted, not committed', async () => {
    const producer = await ready();
    expect(await producer.commit()).toBe('INVALID_TXN_STATE');
    expect(await producer.abort()).toBe('NONE');
    expect(producer.epoch).toBe(1);
    expect(await producer.abort()).toBe('NONE');
    expect(producer.epoch).toBe(2);
  });

  test('records of the last transaction that come late are not taken for those of the next', async () => {
    const producer = await ready();
    await producer.send('orders', 0, 'a');
    await producer.commit();
    const { epoch } = producer;
    producer.epoch = epoch - 1;
    expect(await producer.sendAs('orders', 0, 1, 'late')).toMatchObject({
      error: 'INVALID_PRODUCER_EPOCH',
    });
    expect(await ends('orders')).toEqual({ stable: 2, end: 2 });
  });
});

describe('InitProducerId', () => {
  test('gives whoever says who it was the next epoch, also when the answer got lost', async () => {
    const producer = await ready();
    const { producerId } = producer;
    const claim = { producerId, producerEpoch: 0 };
    expect(await producer.init(claim)).toBe('NONE');
    expect(producer.epoch).toBe(1);
    expect(await producer.init(claim)).toBe('NONE');
    expect(producer.epoch).toBe(1);
    expect(await producer.init()).toBe('NONE');
    expect(await producer.init({ producerId, producerEpoch: 1 })).toBe('PRODUCER_FENCED');
  });

  test.each([0, -1, 900_001])('refuses a timeout of %i ms', async (timeoutMs) => {
    const producer = new HandProducer(routesWithin(cluster), { timeoutMs });
    expect(await producer.init()).toBe('INVALID_TRANSACTION_TIMEOUT');
  });

  test('refuses half a producer', async () => {
    const producer = await ready();
    expect(await producer.init({ producerId: 1 })).toBe('INVALID_REQUEST');
    expect(await producer.init({ producerEpoch: 1 })).toBe('INVALID_REQUEST');
    expect(await producer.init({ producerId: 99, producerEpoch: 0 })).toBe('PRODUCER_FENCED');
  });
});

test('a producer that never came to be is known to nobody', async () => {
  const producer = new HandProducer(routesWithin(cluster));
  producer.producerId = 5;
  producer.epoch = 0;
  expect(await producer.add(['orders', 0])).toEqual(['INVALID_PRODUCER_ID_MAPPING']);
  expect(await producer.addOffsets('group')).toBe('INVALID_PRODUCER_ID_MAPPING');
  expect(await producer.commit()).toBe('INVALID_PRODUCER_ID_MAPPING');
  const { error } = await producer.send('orders', 0, 'a');
  expect(error).toBe('INVALID_PRODUCER_ID_MAPPING');
});

test('failNext and intercept work on the requests of transactions', async () => {
  const producer = await ready({ transactionVersion: 1 });
  cluster.failNext('AddPartitionsToTxn', 'CONCURRENT_TRANSACTIONS');
  expect(await producer.add(['orders', 0])).toEqual(['CONCURRENT_TRANSACTIONS']);
  expect(await producer.add(['orders', 0])).toEqual(['NONE']);
  cluster.failNext('AddOffsetsToTxn', 'COORDINATOR_LOAD_IN_PROGRESS');
  expect(await producer.addOffsets('group')).toBe('COORDINATOR_LOAD_IN_PROGRESS');
  cluster.failNext('TxnOffsetCommit', 'ILLEGAL_GENERATION');
  expect(await producer.commitOffset('group', ['orders', 0, 1])).toBe('ILLEGAL_GENERATION');
  cluster.failNext('InitProducerId', 'CLUSTER_AUTHORIZATION_FAILED');
  expect(await producer.init()).toBe('CLUSTER_AUTHORIZATION_FAILED');
  cluster.failNext('EndTxn', 'NOT_COORDINATOR');
  expect(await producer.commit()).toBe('NOT_COORDINATOR');
  const seen: boolean[] = [];
  cluster.intercept('EndTxn', ({ body }) => void seen.push(body.committed));
  expect(await producer.commit()).toBe('NONE');
  expect(seen).toEqual([true]);
});
