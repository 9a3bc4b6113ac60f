/**
 * Exactly once: orders become invoices by transactions. One instance dies with a transaction open, the
 * next one finds each order once among the invoices of those who read what is committed.
 *
 *     npx tsx examples/guarantees/exactly-once.ts
 */
import { lastValueFrom, map, take, toArray } from 'rxjs';
import {
  createKafka,
  fromOffsetRange,
  fromTopics,
  transactional,
  type Kafka,
} from '../../src/index.js';
import { example } from './setting.js';

const PARTITIONS = 2;
const RECORDS = 200;

await example(
  { partitions: PARTITIONS, records: RECORDS },
  async ({ cluster, kafka, check, until }) => {
    cluster.createTopic('invoices', { partitions: PARTITIONS });

    const invoicing = (client: Kafka, isFailing = false) =>
      fromTopics(client, 'orders', {
        groupId: 'billing',
        autoOffsetReset: 'earliest',
        isolationLevel: 'read_committed',
      }).pipe(
        transactional(client, { transactionalId: 'billing-1', maxRecords: 20 }, (orders) =>
          orders.pipe(
            map((order) => {
              if (isFailing && order.offset === 50) throw new Error('this instance has a bug');
              const value = `invoice of ${String(order.value)}`;
              return order.derive({ topic: 'invoices', partition: order.partition, value });
            }),
          ),
        ),
      );

    const broken = createKafka({ bootstrapServers: cluster.bootstrapServers });
    let failure: unknown;
    invoicing(broken, true).subscribe({ error: (error: unknown) => (failure = error) });
    await until(() => failure !== undefined);
    await broken.close();
    const read = async () => {
      const all = Array.from({ length: PARTITIONS }, (_, partition) => ({
        topic: 'invoices',
        partition,
      }));
      const invoices = fromOffsetRange(kafka, all, { isolationLevel: 'read_committed' });
      return (await lastValueFrom(invoices.pipe(toArray()))).map(({ value }) => String(value));
    };
    const before = await read();
    check('the first instance has failed in the middle', before.length < RECORDS);
    let done = before.length;
    invoicing(kafka)
      .pipe(take(RECORDS))
      .subscribe(({ records }) => (done += records));
    await until(() => done === RECORDS);
    const after = await read();
    check(`all ${RECORDS} orders have their invoice`, new Set(after).size === RECORDS);
    check('none of them twice', after.length === RECORDS);
  },
);
