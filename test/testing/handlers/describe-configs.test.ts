import { describe, expect, test } from 'vitest';
import { startEmbeddedKafka, type EmbeddedKafkaOptions } from '../../../src/testing/index.js';
import { EmbeddedClient, errorName } from '../../support/embedded-client.js';

const TOPIC = 2;
const BROKER = 4;

const start = (options: EmbeddedKafkaOptions = {}) =>
  startEmbeddedKafka({
    listen: 'memory',
    topics: { orders: { configs: { 'retention.ms': '1000' } } },
    ...options,
  });

describe('DescribeConfigs', () => {
  async function ask(
    client: EmbeddedClient,
    {
      type = TOPIC,
      name = 'orders',
      keys = null as string[] | null,
      version = 4,
      synonyms = false,
    },
  ) {
    const { results } = await client.request('DescribeConfigs', version, {
      resources: [{ resourceType: type, resourceName: name, configurationKeys: keys }],
      ...(version >= 1 ? { includeSynonyms: synonyms } : {}),
    });
    return { ...results[0]!, error: errorName(results[0]!.errorCode) };
  }

  test('tells every setting of a topic, and which were set', async () => {
    await using cluster = await start();
    const { error, configs } = await ask(new EmbeddedClient(cluster), {});
    expect(error).toBe('NONE');
    expect(configs.length).toBeGreaterThan(25);
    expect(configs.find(({ name }) => name === 'retention.ms')).toMatchObject({
      value: '1000',
      configSource: 1,
      configType: 5,
    });
    expect(configs.find(({ name }) => name === 'cleanup.policy')).toMatchObject({
      value: 'delete',
      configSource: 5,
      configType: 7,
    });
  });

  test('tells only what was asked for, with where it comes from', async () => {
    await using cluster = await start();
    const { configs } = await ask(new EmbeddedClient(cluster), {
      keys: ['retention.ms', 'unheard.of'],
      synonyms: true,
    });
    expect(configs).toHaveLength(1);
    expect(configs[0]!.synonyms).toEqual([
      { name: 'retention.ms', value: '1000', source: 1 },
      { name: 'retention.ms', value: '604800000', source: 5 },
    ]);
  });

  test('tells in version 0 what is a default by a flag', async () => {
    await using cluster = await start({ version: '1.1' });
    const { configs } = await ask(new EmbeddedClient(cluster), { version: 0 });
    const isDefault = (wanted: string) => configs.find(({ name }) => name === wanted)!.isDefault;
    expect([isDefault('retention.ms'), isDefault('segment.ms')]).toEqual([false, true]);
  });

  test('tells of brokers what a client may want to know', async () => {
    await using cluster = await start({ numPartitions: 6 });
    const { configs } = await ask(new EmbeddedClient(cluster), { type: BROKER, name: '1' });
    expect(configs.find(({ name }) => name === 'num.partitions')).toMatchObject({
      value: '6',
      readOnly: true,
    });
  });

  test.each([
    [TOPIC, 'nowhere', 'UNKNOWN_TOPIC_OR_PARTITION'],
    [TOPIC, 'a b', 'INVALID_TOPIC_EXCEPTION'],
    [BROKER, '77', 'INVALID_REQUEST'],
    [99, 'orders', 'INVALID_REQUEST'],
  ])('refuses resource %i %s with %s', async (type, name, error) => {
    await using cluster = await start();
    expect((await ask(new EmbeddedClient(cluster), { type, name })).error).toBe(error);
  });
});
