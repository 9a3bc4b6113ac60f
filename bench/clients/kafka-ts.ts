import { confirmArrays, confirmEach, recordsIn, type Client, type Outbound } from './client.js';
import { peer } from './peer.js';

interface KafkaTs {
  readonly createKafkaClient: (options: object) => {
    createProducer(options: object): KafkaTsProducer;
  };
}

interface KafkaTsProducer {
  send(messages: object[]): Promise<void>;
  close(): Promise<void>;
}

const MIB = 1024 * 1024;

export const client: Client = {
  name: 'kafka-ts',
  waysToSend: {
    'send() of 2,000': 'maxBatchSize 1 MiB of records, 8 arrays unconfirmed',
    'send() of one': 'maxBatchSize 1 MiB of records, 4 MiB unconfirmed',
  },
  // It reads compressed batches and writes none.
  compressions: ['none'],

  async produce({ bootstrapServers, topic, valueBytes }) {
    const [host, port] = bootstrapServers.split(':');
    const { createKafkaClient } = await peer<KafkaTs>('kafka-ts');
    const kafka = createKafkaClient({
      clientId: 'bench',
      bootstrapServers: [{ host: host!, port: Number(port) }],
    });
    const maxBatchSize = recordsIn(MIB, valueBytes);
    const producer = kafka.createProducer({ maxBatchSize });
    const send = (records: Outbound[]) =>
      producer.send(
        records.map(({ keyText, valueText }) => ({ topic, key: keyText, value: valueText })),
      );
    const sendOne = (record: Outbound) => send([record]);
    const arrays = { records: Math.min(2000, maxBatchSize), limit: 8 };
    return {
      ways: {
        'send() of 2,000': (supply) => confirmArrays(supply, arrays, send),
        'send() of one': (supply) => confirmEach(supply, recordsIn(4 * MIB, valueBytes), sendOne),
      },
      sendOne,
      close: () => producer.close(),
    };
  },
};
