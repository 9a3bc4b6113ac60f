import { Observable } from 'rxjs';
import { expectTypeOf, test } from 'vitest';
import {
  createKafka,
  deadLetter,
  fromTopics,
  json,
  retryEach,
  retryTopics,
  string,
  tee,
  toCommit,
  toTopics,
  type ConsumerRecord,
  type Receipt,
} from '../../src/index.js';

interface Order {
  readonly id: string;
}

declare const save: (order: Order) => Promise<number>;
const kafka = createKafka({ bootstrapServers: 'localhost:9092' });
const orders = fromTopics(kafka, 'orders', { valueDeserializer: json<Order>() });

test('retryEach emits what its work and onError give', () => {
  expectTypeOf(orders.pipe(retryEach(({ value }) => save(value)))).toEqualTypeOf<
    Observable<number>
  >();
  const onError = deadLetter(kafka, { topic: 'dead', lingerMs: 0 });
  expectTypeOf(orders.pipe(retryEach(({ value }) => save(value), { onError }))).toEqualTypeOf<
    Observable<number | Receipt<ConsumerRecord<unknown, unknown>>>
  >();
  // @ts-expect-error a dead letter needs a topic
  deadLetter(kafka, {});
  // @ts-expect-error a producer has its options already
  deadLetter(kafka.producer(), { topic: 'dead', lingerMs: 0 });
});

test('retryTopics emits what its work and onError give', () => {
  const consumer = { groupId: 'retries', valueDeserializer: json<Order>() };
  const topics = [{ topic: 'orders.retry', delayMs: 1000 }];
  const onError = deadLetter(kafka, { topic: 'dead' });
  expectTypeOf(
    orders.pipe(retryTopics(kafka, topics, { consumer, onError }, ({ value }) => save(value))),
  ).toEqualTypeOf<Observable<number | Receipt<ConsumerRecord<unknown, unknown>>>>();
  expectTypeOf(
    orders.pipe(
      retryTopics(kafka, topics, { consumer, onError: 'skip' }, ({ value }) => save(value)),
    ),
  ).toEqualTypeOf<Observable<number>>();
  // @ts-expect-error the retries need a group
  retryTopics(kafka, topics, { consumer: {}, onError: 'skip' }, () => undefined);
  // @ts-expect-error something has to follow the last retry
  retryTopics(kafka, topics, { consumer }, () => undefined);
});

test('tee passes on what it is given; toCommit emits nothing', () => {
  expectTypeOf(orders.pipe(tee(toCommit()))).toEqualTypeOf<
    Observable<ConsumerRecord<Buffer | null, Order>>
  >();
  expectTypeOf(orders.pipe(toCommit())).toEqualTypeOf<Observable<never>>();
});

test('toTopics chooses among the topics it has', () => {
  const routes = {
    orders: { toRecord: (order: Order) => ({ key: order.id }), keySerializer: string() },
    audit: { toRecord: (order: Order) => ({ value: order }), valueSerializer: json<Order>() },
  };
  const values = new Observable<Order>();
  expectTypeOf(
    values.pipe(toTopics(kafka, ({ id }) => (id === '' ? 'audit' : ['orders', 'audit']), routes)),
  ).toEqualTypeOf<Observable<Receipt<Order>>>();
  // @ts-expect-error there is no such route
  values.pipe(toTopics(kafka, () => 'elsewhere', routes));
});
