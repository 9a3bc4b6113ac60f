import { describe, expect, test } from 'vitest';
import { startEmbeddedKafka } from '../../../src/testing/index.js';
import { EmbeddedClient, errorName } from '../../support/embedded-client.js';

const start = () =>
  startEmbeddedKafka({
    listen: 'memory',
    brokers: [
      { id: 1, rack: 'a' },
      { id: 2, rack: 'b' },
    ],
    topics: { orders: { assignments: [[1, 2], [2]] } },
  });

describe('InitProducerId', () => {
  const ask = (client: EmbeddedClient, transactionalId: string | null) =>
    client.request('InitProducerId', 4, { transactionalId, transactionTimeoutMs: 1000 });

  test('gives each producer an id of its own', async () => {
    await using cluster = await start();
    const first = await ask(new EmbeddedClient(cluster, 1), null);
    const second = await ask(new EmbeddedClient(cluster, 2), null);
    expect(first).toMatchObject({ errorCode: 0, producerEpoch: 0 });
    expect(second.producerId).not.toBe(first.producerId);
  });

  test('gives a transactional id the same producer id with the next epoch', async () => {
    await using cluster = await start();
    cluster.moveCoordinator('payments', 1);
    const client = new EmbeddedClient(cluster, 1);
    const first = await ask(client, 'payments');
    expect(await ask(client, 'payments')).toMatchObject({
      producerId: first.producerId,
      producerEpoch: first.producerEpoch + 1,
    });
  });

  test('refuses a transactional id that another broker coordinates', async () => {
    await using cluster = await start();
    cluster.moveCoordinator('payments', 2);
    const { errorCode } = await ask(new EmbeddedClient(cluster, 1), 'payments');
    expect(errorName(errorCode)).toBe('NOT_COORDINATOR');
  });

  test('refuses an empty transactional id', async () => {
    await using cluster = await start();
    const { errorCode, producerId } = await ask(new EmbeddedClient(cluster), '');
    expect([errorName(errorCode), producerId]).toEqual(['INVALID_REQUEST', -1]);
  });
});
