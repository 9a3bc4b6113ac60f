import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startEmbeddedKafka, type EmbeddedKafka } from '../../../src/testing/index.js';
import { EmbeddedClient, errorName } from '../../support/embedded-client.js';
import { FakeClock } from '../../support/fake-clock.js';
import { HandProducer, routesWithin } from '../../support/hand-producer.js';

let cluster: EmbeddedKafka;
let clock: FakeClock;

beforeEach(async () => {
  clock = new FakeClock();
  cluster = await startEmbeddedKafka({
    listen: 'memory',
    clock,
    brokers: 2,
    topics: { orders: 2 },
  });
});

afterEach(() => cluster.close());

async function open(transactionalId: string, broker: number): Promise<HandProducer> {
  cluster.moveCoordinator(transactionalId, broker);
  const producer = new HandProducer(routesWithin(cluster), { transactionalId });
  await producer.initAtLast();
  await producer.send('orders', 1, 'a');
  return producer;
}

describe('DescribeTransactions', () => {
  const ask = async (...transactionalIds: string[]) => {
    const client = new EmbeddedClient(cluster, 1);
    const { transactionStates } = await client.request('DescribeTransactions', 0, {
      transactionalIds,
    });
    return transactionStates;
  };

  test('tells how a transaction stands', async () => {
    clock.advance(70);
    const { producerId } = await open('a', 1);
    expect(await ask('a')).toEqual([
      {
        errorCode: 0,
        transactionalId: 'a',
        transactionState: 'Ongoing',
        transactionTimeoutMs: 60_000,
        transactionStartTimeMs: clock.now(),
        producerId,
        producerEpoch: 0,
        topics: [{ topic: 'orders', partitions: [1] }],
      },
    ]);
  });

  test('counts a group as a partition of the topic of offsets', async () => {
    const producer = await open('a', 1);
    await producer.commitOffset('billing', ['orders', 0, 1]);
    const [found] = await ask('a');
    expect(found!.topics.map(({ topic }) => topic)).toEqual(['orders', '__consumer_offsets']);
  });

  test('knows only what the broker coordinates', async () => {
    await open('a', 1);
    cluster.moveCoordinator('a', 2);
    cluster.moveCoordinator('nobody', 1);
    const found = await ask('a', 'nobody', '');
    expect(found.map(({ errorCode }) => errorName(errorCode))).toEqual([
      'NOT_COORDINATOR',
      'TRANSACTIONAL_ID_NOT_FOUND',
      'INVALID_REQUEST',
    ]);
  });
});

describe('ListTransactions', () => {
  const ask = async (query: object = {}, broker = 1) => {
    const answer = await new EmbeddedClient(cluster, broker).request('ListTransactions', 2, {
      stateFilters: [],
      producerIdFilters: [],
      ...query,
    });
    const ids = answer.transactionStates.map(({ transactionalId }) => transactionalId);
    return { error: errorName(answer.errorCode), ids, unknown: answer.unknownStateFilters };
  };

  test('tells each broker’s own', async () => {
    await open('a', 1);
    await open('b', 2);
    expect((await ask()).ids).toEqual(['a']);
    expect((await ask({}, 2)).ids).toEqual(['b']);
  });

  test('tells those that are wanted', async () => {
    const { producerId } = await open('a', 1);
    await (await open('b', 1)).commit();
    clock.advance(500);
    expect((await ask({ stateFilters: ['Ongoing'] })).ids).toEqual(['a']);
    expect(await ask({ stateFilters: ['Dead', 'odd'] })).toMatchObject({
      ids: [],
      unknown: ['odd'],
    });
    expect((await ask({ producerIdFilters: [producerId] })).ids).toEqual(['a']);
    expect((await ask({ durationFilter: 500 })).ids).toEqual([]);
    expect((await ask({ durationFilter: 499 })).ids).toEqual(['a', 'b']);
    expect((await ask({ transactionalIdPattern: 'b|c' })).ids).toEqual(['b']);
    expect((await ask({ transactionalIdPattern: '(' })).error).toBe('INVALID_REGULAR_EXPRESSION');
  });
});

test('DescribeProducers tells who produced to a partition, and whose transaction is open', async () => {
  const producer = await open('a', 1);
  const { leader } = cluster.inspect().topics['orders']!.partitions[1]!;
  const ask = async (broker: number, name = 'orders') => {
    const { topics } = await new EmbeddedClient(cluster, broker).request('DescribeProducers', 0, {
      topics: [{ name, partitionIndexes: [1] }],
    });
    const { errorCode, activeProducers } = topics[0]!.partitions[0]!;
    return { error: errorName(errorCode), producers: activeProducers };
  };
  const { producerId } = producer;
  const known = { producerId, producerEpoch: 0, lastSequence: 0, lastTimestamp: 1000 };
  expect(await ask(leader)).toEqual({
    error: 'NONE',
    producers: [{ ...known, coordinatorEpoch: -1, currentTxnStartOffset: 0 }],
  });
  await producer.abort();
  expect((await ask(leader)).producers).toMatchObject([
    { producerId, producerEpoch: 1, lastSequence: -1, currentTxnStartOffset: -1 },
  ]);
  expect((await ask(3 - leader)).error).toBe('NOT_LEADER_OR_FOLLOWER');
  expect((await ask(leader, 'nowhere')).error).toBe('UNKNOWN_TOPIC_OR_PARTITION');
});
