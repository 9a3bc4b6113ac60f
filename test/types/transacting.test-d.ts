import { map, type Observable } from 'rxjs';
import { expectTypeOf, test } from 'vitest';
import {
  createKafka,
  fromTopics,
  json,
  string,
  toTransaction,
  transactional,
  transactionPool,
  type ConsumerRecord,
  type LifecycleEvent,
  type ProducerRecord,
  type Receipt,
  type Transaction,
  type TransactionPool,
  type TransactionResult,
} from '../../src/index.js';

interface Order {
  readonly id: string;
  readonly total: number;
}

const kafka = createKafka({ bootstrapServers: 'localhost:9092' });
const orders = fromTopics(kafka, 'orders', {
  groupId: 'g',
  keyDeserializer: string(),
  valueDeserializer: json<Order>(),
});

test('transactional takes what the source gives, and emits results', () => {
  const results = orders.pipe(
    transactional(kafka, { transactionalIdPrefix: 'billing' }, (records, { signal, attempt }) => {
      expectTypeOf(records).toEqualTypeOf<Observable<ConsumerRecord<string, Order>>>();
      expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
      expectTypeOf(attempt).toBeNumber();
      return records.pipe(
        map((order) => order.derive({ topic: 'invoices', value: order.value.total })),
      );
    }),
  );
  expectTypeOf(results).toEqualTypeOf<Observable<TransactionResult>>();
});

test('results may be written down as records, and serializers fit them', () => {
  orders.pipe(
    transactional(
      kafka,
      { transactionalId: 'billing', keySerializer: string(), valueSerializer: json<Order>() },
      (records) => records.pipe(map(({ key, value }) => ({ topic: 'copies', key, value }))),
    ),
  );
});

test('a transaction has the types of its producer', async () => {
  const producer = kafka.producer({
    transactionalId: 'a',
    keySerializer: string(),
    valueSerializer: json<Order>(),
  });
  const txn = await producer.beginTransaction();
  expectTypeOf(txn).toEqualTypeOf<Transaction<string, Order>>();
  expectTypeOf<Parameters<typeof txn.send>[0]>().toEqualTypeOf<ProducerRecord<string, Order>>();
  expectTypeOf(producer.transaction(() => [1])).toEqualTypeOf<Observable<number>>();
});

test('toTransaction emits receipts with what was sent', () => {
  kafka.producer({ transactionalId: 'a' }).transaction((txn) => {
    const receipts = orders.pipe(
      map((order) => ({ topic: 'copies', value: order.value.id })),
      toTransaction(txn),
    );
    expectTypeOf(receipts).toEqualTypeOf<Observable<Receipt<{ topic: string; value: string }>>>();
    return receipts;
  });
});

test('a pool has the types of its producers', () => {
  const pool = transactionPool(kafka, {
    transactionalIdPrefix: 'a',
    keySerializer: string(),
    valueSerializer: json<Order>(),
  });
  expectTypeOf(pool).toEqualTypeOf<TransactionPool<string, Order>>();
});

test('the lifecycle tells of transactions', () => {
  type Told = Extract<LifecycleEvent, { transactionalId: string }>['type'];
  expectTypeOf<Told>().toEqualTypeOf<
    'transaction-begun' | 'transaction-committed' | 'transaction-aborted' | 'fenced'
  >();
});
