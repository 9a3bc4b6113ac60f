import { expect, test } from 'vitest';
import { startEmbeddedKafka } from '../../../src/testing/index.js';
import { EmbeddedClient, errorName } from '../../support/embedded-client.js';

const start = () => startEmbeddedKafka({ listen: 'memory', brokers: 3 });

test.each([0, 1, 2, 3])('version %i names one broker, whoever is asked', async (version) => {
  await using cluster = await start();
  const answers = await Promise.all(
    [1, 2, 3].map((broker) =>
      new EmbeddedClient(cluster, broker).request('FindCoordinator', version, { key: 'billing' }),
    ),
  );
  const [{ nodeId, host, port, errorCode }] = answers as [(typeof answers)[0]];
  expect(errorCode).toBe(0);
  expect({ host, port }).toEqual(cluster.addressOf(nodeId));
  expect(new Set(answers.map((answer) => answer.nodeId)).size).toBe(1);
});

test('version 4 and later name one for each key', async () => {
  await using cluster = await start();
  const coordinatorKeys = Array.from({ length: 30 }, (_, i) => `group-${i}`);
  const { coordinators } = await new EmbeddedClient(cluster).request('FindCoordinator', 4, {
    coordinatorKeys,
  });
  expect(coordinators.map(({ key }) => key)).toEqual(coordinatorKeys);
  expect(new Set(coordinators.map(({ nodeId }) => nodeId)).size).toBe(3);
});

test('a stopped broker coordinates nothing', async () => {
  await using cluster = await start();
  await cluster.stop(1);
  await cluster.stop(3);
  const { nodeId } = await new EmbeddedClient(cluster, 2).request('FindCoordinator', 2, {
    key: 'g',
  });
  expect(nodeId).toBe(2);
});

test('a kind of key that there is not is refused', async () => {
  await using cluster = await start();
  const { errorCode, nodeId } = await new EmbeddedClient(cluster).request('FindCoordinator', 2, {
    key: 'g',
    keyType: 9,
  });
  expect([errorName(errorCode), nodeId]).toEqual(['INVALID_REQUEST', -1]);
});
