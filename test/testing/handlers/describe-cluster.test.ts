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

describe('DescribeCluster', () => {
  test.each([0, 1, 2])(
    'version %i tells the brokers that run and the controller',
    async (version) => {
      await using cluster = await start();
      const answer = await new EmbeddedClient(cluster).request('DescribeCluster', version, {
        includeClusterAuthorizedOperations: false,
      });
      expect(answer).toMatchObject({
        errorCode: 0,
        clusterId: 'rx-kafka-embedded-cluster',
        controllerId: 1,
        brokers: [
          { brokerId: 1, host: 'broker-1', port: 9092, rack: 'a' },
          { brokerId: 2, host: 'broker-2', port: 9092, rack: 'b' },
        ],
      });
    },
  );

  test('tells permissions when asked', async () => {
    await using cluster = await start();
    const answer = await new EmbeddedClient(cluster).request('DescribeCluster', 0, {
      includeClusterAuthorizedOperations: true,
    });
    expect(answer.clusterAuthorizedOperations).toBeGreaterThan(0);
  });

  test.each([
    [2, 'MISMATCHED_ENDPOINT_TYPE'],
    [7, 'UNSUPPORTED_ENDPOINT_TYPE'],
  ])('refuses to tell of endpoints of type %i', async (endpointType, error) => {
    await using cluster = await start();
    const client = new EmbeddedClient(cluster);
    const { errorCode } = await client.request('DescribeCluster', 1, {
      endpointType,
      includeClusterAuthorizedOperations: false,
    });
    expect(errorName(errorCode)).toBe(error);
  });
});
