import { afterEach, beforeEach, expect, test } from 'vitest';
import { startEmbeddedKafka, type EmbeddedKafka } from '../../../src/testing/index.js';
import { EmbeddedClient, errorName } from '../../support/embedded-client.js';
import { FakeClock } from '../../support/fake-clock.js';
import { HandProducer, routesWithin, type ProducerOptions } from '../../support/hand-producer.js';

let cluster: EmbeddedKafka;
let clock: FakeClock;

beforeEach(async () => {
  clock = new FakeClock();
  cluster = await startEmbeddedKafka({
    listen: 'memory',
    clock,
    brokers: 3,
    topics: {
      alone: { assignments: [[1], [2], [3]] },
      shared: { assignments: [[1, 2, 3]] },
    },
  });
});

afterEach(() => cluster.close());

async function ready(options: ProducerOptions = {}): Promise<HandProducer> {
  const producer = new HandProducer(routesWithin(cluster), options);
  expect(await producer.initAtLast()).toBe('NONE');
  return producer;
}

const values = (topic: string) => cluster.committedRecords(topic).map(({ value }) => String(value));
const stateOf = (id = 'payments') => cluster.inspect().transactions[id]!.state;

test('a transaction spans the partitions of several brokers', async () => {
  const producer = await ready();
  for (const partition of [0, 1, 2]) await producer.send('alone', partition, `${partition}`);
  expect(values('alone')).toEqual([]);
  await producer.commit();
  expect(values('alone')).toEqual(['0', '1', '2']);
});

test('markers wait for a partition without a leader, and so does the next transaction', async () => {
  const producer = await ready();
  cluster.moveCoordinator('payments', 1);
  await producer.send('alone', 0, 'a');
  await producer.send('alone', 1, 'b');
  await cluster.stop(2);
  const claim = { producerId: producer.producerId, producerEpoch: producer.epoch };
  expect(await producer.commit()).toBe('NONE');
  expect(stateOf()).toBe('PrepareCommit');
  expect(values('alone')).toEqual(['a']);
  expect(cluster.inspect().transactions['payments']?.partitions).toEqual({ alone: [1] });
  expect(await producer.send('alone', 0, 'c')).toMatchObject({ error: 'CONCURRENT_TRANSACTIONS' });
  expect(await producer.init(claim)).toBe('CONCURRENT_TRANSACTIONS');
  await cluster.start(2);
  expect(stateOf()).toBe('CompleteCommit');
  expect(values('alone')).toEqual(['a', 'b']);
  expect(await producer.send('alone', 0, 'c')).toMatchObject({ error: 'NONE' });
});

test('a partition that is deleted holds no transaction up', async () => {
  const producer = await ready();
  cluster.moveCoordinator('payments', 1);
  await producer.send('alone', 1, 'b');
  await cluster.stop(2);
  await producer.commit();
  expect(stateOf()).toBe('PrepareCommit');
  cluster.deleteTopic('alone');
  expect(stateOf()).toBe('CompleteCommit');
});

test('older producers are told to try again otherwise while markers are written', async () => {
  const producer = await ready({ transactionVersion: 1 });
  const release = cluster.holdMarkers();
  await producer.add(['alone', 0]);
  await producer.send('alone', 0, 'a');
  expect(await producer.commit()).toBe('NONE');
  expect(await producer.commit()).toBe('CONCURRENT_TRANSACTIONS');
  expect(await producer.add(['alone', 1])).toEqual(['CONCURRENT_TRANSACTIONS']);
  expect(await producer.send('alone', 1, 'a')).toMatchObject({ error: 'NOT_ENOUGH_REPLICAS' });
  expect(await producer.addOffsets('g')).toBe('CONCURRENT_TRANSACTIONS');
  expect(await producer.init()).toBe('CONCURRENT_TRANSACTIONS');
  expect(values('alone')).toEqual([]);
  release();
  expect(values('alone')).toEqual(['a']);
  expect(await producer.add(['alone', 1])).toEqual(['NONE']);
});

test('markers are held as long as anybody holds them', async () => {
  const producer = await ready();
  const releases = [cluster.holdMarkers(), cluster.holdMarkers()];
  await producer.send('alone', 0, 'a');
  await producer.commit();
  releases[0]!();
  releases[0]!();
  expect(values('alone')).toEqual([]);
  releases[1]!();
  expect(values('alone')).toEqual(['a']);
});

test('a coordinator that moves takes the open transaction along', async () => {
  cluster.moveCoordinator('payments', 1);
  const producer = await ready({ transactionVersion: 1 });
  await producer.add(['shared', 0]);
  await producer.send('shared', 0, 'a');
  cluster.moveCoordinator('payments', 2);
  const former = new EmbeddedClient(cluster, 1);
  const { errorCode } = await former.request('EndTxn', 4, {
    transactionalId: 'payments',
    producerId: producer.producerId,
    producerEpoch: producer.epoch,
    committed: true,
  });
  expect(errorName(errorCode)).toBe('NOT_COORDINATOR');
  expect(cluster.inspect().transactions['payments']).toMatchObject({
    coordinator: 2,
    state: 'Ongoing',
  });
  expect(await producer.commit()).toBe('NONE');
  expect(values('shared')).toEqual(['a']);
});

test('a coordinator that stops is followed by another, and leaders by others', async () => {
  cluster.moveCoordinator('payments', 1);
  const producer = await ready();
  await producer.send('shared', 0, 'a');
  await cluster.stop(1);
  expect(await producer.send('shared', 0, 'b')).toMatchObject({ error: 'NONE', offset: 1 });
  expect(await producer.commit()).toBe('NONE');
  expect(values('shared')).toEqual(['a', 'b']);
});

test('markers tell how often the coordinator has moved', async () => {
  cluster.moveCoordinator('payments', 1);
  const producer = await ready();
  const epochOf = async () => {
    const { leader } = cluster.inspect().topics['shared']!.partitions[0]!;
    const { topics } = await new EmbeddedClient(cluster, leader).request('DescribeProducers', 0, {
      topics: [{ name: 'shared', partitionIndexes: [0] }],
    });
    return topics[0]!.partitions[0]!.activeProducers[0]!.coordinatorEpoch;
  };
  await producer.send('shared', 0, 'a');
  expect(await epochOf()).toBe(-1);
  await producer.commit();
  const before = await epochOf();
  cluster.moveCoordinator('payments', 2);
  await producer.send('shared', 0, 'b');
  await producer.commit();
  expect(await epochOf()).toBe(before + 1);
});

test('a transaction takes too long also while nobody coordinates it', async () => {
  const producer = await ready({ timeoutMs: 1000 });
  await producer.send('shared', 0, 'a');
  for (const id of [1, 2, 3]) await cluster.stop(id);
  clock.advance(5000);
  expect(stateOf()).toBe('Ongoing');
  await cluster.start(3);
  clock.advance(0);
  expect(stateOf()).toBe('CompleteAbort');
});

test('a transaction can be made to take too long', async () => {
  const producer = await ready();
  await producer.send('alone', 0, 'a');
  cluster.expireTransaction('payments');
  expect(stateOf()).toBe('CompleteAbort');
  expect(await producer.send('alone', 0, 'b')).toMatchObject({ error: 'INVALID_PRODUCER_EPOCH' });
  expect(() => cluster.expireTransaction('payments')).toThrow(/payments is CompleteAbort/);
  expect(() => cluster.expireTransaction('nobody')).toThrow(/no transactional id nobody/);
});

test('records that are read as they lie include what is undecided or aborted', async () => {
  const producer = await ready();
  await producer.send('alone', 0, 'a');
  await producer.abort();
  await producer.send('alone', 0, 'b');
  await producer.commit();
  await producer.send('alone', 0, 'c');
  expect(cluster.records('alone').map(({ value }) => String(value))).toEqual(['a', 'b', 'c']);
  expect(values('alone')).toEqual(['b']);
  expect(cluster.inspect().topics['alone']!.partitions[0]).toMatchObject({
    records: 3,
    batches: 5,
    lastStableOffset: 4,
    highWatermark: 5,
  });
});
