import type { Writable } from 'node:stream';
import { confirmArrays, type Client, type Outbound, type Supply } from './client.js';
import { peer } from './peer.js';

interface Platformatic {
  readonly Producer: new (options: object) => PlatformaticProducer;
}

interface PlatformaticProducer {
  metadata(options: object): Promise<unknown>;
  send(request: object): Promise<unknown>;
  asStream(options: object): Writable;
  close(isForced: boolean): Promise<void>;
}

export const client: Client = {
  name: '@platformatic/kafka',
  waysToSend: {
    asStream: 'batchSize 10,000, batchTime 5, no report for a record',
    'send() of 10,000': 'one array unconfirmed: idempotent sends must not overlap',
    'send() of one': 'one unconfirmed, as above',
  },
  // zstd wants a newer Node.
  compressions: ['none', 'lz4'],

  async produce({ bootstrapServers, topic, compression }) {
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
    return {
      ways: {
        asStream: (supply) => {
          const options = { batchSize: 10_000, batchTime: 5, highWaterMark: 20_000 };
          return write(producer.asStream({ ...options, reportMode: 'none' }), topic, supply);
        },
        'send() of 10,000': (supply) => confirmArrays(supply, { records: 10_000, limit: 1 }, send),
        'send() of one': (supply) => confirmArrays(supply, { records: 1, limit: 1 }, send),
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
