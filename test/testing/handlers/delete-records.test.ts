import { describe, expect, test } from 'vitest';
import { encodeRecords } from '../../../src/core/records/index.js';
import { startEmbeddedKafka, type EmbeddedKafkaOptions } from '../../../src/testing/index.js';
import { EmbeddedClient, errorName } from '../../support/embedded-client.js';

const start = (options: EmbeddedKafkaOptions = {}) =>
  startEmbeddedKafka({ listen: 'memory', brokers: 2, topics: { orders: 2 }, ...options });

describe('DeleteRecords', () => {
  async function setUp(configs: Readonly<Record<string, string>> = {}) {
    const cluster = await start({ topics: { orders: { assignments: [[1, 2]], configs } } });
    const records = Array.from({ length: 10 }, () => ({ key: 'k', value: 'v' }));
    cluster.append('orders', 0, encodeRecords(records));
    return cluster;
  }
  const remove = async (client: EmbeddedClient, offset: number, partitionIndex = 0) => {
    const { topics } = await client.request('DeleteRecords', 2, {
      topics: [{ name: 'orders', partitions: [{ partitionIndex, offset }] }],
      timeoutMs: 1000,
    });
    const { errorCode, lowWatermark } = topics[0]!.partitions[0]!;
    return [errorName(errorCode), lowWatermark];
  };

  test('moves the start of the log, also into the middle of a batch', async () => {
    await using cluster = await setUp();
    const client = new EmbeddedClient(cluster);
    expect(await remove(client, 4)).toEqual(['NONE', 4]);
    expect(cluster.records('orders')).toHaveLength(6);
    expect(cluster.inspect().topics['orders']!.partitions[0]).toMatchObject({
      logStartOffset: 4,
      records: 6,
    });
    expect(await remove(client, 2)).toEqual(['NONE', 4]);
  });

  test('of -1 deletes everything', async () => {
    await using cluster = await setUp();
    expect(await remove(new EmbeddedClient(cluster), -1)).toEqual(['NONE', 10]);
    expect(cluster.records('orders')).toEqual([]);
  });

  test('refuses offsets there are not, other brokers and other partitions', async () => {
    await using cluster = await setUp();
    const client = new EmbeddedClient(cluster);
    expect(await remove(client, 11)).toEqual(['OFFSET_OUT_OF_RANGE', -1]);
    expect(await remove(client, -2)).toEqual(['OFFSET_OUT_OF_RANGE', -1]);
    expect(await remove(client, 1, 7)).toEqual(['UNKNOWN_TOPIC_OR_PARTITION', -1]);
    const follower = new EmbeddedClient(cluster, 2);
    expect(await remove(follower, 1)).toEqual(['NOT_LEADER_OR_FOLLOWER', -1]);
  });

  test('refuses topics that are only compacted', async () => {
    await using cluster = await setUp({ 'cleanup.policy': 'compact' });
    expect(await remove(new EmbeddedClient(cluster), 1)).toEqual(['POLICY_VIOLATION', -1]);
  });
});
