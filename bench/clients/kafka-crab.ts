import type { ReadableStream } from 'node:stream/web';
import {
  confirmArrays,
  confirmEach,
  type Client,
  type Intake,
  type Outbound,
  type WayToConsume,
} from './client.js';
import { peer } from './peer.js';

interface KafkaCrab {
  readonly KafkaClient: new (options: object) => {
    createProducer(options: object): KafkaCrabProducer;
    createConsumer(options: object): KafkaCrabConsumer;
  };
}

interface KafkaCrabConsumer {
  subscribe(topic: string): Promise<void>;
  recvStream(): ReadableStream<Received>;
  recvBatch(size: number, timeoutMs: number): Promise<Received[]>;
}

interface Received {
  readonly payload: Buffer;
}

interface KafkaCrabProducer {
  send(request: object): Promise<unknown>;
  flush(): Promise<unknown>;
}

type Reader = (consumer: KafkaCrabConsumer, intake: Intake) => Promise<void>;

function consuming(
  delivers: WayToConsume['delivers'],
  settings: string,
  read: Reader,
): WayToConsume {
  return {
    delivers,
    settings,
    async start({ bootstrapServers, topic, groupId }, intake) {
      const { KafkaClient } = await peer<KafkaCrab>('kafka-crab-js');
      const kafka = new KafkaClient({
        brokers: bootstrapServers,
        clientId: 'bench',
        securityProtocol: 'Plaintext',
      });
      const consumer = kafka.createConsumer({
        groupId,
        enableAutoCommit: true,
        configuration: { 'auto.offset.reset': 'earliest' },
      });
      await consumer.subscribe(topic);
      void read(consumer, intake);
    },
  };
}

export const client: Client = {
  name: 'kafka-crab-js',
  decompressions: ['none', 'lz4', 'zstd'],
  waysToConsume: {
    recvStream: consuming('records', 'defaults', async (consumer, intake) => {
      for await (const { payload } of consumer.recvStream()) intake.one(payload);
    }),
    'recvBatch(1,000)': consuming('arrays', 'within 10 ms', async (consumer, intake) => {
      for (;;) {
        for (const { payload } of await consumer.recvBatch(1000, 10)) intake.one(payload);
      }
    }),
  },
  waysToSend: {
    'send() of 2,000': 'batch.size 1 MB, linger.ms 5, 4 arrays unconfirmed',
    'send() of one': 'batch.size 1 MB, linger.ms 5, 10,000 unconfirmed',
  },
  compressions: ['none', 'lz4', 'zstd'],

  async produce({ bootstrapServers, topic, compression, goal }) {
    const { KafkaClient } = await peer<KafkaCrab>('kafka-crab-js');
    const kafka = new KafkaClient({
      brokers: bootstrapServers,
      clientId: 'bench',
      securityProtocol: 'Plaintext',
    });
    const producer = kafka.createProducer({
      configuration: {
        'enable.idempotence': 'true',
        acks: 'all',
        'compression.type': compression,
        'linger.ms': goal === 'throughput' ? '5' : '0',
      },
    });
    const send = (records: Outbound[]) =>
      producer.send({
        topic,
        messages: records.map(({ key, value }) => ({ key, payload: value })),
      });
    const sendOne = (record: Outbound) => send([record]);
    return {
      ways: {
        'send() of 2,000': (supply) => confirmArrays(supply, { records: 2000, limit: 4 }, send),
        'send() of one': (supply) => confirmEach(supply, 10_000, sendOne),
      },
      sendOne,
      close: () => producer.flush(),
    };
  },
};
