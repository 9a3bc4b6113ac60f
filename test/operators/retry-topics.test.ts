// On the embedded broker: the topics in between, and what is stored there, are half of the operator.

import { from, NEVER, take } from 'rxjs';
import { describe, expect, test, vi } from 'vitest';
import {
  ConfigError,
  fromTopics,
  retryHeaders,
  retryTopics,
  type Consumer,
  type Kafka,
  type RetryTopic,
} from '../../src/index.js';
import { committed, membersOf, Seen, write } from '../support/consuming.js';
import { TestPartition, testPipeline } from '../support/records.js';
import {
  billing,
  DEAD,
  headersIn,
  inGroup,
  LONG,
  optionsOf,
  RETRIES,
  SHORT,
  startRetrying,
  Tries,
  valuesIn,
  working,
} from '../support/retrying.js';

describe('retryTopics', () => {
  test('what fails is tried again after each delay, and becomes a dead letter after the last', async () => {
    await using sim = await startRetrying();
    const tries = new Tries(sim, { once: 1, twice: 2, never: Infinity });
    const seen = new Seen(billing(sim.kafka(), tries));
    await sim.until(() => membersOf(sim.cluster, RETRIES) === 1);
    write(sim.cluster, 'orders', 0, 'never', 'once', 'good', 'twice');
    await sim.until(() => sim.cluster.records(DEAD).length === 1 && tries.of('twice').length === 3);
    await sim.until(() => committed(sim.cluster, RETRIES, LONG.topic) === 2);
    expect(seen.error).toBeUndefined();
    expect(seen.values.filter((value) => typeof value === 'string')).toEqual([
      'good',
      'once',
      'twice',
    ]);
    for (const name of ['never', 'twice']) {
      const [first, second, third] = tries.of(name);
      expect(second! - first!).toBeGreaterThanOrEqual(SHORT.delayMs);
      expect(third! - second!).toBeGreaterThanOrEqual(LONG.delayMs);
    }
    expect(tries.seen.filter(([name]) => name === 'never').map(([, , n]) => n)).toEqual([1, 2, 3]);
    expect(committed(sim.cluster, 'billing', 'orders')).toBe(4);
    expect(committed(sim.cluster, RETRIES, SHORT.topic)).toBe(3);
    expect(headersIn(sim, DEAD)[0]).toMatchObject({
      'dead-letter.attempt': '3',
      'dead-letter.error': 'no never',
      'dead-letter.topic': LONG.topic,
      'retry.topic': 'orders',
      'retry.offset': '0',
    });
  });

  test('a retry record is the record as stored, with when it is due, the attempts and its origin', async () => {
    await using sim = await startRetrying();
    const partition = new TestPartition({
      pipeline: testPipeline({ clock: sim.clock }),
      partition: 3,
    });
    const [record] = partition.deliverContents([
      { key: 'k', value: 'bad', headers: [['trace', 'x1']], timestamp: 1234 },
    ]);
    const failedAt = sim.clock.now();
    const seen = new Seen(from([record!]).pipe(working(sim.kafka(), new Tries(sim, { bad: 9 }))));
    await sim.until(() => seen.isOver);
    expect(sim.cluster.records(SHORT.topic)).toMatchObject([
      { key: Buffer.from('k'), value: Buffer.from('bad') },
    ]);
    expect(headersIn(sim, SHORT.topic)).toEqual([
      {
        trace: 'x1',
        'retry.due-at': `${failedAt + SHORT.delayMs}`,
        'retry.attempt': '1',
        'retry.topic': 'orders',
        'retry.partition': '3',
        'retry.offset': '0',
        'retry.timestamp': '1234',
      },
    ]);
    expect(sim.eventsOf('record-retried')).toEqual([]);
  });

  test('the headers tell of the origin also in the second topic, once', async () => {
    await using sim = await startRetrying();
    const tries = new Tries(sim, { bad: 2 });
    write(sim.cluster, 'orders', 0, 'good', 'bad');
    new Seen(billing(sim.kafka(), tries));
    await sim.until(() => sim.cluster.records(LONG.topic).length === 1);
    const [record] = sim.cluster.records(LONG.topic);
    expect(record!.headers).toHaveLength(Object.keys(retryHeaders).length);
    expect(headersIn(sim, LONG.topic)[0]).toMatchObject({
      'retry.attempt': '2',
      'retry.topic': 'orders',
      'retry.partition': '0',
      'retry.offset': '1',
    });
    expect(sim.eventsOf('record-retried')).toMatchObject([
      { topic: 'orders', offset: 1, attempt: 2, delayMs: SHORT.delayMs },
      { topic: SHORT.topic, offset: 0, attempt: 3, delayMs: LONG.delayMs },
    ]);
  });

  test('a record is acked after its retry record is, not before', async () => {
    await using sim = await startRetrying();
    const partition = new TestPartition({ pipeline: testPipeline({ clock: sim.clock }) });
    sim.cluster.delay('Produce', 300);
    const tries = new Tries(sim, { bad: 9 });
    const seen = new Seen(from(partition.deliver('bad', 'good')).pipe(working(sim.kafka(), tries)));
    await sim.advance(200);
    expect(partition.committable).toBe(0);
    expect(tries.of('bad')).toHaveLength(1);
    await sim.until(() => seen.isOver);
    expect(seen.error).toBeUndefined();
    expect(partition.committable).toBe(2);
    expect(valuesIn(sim, SHORT.topic)).toEqual(['bad']);
  });

  test('a retry record that can not be written ends the stream, and the record goes back', async () => {
    await using sim = await startRetrying();
    const partition = new TestPartition({ pipeline: testPipeline({ clock: sim.clock }) });
    sim.cluster.failNext('Produce', 'TOPIC_AUTHORIZATION_FAILED');
    const tries = new Tries(sim, { bad: 9 });
    const seen = new Seen(from(partition.deliver('bad')).pipe(working(sim.kafka(), tries)));
    await sim.until(() => seen.isOver);
    expect(seen.error).toMatchObject({ code: 'TOPIC_AUTHORIZATION_FAILED' });
    expect(partition.returned).toEqual([0]);
    expect(partition.committable).toBe(0);
  });

  test('what waits is not delivered before it is due, holds nothing up, and is neither starved nor stalled', async () => {
    await using sim = await startRetrying();
    const tries = new Tries(sim, { later: 1 });
    const kafka = sim.kafka();
    const options = {
      ...optionsOf(kafka),
      consumer: { ...optionsOf(kafka).consumer, maxPollIntervalMs: 1000, stallTimeoutMs: 500 },
    };
    const records = fromTopics(kafka, 'orders', inGroup);
    const seen = new Seen(records.pipe(retryTopics(kafka, [LONG], options, tries.work)));
    await sim.until(() => membersOf(sim.cluster, RETRIES) === 1);
    write(sim.cluster, 'orders', 0, 'later');
    await sim.until(() => sim.cluster.records(LONG.topic).length === 1);
    await sim.advance(LONG.delayMs / 2);
    write(sim.cluster, 'orders', 0, 'good');
    await sim.until(() => tries.of('good').length === 1);
    await sim.advance(LONG.delayMs / 4);
    expect(tries.of('later')).toHaveLength(1);
    await sim.until(() => tries.of('later').length === 2);
    const [first, second] = tries.of('later');
    expect(second! - first!).toBeGreaterThanOrEqual(LONG.delayMs);
    expect(second! - first!).toBeLessThan(LONG.delayMs + 100);
    for (const type of ['starved', 'stalled', 'warning'] as const) {
      expect(sim.eventsOf(type)).toEqual([]);
    }
    expect(membersOf(sim.cluster, RETRIES)).toBe(1);
    expect(seen.error).toBeUndefined();
  });

  test('a partition that waits is fetched no further, and keeps one batch', async () => {
    await using sim = await startRetrying();
    const tries = new Tries(sim, {});
    const producer = sim.kafka().producer();
    const dueAt = sim.clock.now() + LONG.delayMs;
    for (let i = 0; i < 20; i++) {
      const headers = [[retryHeaders.dueAt, `${dueAt}`]] as const;
      await sim.run(producer.send({ topic: LONG.topic, value: `r${i}`, headers }));
    }
    const kafka = sim.kafka();
    const make = vi.spyOn(kafka, 'consumer');
    new Seen(NEVER.pipe(working(kafka, tries)));
    await sim.advance(1000);
    const held = () => {
      const consumer = make.mock.results[0]!.value as Consumer;
      return consumer.metrics()['consumer-fetch-manager-metrics']!;
    };
    const { 'bytes-consumed-total': bytes = 0, 'fetch-total': fetches = 0 } = held();
    // Batches of one record, so this is one of them.
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThan(150);
    await sim.advance(LONG.delayMs / 2);
    const later = held();
    expect(later['bytes-consumed-total']).toBe(bytes);
    // The other topic is still asked for; a partition that is asked for brings its records.
    expect(later['fetch-total']).toBeGreaterThan(fetches);
    expect(tries.seen).toEqual([]);
    await sim.until(() => tries.seen.length === 20);
    expect(tries.seen.map(([name]) => name)).toEqual(Array.from({ length: 20 }, (_, i) => `r${i}`));
  });

  test('unsubscribing while something waits leaves it where it is, for whoever subscribes next', async () => {
    await using sim = await startRetrying();
    const tries = new Tries(sim, { later: 1 });
    write(sim.cluster, 'orders', 0, 'later');
    const seen = new Seen(billing(sim.kafka(), tries));
    await sim.until(
      () => sim.cluster.records(LONG.topic, 0).length === 0 && tries.seen.length === 1,
    );
    await sim.until(() => sim.cluster.records(SHORT.topic).length === 1);
    await sim.advance(2000);
    seen.subscription.unsubscribe();
    await sim.until(
      () => membersOf(sim.cluster, RETRIES) + membersOf(sim.cluster, 'billing') === 0,
    );
    expect(committed(sim.cluster, 'billing', 'orders')).toBe(1);
    expect(committed(sim.cluster, RETRIES, SHORT.topic) ?? 0).toBe(0);
    await sim.advance(2 * SHORT.delayMs);
    expect(tries.of('later')).toHaveLength(1);
    const again = new Seen(billing(sim.kafka(), tries));
    await sim.until(() => tries.of('later').length === 2);
    expect(again.values).toEqual(['later']);
  });

  test('a source that completes is the end, when what was begun is done', async () => {
    await using sim = await startRetrying();
    write(sim.cluster, 'orders', 0, 'bad', 'good', 'more');
    const tries = new Tries(sim, { bad: 9 });
    const kafka = sim.kafka();
    const records = fromTopics(kafka, 'orders', inGroup).pipe(take(2));
    const seen = new Seen(records.pipe(working(kafka, tries)));
    await sim.until(() => seen.isOver);
    expect(seen).toMatchObject({ values: ['good'], isComplete: true });
    expect(valuesIn(sim, SHORT.topic)).toEqual(['bad']);
    await sim.until(() => membersOf(sim.cluster, RETRIES) === 0);
  });

  test('loses nothing when members come and go while records wait', async () => {
    await using sim = await startRetrying(2);
    const names = Array.from({ length: 20 }, (_, i) => `r${i}`);
    for (const [i, name] of names.entries()) write(sim.cluster, 'orders', i % 2, `k${i}=${name}`);
    const tries = new Tries(sim, Object.fromEntries(names.map((name, i) => [name, i % 4])));
    const first = new Seen(billing(sim.kafka(), tries));
    await sim.until(() => tries.seen.length >= 10);
    await sim.advance(SHORT.delayMs / 2);
    const second = new Seen(billing(sim.kafka(), tries));
    await sim.until(() => membersOf(sim.cluster, RETRIES) === 2);
    await sim.advance(SHORT.delayMs);
    first.subscription.unsubscribe();
    await sim.until(() => membersOf(sim.cluster, RETRIES) === 1);
    const letters = names.filter((_, i) => i % 4 === 3);
    await sim.until(() => sim.cluster.records(DEAD).length >= letters.length);
    await sim.advance(SHORT.delayMs);
    expect([first.error, second.error]).toEqual([undefined, undefined]);
    const done = [...first.values, ...second.values].filter((value) => typeof value === 'string');
    expect([...new Set(done)].sort()).toEqual(names.filter((_, i) => i % 4 !== 3).sort());
    expect([...new Set(valuesIn(sim, DEAD))].sort()).toEqual([...letters].sort());
    for (const topic of [SHORT.topic, LONG.topic]) {
      for (const partition of [0, 1]) {
        const end = sim.cluster.records(topic, partition).length;
        expect(committed(sim.cluster, RETRIES, topic, partition) ?? 0).toBe(end);
      }
    }
  });

  test.each([
    ['fail', { error: new Error('no bad') }],
    ['skip', { error: undefined }],
  ] as const)('onError: %s holds after the last topic', async (onError, outcome) => {
    await using sim = await startRetrying();
    write(sim.cluster, 'orders', 0, 'bad');
    const kafka = sim.kafka();
    const tries = new Tries(sim, { bad: 9 });
    const options = { ...optionsOf(kafka), onError };
    const records = fromTopics(kafka, 'orders', inGroup);
    const seen = new Seen(records.pipe(retryTopics(kafka, [SHORT], options, tries.work)));
    await sim.until(() => seen.isOver || committed(sim.cluster, RETRIES, SHORT.topic) === 1);
    expect(seen.error).toEqual(outcome.error);
    expect(sim.eventsOf('skipped')).toHaveLength(onError === 'skip' ? 1 : 0);
  });

  test('says at once what can not work', async () => {
    await using sim = await startRetrying();
    const kafka = sim.kafka();
    const good = optionsOf(kafka);
    const make = (topics: unknown, options: unknown) => () =>
      retryTopics(kafka, topics as RetryTopic[], options as typeof good, () => undefined);
    for (const topics of [[], [{ topic: 'a' }], [SHORT, SHORT], [{ ...SHORT, delayMs: -1 }]]) {
      expect(make(topics, good)).toThrow(ConfigError);
    }
    expect(make([SHORT], { ...good, consumer: {} })).toThrow(/groupId/);
    expect(make([SHORT], { ...good, onError: undefined })).toThrow(/onError/);
    expect(make([SHORT], { ...good, consumer: { groupId: 'a', ack: 'auto' } })).toThrow(/ack/);
    expect(make([SHORT], { ...good, producer: { acks: 7 } })).toThrow(ConfigError);
    expect(make([SHORT], { ...good, delayMs: 7 })).toThrow(/delayMs/);
    expect(() =>
      retryTopics(undefined as unknown as Kafka, [SHORT], good, () => undefined),
    ).toThrow(/createKafka/);
  });
});
