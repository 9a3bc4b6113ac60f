import { expect, test } from 'vitest';
import { startKafka } from './cluster.js';
import { answers } from './readiness.js';

test('a node of three comes back on the same port after SIGKILL', async () => {
  await using kafka = await startKafka({ version: '4.3', nodes: 3 });
  const [first, second] = kafka.nodes;
  await second!.kill('SIGKILL');
  expect(await answers(second!.port, true)).toBe(false);
  expect(await answers(first!.port, true)).toBe(true);
  await second!.start();
  expect(await answers(second!.port, true)).toBe(true);
});

test('a topic made with its own tool can be listed', async () => {
  await using kafka = await startKafka({ version: '2.8' });
  await kafka.createTopic('orders', { partitions: 3 });
  const topics = await kafka.runTool('kafka.admin.TopicCommand', [
    '--bootstrap-server',
    kafka.bootstrapServers,
    '--list',
  ]);
  expect(topics.split('\n')).toContain('orders');
});

test('an unknown version is refused with the list of those there are', async () => {
  await expect(startKafka({ version: '9.9' })).rejects.toThrow(/no recipe for Kafka 9.9.*4\.3\.1/i);
});
