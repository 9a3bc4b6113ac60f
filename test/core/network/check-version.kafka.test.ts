import { expect, test } from 'vitest';
import { checkVersion } from '../../../src/core/network/index.js';
import { startKafka } from '../../support/kafka/cluster.js';

test.each([
  ['0.8.2.2', '0.8.2'],
  ['0.9.0.1', '0.9'],
  ['0.10.2.2', '0.10.2'],
  ['1.1.1', '1.1'],
  ['2.8.2', '2.8'],
  ['3.9.2', '3.9'],
  ['4.3.1', '4.3'],
])('checkVersion tells that a broker of %s is %s', async (release, expected) => {
  await using kafka = await startKafka({ version: release });
  const { host, port } = kafka.nodes[0]!;
  const { version, apis } = await checkVersion(host, port);
  expect(version).toBe(expected);
  expect(apis['Produce']?.min).toBe(expected === '4.3' ? 3 : 0);
});
