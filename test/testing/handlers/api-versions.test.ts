import { expect, test } from 'vitest';
import { apis, decodeResponseWithHeader } from '../../../src/core/protocol/index.js';
import { startEmbeddedKafka, type EmbeddedKafkaOptions } from '../../../src/testing/index.js';
import { EmbeddedClient, errorName } from '../../support/embedded-client.js';

const start = (options: EmbeddedKafkaOptions = {}) =>
  startEmbeddedKafka({ listen: 'memory', ...options });
const named = { clientSoftwareName: 'test', clientSoftwareVersion: '1.0' };

test.each([0, 1, 2, 3, 4])('version %i lists the versions of each API, by key', async (version) => {
  await using cluster = await start();
  const { errorCode, apiKeys } = await new EmbeddedClient(cluster).request('ApiVersions', version, {
    ...(version >= 3 ? named : {}),
  });
  expect(errorCode).toBe(0);
  const keys = apiKeys.map(({ apiKey }) => apiKey);
  expect(keys).toEqual([...keys].sort((a, b) => a - b));
  expect(apiKeys.find(({ apiKey }) => apiKey === apis.Metadata.key)).toMatchObject({
    minVersion: 0,
    maxVersion: 13,
  });
});

test('a 4.x broker claims versions of Produce that it refuses', async () => {
  await using cluster = await start();
  const client = new EmbeddedClient(cluster);
  const { apiKeys } = await client.request('ApiVersions', 0, {});
  expect(apiKeys.find(({ apiKey }) => apiKey === 0)).toMatchObject({ minVersion: 0 });
  const body = { acks: 1, timeoutMs: 0, topicData: [] };
  await expect(client.request('Produce', 2, body)).rejects.toThrow('hung up');
});

test.each([
  ['4.3', 1],
  ['2.8', 1],
  ['1.1', 0],
] as const)(
  '%s answers a version that is too new in version 0, naming %i API',
  async (version, count) => {
    await using cluster = await start({ version });
    const client = new EmbeddedClient(cluster);
    // A request of version 99, as a client of the future would send it.
    const frame = client.frame('ApiVersions', 0, {});
    frame.writeInt16BE(99, 6);
    const answer = await client.exchange(frame);
    const { body } = decodeResponseWithHeader('ApiVersions', 0, answer as Buffer);
    expect(errorName(body.errorCode)).toBe('UNSUPPORTED_VERSION');
    expect(body.apiKeys).toHaveLength(count);
  },
);

test('a client that does not say what it is is refused since version 3', async () => {
  await using cluster = await start();
  const client = new EmbeddedClient(cluster);
  const bad = { clientSoftwareName: '-', clientSoftwareVersion: '1.0' };
  const { errorCode, apiKeys } = await client.request('ApiVersions', 3, bad);
  expect(errorName(errorCode)).toBe('INVALID_REQUEST');
  expect(apiKeys).toEqual([]);
});

test('features are told since version 3, those that may be off since version 4', async () => {
  await using cluster = await start({ features: { 'transaction.version': 1, 'x.version': 3 } });
  const client = new EmbeddedClient(cluster);
  const old = await client.request('ApiVersions', 3, named);
  expect(old.supportedFeatures.map(({ name }) => name)).toEqual(['metadata.version']);
  expect(old.finalizedFeatures).toContainEqual({
    name: 'transaction.version',
    minVersionLevel: 1,
    maxVersionLevel: 1,
  });
  const current = await client.request('ApiVersions', 4, named);
  expect(current.finalizedFeaturesEpoch).toBe(1);
  expect(current.supportedFeatures.find(({ name }) => name === 'x.version')).toEqual({
    name: 'x.version',
    minVersion: 0,
    maxVersion: 3,
  });
});

test('a feature at level 0 is off, and not finalized', async () => {
  await using cluster = await start({ features: { 'transaction.version': 0 } });
  const { finalizedFeatures } = await new EmbeddedClient(cluster).request('ApiVersions', 4, named);
  expect(finalizedFeatures.map(({ name }) => name)).not.toContain('transaction.version');
});

test('brokers before 2.8 know nothing of features', async () => {
  await using cluster = await start({ version: '1.1' });
  const { finalizedFeaturesEpoch } = await new EmbeddedClient(cluster).request(
    'ApiVersions',
    1,
    {},
  );
  expect(finalizedFeaturesEpoch).toBe(-1);
});
