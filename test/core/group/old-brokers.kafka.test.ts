import { afterEach, describe, expect, test } from 'vitest';
import { startKafka, type KafkaCluster } from '../../support/kafka/cluster.js';
import { waitUntil } from '../../support/kafka/readiness.js';
import { WatchedMember } from './watched-member.js';

let kafka: KafkaCluster | undefined;

afterEach(async () => {
  await kafka?.stop();
  kafka = undefined;
});

describe.each(['3.9', '2.8', '1.1', '0.10.2', '0.9'])('on Kafka %s', (version) => {
  test('members join, share by either way of rebalancing, and leave', async () => {
    kafka = await startKafka({ version });
    const { bootstrapServers } = kafka;
    await kafka.createTopic('orders', { partitions: 4 });
    for (const assignor of ['range', 'cooperative-sticky'] as const) {
      const start = () =>
        new WatchedMember({
          kafka: { bootstrapServers },
          group: {
            groupId: `group-${assignor}`,
            partitionAssignmentStrategy: [assignor],
            heartbeatIntervalMs: 300,
            sessionTimeoutMs: 10_000,
          },
          subscription: { type: 'topics', topics: ['orders'] },
        }).join();
      await using first = start();
      await share([first], [4]);
      await using second = start();
      await share([first, second], [2, 2]);
      await first.member.leave();
      await share([second], [4]);
      expect(second.member.protocol).toBe('classic');
      expect([...first.contradictions, ...second.contradictions]).toEqual([]);
    }
  });
});

async function share(members: readonly WatchedMember[], sizes: readonly number[]): Promise<void> {
  const isReached = () =>
    members.every(({ isStable, partitions }, i) => isStable && partitions.length === sizes[i]) &&
    new Set(members.flatMap(({ partitions }) => partitions)).size === 4;
  await waitUntil(isReached, 30_000, () =>
    JSON.stringify(members.map((each) => [each.calls, each.events, each.fatal?.message])),
  );
}
