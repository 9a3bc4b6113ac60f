import { afterAll, beforeAll, expect, test } from 'vitest';
import { startKafka, type KafkaCluster } from '../support/kafka/cluster.js';
import { alertBroker, killMembers } from './members-killed.js';

let kafka: KafkaCluster;

beforeAll(async () => {
  kafka = await startKafka({ version: '4.3', properties: alertBroker });
});
afterAll(() => kafka.stop());

test.concurrent.each(['classic', 'consumer'] as const)(
  'killed members lose nothing, and those that leave in order leave nothing to be redelivered: %s',
  async (groupProtocol) => {
    const topic = `chaos-${groupProtocol}`;
    await kafka.createTopic(topic, { partitions: 6 });
    const report = await killMembers({
      bootstrapServers: kafka.bootstrapServers,
      topic,
      groupProtocol,
      seed: Number(process.env['RX_KAFKA_SEED'] ?? Math.trunc(Math.random() * 2 ** 31)),
      rounds: 3,
      tell: (line) => console.log(`chaos: ${line}`),
    });
    console.log(`chaos: ${groupProtocol}: ${JSON.stringify(report)}`);
    expect(report.complaints).toEqual([]);
    expect(report.killed).toBeGreaterThan(0);
    expect(report.written).toBeGreaterThan(1000);
  },
  180_000,
);
