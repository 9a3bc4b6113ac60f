import type { Readable, Writable } from 'node:stream';
import { confirmArrays, recordsIn, type Client, type Outbound, type Supply } from './client.js';
import { peer } from './peer.js';

interface Platformatic {
  readonly Producer: new (options: object) => PlatformaticProducer;
  readonly Consumer: new (options: object) => PlatformaticConsumer;
}

interface PlatformaticConsumer {
  consume(options: object): Promise<Readable>;
}

interface PlatformaticProducer {
  metadata(options: object): Promise<unknown>;
  send(request: object): Promise<unknown>;
  asStream(options: object): Writable;
  close(isForced: boolean): Promise<void>;
}

export const client: Client = {
  name: '@platformatic/kafka',
  decompressions: ['none', 'lz4'],
  waysToConsume: {
    'data events': {
      delivers: 'records',
      settings: 'maxBytes 10 MiB, highWaterMark 5,000, autocommit each 5 s',
      async start({ bootstrapServers, topic, groupId }, intake) {
        const { Consumer } = await peer<Platformatic>('@platformatic/kafka');
        const consumer = new Consumer({
          clientId: 'bench',
          groupId,
          bootstrapBrokers: bootstrapServers.split(','),
        });
        const stream = await consumer.consume({
          topics: [topic],
          mode: 'earliest',
          autocommit: 5000,
          maxBytes: 10 * 1024 * 1024,
          maxWaitTime: 500,
          highWaterMark: 5000,
        });
        stream.on('data', ({ value }: { value: Buffer | null }) => intake.one(value));
      },
    },
  },
  waysToSend: {
    asStream: 'batchSize 10,000 or 3 MiB, batchTime 5, no report for a record',
    'send() of 10,000': 'or 3 MiB, one array unconfirmed: idempotent sends must not overlap',
  },
  // zstd wants a newer Node.
  compressions: ['none', 'lz4'],

  async produce({ bootstrapServers, topic, valueBytes, compression }) {
    const { Producer } = await peer<Platformatic>('@platformatic/kafka');
    const producer = new Producer({
      clientId: 'bench',
      bootstrapBrokers: bootstrapServers.split(','),
      idempotent: true,
      compression,
    });
    await producer.metadata({ topics: [topic] });
    let last: Promise<unknown> = Promise.resolve();
    const send = (records: Outbound[]) => {
      const messages = records.map(({ key, value }) => ({ topic, key, value }));
      return (last = last.then(() => producer.send({ messages })));
    };
    const sendOne = (record: Outbound) => send([record]);
    // It puts all records of a partition into one batch, and brokers take 1 MiB.
    const size = Math.min(10_000, recordsIn(3 * 1024 * 1024, valueBytes));
    return {
      ways: {
        asStream: (supply) => {
          const options = { batchSize: size, batchTime: 5, highWaterMark: size * 2 };
          return write(producer.asStream({ ...options, reportMode: 'none' }), topic, supply);
        },
        'send() of 10,000': (supply) => confirmArrays(supply, { records: size, limit: 1 }, send),
      },
      sendOne,
      close: () => producer.close(true),
    };
  },
};

function write(stream: Writable, topic: string, supply: Supply): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.on('error', reject);
    const fill = () => {
      for (let record = supply.next(); record !== undefined; record = supply.next()) {
        const { key, value } = record;
        if (!stream.write({ topic, key, value })) {
          stream.once('drain', fill);
          return;
        }
      }
      stream.end(() => resolve());
    };
    fill();
  });
}
