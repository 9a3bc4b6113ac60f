import { confirmArrays, confirmEach, type Client, type Outbound } from './client.js';
import { peer } from './peer.js';

interface KafkaCrab {
  readonly KafkaClient: new (options: object) => {
    createProducer(options: object): KafkaCrabProducer;
  };
}

interface KafkaCrabProducer {
  send(request: object): Promise<unknown>;
  flush(): Promise<unknown>;
}

export const client: Client = {
  name: 'kafka-crab-js',
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
