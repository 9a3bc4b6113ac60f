import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startEmbeddedKafka, type EmbeddedKafka } from '../../../src/testing/index.js';
import { EmbeddedClient, errorName } from '../../support/embedded-client.js';
import { FakeClock } from '../../support/fake-clock.js';
import { ClassicMember } from '../groups/classic-member.js';
import { ConsumerMember } from '../groups/consumer-member.js';
import { HandProducer, routesWithin, type ProducerOptions } from '../../support/hand-producer.js';

let cluster: EmbeddedKafka;
let client: EmbeddedClient;
let clock: FakeClock;

beforeEach(async () => {
  clock = new FakeClock();
  cluster = await startEmbeddedKafka({ listen: 'memory', clock, topics: { orders: 2 } });
  client = new EmbeddedClient(cluster);
});

afterEach(() => cluster.close());

async function ready(options: ProducerOptions = {}): Promise<HandProducer> {
  const producer = new HandProducer(routesWithin(cluster), options);
  expect(await producer.initAtLast()).toBe('NONE');
  return producer;
}

/** What OffsetFetch tells of a partition. */
async function fetched(partition = 0, requireStable = true): Promise<number | string> {
  const { groups } = await client.request('OffsetFetch', 9, {
    requireStable,
    groups: [{ groupId: 'billing', topics: [{ name: 'orders', partitionIndexes: [partition] }] }],
  });
  const { committedOffset, errorCode } = groups[0]!.topics[0]!.partitions[0]!;
  return errorCode === 0 ? committedOffset : errorName(errorCode);
}

/** Commits outside of any transaction. */
async function commitPlainly(offset: number): Promise<void> {
  await client.request('OffsetCommit', 8, {
    groupId: 'billing',
    topics: [
      {
        name: 'orders',
        partitions: [{ partitionIndex: 0, committedOffset: offset, committedMetadata: null }],
      },
    ],
  });
}

describe.each([1, 2] as const)('with transaction.version %i', (transactionVersion) => {
  async function commit(producer: HandProducer, offset: number, partition = 0) {
    if (transactionVersion === 1) expect(await producer.addOffsets('billing')).toBe('NONE');
    return producer.commitOffset('billing', ['orders', partition, offset]);
  }

  test('offsets are committed with the transaction, and unstable until then', async () => {
    const producer = await ready({ transactionVersion });
    expect(await commit(producer, 5)).toBe('NONE');
    expect(await fetched()).toBe('UNSTABLE_OFFSET_COMMIT');
    expect(await fetched(0, false)).toBe(-1);
    expect(await fetched(1)).toBe(-1);
    await producer.commit();
    expect(await fetched()).toBe(5);
    expect(cluster.groupOffsets('billing')['orders']?.[0]).toMatchObject({
      offset: 5,
      metadata: 'm',
    });
  });

  test('offsets of a transaction that is aborted were never there', async () => {
    const producer = await ready({ transactionVersion });
    await commit(producer, 5);
    await producer.abort();
    expect(await fetched()).toBe(-1);
    await commit(producer, 6);
    await producer.commit();
    expect(await fetched()).toBe(6);
  });

  test('a transaction that takes too long leaves the offsets as they were', async () => {
    const producer = await ready({ transactionVersion, timeoutMs: 1000 });
    await commitPlainly(3);
    await commit(producer, 5);
    clock.advance(1000);
    expect(await fetched()).toBe(3);
  });

  test('the one that was sent last wins, whichever transaction ends first', async () => {
    const first = await ready({ transactionVersion, transactionalId: 'a' });
    const second = await ready({ transactionVersion, transactionalId: 'b' });
    await commit(first, 5);
    await commit(second, 6);
    await second.commit();
    expect(await fetched()).toBe('UNSTABLE_OFFSET_COMMIT');
    await first.commit();
    expect(await fetched()).toBe(6);
    await commit(first, 7);
    await commitPlainly(8);
    await first.commit();
    expect(await fetched()).toBe(8);
  });

  test('offsets and records of one transaction are decided together', async () => {
    const producer = await ready({ transactionVersion });
    if (transactionVersion === 1) await producer.add(['orders', 1]);
    await producer.send('orders', 1, 'a');
    await commit(producer, 5);
    expect(cluster.inspect().transactions['payments']).toMatchObject({
      state: 'Ongoing',
      producerId: producer.producerId,
      epoch: producer.epoch,
      partitions: { orders: [1] },
      groups: ['billing'],
      coordinator: 1,
    });
    await producer.commit();
    expect(await fetched()).toBe(5);
    expect(cluster.committedRecords('orders')).toHaveLength(1);
    expect(cluster.inspect().transactions['payments']).toMatchObject({
      state: 'CompleteCommit',
      partitions: {},
      groups: [],
    });
  });

  test('offsets of a topic that is deleted meanwhile go with it', async () => {
    const producer = await ready({ transactionVersion });
    await commit(producer, 5);
    cluster.deleteTopic('orders');
    cluster.createTopic('orders', { partitions: 2 });
    expect(await fetched()).toBe(-1);
    await producer.commit();
    expect(await fetched()).toBe(-1);
  });

  test('a group without a name is refused, and so is a partition that there is not', async () => {
    const producer = await ready({ transactionVersion });
    expect(await producer.commitOffset('', ['orders', 0, 1])).toBe('INVALID_GROUP_ID');
    expect(await producer.commitOffset('billing', ['nowhere', 0, 1])).toBe(
      'UNKNOWN_TOPIC_OR_PARTITION',
    );
  });
});

describe('offsets of members', () => {
  const by = async (options: Parameters<HandProducer['commitOffset']>[2]) =>
    (await ready()).commitOffset('billing', ['orders', 0, 1], options);

  test('of a classic group are those of its generation, or of nobody in particular', async () => {
    const member = new ClassicMember(cluster, 'billing');
    await member.enter();
    const { memberId, generationId } = member;
    // Also while the generation is about to begin, unlike plain ones.
    expect(cluster.inspect().groups['billing']?.state).toBe('CompletingRebalance');
    expect(await by({ memberId, generationId })).toBe('NONE');
    await member.sync();
    expect(await by({ memberId, generationId })).toBe('NONE');
    expect(await by({})).toBe('NONE');
    expect(await by({ memberId, generationId: generationId + 1 })).toBe('ILLEGAL_GENERATION');
    expect(await by({ memberId, generationId: generationId - 1 })).toBe('ILLEGAL_GENERATION');
    expect(await by({ memberId: 'stranger', generationId })).toBe('UNKNOWN_MEMBER_ID');
    expect(await by({ generationId })).toBe('UNKNOWN_MEMBER_ID');
    // Who says who it is has to say in which generation.
    expect(await by({ memberId })).toBe('ILLEGAL_GENERATION');
    expect(await by({ memberId: 'stranger' })).toBe('UNKNOWN_MEMBER_ID');
  });

  test('of a static member that was succeeded are refused', async () => {
    const first = new ClassicMember(cluster, 'billing', 'till-1');
    await first.enter();
    await first.sync();
    const { memberId, generationId } = first;
    const second = new ClassicMember(cluster, 'billing', 'till-1');
    await second.enter();
    expect(await by({ memberId, generationId, groupInstanceId: 'till-1' })).toBe(
      'FENCED_INSTANCE_ID',
    );
  });

  test('of a consumer group are those of its epoch, called a generation', async () => {
    const member = new ConsumerMember(cluster, 'billing', 'a');
    await member.join();
    const { memberId, epoch: generationId } = member;
    expect(await by({ memberId, generationId })).toBe('NONE');
    expect(await by({})).toBe('NONE');
    expect(await by({ memberId, generationId: generationId + 1 })).toBe('ILLEGAL_GENERATION');
    expect(await by({ memberId, generationId: generationId - 1 })).toBe('ILLEGAL_GENERATION');
    expect(await by({ memberId: 'stranger', generationId })).toBe('UNKNOWN_MEMBER_ID');
  });

  test('of no group that there is have no member, before 4.0', async () => {
    await using older = await startEmbeddedKafka({
      listen: 'memory',
      version: '3.9',
      topics: { orders: 1 },
    });
    const producer = new HandProducer(routesWithin(older), { transactionVersion: 1 });
    await producer.initAtLast();
    await producer.addOffsets('billing');
    const who = { memberId: 'a', generationId: 1 };
    expect(await producer.commitOffset('billing', ['orders', 0, 1], who)).toBe('UNKNOWN_MEMBER_ID');
  });

  test('of no group that there is have no generation', async () => {
    expect(await by({ memberId: 'a', generationId: 1 })).toBe('ILLEGAL_GENERATION');
    expect(await by({})).toBe('NONE');
  });
});

test.each([
  [4, 'TRANSACTION_ABORTABLE'],
  [3, 'INVALID_TXN_STATE'],
])('TxnOffsetCommit %i for a group that was not added gets %s', async (commit, error) => {
  const producer = await ready({ versions: { commit } });
  expect(await producer.commitOffset('billing', ['orders', 0, 1])).toBe(error);
  expect(await fetched()).toBe(-1);
});

test('brokers that do not ask the coordinator still tell a producer that was fenced', async () => {
  await using old = await startEmbeddedKafka({
    listen: 'memory',
    version: '2.8',
    topics: { orders: 1 },
  });
  const versions = { init: 4, add: 2, offsets: 2, commit: 3, end: 2, produce: 9 };
  const routes = { ...routesWithin(old) };
  const ask = async (key: string) => {
    const { nodeId } = await new EmbeddedClient(old).request('FindCoordinator', 3, {
      key,
      keyType: 1,
    });
    return new EmbeddedClient(old, nodeId);
  };
  routes.coordinator = ask;
  const first = new HandProducer(routes, { versions });
  await first.initAtLast();
  await first.addOffsets('billing');
  expect(await first.commitOffset('billing', ['orders', 0, 1])).toBe('NONE');
  const second = new HandProducer(routes, { versions });
  expect(await second.initAtLast()).toBe('NONE');
  expect(await first.commitOffset('billing', ['orders', 0, 2])).toBe('INVALID_PRODUCER_EPOCH');
  expect(await second.commitOffset('billing', ['orders', 0, 3])).toBe('NONE');
  // Nobody asks whether the partition was added, either.
  expect(await second.send('orders', 0, 'a')).toMatchObject({ error: 'NONE' });
  expect(await first.send('orders', 0, 'b')).toMatchObject({ error: 'INVALID_PRODUCER_EPOCH' });
});
