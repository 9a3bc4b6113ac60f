import { describe, expect, test } from 'vitest';
import { allApis, apis } from '../../src/core/protocol/index.js';
import { checkVersion } from '../../src/core/network/index.js';
import { kafkaReleases, startEmbeddedKafka } from '../../src/testing/index.js';
import { handlers } from '../../src/testing/handlers/index.js';
import { profileOf } from '../../src/testing/versions.js';
import { EmbeddedClient, fetchFrom, produceTo } from '../support/embedded-client.js';

const everyKey = new Set(allApis.map(({ key }) => key));

describe.each(kafkaReleases)('a broker of %s', (release) => {
  test('serves only versions that are declared', () => {
    for (const [key, { min, max }] of profileOf(release, everyKey).served) {
      const api = allApis.find((each) => each.key === key)!;
      expect(min, api.name).toBeGreaterThanOrEqual(api.minVersion);
      expect(max, api.name).toBeLessThanOrEqual(api.maxStableVersion);
      expect(min, api.name).toBeLessThanOrEqual(max);
    }
  });

  test('tells what it serves, and no API that nobody can answer', () => {
    const all = profileOf(release, everyKey);
    expect([...all.advertised.keys()]).toEqual([...all.served.keys()]);
    const few = profileOf(release, new Set([apis.Produce.key, apis.Fetch.key]));
    expect([...few.served.keys()].sort()).toEqual([0, 1]);
  });

  test('is taken for what it says it is', async () => {
    await using cluster = await startEmbeddedKafka({ version: release, topics: { orders: 1 } });
    const { host, port } = cluster.addressOf(1);
    const { version } = await checkVersion(host, port);
    // OffsetFetch is what tells 0.10.2 from 0.10.1.
    const hasGroups = handlers.has(apis.OffsetFetch.key);
    expect(version).toBe(release === '0.10.2' && !hasGroups ? '0.10.1' : release);
  });

  test('takes records in its newest format and gives them back in its oldest fetch', async () => {
    await using cluster = await startEmbeddedKafka({
      version: release,
      listen: 'memory',
      topics: { orders: 1 },
    });
    const profile = profileOf(release, everyKey);
    const client = new EmbeddedClient(cluster);
    const records = [{ key: 'k', value: 'v', timestamp: 7 }];
    const produced = await produceTo(client, 'orders', records, {
      version: Math.min(12, profile.served.get(apis.Produce.key)!.max),
      magic: profile.maxMagic,
    });
    expect(produced).toMatchObject({ error: 'NONE', baseOffset: 0 });
    const { min, max } = profile.served.get(apis.Fetch.key)!;
    for (const version of [min, Math.min(12, max)]) {
      const fetched = await fetchFrom(client, 'orders', { version });
      expect(fetched).toMatchObject({ error: 'NONE', highWatermark: 1 });
      expect(fetched.records!.length).toBeGreaterThan(0);
    }
    expect(cluster.records('orders')[0]).toMatchObject({
      value: Buffer.from('v'),
      timestamp: profile.maxMagic === 0 ? -1 : 7,
    });
  });
});

test('lines differ in formats, controllers and throttling', () => {
  const traits = kafkaReleases.map((release) => {
    const { maxMagic, isKraft, mutesWhenThrottled } = profileOf(release, everyKey);
    return [release, maxMagic, isKraft, mutesWhenThrottled];
  });
  expect(traits).toEqual([
    ['0.8.2', 0, false, false],
    ['0.9', 0, false, false],
    ['0.10.0', 1, false, false],
    ['0.10.2', 1, false, false],
    ['0.11', 2, false, false],
    ['1.0', 2, false, false],
    ['1.1', 2, false, false],
    ['2.8', 2, false, true],
    ['3.9', 2, true, true],
    ['4.3', 2, true, true],
  ]);
});
