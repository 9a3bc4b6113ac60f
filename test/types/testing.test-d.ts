import { map, type Observable } from 'rxjs';
import { expectTypeOf, test } from 'vitest';
import {
  json,
  processEach,
  retryTopics,
  string,
  toTopic,
  type Clock,
  type ConsumerRecord,
} from '../../src/index.js';
import {
  kafkaMarbles,
  kafkaMarblesAsync,
  type Expectable,
  type KafkaMarbles,
  type KafkaMarbleHelpers,
} from '../../src/testing/index.js';

interface Order {
  readonly id: string;
  readonly total: number;
}

declare const t: KafkaMarbleHelpers;

test('records are bytes until a serde is given, and may be defined as text', () => {
  expectTypeOf(t.records('-a')).toEqualTypeOf<Observable<ConsumerRecord>>();
  const orders = t.records('-a', { a: { key: 'k', value: new Uint8Array(1), partition: 1 } });
  expectTypeOf(orders).toEqualTypeOf<Observable<ConsumerRecord>>();
  // @ts-expect-error an object needs a serde
  t.records('-a', { a: { value: { id: 'x', total: 1 } } });
  // @ts-expect-error a partition is a number
  t.records('-a', { a: { partition: 'one' } });
});

test('with serdes, definitions and records have their types', () => {
  const serdes = { keySerde: string(), valueSerde: json<Order>() };
  const orders = t.records('-a', { a: { key: 'k', value: { id: 'x', total: 1 } } }, serdes);
  expectTypeOf(orders).toEqualTypeOf<Observable<ConsumerRecord<string, Order>>>();
  t.records('-a', { a: { value: null } }, serdes);
  // @ts-expect-error a total is missing
  t.records('-a', { a: { value: { id: 'x' } } }, serdes);
  // @ts-expect-error keys are text here
  t.records('-a', { a: { key: 5 } }, serdes);
});

test('options are those of a consumer that make sense without a broker', () => {
  t.records('-a', undefined, { ack: 'auto', maxUnackedRecords: 2, drainTimeoutMs: 10 });
  // @ts-expect-error there is no group to name
  t.records('-a', undefined, { groupId: 'billing' });
});

test('what is expected takes records of any type, and a pipeline of any', () => {
  const orders = t.records('-a', {}, { valueSerde: json<Order>() });
  expectTypeOf(t.expectAcks(orders)).toEqualTypeOf<Expectable>();
  t.expectOutput(orders.pipe(map(({ value }) => value.total))).toBe('-5', { 5: 5 });
  t.expectLifecycle(orders, 'revoked', 'lost');
  // @ts-expect-error no such event
  t.expectLifecycle(orders, 'revoke');
  // @ts-expect-error numbers are no records
  t.expectAcks(t.cold('-a').pipe(map(() => 1)));
});

test('moves of a lifecycle are checked', () => {
  const orders = t.records('-a');
  t.lifecycle(orders, '-x', { x: { type: 'revoke', partitions: [1] } });
  // @ts-expect-error no such move
  t.lifecycle(orders, '-x', { x: { type: 'revoked' } });
});

test('a sink stands where a producer does', () => {
  const orders = t.records('-a');
  const written = orders.pipe(
    processEach((order) => [order.derive({ value: 'x' })]),
    toTopic(t.sink('-r'), 'invoices'),
  );
  expectTypeOf(written).toExtend<Observable<unknown>>();
  // @ts-expect-error options of a producer belong to the producer
  toTopic(t.sink(), 'invoices', { lingerMs: 5 });
});

test('retries stand where a client does, and give records their types', () => {
  const orders = t.records<null, Order>('-a', undefined, { valueSerde: json<Order>() });
  const retries = t.retries('-r', { maxUnackedRecords: 5 });
  const consumer = { groupId: 'retries', valueDeserializer: json<Order>() };
  const topics = [{ topic: 'later', delayMs: 5 }];
  const tried = orders.pipe(
    retryTopics(retries, topics, { consumer, onError: 'fail' }, (order) => [order.value.total]),
  );
  expectTypeOf(tried).toEqualTypeOf<Observable<number>>();
  t.expectAcks(retries.records);
  // @ts-expect-error nothing is fetched in a test
  t.retries('-r', { fetchMinBytes: 5 });
  // @ts-expect-error a sink has nothing to read
  retryTopics(t.sink(), topics, { consumer, onError: 'fail' }, () => undefined);
});

test('tests are functions without parameters, as every runner takes them', () => {
  expectTypeOf(kafkaMarbles(() => undefined)).toEqualTypeOf<() => void>();
  expectTypeOf(kafkaMarblesAsync(async () => Promise.resolve())).toEqualTypeOf<
    () => Promise<void>
  >();
  expectTypeOf<KafkaMarbles['clock']>().toEqualTypeOf<Clock>();
});
