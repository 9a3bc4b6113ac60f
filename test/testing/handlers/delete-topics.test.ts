import { describe, expect, test } from 'vitest';
import { ZERO_UUID } from '../../../src/core/protocol/index.js';
import { startEmbeddedKafka, type EmbeddedKafkaOptions } from '../../../src/testing/index.js';
import { EmbeddedClient, errorName } from '../../support/embedded-client.js';

const start = (options: EmbeddedKafkaOptions = {}) =>
  startEmbeddedKafka({ listen: 'memory', brokers: 2, topics: { orders: 2 }, ...options });

describe('DeleteTopics', () => {
  test.each([1, 2, 3, 4, 5])('version %i deletes by name', async (version) => {
    await using cluster = await start();
    const { responses } = await new EmbeddedClient(cluster).request('DeleteTopics', version, {
      topicNames: ['orders', 'nowhere'],
      timeoutMs: 1000,
    });
    expect(responses.map(({ name, errorCode }) => [name, errorName(errorCode)])).toEqual([
      ['orders', 'NONE'],
      ['nowhere', 'UNKNOWN_TOPIC_OR_PARTITION'],
    ]);
    expect(cluster.inspect().topics).toEqual({});
  });

  test('version 6 deletes by name or by id, but not by both or neither', async () => {
    await using cluster = await start({ topics: { a: 1, b: 1, c: 1 } });
    const idOf = (name: string) => cluster.inspect().topics[name]!.topicId;
    const [b, c] = [idOf('b'), idOf('c')];
    const { responses } = await new EmbeddedClient(cluster).request('DeleteTopics', 6, {
      topics: [
        { name: 'a', topicId: ZERO_UUID },
        { name: null, topicId: b },
        { name: 'c', topicId: c },
        { name: null, topicId: ZERO_UUID },
        { name: null, topicId: 'AAAAAAAAAAAAAAAAAAAAAQ' },
      ],
      timeoutMs: 1000,
    });
    expect(responses.map(({ name, errorCode }) => [name, errorName(errorCode)])).toEqual([
      ['a', 'NONE'],
      ['b', 'NONE'],
      ['c', 'INVALID_REQUEST'],
      [null, 'INVALID_REQUEST'],
      [null, 'UNKNOWN_TOPIC_ID'],
    ]);
    expect(Object.keys(cluster.inspect().topics)).toEqual(['c']);
  });

  test('under ZooKeeper is for the controller', async () => {
    await using cluster = await start({ version: '1.1' });
    const { responses } = await new EmbeddedClient(cluster, 2).request('DeleteTopics', 1, {
      topicNames: ['orders'],
      timeoutMs: 1000,
    });
    expect(errorName(responses[0]!.errorCode)).toBe('NOT_CONTROLLER');
  });
});
