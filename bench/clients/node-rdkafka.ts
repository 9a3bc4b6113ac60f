import { confirmEach, recordsIn, type Client, type Outbound } from './client.js';
import { peer } from './peer.js';

interface NodeRdkafka {
  readonly default: { readonly Producer: new (config: object) => RdkafkaProducer };
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

export const client: Client = {
  name: 'node-rdkafka',
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
