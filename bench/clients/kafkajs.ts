import { confirmArrays, confirmEach, type Client, type Outbound } from './client.js';
import { peer } from './peer.js';

interface Kafkajs {
  readonly default: {
    readonly logLevel: { readonly ERROR: number };
    readonly Partitioners: { readonly DefaultPartitioner: unknown };
    readonly Kafka: new (options: object) => { producer(options: object): KafkajsProducer };
  };
}

interface KafkajsProducer {
  connect(): Promise<void>;
  send(request: object): Promise<unknown>;
  disconnect(): Promise<void>;
}

export const client: Client = {
  name: 'kafkajs',
  waysToSend: {
    'send() of 2,000': '2 arrays unconfirmed',
    'send() of one': '500 unconfirmed',
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
        'send() of one': (supply) => confirmEach(supply, 500, sendOne),
      },
      sendOne,
      close: () => producer.disconnect(),
    };
  },
};
