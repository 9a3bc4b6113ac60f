import { describe, expect, test } from 'vitest';
import { startEmbeddedKafka, type EmbeddedKafkaOptions } from '../../../src/testing/index.js';
import { EmbeddedClient, errorName } from '../../support/embedded-client.js';

const start = (options: EmbeddedKafkaOptions = {}) =>
  startEmbeddedKafka({ listen: 'memory', brokers: 2, topics: { orders: 2 }, ...options });

describe('CreatePartitions', () => {
  const grow = async (
    client: EmbeddedClient,
    count: number,
    {
      name = 'orders',
      assignments = null as readonly number[][] | null,
      validateOnly = false,
    } = {},
  ) => {
    const { results } = await client.request('CreatePartitions', 3, {
      topics: [
        { name, count, assignments: assignments?.map((brokerIds) => ({ brokerIds })) ?? null },
      ],
      timeoutMs: 1000,
      validateOnly,
    });
    return errorName(results[0]!.errorCode);
  };

  test('adds partitions, with leaders', async () => {
    await using cluster = await start();
    expect(await grow(new EmbeddedClient(cluster), 4)).toBe('NONE');
    const { partitions } = cluster.inspect().topics['orders']!;
    expect(partitions).toHaveLength(4);
    expect(partitions.every(({ leader }) => leader > 0)).toBe(true);
  });

  test('places them where told', async () => {
    await using cluster = await start();
    expect(await grow(new EmbeddedClient(cluster), 3, { assignments: [[2, 1]] })).toBe('NONE');
    expect(cluster.inspect().topics['orders']!.partitions[2]).toMatchObject({ leader: 2 });
  });

  test('refuses what is no growth, and topics there are not', async () => {
    await using cluster = await start();
    const client = new EmbeddedClient(cluster);
    expect(await grow(client, 2)).toBe('INVALID_PARTITIONS');
    expect(await grow(client, 4, { assignments: [[1]] })).toBe('INVALID_REPLICA_ASSIGNMENT');
    expect(await grow(client, 1_000_000)).toBe('POLICY_VIOLATION');
    expect(await grow(client, 4, { name: 'nowhere' })).toBe('UNKNOWN_TOPIC_OR_PARTITION');
    expect(await grow(client, 4, { validateOnly: true })).toBe('NONE');
    expect(cluster.inspect().topics['orders']!.partitions).toHaveLength(2);
  });
});
