import { expect, test } from 'vitest';
import { encodeRecords } from '../../../src/core/records/index.js';
import { startEmbeddedKafka } from '../../../src/testing/index.js';
import { EmbeddedClient, errorName } from '../../support/embedded-client.js';

/** Epoch 0 wrote offsets 0 to 2, epoch 1 writes from 3 on, and leads on broker 2. */
async function start() {
  const cluster = await startEmbeddedKafka({
    listen: 'memory',
    brokers: 2,
    topics: { orders: { assignments: [[1, 2]] } },
  });
  const write = () => cluster.append('orders', 0, encodeRecords([{ value: 'v' }]));
  for (let i = 0; i < 3; i++) write();
  cluster.moveLeader('orders', 0, 2);
  for (let i = 0; i < 2; i++) write();
  return cluster;
}

async function ask(client: EmbeddedClient, leaderEpoch: number, version = 4, more = {}) {
  const { topics } = await client.request('OffsetForLeaderEpoch', version, {
    topics: [{ topic: 'orders', partitions: [{ partition: 0, leaderEpoch, ...more }] }],
  });
  const { errorCode, leaderEpoch: epoch, endOffset } = topics[0]!.partitions[0]!;
  return { error: errorName(errorCode), epoch, endOffset };
}

test.each([2, 3, 4])('version %i tells where epochs ended', async (version) => {
  await using cluster = await start();
  const client = new EmbeddedClient(cluster, 2);
  expect(await ask(client, 0, version)).toEqual({ error: 'NONE', epoch: 0, endOffset: 3 });
  expect(await ask(client, 1, version)).toEqual({ error: 'NONE', epoch: 1, endOffset: 5 });
  expect(await ask(client, 2, version)).toEqual({ error: 'NONE', epoch: -1, endOffset: -1 });
});

test('only the leader of the same epoch tells', async () => {
  await using cluster = await start();
  const leader = new EmbeddedClient(cluster, 2);
  const error = async (client: EmbeddedClient, currentLeaderEpoch: number) =>
    (await ask(client, 0, 4, { currentLeaderEpoch })).error;
  expect(await error(leader, 0)).toBe('FENCED_LEADER_EPOCH');
  expect(await error(leader, 2)).toBe('UNKNOWN_LEADER_EPOCH');
  expect(await error(leader, 1)).toBe('NONE');
  expect(await error(new EmbeddedClient(cluster, 1), 1)).toBe('NOT_LEADER_OR_FOLLOWER');
});

test('a partition that there is not has no epochs', async () => {
  await using cluster = await start();
  const { topics } = await new EmbeddedClient(cluster).request('OffsetForLeaderEpoch', 4, {
    topics: [{ topic: 'orders', partitions: [{ partition: 9, leaderEpoch: 0 }] }],
  });
  expect(errorName(topics[0]!.partitions[0]!.errorCode)).toBe('UNKNOWN_TOPIC_OR_PARTITION');
});
