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

describe('AlterConfigs', () => {
  const alter = async (
    client: EmbeddedClient,
    configs: Readonly<Record<string, string | null>>,
    { resourceType = TOPIC, resourceName = 'orders', validateOnly = false } = {},
  ) => {
    const entries = Object.entries(configs).map(([name, value]) => ({ name, value }));
    const { responses } = await client.request('AlterConfigs', 2, {
      resources: [{ resourceType, resourceName, configs: entries }],
      validateOnly,
    });
    return errorName(responses[0]!.errorCode);
  };

  test('replaces all that was set', async () => {
    await using cluster = await start();
    expect(await alter(new EmbeddedClient(cluster), { 'flush.ms': '7' })).toBe('NONE');
    expect(cluster.inspect().topics['orders']!.configs).toEqual({ 'flush.ms': '7' });
  });

  test('changes nothing when one value is wrong, or when it is only to be tried', async () => {
    await using cluster = await start();
    const client = new EmbeddedClient(cluster);
    const bad = { 'flush.ms': '7', 'retention.ms': 'long' };
    expect(await alter(client, bad)).toBe('INVALID_CONFIG');
    expect(await alter(client, { 'flush.ms': '7' }, { validateOnly: true })).toBe('NONE');
    expect(cluster.inspect().topics['orders']!.configs).toEqual({ 'retention.ms': '1000' });
  });

  test('leaves brokers as they are', async () => {
    await using cluster = await start();
    const broker = { resourceType: BROKER, resourceName: '1' };
    expect(await alter(new EmbeddedClient(cluster), {}, broker)).toBe('INVALID_REQUEST');
  });
});
