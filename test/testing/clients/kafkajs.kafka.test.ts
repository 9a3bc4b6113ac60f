import { CompressionTypes, Kafka, logLevel, type Message } from 'kafkajs';
import { expect, test } from 'vitest';
import { startEmbeddedKafka, type EmbeddedKafka } from '../../../src/testing/index.js';

const kafkaOf = (cluster: EmbeddedKafka) =>
  new Kafka({ brokers: cluster.bootstrapServers.split(','), logLevel: logLevel.NOTHING });

const numbered = (count: number): Message[] =>
  Array.from({ length: count }, (_, i) => ({
    key: `k${i % 7}`,
    value: `v${i}`,
    headers: { n: `${i}` },
  }));

async function produce(cluster: EmbeddedKafka, messages: Message[], compression: CompressionTypes) {
  const producer = kafkaOf(cluster).producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const answers = await producer.send({ topic: 'orders', messages, compression });
  await producer.disconnect();
  return answers;
}

test.each([
  ['none', CompressionTypes.None],
  ['gzip', CompressionTypes.GZIP],
] as const)('kafkajs writes with %s what the log then holds', async (_, compression) => {
  await using cluster = await startEmbeddedKafka({ brokers: 3, topics: { orders: 3 } });
  const answers = await produce(cluster, numbered(300), compression);
  expect(answers.every(({ errorCode }) => errorCode === 0)).toBe(true);
  const stored = cluster.records('orders').map(({ value }) => String(value));
  expect(stored.sort()).toEqual(
    numbered(300)
      .map(({ value }) => String(value))
      .sort(),
  );
  expect(cluster.records('orders')[0]!.headers[0]![0]).toBe('n');
  expect(cluster.inspect().complaints).toEqual([]);
});

test('kafkajs reads as a member of a group what was written', async () => {
  await using cluster = await startEmbeddedKafka({ brokers: 3, topics: { orders: 3 } });
  await produce(cluster, numbered(300), CompressionTypes.GZIP);
  const consumer = kafkaOf(cluster).consumer({ groupId: 'billing' });
  await consumer.connect();
  await consumer.subscribe({ topic: 'orders', fromBeginning: true });
  const read: string[] = [];
  await new Promise<void>((resolve, reject) => {
    consumer.on('consumer.crash', ({ payload }) => reject(payload.error));
    void consumer.run({
      eachMessage: ({ message }) => {
        read.push(String(message.value));
        if (read.length === 300) resolve();
        return Promise.resolve();
      },
    });
  });
  await consumer.disconnect();
  expect(read.sort()).toEqual(
    numbered(300)
      .map(({ value }) => String(value))
      .sort(),
  );
});

test('kafkajs administers topics', async () => {
  await using cluster = await startEmbeddedKafka({ brokers: 3 });
  const admin = kafkaOf(cluster).admin();
  await admin.connect();
  await admin.createTopics({
    topics: [{ topic: 'orders', numPartitions: 2, replicationFactor: 3 }],
  });
  await admin.createPartitions({ topicPartitions: [{ topic: 'orders', count: 4 }] });
  await produce(cluster, numbered(40), CompressionTypes.None);
  const offsets = await admin.fetchTopicOffsets('orders');
  expect(offsets).toHaveLength(4);
  expect(offsets.reduce((sum, { high }) => sum + Number(high), 0)).toBe(40);
  await admin.deleteTopicRecords({
    topic: 'orders',
    partitions: offsets.map(({ partition, high }) => ({ partition, offset: high })),
  });
  expect(cluster.records('orders')).toEqual([]);
  await admin.deleteTopics({ topics: ['orders'] });
  expect(await admin.listTopics()).toEqual([]);
  await admin.disconnect();
});
