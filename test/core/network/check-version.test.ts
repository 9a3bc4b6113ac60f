import { expect, test } from 'vitest';
import { checkVersion } from '../../../src/core/network/index.js';
import { UnsupportedVersionError } from '../../../src/core/util/errors.js';
import {
  modernBroker,
  oldBroker,
  ranges43,
  unsupportedVersion,
} from '../../support/broker-scripts.js';
import { startScriptedBroker, type Script } from '../../support/scripted-broker.js';

const metadata = { brokers: [], topics: [] };
const offsets = { topics: [] };
const coordinator = { errorCode: 15, nodeId: -1, host: '', port: -1 };
const groups = { errorCode: 0, groups: [] };

async function versionOf(script: Script, timeoutMs = 200) {
  await using broker = await startScriptedBroker(script);
  const { version, apis } = await checkVersion(broker.host, broker.port, { timeoutMs });
  return { version, apis, asked: [...broker.asked] };
}

test('a broker that says what it understands is asked once', async () => {
  const { version, apis, asked } = await versionOf(modernBroker(ranges43));
  expect(version).toBe('4.3');
  expect(apis['Metadata']).toEqual({ min: 0, max: 13 });
  expect(asked).toEqual(['ApiVersions@4']);
});

test('a broker that names its newest ApiVersions is asked in that', async () => {
  const script: Script = (request) =>
    request.version > 2
      ? unsupportedVersion([[18, 0, 2]])
      : modernBroker([
          [3, 0, 5],
          [18, 0, 2],
        ])(request);
  const { version, asked } = await versionOf(script);
  expect(version).toBe('1.0');
  expect(asked).toEqual(['ApiVersions@4', 'ApiVersions@2']);
});

test.each([
  ['0.9', { ListGroups: groups, FindCoordinator: coordinator, Metadata: metadata }],
  ['0.8.2', { FindCoordinator: coordinator, OffsetFetch: offsets, Metadata: metadata }],
  ['0.8.1', { OffsetFetch: offsets, Metadata: metadata }],
  ['0.8.0', { Metadata: metadata }],
] as const)('a broker of %s is found by what it answers', async (expected, known) => {
  for (const otherwise of ['hang up', 'say nothing'] as const) {
    const { version, apis } = await versionOf(oldBroker(known, otherwise));
    expect(version).toBe(expected);
    expect(apis['Produce']?.min).toBe(0);
    expect('JoinGroup' in apis).toBe(expected === '0.9');
  }
});

test('who accepts connections and answers nothing is no broker', async () => {
  const asking = versionOf(() => 'hang up');
  await expect(asking).rejects.toThrow(UnsupportedVersionError);
  await expect(asking).rejects.toThrow(/answers no Kafka request; is it a Kafka broker/);
});

test('a broker that was only slow to say what it understands is not taken for an old one', async () => {
  let asked = 0;
  const { version } = await versionOf((request) => {
    if (request.name === 'ApiVersions' && asked++ === 0) return 'say nothing';
    return modernBroker(ranges43, { ListGroups: groups })(request);
  });
  expect(version).toBe('4.3');
});
