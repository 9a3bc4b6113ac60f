import { filter, map, mergeMap, Subject, tap, toArray, type Observable } from 'rxjs';
import {
  ackEach,
  createKafka,
  fromFetches,
  fromTopics,
  processEach,
  sendAll,
  toTopic,
  type Kafka,
  type Producer,
} from '../../src/index.js';
import {
  confirmEach,
  recordsIn,
  type Client,
  type Intake,
  type Outbound,
  type Supply,
  type WayToConsume,
} from './client.js';

const MIB = 1024 * 1024;
const BATCH_BYTES = 64 * 1024;

type Pipeline = (
  kafka: Kafka,
  topic: string,
  options: { groupId: string; autoOffsetReset: 'earliest' },
  intake: Intake,
) => Observable<unknown>;

/** In a group, with acks and automatic commits, and all defaults. */
function consuming(
  delivers: WayToConsume['delivers'],
  settings: string,
  pipeline: Pipeline,
): WayToConsume {
  return {
    delivers,
    settings,
    start({ bootstrapServers, topic, groupId }, intake) {
      const kafka = createKafka({ bootstrapServers });
      const options = { groupId, autoOffsetReset: 'earliest' } as const;
      // An error is not handled, so that it ends the run.
      return Promise.resolve(pipeline(kafka, topic, options, intake).subscribe());
    },
  };
}

export const client: Client = {
  name: 'rx-kafka',
  decompressions: ['none', 'lz4', 'zstd'],
  waysToConsume: {
    'three operators': consuming(
      'records',
      'filter, map and tap of RxJS, and ackEach',
      (kafka, topic, options, intake) =>
        fromTopics(kafka, topic, options).pipe(
          filter(({ value }) => value !== null),
          ackEach(),
          map(({ value }) => value),
          tap((value) => intake.one(value)),
        ),
    ),
    processEach: consuming('records', 'defaults', (kafka, topic, options, intake) =>
      fromTopics(kafka, topic, options).pipe(processEach(({ value }) => intake.one(value))),
    ),
    fromFetches: consuming('arrays', 'an array for each fetch', (kafka, topic, options, intake) =>
      fromFetches(kafka, topic, options).pipe(
        mergeMap((fetch) => fetch.records.pipe(ackEach(), toArray())),
        tap((records) => records.forEach(({ value }) => intake.one(value))),
      ),
    ),
  },
  waysToSend: {
    toTopic: 'batchSize 64 KiB, lingerMs 5, 1.5 MiB unconfirmed',
    sendAll: 'batchSize 64 KiB, lingerMs 5',
    'send()': 'batchSize 64 KiB, lingerMs 5, 1 MiB unconfirmed',
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
    const sendOne = ({ key, value }: Outbound) => producer.send({ topic, key, value });
    return {
      ways: {
        toTopic: (supply) =>
          throughToTopic(producer, topic, supply, recordsIn(1.5 * MIB, valueBytes)),
        sendAll: (supply) => throughSendAll(producer, topic, supply),
        'send()': (supply) => confirmEach(supply, recordsIn(MIB, valueBytes), sendOne),
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
