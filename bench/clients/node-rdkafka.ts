import {
  confirmEach,
  recordsIn,
  type Client,
  type Intake,
  type Outbound,
  type WayToConsume,
} from './client.js';
import { peer } from './peer.js';

interface NodeRdkafka {
  readonly default: {
    readonly Producer: new (config: object) => RdkafkaProducer;
    readonly KafkaConsumer: new (config: object, topicConfig: object) => RdkafkaConsumer;
  };
}

interface Valued {
  readonly value: Buffer | null;
}

interface RdkafkaConsumer {
  on(event: 'data', listener: (message: Valued) => void): void;
  connect(options: object, callback: (error: Error | null) => void): void;
  subscribe(topics: string[]): void;
  consume(): void;
  consume(count: number, callback: (error: Error | null, messages: Valued[]) => void): void;
}

interface RdkafkaProducer {
  on(event: 'delivery-report', listener: (error: Error | null, report: Report) => void): void;
  connect(options: object, callback: (error: Error | null) => void): void;
  setPollInterval(ms: number): void;
  produce(
    topic: string,
    partition: null,
    value: Buffer,
    key: Buffer,
    timestamp: number,
    opaque: Pending,
  ): void;
  disconnect(timeoutMs: number, callback: () => void): void;
}

interface Report {
  readonly opaque: Pending;
}

interface Pending {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

const MIB = 1024 * 1024;

type Reader = (consumer: RdkafkaConsumer, intake: Intake) => void;

function consuming(
  delivers: WayToConsume['delivers'],
  settings: string,
  read: Reader,
): WayToConsume {
  return {
    delivers,
    settings,
    async start({ bootstrapServers, topic, groupId }, intake) {
      const { KafkaConsumer } = (await peer<NodeRdkafka>('node-rdkafka')).default;
      const consumer = new KafkaConsumer(
        { 'metadata.broker.list': bootstrapServers, 'group.id': groupId },
        { 'auto.offset.reset': 'earliest' },
      );
      await new Promise<void>((resolve, reject) => {
        consumer.connect({}, (error) => (error === null ? resolve() : reject(error)));
      });
      consumer.subscribe([topic]);
      read(consumer, intake);
    },
  };
}

/** Asks for the next array when it has handled one. */
function readArrays(consumer: RdkafkaConsumer, intake: Intake): void {
  consumer.consume(2000, (error, messages) => {
    if (error !== null) throw error;
    for (const { value } of messages) intake.one(value);
    setImmediate(() => readArrays(consumer, intake));
  });
}

export const client: Client = {
  name: 'node-rdkafka',
  decompressions: ['none', 'lz4', 'zstd'],
  waysToConsume: {
    'data events': consuming('records', 'defaults', (consumer, intake) => {
      consumer.on('data', ({ value }) => intake.one(value));
      consumer.consume();
    }),
    'consume(2,000)': consuming('arrays', 'defaults', readArrays),
  },
  waysToSend: {
    'produce()': 'batch.size 1 MB, linger.ms 5, a report for each, 16 MiB unconfirmed',
  },
  compressions: ['none', 'lz4', 'zstd'],

  async produce({ bootstrapServers, topic, valueBytes, compression, goal }) {
    const { Producer } = (await peer<NodeRdkafka>('node-rdkafka')).default;
    const producer = new Producer({
      'metadata.broker.list': bootstrapServers,
      'enable.idempotence': true,
      'compression.codec': compression,
      'linger.ms': goal === 'throughput' ? 5 : 0,
      dr_cb: true,
    });
    producer.on('delivery-report', (error, { opaque }) => {
      if (error === null) opaque.resolve();
      else opaque.reject(error);
    });
    await new Promise<void>((resolve, reject) => {
      producer.connect({}, (error) => (error === null ? resolve() : reject(error)));
    });
    producer.setPollInterval(1);
    const sendOne = ({ key, value }: Outbound) =>
      new Promise<void>((resolve, reject) => {
        producer.produce(topic, null, value, key, Date.now(), { resolve, reject });
      });
    const limit = Math.min(90_000, recordsIn(16 * MIB, valueBytes));
    return {
      ways: { 'produce()': (supply) => confirmEach(supply, limit, sendOne) },
      sendOne,
      close: () => new Promise<void>((resolve) => producer.disconnect(5000, resolve)),
    };
  },
};
