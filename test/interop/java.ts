import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ProducerRecord } from '../../src/index.js';
import { uniqueTopic, type ContractSetup } from '../contract/setup.js';
import { JavaClients, type JavaConfig, type JavaRecord } from '../support/java/clients.js';

const codecs = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
const START = 1_750_000_000_000;

/** Records of every shape, several batches of them. */
function records(topic: string, hasHeaders: boolean): (ProducerRecord & { timestamp: number })[] {
  return Array.from({ length: 500 }, (_, i) => ({
    topic,
    partition: i % 3,
    timestamp: START + i * 7,
    key: i % 5 === 0 ? null : `key ${i}`,
    value: i % 7 === 0 ? null : `${i} ${'Zürich 東京 '.repeat(i % 50)}`,
    headers: hasHeaders && i % 3 === 0 ? [['n', String(i)] as const, ['none', null] as const] : [],
  }));
}

const plain = (record: {
  readonly partition?: number | undefined;
  readonly timestamp?: number | undefined;
  readonly key?: unknown;
  readonly value?: unknown;
  readonly headers?: unknown;
}) => ({
  partition: record.partition,
  timestamp: record.timestamp,
  key: text(record.key),
  value: text(record.value),
  headers: (record.headers as [string, unknown][]).map(([name, value]) => [name, text(value)]),
});

const text = (bytes: unknown) => (bytes == null ? null : Buffer.from(bytes as Buffer).toString());

/** What was sent, one partition after the other. */
const asRead = (sent: readonly Parameters<typeof plain>[0][]) =>
  sent.toSorted((a, b) => a.partition! - b.partition!).map(plain);

/** What Java reads is what was written here, and the other way round. Needs Kafka 0.10. */
export function javaInterop(setup: ContractSetup): void {
  const { hasHeaders, hasZstd, hasIdempotence } = setup.capabilities;
  const usable = codecs.filter((codec) => codec !== 'zstd' || hasZstd);

  describe('with Java', () => {
    let java: JavaClients;
    beforeAll(async () => {
      java = await JavaClients.start('3.9.2');
    });
    afterAll(() => java[Symbol.asyncDispose]());

    test.each(usable)('Java reads what was written with %s', async (compressionType) => {
      const topic = uniqueTopic('for-java');
      await setup.cluster.createTopic(topic);
      await using kafka = setup.connect();
      const producer = kafka.producer({ compressionType, batchSize: 2000, lingerMs: 0 });
      const sent = records(topic, hasHeaders);
      await Promise.all(sent.map((record) => producer.send(record)));
      const log = await setup.cluster.readAll(topic);
      expect(log.map(plain)).toEqual(asRead(sent));
      const read = await java.readAll(setup.cluster.bootstrapServers, topic);
      expect(read.map(plain)).toEqual(asRead(sent));
    });

    test.each(usable)('what Java wrote with %s is decoded here', async (codec) => {
      const topic = uniqueTopic('by-java');
      await setup.cluster.createTopic(topic);
      const sent = records(topic, hasHeaders) as JavaRecord[];
      const config: JavaConfig = { ...javaProducer(), 'compression.type': codec };
      const send = { producer: codec, records: sent, config, then: 'close' } as const;
      await java.send(setup.cluster.bootstrapServers, send);
      const read = await setup.cluster.readAll(topic);
      expect(read.map(plain)).toEqual(asRead(sent));
    });

    test('keys of all lengths go to the partitions that Java chooses', async () => {
      const topic = uniqueTopic('both');
      await setup.cluster.createTopic(topic, { partitions: 3 });
      await using kafka = setup.connect();
      const keys = Array.from({ length: 400 }, (_, i) => `${'käy'.repeat(i % 12)}${i}`);
      const producer = kafka.producer();
      const ours = await Promise.all(
        keys.map((key) => producer.send({ topic, key, value: 'ours' })),
      );
      const theirs = await java.send(setup.cluster.bootstrapServers, {
        producer: 'keys',
        records: keys.map((key) => ({ topic, key, value: 'theirs' })),
        config: javaProducer(),
        then: 'close',
      });
      expect(ours.map(({ partition }) => partition)).toEqual(
        theirs.map(({ partition }) => partition),
      );
    });
  });

  function javaProducer(): JavaConfig {
    return { 'enable.idempotence': hasIdempotence, 'batch.size': 2000 };
  }
}
