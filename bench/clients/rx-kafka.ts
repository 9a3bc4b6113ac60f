import { Subject } from 'rxjs';
import { createKafka, sendAll, toTopic, type Producer } from '../../src/index.js';
import { confirmEach, recordsIn, type Client, type Outbound, type Supply } from './client.js';

const MIB = 1024 * 1024;
const BATCH_BYTES = 64 * 1024;

export const client: Client = {
  name: 'rx-kafka',
  waysToSend: {
    toTopic: 'batchSize 64 KiB, lingerMs 5, 8 MiB unconfirmed',
    sendAll: 'batchSize 64 KiB, lingerMs 5',
    'send()': 'batchSize 64 KiB, lingerMs 5, 8 MiB unconfirmed',
  },
  compressions: ['none', 'lz4', 'zstd'],

  async produce({ bootstrapServers, topic, valueBytes, compression, goal }) {
    const kafka = createKafka({ bootstrapServers });
    const producer = kafka.producer({
      enableIdempotence: true,
      compressionType: compression,
      ...(goal === 'throughput' ? { batchSize: BATCH_BYTES, lingerMs: 5 } : { lingerMs: 0 }),
    });
    await producer.partitionsFor(topic);
    const limit = recordsIn(8 * MIB, valueBytes);
    const sendOne = ({ key, value }: Outbound) => producer.send({ topic, key, value });
    return {
      ways: {
        toTopic: (supply) => throughToTopic(producer, topic, supply, limit),
        sendAll: (supply) => throughSendAll(producer, topic, supply),
        'send()': (supply) => confirmEach(supply, limit, sendOne),
      },
      sendOne,
      close: async () => {
        await producer.close();
        await kafka.close();
      },
    };
  },
};

/** A source that pushes, and pushes more when enough receipts have come. */
function throughToTopic(
  producer: Producer,
  topic: string,
  supply: Supply,
  limit: number,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const records = new Subject<Outbound>();
    let open = 0;
    let isPushing = false;
    const push = () => {
      isPushing = true;
      while (open < limit) {
        const record = supply.next();
        if (record === undefined) {
          records.complete();
          return;
        }
        open++;
        records.next(record);
      }
      isPushing = false;
    };
    records.pipe(toTopic(producer, topic)).subscribe({
      next: () => {
        open--;
        if (!isPushing && open <= limit / 2) push();
      },
      error: reject,
      complete: resolve,
    });
    push();
  });
}

function throughSendAll(producer: Producer, topic: string, supply: Supply): Promise<void> {
  return new Promise((resolve, reject) => {
    sendAll(producer, topic, pulled(supply)).subscribe({ error: reject, complete: resolve });
  });
}

function* pulled(supply: Supply): IterableIterator<Outbound> {
  for (let record = supply.next(); record !== undefined; record = supply.next()) yield record;
}
