import { expect, test } from 'vitest';
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

test('DescribeAcls says that there is no authorizer', async () => {
  await using cluster = await start();
  const answer = await new EmbeddedClient(cluster).request('DescribeAcls', 3, {
    resourceTypeFilter: 1,
    resourceNameFilter: null,
    principalFilter: null,
    hostFilter: null,
    operation: 1,
    permissionType: 1,
  });
  expect(errorName(answer.errorCode)).toBe('SECURITY_DISABLED');
});
