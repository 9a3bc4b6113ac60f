import { expect, test } from 'vitest';
import { startEmbeddedKafka } from '../../../src/testing/index.js';
import { runKafkaTool } from '../../support/kafka/tools.js';

const PRODUCER = 'org.apache.kafka.tools.ConsoleProducer';
const CONSUMER = 'org.apache.kafka.tools.consumer.ConsoleConsumer';
const TOPICS = 'org.apache.kafka.tools.TopicCommand';

const lines = (text: string) => text.trimEnd().split('\n');
const numbered = (count: number) => Array.from({ length: count }, (_, i) => `k${i}:value ${i}`);

async function produce(servers: string, input: readonly string[], options: readonly string[]) {
  const readKeys = ['parse.key=true', 'key.separator=:'].flatMap((each) => [
    '--reader-property',
    each,
  ]);
  await runKafkaTool(
    PRODUCER,
    ['--bootstrap-server', servers, '--topic', 'orders', ...readKeys, ...options],
    { stdin: `${input.join('\n')}\n` },
  );
}

async function consume(servers: string, options: readonly string[]) {
  const format = ['print.key=true', 'key.separator=:'];
  return lines(
    await runKafkaTool(CONSUMER, [
      ...['--bootstrap-server', servers, '--topic', 'orders', '--timeout-ms', '20000'],
      ...format.flatMap((property) => ['--formatter-property', property]),
      ...options,
    ]),
  );
}

test.each(['none', 'lz4', 'zstd'])('Java writes and reads with %s', async (codec) => {
  await using cluster = await startEmbeddedKafka({ brokers: 2, topics: {} });
  cluster.createTopic('orders', { assignments: [[2, 1]] });
  const input = numbered(300);
  await produce(cluster.bootstrapServers, input, ['--compression-codec', codec]);
  const stored = cluster
    .records('orders')
    .map(({ key, value }) => `${String(key)}:${String(value)}`);
  expect(stored).toEqual(input);
  const { producers } = cluster.inspect().topics['orders']!.partitions[0]!;
  expect(producers).toMatchObject([{ lastSequence: 299, lastOffset: 299 }]);
  const read = await consume(cluster.bootstrapServers, [
    ...['--partition', '0', '--offset', 'earliest', '--max-messages', '300'],
  ]);
  expect(read).toEqual(input);
  expect(cluster.inspect().complaints).toEqual([]);
});

test('Java reads as a member of a classic group', async () => {
  await using cluster = await startEmbeddedKafka({ brokers: 2, topics: { orders: 3 } });
  const input = numbered(100);
  await produce(cluster.bootstrapServers, input, []);
  const read = await consume(cluster.bootstrapServers, [
    ...['--from-beginning', '--max-messages', '100', '--group', 'billing'],
    ...['--command-property', 'group.protocol=classic'],
  ]);
  expect(read.sort()).toEqual([...input].sort());
});

test('Java goes on over a moved leader and a lost answer, and nothing is there twice', async () => {
  await using cluster = await startEmbeddedKafka({ brokers: 2, topics: {} });
  cluster.createTopic('orders', { assignments: [[1, 2]] });
  cluster.drop('Produce', 1, { when: 'after' });
  const written = produce(cluster.bootstrapServers, numbered(2000), ['--batch-size', '1000']);
  await cluster.whenRequested('Produce', 2);
  cluster.moveLeader('orders', 0, 2);
  await written;
  const stored = cluster
    .records('orders')
    .map(({ key, value }) => `${String(key)}:${String(value)}`);
  expect(stored).toEqual(numbered(2000));
});

test('Java makes, describes and deletes topics', async () => {
  await using cluster = await startEmbeddedKafka({ brokers: 3 });
  const run = (...args: string[]) =>
    runKafkaTool(TOPICS, ['--bootstrap-server', cluster.bootstrapServers, ...args]);
  await run(
    ...['--create', '--topic', 'orders', '--partitions', '2', '--replication-factor', '3'],
    ...['--config', 'retention.ms=1000'],
  );
  const described = await run('--describe', '--topic', 'orders');
  expect(described).toContain(`TopicId: ${cluster.inspect().topics['orders']!.topicId}`);
  expect(described).toMatch(
    /PartitionCount: 2\s+ReplicationFactor: 3\s+Configs: .*retention.ms=1000/,
  );
  expect(described).toMatch(/Partition: 1\s+Leader: 2\s+Replicas: 2,3,1\s+Isr: 2,3,1/);
  await run('--delete', '--topic', 'orders');
  expect(cluster.inspect().topics).toEqual({});
});
