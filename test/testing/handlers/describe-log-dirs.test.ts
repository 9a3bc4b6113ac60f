import { describe, expect, test } from 'vitest';
import { encodeRecords } from '../../../src/core/records/index.js';
import { startEmbeddedKafka } from '../../../src/testing/index.js';
import { EmbeddedClient } from '../../support/embedded-client.js';

const start = () =>
  startEmbeddedKafka({
    listen: 'memory',
    brokers: [
      { id: 1, rack: 'a' },
      { id: 2, rack: 'b' },
    ],
    topics: { orders: { assignments: [[1, 2], [2]] } },
  });

describe('DescribeLogDirs', () => {
  test('tells how large the partitions are that a broker holds', async () => {
    await using cluster = await start();
    const batch = encodeRecords([{ value: 'v' }]);
    cluster.append('orders', 0, batch);
    const ask = async (broker: number) => {
      const client = new EmbeddedClient(cluster, broker);
      const { results } = await client.request('DescribeLogDirs', 4, { topics: null });
      return results[0]!.topics.flatMap(({ partitions }) =>
        partitions.map(({ partitionIndex, partitionSize }) => [partitionIndex, partitionSize]),
      );
    };
    expect(await ask(1)).toEqual([[0, batch.length]]);
    expect(await ask(2)).toEqual([
      [0, batch.length],
      [1, 0],
    ]);
  });

  test('tells only of the topics that were named', async () => {
    await using cluster = await start();
    const { results } = await new EmbeddedClient(cluster).request('DescribeLogDirs', 4, {
      topics: [{ topic: 'nowhere', partitions: [0] }],
    });
    expect(results[0]!.topics).toEqual([]);
  });
});
