import { describe, expect, test } from 'vitest';
import { encodeRecords } from '../../../src/core/records/index.js';
import { startEmbeddedKafka, type EmbeddedKafkaOptions } from '../../../src/testing/index.js';
import { EmbeddedClient, errorName } from '../../support/embedded-client.js';

const TOPIC = 2;
const SET = 0;
const DELETE = 1;
const APPEND = 2;
const SUBTRACT = 3;

const start = (options: EmbeddedKafkaOptions = {}) =>
  startEmbeddedKafka({
    listen: 'memory',
    topics: { orders: { configs: { 'retention.ms': '1000' } } },
    ...options,
  });

describe('IncrementalAlterConfigs', () => {
  const change = async (
    client: EmbeddedClient,
    changes: readonly (readonly [string, number, string | null])[],
    { validateOnly = false, resourceName = 'orders' } = {},
  ) => {
    const configs = changes.map(([name, configOperation, value]) => ({
      name,
      configOperation,
      value,
    }));
    const { responses } = await client.request('IncrementalAlterConfigs', 1, {
      resources: [{ resourceType: TOPIC, resourceName, configs }],
      validateOnly,
    });
    return errorName(responses[0]!.errorCode);
  };

  test('sets and resets single settings', async () => {
    await using cluster = await start();
    const client = new EmbeddedClient(cluster);
    const changes = [
      ['flush.ms', SET, '7'],
      ['retention.ms', DELETE, null],
    ] as const;
    expect(await change(client, changes)).toBe('NONE');
    expect(cluster.inspect().topics['orders']!.configs).toEqual({ 'flush.ms': '7' });
  });

  test('adds to lists and takes from them', async () => {
    await using cluster = await start();
    const client = new EmbeddedClient(cluster);
    const policy = () => cluster.inspect().topics['orders']!.configs['cleanup.policy'];
    expect(await change(client, [['cleanup.policy', APPEND, 'compact']])).toBe('NONE');
    expect(policy()).toBe('delete,compact');
    expect(await change(client, [['cleanup.policy', APPEND, 'compact']])).toBe('NONE');
    expect(policy()).toBe('delete,compact');
    expect(await change(client, [['cleanup.policy', SUBTRACT, 'delete']])).toBe('NONE');
    expect(policy()).toBe('compact');
  });

  test.each([
    ['an unknown setting', 'INVALID_CONFIG', [['unheard.of', SET, '1']]],
    ['a wrong value', 'INVALID_CONFIG', [['flush.ms', SET, '-7']]],
    ['no value', 'INVALID_REQUEST', [['flush.ms', SET, null]]],
    ['adding to what is no list', 'INVALID_CONFIG', [['flush.ms', APPEND, '1']]],
    ['an unknown operation', 'UNKNOWN_SERVER_ERROR', [['flush.ms', 9, '1']]],
    [
      'two changes of one setting',
      'INVALID_REQUEST',
      [
        ['flush.ms', SET, '1'],
        ['flush.ms', SET, '2'],
      ],
    ],
  ] as [string, string, [string, number, string | null][]][])(
    'refuses %s with %s',
    async (_, error, changes) => {
      await using cluster = await start();
      expect(await change(new EmbeddedClient(cluster), changes)).toBe(error);
      expect(cluster.inspect().topics['orders']!.configs).toEqual({ 'retention.ms': '1000' });
    },
  );

  test('only tries when that is wanted', async () => {
    await using cluster = await start();
    const options = { validateOnly: true };
    const outcome = await change(new EmbeddedClient(cluster), [['flush.ms', SET, '7']], options);
    expect(outcome).toBe('NONE');
    expect(cluster.inspect().topics['orders']!.configs).toEqual({ 'retention.ms': '1000' });
  });

  test('takes effect on what is stored already', async () => {
    await using cluster = await start({
      topics: { orders: { configs: { 'segment.bytes': '1000' } } },
    });
    const batch = () => encodeRecords([{ value: 'x'.repeat(400) }]);
    for (let i = 0; i < 20; i++) cluster.append('orders', 0, batch());
    await change(new EmbeddedClient(cluster), [['retention.bytes', SET, '1000']]);
    const { logStartOffset, logEndOffset } = cluster.inspect().topics['orders']!.partitions[0]!;
    expect(logEndOffset).toBe(20);
    expect(logStartOffset).toBeGreaterThan(10);
  });
});
