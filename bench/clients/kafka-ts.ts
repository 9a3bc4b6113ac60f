import { confirmArrays, confirmEach, recordsIn, type Client, type Outbound } from './client.js';
import { peer } from './peer.js';

interface KafkaTs {
  readonly createKafkaClient: (options: object) => {
    createProducer(options: object): KafkaTsProducer;
    startConsumer(options: {
      topics: string[];
      groupId: string;
      fromBeginning: boolean;
      onBatch: (messages: { value: string | null }[]) => unknown;
    }): Promise<unknown>;
  };
}

interface KafkaTsProducer {
  send(messages: object[]): Promise<void>;
  close(): Promise<void>;
}

const MIB = 1024 * 1024;

function connectionOf(bootstrapServers: string): object {
  const [host, port] = bootstrapServers.split(':');
  return { clientId: 'bench', bootstrapServers: [{ host: host!, port: Number(port) }] };
}

export const client: Client = {
  name: 'kafka-ts',
  decompressions: ['none', 'lz4'],
  waysToConsume: {
    onBatch: {
      delivers: 'arrays',
      settings: 'defaults',
      async start({ bootstrapServers, topic, groupId }, intake) {
        const { createKafkaClient } = await peer<KafkaTs>('kafka-ts');
        await createKafkaClient(connectionOf(bootstrapServers)).startConsumer({
          topics: [topic],
          groupId,
          fromBeginning: true,
          onBatch: (messages) => {
            for (const { value } of messages) intake.one(value);
          },
        });
      },
    },
  },
  waysToSend: {
    'send() of 2,000': 'maxBatchSize 1 MiB of records, 8 arrays unconfirmed',
    'send() of one': 'maxBatchSize 1 MiB of records, 4 MiB unconfirmed',
  },
  // It reads compressed batches and writes none.
  compressions: ['none'],

  async produce({ bootstrapServers, topic, valueBytes }) {
    const { createKafkaClient } = await peer<KafkaTs>('kafka-ts');
    const kafka = createKafkaClient(connectionOf(bootstrapServers));
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
