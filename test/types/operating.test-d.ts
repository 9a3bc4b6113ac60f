import { map, of, type Observable } from 'rxjs';
import { expectTypeOf, test } from 'vitest';
import {
  ackEach,
  aggregateEach,
  batchEach,
  createKafka,
  deadLetter,
  dedupeEach,
  fanOut,
  filterEach,
  flatMapEach,
  fromTopics,
  iterate,
  json,
  mapEach,
  processEach,
  processPartitioned,
  retryEach,
  string,
  switchEach,
  tee,
  throttleBytes,
  toCommit,
  toTopic,
  transactional,
  withLag,
  type Batch,
  type ConsumerRecord,
  type DerivedRecord,
  type Receipt,
  type TransactionAbort,
  type TransactionResult,
} from '../../src/index.js';

interface Order {
  readonly id: string;
  readonly total: number;
}

interface Customer {
  readonly name: string;
}

declare const customerOf: (order: Order) => Promise<Customer>;
declare const insert: (customers: readonly Customer[]) => Promise<number>;

const kafka = createKafka({ bootstrapServers: 'localhost:9092' });
const orders = fromTopics(kafka, 'orders', {
  groupId: 'billing',
  keyDeserializer: string(),
  valueDeserializer: json<Order>(),
});

test('keys and values keep their types from the source to the sink', () => {
  const inserted = orders.pipe(
    dedupeEach({ by: ({ value }) => value.id }),
    filterEach(({ value }) => value.total > 0),
    throttleBytes(1_000_000),
    withLag(),
    mapEach(({ value }): Customer => ({ name: value.id })),
    batchEach({ maxRecords: 100, by: ({ key }) => key.length }),
    processEach((batch) => insert(batch.records.map(({ value }) => value)), {
      retry: 3,
      onError: deadLetter(kafka, { topic: 'dead' }),
    }),
  );
  expectTypeOf(inserted).toEqualTypeOf<
    Observable<number | Receipt<ConsumerRecord<unknown, unknown>>>
  >();

  const written = orders.pipe(
    processEach(async (order) => order.derive({ value: await customerOf(order.value) })),
    toTopic(kafka, 'customers', { keySerializer: string(), valueSerializer: json<Customer>() }),
  );
  expectTypeOf(written).toEqualTypeOf<Observable<Receipt<DerivedRecord<string, Customer>>>>();

  const sums = orders.pipe(
    flatMapEach(({ value }) => [value.total]),
    aggregateEach(
      (sum, { value }) => sum + value,
      () => 0,
      { by: 'key' },
    ),
    map(({ rawKey, value }) => [rawKey, value] as const),
  );
  expectTypeOf(sums).toEqualTypeOf<Observable<readonly [Buffer | null, number]>>();
});

test('several pipelines have their results beside one another, whatever these are', () => {
  const all = orders.pipe(
    fanOut(
      processEach(({ value }) => customerOf(value)),
      (records) =>
        records.pipe(
          map((order) => order.derive()),
          toTopic(kafka, 'audit'),
        ),
      (records) => records.pipe(toCommit()),
      (records) =>
        records.pipe(
          batchEach({ by: 'key' }),
          processEach((batch) => [batch.length]),
        ),
    ),
  );
  expectTypeOf(all).toEqualTypeOf<
    Observable<Customer | Receipt<DerivedRecord<string, Order>> | number>
  >();
  expectTypeOf(orders.pipe(tee(processEach(({ value }) => customerOf(value))))).toEqualTypeOf<
    typeof orders
  >();
});

test('a transaction’s records, failures and results have their types', () => {
  const results = orders.pipe(
    mapEach(({ value }) => value.total),
    transactional(
      kafka,
      {
        transactionalIdPrefix: 'billing',
        concurrency: 2,
        keySerializer: string(),
        valueSerializer: json<number>(),
        onAbort: (abort) => {
          expectTypeOf(abort).toEqualTypeOf<TransactionAbort<string, number>>();
          return abort.records.map(({ key, value }) => ({ topic: 'dead', key, value }));
        },
      },
      (records) => {
        expectTypeOf(records).toEqualTypeOf<Observable<ConsumerRecord<string, number>>>();
        return records.pipe(map((record) => record.derive({ topic: 'totals' })));
      },
    ),
  );
  expectTypeOf(results).toEqualTypeOf<Observable<TransactionResult>>();

  // @ts-expect-error what is written names its topic, and is a record
  orders.pipe(transactional(kafka, { transactionalId: 'a' }, () => ['text']));
  // @ts-expect-error there is no such choice
  transactional(kafka, { transactionalIdPer: 'topic' }, (records) => records.pipe(map(copy)));
  // @ts-expect-error there is no such option
  transactional(kafka, { transactionalId: 'a', maxSize: 5 }, () => []);
  const committing = transactional<string, Order>(kafka, { transactionalId: 'a' }, () => []);
  // @ts-expect-error a text is no record
  of('a').pipe(committing);
});

declare const copy: (record: ConsumerRecord) => DerivedRecord & { readonly topic: string };

test('records are iterated with their types', () => {
  expectTypeOf(iterate(orders)).toEqualTypeOf<
    AsyncIterableIterator<ConsumerRecord<string, Order>>
  >();
  // @ts-expect-error there is no such way to ack
  iterate(orders, { ack: 'never' });
});

test('failures of batches are those of batches', () => {
  orders.pipe(
    batchEach(),
    processEach(() => undefined, {
      onError: ({ record }) => {
        expectTypeOf(record).toEqualTypeOf<Batch<string, Order>>();
        return [];
      },
    }),
  );
});

test('what can’t be acked is refused where it would be acked', () => {
  // @ts-expect-error a number has no ack
  of(1).pipe(ackEach());
  // @ts-expect-error nor has a text
  of('a').pipe(toCommit());
  // @ts-expect-error and nothing can be worked on that is no record
  of(1).pipe(processEach(() => undefined));
  // @ts-expect-error nor be held back
  of('a').pipe(throttleBytes(5));
});

test('options that are not there are refused', () => {
  // @ts-expect-error there is no such option
  orders.pipe(retryEach(() => undefined, { retries: 5 }));
  // @ts-expect-error a number is asked for
  orders.pipe(retryEach(() => undefined, { count: 'often' }));
  // @ts-expect-error there is no such option
  orders.pipe(batchEach({ maxCount: 5 }));
  // @ts-expect-error it needs a value to begin with
  orders.pipe(aggregateEach((sum: number) => sum));
  // @ts-expect-error it needs to know how much
  throttleBytes();
  // @ts-expect-error there is no such option
  orders.pipe(processPartitioned((records) => records, { parallel: 5 }));
  // @ts-expect-error a side is a pipeline
  orders.pipe(tee('audit'));
  // @ts-expect-error there is no such option
  orders.pipe(switchEach(() => undefined, { concurrency: 5 }));
  // @ts-expect-error there is no such option
  orders.pipe(dedupeEach({ windowMs: 5 }));
});
