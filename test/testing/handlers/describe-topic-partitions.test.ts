import { describe, expect, test } from 'vitest';
import { startEmbeddedKafka, type EmbeddedKafkaOptions } from '../../../src/testing/index.js';
import { EmbeddedClient, errorName } from '../../support/embedded-client.js';

const start = (options: EmbeddedKafkaOptions = {}) =>
  startEmbeddedKafka({ listen: 'memory', brokers: 2, topics: { orders: 2 }, ...options });

describe('DescribeTopicPartitions', () => {
  const describeTopics = async (
    client: EmbeddedClient,
    names: readonly string[],
    limit = 2000,
    cursor: { topicName: string; partitionIndex: number } | null = null,
  ) => {
    const { topics, nextCursor } = await client.request('DescribeTopicPartitions', 0, {
      topics: names.map((name) => ({ name })),
      responsePartitionLimit: limit,
      cursor,
    });
    const shown = topics.map(({ name, errorCode, partitions }) => [
      name,
      errorName(errorCode),
      partitions.map(({ partitionIndex }) => partitionIndex),
    ]);
    return { shown, nextCursor };
  };

  test('tells topics in the order of their names', async () => {
    await using cluster = await start({ topics: { b: 2, a: 1 } });
    const { shown, nextCursor } = await describeTopics(new EmbeddedClient(cluster), [
      'b',
      'x',
      'a',
    ]);
    expect(shown).toEqual([
      ['a', 'NONE', [0]],
      ['b', 'NONE', [0, 1]],
      ['x', 'UNKNOWN_TOPIC_OR_PARTITION', []],
    ]);
    expect(nextCursor).toBeNull();
  });

  test('tells all topics to those who name none', async () => {
    await using cluster = await start({ topics: { b: 2, a: 1 } });
    const { shown } = await describeTopics(new EmbeddedClient(cluster), []);
    expect(shown.map(([name]) => name)).toEqual(['a', 'b']);
  });

  test('goes on page by page, also inside a topic', async () => {
    await using cluster = await start({ topics: { a: 3, b: 2, c: 1 } });
    const client = new EmbeddedClient(cluster);
    const pages: unknown[] = [];
    let cursor: { topicName: string; partitionIndex: number } | null = null;
    do {
      const page = await describeTopics(client, [], 2, cursor);
      pages.push(page.shown);
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(pages).toEqual([
      [['a', 'NONE', [0, 1]]],
      [
        ['a', 'NONE', [2]],
        ['b', 'NONE', [0]],
      ],
      [
        ['b', 'NONE', [1]],
        ['c', 'NONE', [0]],
      ],
    ]);
  });

  test('tells leaders, replicas and who is offline', async () => {
    await using cluster = await start({ topics: { orders: { assignments: [[2, 1]] } } });
    await cluster.stop(2);
    const { topics } = await new EmbeddedClient(cluster, 1).request('DescribeTopicPartitions', 0, {
      topics: [{ name: 'orders' }],
    });
    expect(topics[0]).toMatchObject({
      topicId: cluster.inspect().topics['orders']!.topicId,
      partitions: [
        { leaderId: 1, leaderEpoch: 1, replicaNodes: [2, 1], isrNodes: [1], offlineReplicas: [2] },
      ],
    });
  });

  test('refuses a name, and a cursor, that can’t be', async () => {
    await using cluster = await start();
    const client = new EmbeddedClient(cluster);
    expect((await describeTopics(client, ['a b'])).shown).toEqual([
      ['a b', 'INVALID_TOPIC_EXCEPTION', []],
    ]);
    const bad = { topicName: 'orders', partitionIndex: -1 };
    expect((await describeTopics(client, ['orders'], 10, bad)).shown).toEqual([
      ['orders', 'INVALID_REQUEST', []],
    ]);
  });
});
