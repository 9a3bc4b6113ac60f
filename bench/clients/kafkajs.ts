import {
  confirmArrays,
  type Client,
  type Intake,
  type Outbound,
  type WayToConsume,
} from './client.js';
import { peer } from './peer.js';

interface Kafkajs {
  readonly default: {
    readonly logLevel: { readonly ERROR: number };
    readonly Partitioners: { readonly DefaultPartitioner: unknown };
    readonly Kafka: new (options: object) => {
      producer(options: object): KafkajsProducer;
      consumer(options: object): KafkajsConsumer;
    };
  };
}

interface KafkajsConsumer {
  connect(): Promise<void>;
  subscribe(options: object): Promise<void>;
  run(options: {
    eachMessage?: (payload: { message: Valued }) => Promise<void>;
    eachBatch?: (payload: { batch: { messages: Valued[] } }) => Promise<void>;
  }): Promise<void>;
}

interface Valued {
  readonly value: Buffer | null;
}

interface KafkajsProducer {
  connect(): Promise<void>;
  send(request: object): Promise<unknown>;
  disconnect(): Promise<void>;
}

type Runner = (intake: Intake) => Parameters<KafkajsConsumer['run']>[0];

function consuming(
  delivers: WayToConsume['delivers'],
  settings: string,
  runner: Runner,
): WayToConsume {
  return {
    delivers,
    settings,
    async start({ bootstrapServers, topic, groupId }, intake) {
      const { Kafka, logLevel } = (await peer<Kafkajs>('kafkajs')).default;
      const kafka = new Kafka({ brokers: bootstrapServers.split(','), logLevel: logLevel.ERROR });
      const consumer = kafka.consumer({ groupId });
      await consumer.connect();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await consumer.run(runner(intake));
    },
  };
}

export const client: Client = {
  name: 'kafkajs',
  // lz4 and zstd need plugins, which are not part of it.
  decompressions: ['none'],
  waysToConsume: {
    eachMessage: consuming('records', 'defaults', (intake) => ({
      eachMessage: ({ message }) => {
        intake.one(message.value);
        return Promise.resolve();
      },
    })),
    eachBatch: consuming('arrays', 'defaults', (intake) => ({
      eachBatch: ({ batch }) => {
        for (const { value } of batch.messages) intake.one(value);
        return Promise.resolve();
      },
    })),
  },
  waysToSend: {
    'send() of 2,000': '2 arrays unconfirmed',
  },
  // lz4 and zstd need plugins, which are not part of it.
  compressions: ['none'],

  async produce({ bootstrapServers, topic }) {
    const { Kafka, logLevel, Partitioners } = (await peer<Kafkajs>('kafkajs')).default;
    const kafka = new Kafka({ brokers: bootstrapServers.split(','), logLevel: logLevel.ERROR });
    const producer = kafka.producer({
      idempotent: true,
      maxInFlightRequests: 5,
      createPartitioner: Partitioners.DefaultPartitioner,
    });
    await producer.connect();
    const send = (messages: Outbound[]) => producer.send({ topic, acks: -1, messages });
    const sendOne = (record: Outbound) => send([record]);
    return {
      ways: {
        'send() of 2,000': (supply) => confirmArrays(supply, { records: 2000, limit: 2 }, send),
      },
      sendOne,
      close: () => producer.disconnect(),
    };
  },
};
