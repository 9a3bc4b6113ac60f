import { concatMap, map, mergeMap, type Observable } from 'rxjs';
import { expectTypeOf, test } from 'vitest';
import {
  ackEach,
  aggregateEach,
  batchEach,
  createKafka,
  dedupeEach,
  deriveFrom,
  exhaustEach,
  fanOut,
  filterEach,
  flatMapEach,
  fromFetches,
  fromOffsetRange,
  fromPartitions,
  fromTopics,
  fromTopicsByPartition,
  json,
  mapEach,
  ofType,
  pauseWhile,
  processEach,
  processPartitioned,
  string,
  switchEach,
  throttleBytes,
  toTopic,
  untilCaughtUp,
  untilOffsets,
  withLag,
  type Batch,
  type ConsumerRecord,
  type DerivedRecord,
  type FetchHandle,
  type PartitionStream,
  type ProducerRecord,
  type Receipt,
  type TopicPartition,
} from '../../src/index.js';

interface Order {
  readonly id: string;
  readonly total: number;
}

declare const save: (order: Order) => Promise<number>;
const kafka = createKafka({ bootstrapServers: 'localhost:9092' });
const orders = fromTopics(kafka, 'orders', {
  keyDeserializer: string(),
  valueDeserializer: json<Order>(),
});

test('keys and values are bytes until a deserializer is given', () => {
  expectTypeOf(fromTopics(kafka, 'orders')).toEqualTypeOf<Observable<ConsumerRecord>>();
  expectTypeOf(fromTopics(kafka, 'orders', { valueDeserializer: json<Order>() })).toEqualTypeOf<
    Observable<ConsumerRecord<Buffer | null, Order>>
  >();
});

test('deserializers are functions or objects, at once or later', () => {
  const source = fromTopics(kafka, /orders/, {
    keyDeserializer: (bytes) => bytes.length,
    valueDeserializer: {
      deserialize: (bytes, { topic }) => Promise.resolve({ topic, text: bytes.toString() }),
    },
  });
  expectTypeOf(source).toEqualTypeOf<
    Observable<ConsumerRecord<number, { topic: string; text: string }>>
  >();
  fromTopics(kafka, 'orders', {
    // @ts-expect-error it gets bytes, not text
    valueDeserializer: (text: string) => text,
  });
  // @ts-expect-error an object needs the method
  fromTopics(kafka, 'orders', { valueDeserializer: { parse: () => 1 } });
});

test('every source infers alike', () => {
  const options = { valueDeserializer: json<Order>() };
  type Records = Observable<ConsumerRecord<Buffer | null, Order>>;
  expectTypeOf(
    fromPartitions(kafka, [{ topic: 'orders', partition: 0 }], options),
  ).toEqualTypeOf<Records>();
  expectTypeOf(
    fromOffsetRange(kafka, [{ topic: 'orders', partition: 0 }], options),
  ).toEqualTypeOf<Records>();
  expectTypeOf(fromFetches(kafka, 'orders', options)).toEqualTypeOf<
    Observable<FetchHandle<Buffer | null, Order>>
  >();
  expectTypeOf(fromTopicsByPartition(kafka, 'orders', options)).toEqualTypeOf<
    Observable<PartitionStream<Buffer | null, Order>>
  >();
  expectTypeOf(
    fromFetches(kafka, 'orders', options).pipe(concatMap(({ records }) => records)),
  ).toEqualTypeOf<Records>();
});

test('a consumer brings its types along', () => {
  const consumer = kafka.consumer({ groupId: 'billing', valueDeserializer: json<Order>() });
  expectTypeOf(fromTopics(consumer, 'orders')).toEqualTypeOf<
    Observable<ConsumerRecord<Buffer | null, Order>>
  >();
  expectTypeOf(consumer.records('orders')).toEqualTypeOf<
    Observable<ConsumerRecord<Buffer | null, Order>>
  >();
  expectTypeOf(consumer.iterate('orders')).toEqualTypeOf<
    AsyncIterableIterator<ConsumerRecord<Buffer | null, Order>>
  >();
  expectTypeOf(consumer.assignment).toEqualTypeOf<readonly TopicPartition[]>();
});

test('sources refuse what can’t be', () => {
  // @ts-expect-error there is no such option
  fromTopics(kafka, 'orders', { group: 'billing' });
  // @ts-expect-error there is no such reset
  fromTopics(kafka, 'orders', { autoOffsetReset: 'beginning' });
  // @ts-expect-error partitions need a source of their own
  fromTopics(kafka, [{ topic: 'orders', partition: 0 }]);
  // @ts-expect-error a range can't begin at its end
  fromOffsetRange(kafka, [{ topic: 'orders', partition: 0, from: 'end' }]);
  // @ts-expect-error there is no such start
  fromPartitions(kafka, [{ topic: 'orders', partition: 0, start: 'earliest' }]);
  // @ts-expect-error a producer is no consumer
  fromTopics(kafka.producer(), 'orders');
});

test('types go through pipes', () => {
  const totals = orders.pipe(
    filterEach((order) => order.value.total > 0),
    ackEach(),
    map(({ key, value }) => [key, value.total] as const),
  );
  expectTypeOf(totals).toEqualTypeOf<Observable<readonly [string, number]>>();
});

test('filterEach narrows as its predicate does', () => {
  type Keyed = ConsumerRecord<Buffer, Order>;
  const keyed = fromTopics(kafka, 'orders', { valueDeserializer: json<Order>() }).pipe(
    filterEach((record): record is Keyed => record.key !== null),
  );
  expectTypeOf(keyed).toEqualTypeOf<Observable<Keyed>>();
  // @ts-expect-error it must say yes or no
  orders.pipe(filterEach((order) => order.value.total));
});

test('processEach emits what its results hold', () => {
  expectTypeOf(orders.pipe(processEach(({ value }) => save(value)))).toEqualTypeOf<
    Observable<number>
  >();
  expectTypeOf(orders.pipe(processEach(({ value }) => [value.id]))).toEqualTypeOf<
    Observable<string>
  >();
  expectTypeOf(
    orders.pipe(
      processEach(async (order, { signal, attempt }) => {
        expectTypeOf(order).toEqualTypeOf<ConsumerRecord<string, Order>>();
        expectTypeOf(signal).toEqualTypeOf<AbortSignal>();
        expectTypeOf(attempt).toEqualTypeOf<number>();
        await save(order.value);
      }),
    ),
  ).toEqualTypeOf<Observable<void>>();
  expectTypeOf(orders.pipe(processEach(({ value }) => void save(value)))).toEqualTypeOf<
    Observable<never>
  >();
  // @ts-expect-error a number can't be waited for
  orders.pipe(processEach(({ value }) => value.total));
  // @ts-expect-error there is no such order
  orders.pipe(processEach(() => undefined, { order: 'keys' }));
});

test('processEach takes what its policies give', () => {
  expectTypeOf(
    orders.pipe(
      processEach(({ value }) => save(value), {
        retry: { count: 3, backoffMs: 50 },
        onError: ({ record, error, attempt }) => {
          expectTypeOf(record).toEqualTypeOf<ConsumerRecord<string, Order>>();
          expectTypeOf(error).toEqualTypeOf<unknown>();
          return [`${record.key} ${attempt}`];
        },
      }),
    ),
  ).toEqualTypeOf<Observable<number | string>>();
  expectTypeOf(
    orders.pipe(processEach(({ value }) => save(value), { onError: 'skip' })),
  ).toEqualTypeOf<Observable<number>>();
  // @ts-expect-error there is no such policy
  orders.pipe(processEach(() => undefined, { onError: 'ignore' }));
  // @ts-expect-error a retry says how often
  orders.pipe(processEach(() => undefined, { retry: { backoffMs: 5 } }));
});

test('mapEach gives records of another value', () => {
  expectTypeOf(orders.pipe(mapEach(({ value }) => value.total))).toEqualTypeOf<
    Observable<ConsumerRecord<string, number>>
  >();
  expectTypeOf(
    deriveFrom([] as ConsumerRecord<string, Order>[], { topic: 'sums', value: 5 }),
  ).toEqualTypeOf<DerivedRecord<null, number>>();
  // @ts-expect-error what several make has a value of its own
  deriveFrom([], { topic: 'sums' });
});

test('flatMapEach makes records of values, and leaves derived ones as they are', () => {
  expectTypeOf(orders.pipe(flatMapEach(({ value }) => [value.id]))).toEqualTypeOf<
    Observable<ConsumerRecord<string, string>>
  >();
  expectTypeOf(
    orders.pipe(flatMapEach((order) => [order.derive({ value: order.value.total })])),
  ).toEqualTypeOf<Observable<DerivedRecord<string, number>>>();
  // @ts-expect-error it does not retry
  orders.pipe(flatMapEach(() => [], { retry: 1 }));
});

test('fanOut emits what its pipelines do', () => {
  expectTypeOf(
    orders.pipe(
      fanOut(
        processEach(({ value }) => save(value)),
        (records) => records.pipe(map(({ value }) => value.id)),
      ),
    ),
  ).toEqualTypeOf<Observable<number | string>>();
  // @ts-expect-error a pipeline takes a stream of records
  orders.pipe(fanOut('audit'));
});

test('batchEach and aggregateEach collect, and processEach takes batches', () => {
  expectTypeOf(orders.pipe(batchEach({ maxRecords: 10 }))).toEqualTypeOf<
    Observable<Batch<string, Order>>
  >();
  expectTypeOf(
    orders.pipe(
      batchEach({ by: ({ value }) => value.id }),
      processEach((batch, { attempt }) => {
        expectTypeOf(batch).toEqualTypeOf<Batch<string, Order>>();
        return [attempt, ...batch.records.map(({ value }) => value.total)];
      }),
    ),
  ).toEqualTypeOf<Observable<number>>();
  expectTypeOf(
    orders.pipe(
      aggregateEach(
        (sum, { value }) => sum + value.total,
        () => 0,
      ),
      map((sum) => sum.derive({ key: 'all', value: sum.value })),
    ),
  ).toEqualTypeOf<Observable<DerivedRecord<string, number>>>();
  // @ts-expect-error there is no such group
  orders.pipe(batchEach({ by: 'topic' }));
});

test('switchEach and exhaustEach emit what their work gives; dedupeEach lets records through', () => {
  expectTypeOf(orders.pipe(switchEach(({ value }) => save(value), { by: 'key' }))).toEqualTypeOf<
    Observable<number>
  >();
  expectTypeOf(
    orders.pipe(
      exhaustEach(({ value }) => [value.id], {
        by: ({ value }) => value.total,
        skipped: (record) => record.ack(),
      }),
    ),
  ).toEqualTypeOf<Observable<string>>();
  expectTypeOf(orders.pipe(dedupeEach({ by: ({ value }) => value.id }))).toEqualTypeOf<
    Observable<ConsumerRecord<string, Order>>
  >();
  // @ts-expect-error there is no such group
  orders.pipe(switchEach(() => undefined, { by: 'topic' }));
  // @ts-expect-error there is no such policy
  orders.pipe(exhaustEach(() => undefined, { skipped: 'drop' }));
  // @ts-expect-error it is a function that tells the id
  orders.pipe(dedupeEach({ by: 'id' }));
});

test('operators that hold back or end a stream keep its type', () => {
  const consumer = kafka.consumer({ valueDeserializer: json<Order>() });
  type Records = Observable<ConsumerRecord<Buffer | null, Order>>;
  const source = consumer.records('orders');
  expectTypeOf(source.pipe(pauseWhile([true]))).toEqualTypeOf<Records>();
  expectTypeOf(source.pipe(throttleBytes(5))).toEqualTypeOf<Records>();
  expectTypeOf(source.pipe(untilCaughtUp(consumer))).toEqualTypeOf<Records>();
  expectTypeOf(
    source.pipe(untilOffsets(consumer, [{ topic: 'orders', partition: 0, offset: 5 }])),
  ).toEqualTypeOf<Records>();
  expectTypeOf(source.pipe(batchEach(), pauseWhile([true]))).toEqualTypeOf<
    Observable<Batch<Buffer | null, Order>>
  >();
  expectTypeOf(
    source.pipe(
      withLag(),
      map(({ lag, value }) => [lag, value] as const),
    ),
  ).toEqualTypeOf<Observable<readonly [number, Order]>>();
  // @ts-expect-error what pauses says yes or no
  source.pipe(pauseWhile([1]));
  // @ts-expect-error a client is no consumer: it has many
  source.pipe(untilOffsets(kafka, []));
});

test('processPartitioned emits what its pipelines do', () => {
  const sizes = orders.pipe(
    processPartitioned((records, { partition }) =>
      records.pipe(map(({ value }) => [partition, value.id] as const)),
    ),
  );
  expectTypeOf(sizes).toEqualTypeOf<Observable<readonly [number, string]>>();
});

test('derive() keeps what is not changed, and with a topic it can be sent', () => {
  expectTypeOf(orders.pipe(map((order) => order.derive({ topic: 'copies' })))).toEqualTypeOf<
    Observable<DerivedRecord<string, Order> & { readonly topic: string }>
  >();
  expectTypeOf<DerivedRecord<string, Order> & { readonly topic: string }>().toExtend<
    ProducerRecord<string, Order>
  >();
  expectTypeOf<DerivedRecord<string, Order>>().not.toExtend<ProducerRecord<string, Order>>();
  expectTypeOf(
    orders.pipe(processEach((order) => [order.derive({ value: order.value.total })])),
  ).toEqualTypeOf<Observable<DerivedRecord<string, number>>>();
  const receipts = orders.pipe(
    map((order) => order.derive({ value: order.value.id })),
    toTopic(kafka, 'ids'),
  );
  expectTypeOf(receipts).toEqualTypeOf<Observable<Receipt<DerivedRecord<string, string>>>>();
  // @ts-expect-error there is nothing like it to change
  orders.pipe(map((order) => order.derive({ offset: 1 })));
});

test('ofType narrows to the types that were named', () => {
  const gone = kafka.lifecycle.pipe(
    ofType('revoked', 'lost'),
    map(({ type, recordsAbandoned }) => [type, recordsAbandoned] as const),
  );
  expectTypeOf(gone).toEqualTypeOf<Observable<readonly ['revoked' | 'lost', number]>>();
  const stalled = kafka.lifecycle.pipe(
    ofType('stalled'),
    map(({ topic, offset, ageMs }) => [topic, offset, ageMs] as const),
  );
  expectTypeOf(stalled).toEqualTypeOf<Observable<readonly [string, number, number]>>();
  // @ts-expect-error there is no such event
  kafka.lifecycle.pipe(ofType('revokd'));
});

test('partitions are streams of their own', () => {
  const all = fromTopicsByPartition(kafka, 'orders', { valueDeserializer: json<Order>() }).pipe(
    mergeMap(({ partition, records }) => records.pipe(map(({ value }) => [partition, value.id]))),
  );
  expectTypeOf(all).toEqualTypeOf<Observable<(string | number)[]>>();
});
