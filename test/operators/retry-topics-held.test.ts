// On the embedded broker: what is held is fetched, and moves with its partition to other members.

import { from, NEVER, Subject } from 'rxjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeRecords } from '../../src/core/records/index.js';
import {
  fromTopics,
  retryHeaders,
  retryTopics,
  type Kafka,
  type RetryTopicsOptions,
} from '../../src/index.js';
import { committed, connectionsTo, membersOf, Seen, write } from '../support/consuming.js';
import { behavesLikeAnOperator, text } from '../support/operator-spec.js';
import { TestPartition, testPipeline, type TestRecord } from '../support/records.js';
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
import { Simulation } from '../support/simulation.js';

/** Puts retry records of one batch into a partition, as another process has left them. */
function leave(sim: Simulation, partition: number, dueAt: number, ...values: string[]): void {
  const headers = [[retryHeaders.dueAt, `${dueAt}`] as const];
  const contents = values.map((value) => ({ value, headers }));
  sim.cluster.append(SHORT.topic, partition, encodeRecords(contents));
}

/** Retries alone: nothing comes from the source. */
function retrying(kafka: Kafka, tries: Tries): Seen<unknown> {
  return new Seen(NEVER.pipe(working(kafka, tries)));
}

/** Some records of which each fails that is called `bad`. */
function orders(sim: Simulation): TestPartition {
  return new TestPartition({ pipeline: testPipeline({ clock: sim.clock }) });
}

describe('retryTopics, as an operator', () => {
  let sim: Simulation;
  beforeAll(async () => {
    sim = await startRetrying();
  });
  afterAll(() => sim[Symbol.asyncDispose]());

  behavesLikeAnOperator(() => {
    const kafka = sim.kafka();
    const options = { ...optionsOf(kafka), onError: 'fail' as const };
    return retryTopics(kafka, [SHORT], options, (record) => [{ name: text(record) }]);
  });

  test('nothing connects before it is subscribed to, and nothing is left when it has ended', async () => {
    await using own = await startRetrying();
    const kafka = own.kafka();
    const source = new Subject<TestRecord>();
    const operated = source.pipe(working(kafka, new Tries(own, {})));
    await own.advance(1000);
    expect(connectionsTo(own.cluster)).toBe(0);
    const seen = new Seen(operated);
    await own.until(() => membersOf(own.cluster, RETRIES) === 1);
    source.complete();
    expect(seen.isComplete).toBe(true);
    await own.until(() => membersOf(own.cluster, RETRIES) === 0);
  });

  test('an error of the source ends the consumer of the retry topics, too', async () => {
    await using own = await startRetrying();
    const source = new Subject<TestRecord>();
    const seen = new Seen(source.pipe(working(own.kafka(), new Tries(own, {}))));
    await own.until(() => membersOf(own.cluster, RETRIES) === 1);
    source.error(new Error('gone'));
    expect(seen.error).toEqual(new Error('gone'));
    await own.until(() => membersOf(own.cluster, RETRIES) === 0);
  });

  test('work that is asynchronous fails into the topic as well, after its retries here', async () => {
    await using own = await startRetrying();
    const partition = orders(own);
    const attempts: number[] = [];
    const options = { ...optionsOf(own.kafka()), retry: { count: 1, backoffMs: 5 } };
    const fail = (_: unknown, { attempt }: { attempt: number }) => {
      attempts.push(attempt);
      return Promise.reject(new Error('no'));
    };
    const seen = new Seen(
      from(partition.deliver('bad')).pipe(retryTopics(own.kafka(), [SHORT], options, fail)),
    );
    await own.until(() => seen.isOver);
    expect(seen.error).toBeUndefined();
    expect(attempts).toEqual([1, 2]);
    expect(headersIn(own, SHORT.topic)[0]).toMatchObject({ 'retry.attempt': '2' });
  });
});

describe('retryTopics, what it writes', () => {
  test('a null key stays null, and a tombstone a tombstone', async () => {
    await using sim = await startRetrying();
    const partition = orders(sim);
    const records = partition.deliverContents([
      { key: null, value: null },
      { key: '', value: '' },
    ]);
    const fail = () => {
      throw new Error('no');
    };
    const kafka = sim.kafka();
    const seen = new Seen(from(records).pipe(retryTopics(kafka, [SHORT], optionsOf(kafka), fail)));
    await sim.until(() => seen.isOver);
    expect(seen.error).toBeUndefined();
    const stored = sim.cluster.records(SHORT.topic).map(({ key, value }) => [key, value]);
    expect(stored).toEqual([
      [null, null],
      [Buffer.alloc(0), Buffer.alloc(0)],
    ]);
    expect(headersIn(sim, SHORT.topic).map((headers) => headers['retry.offset'])).toEqual([
      '0',
      '1',
    ]);
  });

  test('order is lost for what fails: later records of its key are worked on before it', async () => {
    await using sim = await startRetrying();
    const tries = new Tries(sim, { first: 1 });
    write(sim.cluster, 'orders', 0, 'k=first', 'k=second');
    const seen = new Seen(billing(sim.kafka(), tries));
    await sim.until(() => seen.values.length === 2);
    expect(seen.values).toEqual(['second', 'first']);
  });

  test('a dead letter names where it lay last, and the headers of the retry record its origin', async () => {
    await using sim = await startRetrying();
    write(sim.cluster, 'orders', 0, 'good', 'bad');
    new Seen(billing(sim.kafka(), new Tries(sim, { bad: 9 })));
    await sim.until(() => sim.cluster.records(DEAD).length === 1);
    expect(headersIn(sim, DEAD)[0]).toMatchObject({
      'dead-letter.topic': LONG.topic,
      'dead-letter.partition': '0',
      'dead-letter.offset': '0',
      'dead-letter.attempt': '3',
      'dead-letter.error': 'no bad',
      'retry.topic': 'orders',
      'retry.partition': '0',
      'retry.offset': '1',
    });
    expect(headersIn(sim, DEAD)[0]).toHaveProperty('dead-letter.timestamp');
    expect(headersIn(sim, DEAD)[0]).toHaveProperty('retry.timestamp');
    await sim.until(() => committed(sim.cluster, RETRIES, LONG.topic) === 1);
  });

  test('onError: nack has it delivered again from the last topic, until it succeeds', async () => {
    await using sim = await startRetrying();
    write(sim.cluster, 'orders', 0, 'bad');
    const kafka = sim.kafka();
    const tries = new Tries(sim, { bad: 3 });
    const { consumer } = optionsOf(kafka);
    const options: RetryTopicsOptions<Buffer | null, Buffer | null> = { consumer, onError: 'nack' };
    const records = fromTopics(kafka, 'orders', inGroup);
    const seen = new Seen(records.pipe(retryTopics(kafka, [SHORT], options, tries.work)));
    await sim.until(() => seen.values.length === 1);
    expect(tries.seen.map(([, , attempt]) => attempt)).toEqual([1, 2, 3, 4]);
    expect(sim.eventsOf('redelivered')).toMatchObject([
      { topic: SHORT.topic, offset: 0, attempt: 2, reason: new Error('no bad') },
      { topic: SHORT.topic, offset: 0, attempt: 3 },
    ]);
    expect(valuesIn(sim, SHORT.topic)).toEqual(['bad']);
    await sim.until(() => committed(sim.cluster, RETRIES, SHORT.topic) === 1);
  });

  test('a retry topic that does not exist: what fails ends the stream, and goes back', async () => {
    await using sim = await Simulation.start({
      autoCreateTopicsEnable: false,
      topics: { orders: 1 },
    });
    const partition = orders(sim);
    const kafka = sim.kafka();
    const tries = new Tries(sim, { bad: 9 });
    const options = { ...optionsOf(kafka), producer: { maxBlockMs: 2000 } };
    const source = new Subject<TestRecord>();
    const seen = new Seen(source.pipe(retryTopics(kafka, [SHORT], options, tries.work)));
    for (const record of partition.deliver('good')) source.next(record);
    await sim.advance(5000);
    // What does not fail does not need it.
    expect(seen).toMatchObject({ values: ['good'], error: undefined });
    for (const record of partition.deliver('bad')) source.next(record);
    await sim.until(() => seen.isOver);
    expect(seen.error).toMatchObject({ code: expect.stringMatching(/./) as string });
    expect(String(seen.error)).toContain(SHORT.topic);
    expect(partition.returned).toEqual([1]);
    expect(partition.committable).toBe(1);
  });

  test('a producer that fails ends the stream, and everything goes back', async () => {
    await using sim = await startRetrying();
    const partition = orders(sim);
    sim.cluster.failNext('InitProducerId', 'CLUSTER_AUTHORIZATION_FAILED');
    const kafka = sim.kafka();
    const options = { ...optionsOf(kafka), producer: { enableIdempotence: true }, concurrency: 2 };
    const tries = new Tries(sim, { bad: 9, worse: 9 });
    const records = from(partition.deliver('k=bad', 'l=worse', 'k=next'));
    const lanes = { ...options, order: 'key' } as const;
    const seen = new Seen(records.pipe(retryTopics(kafka, [SHORT], lanes, tries.work)));
    await sim.until(() => seen.isOver);
    expect(seen.error).toMatchObject({ code: 'CLUSTER_AUTHORIZATION_FAILED' });
    expect([...partition.returned].sort()).toEqual([0, 1, 2]);
    expect(partition.committable).toBe(0);
    await sim.until(() => membersOf(sim.cluster, RETRIES) === 0);
  });

  test('unsubscribing while a retry record is on its way: acked if it was written, else it comes again', async () => {
    await using sim = await startRetrying();
    sim.cluster.delay('Produce', 300);
    write(sim.cluster, 'orders', 0, 'bad');
    const tries = new Tries(sim, { bad: 1 });
    const seen = new Seen(billing(sim.kafka(), tries));
    await sim.until(() => tries.seen.length === 1);
    seen.subscription.unsubscribe();
    await sim.until(() => membersOf(sim.cluster, 'billing') === 0);
    const hasWritten = () => valuesIn(sim, SHORT.topic).length > 0;
    const isCommitted = committed(sim.cluster, 'billing', 'orders') === 1;
    expect(isCommitted && !hasWritten()).toBe(false);
    const again = new Seen(billing(sim.kafka(), tries));
    await sim.until(() => again.values.length > 0);
    expect(again.values[0]).toBe('bad');
  });
});

describe('retryTopics, while records are held', () => {
  test('a restart honours the time in the header, and does not begin to count anew', async () => {
    await using sim = await startRetrying();
    const dueAt = sim.clock.now() + SHORT.delayMs;
    const tries = new Tries(sim, {});
    leave(sim, 0, dueAt, 'later');
    const before = retrying(sim.kafka(), tries);
    await sim.advance(SHORT.delayMs * 0.6);
    before.subscription.unsubscribe();
    await sim.until(() => membersOf(sim.cluster, RETRIES) === 0);
    expect(tries.seen).toEqual([]);
    retrying(sim.kafka(), tries);
    await sim.until(() => tries.seen.length === 1);
    const [tried] = tries.of('later');
    expect(tried).toBeGreaterThanOrEqual(SHORT.delayMs);
    expect(tried).toBeLessThan(SHORT.delayMs + 1000);
    await sim.until(() => committed(sim.cluster, RETRIES, SHORT.topic) === 1);
  });

  test('a rebalance moves what is held at once, and each is tried once, when it is due', async () => {
    await using sim = await startRetrying(2);
    const dueAt = sim.clock.now() + SHORT.delayMs;
    for (const partition of [0, 1]) leave(sim, partition, dueAt, `p${partition}`);
    const tries = [new Tries(sim, {}), new Tries(sim, {})] as const;
    const first = retrying(sim.kafka(), tries[0]);
    await sim.until(() => membersOf(sim.cluster, RETRIES) === 1);
    await sim.advance(1000);
    const second = retrying(sim.kafka(), tries[1]);
    await sim.until(() => membersOf(sim.cluster, RETRIES) === 2);
    await sim.until(() => sim.eventsOf('revoked').length > 0);
    // Nothing was in hand that the revoke would have to wait for.
    expect(sim.clock.now()).toBeLessThan(dueAt);
    await sim.until(() => tries[0].seen.length + tries[1].seen.length === 2);
    await sim.advance(SHORT.delayMs);
    const all = [...tries[0].seen, ...tries[1].seen];
    expect(all.map(([name]) => name).sort()).toEqual(['p0', 'p1']);
    expect(all.every(([, atMs]) => atMs >= SHORT.delayMs)).toBe(true);
    expect([first.error, second.error]).toEqual([undefined, undefined]);
    expect(sim.eventsOf('lost')).toEqual([]);
    for (const partition of [0, 1]) {
      expect(committed(sim.cluster, RETRIES, SHORT.topic, partition)).toBe(1);
    }
  });

  test('a held partition holds up no other, and a record that is due none of its own', async () => {
    await using sim = await startRetrying(2);
    const tries = new Tries(sim, {});
    const now = sim.clock.now();
    leave(sim, 0, now, 'due');
    leave(sim, 0, now + LONG.delayMs, 'held');
    leave(sim, 1, now, 'other', 'more');
    retrying(sim.kafka(), tries);
    await sim.until(() => tries.seen.length === 3);
    expect(tries.seen.map(([name]) => name).sort()).toEqual(['due', 'more', 'other']);
    expect(sim.clock.now()).toBeLessThan(now + LONG.delayMs);
    await sim.until(() => committed(sim.cluster, RETRIES, SHORT.topic, 0) === 1);
  });

  test('a retry record without a time, or with one that is none, is due at once', async () => {
    await using sim = await startRetrying();
    write(sim.cluster, SHORT.topic, 0, 'bare');
    const headers = [[retryHeaders.dueAt, 'tomorrow'] as const];
    sim.cluster.append(SHORT.topic, 0, encodeRecords([{ value: 'odd', headers }]));
    const tries = new Tries(sim, {});
    retrying(sim.kafka(), tries);
    await sim.until(() => tries.seen.length === 2);
    expect(tries.seen.map(([name, , attempt]) => [name, attempt])).toEqual([
      ['bare', 1],
      ['odd', 1],
    ]);
  });
});
