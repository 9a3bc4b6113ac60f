import { inspect } from 'node:util';
import { concatMap, map, repeat, retry, share, take, tap } from 'rxjs';
import { describe, expect, test } from 'vitest';
import {
  ackEach,
  AuthorizationError,
  ConfigError,
  fromTopics,
  processEach,
  SerializationError,
  type ConsumerRecord,
  type Kafka,
} from '../../src/index.js';
import { committed, connectionsTo, membersOf, numbers, Seen, write } from '../support/consuming.js';
import { Simulation } from '../support/simulation.js';

const valuesOf = (seen: Seen<ConsumerRecord>) => seen.values.map(({ value }) => String(value));
const earliest = { autoOffsetReset: 'earliest' } as const;
const inGroup = { groupId: 'billing', ...earliest } as const;

/** A promise on the virtual clock. */
function later(sim: Simulation, ms: number): Promise<void> {
  return new Promise((resolve) => sim.clock.schedule(ms, resolve));
}

function strict(bytes: Buffer): string {
  const text = bytes.toString();
  if (text === 'bad') throw new Error('can’t be read');
  return text;
}

test('a record is shown by its fields, with what the deserializer has made', async () => {
  await using sim = await Simulation.start({ topics: { orders: 1 } });
  write(sim.cluster, 'orders', 0, 'a');
  const options = { ...earliest, valueDeserializer: strict };
  const seen = new Seen(fromTopics(sim.kafka(), 'orders', options));
  await sim.until(() => seen.values.length === 1);
  const shown = inspect(seen.values[0]);
  for (const field of ["topic: 'orders'", 'partition: 0', 'offset: 0', "value: 'a'"]) {
    expect(shown).toContain(field);
  }
  expect(shown).not.toContain('delivery');
});

describe('cold', () => {
  test('nothing connects before something subscribes', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    fromTopics(sim.kafka(), 'orders', inGroup).pipe(ackEach());
    await sim.advance(10_000);
    expect(connectionsTo(sim.cluster)).toBe(0);
    expect(sim.cluster.inspect().requests).toEqual({});
  });

  test('unsubscribing leaves the group, and gives the consumer’s connections back', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    const kafka = sim.kafka();
    write(sim.cluster, 'orders', 0, 'a');
    const seen = new Seen(fromTopics(kafka, 'orders', inGroup).pipe(ackEach()));
    await sim.until(() => seen.values.length === 1);
    expect(membersOf(sim.cluster, 'billing')).toBe(1);
    const atWork = connectionsTo(sim.cluster);
    seen.subscription.unsubscribe();
    await sim.until(() => membersOf(sim.cluster, 'billing') === 0);
    await sim.calm();
    expect(connectionsTo(sim.cluster)).toBeLessThan(atWork);
    await sim.run(kafka.close());
    expect(connectionsTo(sim.cluster)).toBe(0);
  });

  test('a subscription after the client was closed fails, and asks nobody', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    const kafka = sim.kafka();
    const source = fromTopics(kafka, 'orders', inGroup);
    await sim.run(kafka.close());
    for (const late of [source, source, kafka.consumer(earliest).records('orders')]) {
      const seen = new Seen(late);
      await sim.until(() => seen.isOver);
      expect(seen.error).toMatchObject({ code: 'CLIENT_CLOSED' });
    }
    await sim.advance(10_000);
    expect(connectionsTo(sim.cluster)).toBe(0);
  });

  test('what repeats ends with the client', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    const kafka = sim.kafka();
    const seen = new Seen(fromTopics(kafka, 'orders', earliest).pipe(repeat()));
    write(sim.cluster, 'orders', 0, 'a');
    await sim.until(() => seen.values.length === 1);
    await sim.run(kafka.drain());
    await sim.until(() => seen.isOver);
    expect(seen.error).toMatchObject({ code: 'CLIENT_CLOSED' });
  });

  test('each subscription is a member of its own', async () => {
    await using sim = await Simulation.start({ topics: { orders: 2 } });
    const source = fromTopics(sim.kafka(), 'orders', inGroup).pipe(ackEach());
    const both = [new Seen(source), new Seen(source)];
    await sim.until(() => membersOf(sim.cluster, 'billing') === 2);
    await sim.until(() => sim.cluster.inspect().groups['billing']!.state === 'Stable');
    for (const partition of [0, 1]) write(sim.cluster, 'orders', partition, `${partition}`);
    await sim.until(() => both.every(({ values }) => values.length === 1));
    expect(both.flatMap(valuesOf).sort()).toEqual(['0', '1']);
  });

  test('share() gives several subscribers the records of one member', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    write(sim.cluster, 'orders', 0, 'a', 'b');
    const shared = fromTopics(sim.kafka(), 'orders', inGroup).pipe(ackEach(), share());
    const both = [new Seen(shared), new Seen(shared)];
    await sim.until(() => both.every(({ values }) => values.length === 2));
    expect(membersOf(sim.cluster, 'billing')).toBe(1);
    for (const { subscription } of both) subscription.unsubscribe();
    await sim.until(() => membersOf(sim.cluster, 'billing') === 0);
  });
});

describe('given a consumer', () => {
  test('it is that one, and stays open at the end', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    write(sim.cluster, 'orders', 0, 'a', 'b', 'c');
    const consumer = sim.kafka().consumer(inGroup);
    let isClosed = false;
    consumer.lifecycle.subscribe({ complete: () => (isClosed = true) });
    const two = new Seen(fromTopics(consumer, 'orders').pipe(take(2), ackEach()));
    await sim.until(() => two.isComplete);
    const one = new Seen(fromTopics(consumer, 'orders').pipe(take(1), ackEach()));
    await sim.until(() => one.isComplete);
    expect(valuesOf(one)).toEqual(['c']);
    expect(isClosed).toBe(false);
    await sim.run(consumer.close());
    expect(isClosed).toBe(true);
  });

  test('a second subscription at the same time is refused', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    const source = fromTopics(sim.kafka().consumer(), 'orders');
    const first = new Seen(source);
    const second = new Seen(source);
    expect(second.error).toMatchObject({ code: 'CONSUMER_IN_USE' });
    expect(first.error).toBeUndefined();
    first.subscription.unsubscribe();
  });

  test('options are refused: they belong to it', async () => {
    await using sim = await Simulation.start();
    const consumer = sim.kafka().consumer();
    expect(() => fromTopics(consumer, 'orders', { groupId: 'billing' })).toThrow(
      new ConfigError(
        'fromTopics: option groupId belongs to the consumer, and one was given: set it in ' +
          'kafka.consumer()',
      ),
    );
  });
});

describe('options', () => {
  test.each<[string, (kafka: Kafka) => unknown, string]>([
    [
      'unknown ones',
      (kafka) => fromTopics(kafka, 'orders', { group: 'billing' } as object),
      'consumer: there is no option group',
    ],
    [
      'values that can’t be',
      (kafka) => fromTopics(kafka, 'orders', { maxPollRecords: 0 }),
      'consumer: option maxPollRecords is 0, but it must be a whole number of at least 1',
    ],
    [
      'contradictions',
      (kafka) => fromTopics(kafka, 'orders', { groupInstanceId: 'one' }),
      "consumer: option groupInstanceId is 'one', but it needs a groupId",
    ],
    [
      'topics that can’t be',
      (kafka) => fromTopics(kafka, 'or ders'),
      "consumer: 'or ders' is not a legal topic name",
    ],
    ['no topics', (kafka) => fromTopics(kafka, []), 'consumer: there are no topics to consume'],
    [
      'deserializers that can’t be',
      (kafka) => fromTopics(kafka, 'orders', { valueDeserializer: 5 as never }),
      'consumer: option valueDeserializer is 5, but it must be a function or have a deserialize',
    ],
    [
      'targets that can’t be',
      () => fromTopics(undefined as never, 'orders'),
      'fromTopics: give it what createKafka() or kafka.consumer() has returned',
    ],
  ])('%s are refused when the source is made', async (_, make, message) => {
    await using sim = await Simulation.start();
    const kafka = sim.kafka();
    expect(() => make(kafka)).toThrow(ConfigError);
    expect(() => make(kafka)).toThrow(message);
  });

  test('what is changed later in the object that was given changes nothing', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    write(sim.cluster, 'orders', 0, 'a');
    const options: { groupId: string; autoOffsetReset: 'earliest' } = { ...inGroup };
    const source = fromTopics(sim.kafka(), 'orders', options).pipe(ackEach());
    options.groupId = 'another';
    const seen = new Seen(source);
    await sim.until(() => seen.values.length === 1);
    expect(Object.keys(sim.cluster.inspect().groups)).toEqual(['billing']);
    seen.subscription.unsubscribe();
  });
});

describe('records', () => {
  test('none: stays silent, and says that it has caught up', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    const seen = new Seen(fromTopics(sim.kafka(), 'orders'));
    await sim.until(() => sim.eventsOf('caught-up').length === 1);
    await sim.advance(5000);
    expect(seen).toMatchObject({ values: [], error: undefined, isComplete: false });
    seen.subscription.unsubscribe();
  });

  test('come in the order of each partition, of every topic that was named', async () => {
    await using sim = await Simulation.start({ topics: { orders: 2, refunds: 1 } });
    const places = [
      ['orders', 0],
      ['orders', 1],
      ['refunds', 0],
    ] as const;
    for (const [topic, partition] of places) write(sim.cluster, topic, partition, ...numbers(50));
    const seen = new Seen(fromTopics(sim.kafka(), ['orders', 'refunds'], earliest));
    await sim.until(() => seen.values.length === 150);
    for (const [topic, partition] of places) {
      const mine = seen.values.filter((r) => r.topic === topic && r.partition === partition);
      expect(mine.map(({ value }) => String(value))).toEqual(numbers(50));
    }
    seen.subscription.unsubscribe();
  });

  test('of topics that match a pattern as a whole', async () => {
    await using sim = await Simulation.start({ topics: { 'eu-orders': 1, orders: 1, ordersX: 1 } });
    for (const topic of ['eu-orders', 'orders', 'ordersX']) write(sim.cluster, topic, 0, topic);
    const seen = new Seen(fromTopics(sim.kafka(), /(eu-)?orders/, earliest));
    await sim.until(() => seen.values.length === 2);
    await sim.advance(2000);
    expect(valuesOf(seen).sort()).toEqual(['eu-orders', 'orders']);
    seen.subscription.unsubscribe();
  });

  test('have the types that deserializers make', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    write(sim.cluster, 'orders', 0, '7=seven');
    const source = fromTopics(sim.kafka(), 'orders', {
      ...earliest,
      keyDeserializer: (bytes) => Number(bytes),
      valueDeserializer: (bytes) => Promise.resolve(bytes.toString().length),
    });
    const seen = new Seen(source.pipe(map(({ key, value }) => key + value)));
    await sim.until(() => seen.values.length === 1);
    expect(seen.values).toEqual([12]);
    seen.subscription.unsubscribe();
  });

  test('come once each, in order, while the leader moves', async () => {
    await using sim = await Simulation.start({ brokers: 2, topics: { orders: 1 } });
    write(sim.cluster, 'orders', 0, ...numbers(20));
    const leader = sim.cluster.inspect().topics['orders']!.partitions[0]!.leader;
    const seen = new Seen(
      fromTopics(sim.kafka(), 'orders', { ...inGroup, maxUnackedRecords: 5 }).pipe(
        concatMap((record) => later(sim, 10).then(() => record)),
        tap(({ offset }) => {
          if (offset === 7) sim.cluster.moveLeader('orders', 0, leader === 1 ? 2 : 1);
        }),
        ackEach(),
      ),
    );
    await sim.until(() => seen.values.length === 20);
    write(sim.cluster, 'orders', 0, '20');
    await sim.until(() => seen.values.length === 21);
    expect(valuesOf(seen)).toEqual(numbers(21));
    seen.subscription.unsubscribe();
  });
});

describe('at the end', () => {
  test('take(10) and asynchronous work after it: what was done is committed', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    write(sim.cluster, 'orders', 0, ...numbers(30));
    const work = processEach((record: ConsumerRecord) => later(sim, 1000).then(() => record));
    const seen = new Seen(fromTopics(sim.kafka(), 'orders', inGroup).pipe(take(10), work));
    await sim.until(() => seen.values.length === 3);
    expect(membersOf(sim.cluster, 'billing')).toBe(1);
    await sim.until(() => seen.isComplete);
    await sim.until(() => membersOf(sim.cluster, 'billing') === 0);
    expect(committed(sim.cluster, 'billing', 'orders')).toBe(10);
  });

  test('take(10) after asynchronous work: what was done is committed', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    write(sim.cluster, 'orders', 0, ...numbers(30));
    const work = processEach((record: ConsumerRecord) => later(sim, 100).then(() => record));
    const seen = new Seen(fromTopics(sim.kafka(), 'orders', inGroup).pipe(work, take(10)));
    await sim.until(() => seen.isComplete);
    await sim.until(() => membersOf(sim.cluster, 'billing') === 0);
    expect(committed(sim.cluster, 'billing', 'orders')).toBe(10);
  });

  test('a promise that is under way when it is unsubscribed still counts', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    write(sim.cluster, 'orders', 0, 'a', 'b', 'c');
    let started = 0;
    const work = processEach(() => {
      started++;
      return later(sim, 2000);
    });
    const seen = new Seen(fromTopics(sim.kafka(), 'orders', inGroup).pipe(work));
    await sim.until(() => started === 1);
    seen.subscription.unsubscribe();
    await sim.until(() => membersOf(sim.cluster, 'billing') === 0);
    expect(started).toBe(1);
    expect(committed(sim.cluster, 'billing', 'orders')).toBe(1);
  });

  test('with abandonOnUnsubscribe it leaves at once', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    write(sim.cluster, 'orders', 0, 'a', 'b');
    const options = { ...inGroup, abandonOnUnsubscribe: true };
    let started = 0;
    const work = processEach(() => {
      started++;
      return later(sim, 20_000);
    });
    const seen = new Seen(fromTopics(sim.kafka(), 'orders', options).pipe(work));
    await sim.until(() => started === 1);
    const before = sim.clock.monotonic();
    seen.subscription.unsubscribe();
    await sim.until(() => membersOf(sim.cluster, 'billing') === 0);
    expect(sim.clock.monotonic() - before).toBeLessThan(1000);
    expect(committed(sim.cluster, 'billing', 'orders') ?? 0).toBe(0);
  });

  test('kafka.drain() finishes what was started, completes, and says what was done', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    write(sim.cluster, 'orders', 0, ...numbers(10));
    const kafka = sim.kafka();
    let started = 0;
    const work = processEach(
      () => {
        started++;
        return later(sim, 1000);
      },
      { concurrency: 2, order: 'none' },
    );
    const seen = new Seen(fromTopics(kafka, 'orders', inGroup).pipe(work));
    await sim.until(() => started === 4);
    const report = await sim.run(kafka.drain({ timeoutMs: 10_000 }));
    expect(seen.isComplete).toBe(true);
    expect(started).toBe(4);
    expect(report).toEqual({
      recordsFinished: 4,
      recordsAbandoned: 0,
      offsetsCommitted: [{ topic: 'orders', partition: 0, offset: 4 }],
    });
    expect(committed(sim.cluster, 'billing', 'orders')).toBe(4);
  });

  test('repeat() goes on where the member before it has committed', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    write(sim.cluster, 'orders', 0, ...numbers(12));
    const four = fromTopics(sim.kafka(), 'orders', inGroup).pipe(
      take(4),
      processEach((record: ConsumerRecord) => later(sim, 500).then(() => record)),
      repeat(3),
    );
    const seen = new Seen(four);
    await sim.until(() => seen.isComplete);
    expect(valuesOf(seen)).toEqual(numbers(12));
  });
});

describe('errors', () => {
  test('are told when the member has left, with what was acked committed', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    write(sim.cluster, 'orders', 0, 'a', 'b', 'bad', 'c');
    const source = fromTopics(sim.kafka(), 'orders', { ...inGroup, valueDeserializer: strict });
    let then: unknown;
    const note = () => {
      const { cluster } = sim;
      then = {
        members: membersOf(cluster, 'billing'),
        committed: committed(cluster, 'billing', 'orders'),
      };
    };
    const seen = new Seen(source.pipe(ackEach(), tap({ error: note })));
    await sim.until(() => seen.isOver);
    expect(seen.error).toBeInstanceOf(SerializationError);
    expect(seen.error).toMatchObject({ context: { topic: 'orders', partition: 0, offset: 2 } });
    expect(then).toEqual({ members: 0, committed: 2 });
    expect(seen.values).toHaveLength(2);
  });

  test('retry() makes a new, clean member that goes on where the last one ended', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    write(sim.cluster, 'orders', 0, 'a', 'bad', 'b');
    let isMended = false;
    const source = fromTopics(sim.kafka(), 'orders', {
      ...inGroup,
      valueDeserializer: (bytes: Buffer) => (isMended ? bytes.toString() : strict(bytes)),
    });
    let most = 0;
    const note = {
      next: () => (most = Math.max(most, membersOf(sim.cluster, 'billing'))),
      error: () => (isMended = true),
    };
    const seen = new Seen(source.pipe(ackEach(), tap(note), retry(1)));
    await sim.until(() => seen.values.length === 3);
    expect(seen.values.map(({ value }) => value)).toEqual(['a', 'bad', 'b']);
    expect(most).toBe(1);
    seen.subscription.unsubscribe();
  });

  test('retry() behind an operator that failed waits until work in hand is committed', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    write(sim.cluster, 'orders', 0, ...numbers(6));
    const done: string[] = [];
    let failures = 1;
    const work = processEach(
      async (record: ConsumerRecord) => {
        if (record.offset === 2 && failures-- > 0) throw new Error('once');
        await later(sim, 2000);
        done.push(String(record.value));
      },
      { concurrency: 3, order: 'none' },
    );
    const seen = new Seen(fromTopics(sim.kafka(), 'orders', inGroup).pipe(work, retry(1)));
    await sim.until(() => done.length >= 6);
    expect(done.sort()).toEqual(numbers(6));
    expect(seen.error).toBeUndefined();
    seen.subscription.unsubscribe();
  });

  test('a topic that may not be read ends the stream, named', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    sim.cluster.failNext('Metadata', 'TOPIC_AUTHORIZATION_FAILED', 100);
    const seen = new Seen(fromTopics(sim.kafka(), 'orders'));
    await sim.until(() => seen.isOver);
    expect(seen.error).toBeInstanceOf(AuthorizationError);
    expect(String(seen.error)).toContain('orders');
  });

  test('what passes by itself shows up in no stream', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    write(sim.cluster, 'orders', 0, 'a');
    sim.cluster.failNext('Fetch', 'NOT_LEADER_OR_FOLLOWER', 2);
    sim.cluster.failNext('FindCoordinator', 'COORDINATOR_NOT_AVAILABLE', 2);
    sim.cluster.failNext('OffsetFetch', 'COORDINATOR_LOAD_IN_PROGRESS', 1);
    sim.cluster.failNext('OffsetCommit', 'COORDINATOR_LOAD_IN_PROGRESS', 1);
    const seen = new Seen(fromTopics(sim.kafka(), 'orders', inGroup).pipe(ackEach()));
    await sim.until(() => committed(sim.cluster, 'billing', 'orders') === 1);
    expect(seen).toMatchObject({ error: undefined, isComplete: false });
    seen.subscription.unsubscribe();
  });
});

describe('a rebalance', () => {
  test.each(['classic', 'consumer'] as const)(
    'in the middle of records loses and doubles none (%s)',
    async (groupProtocol) => {
      await using sim = await Simulation.start({ topics: { orders: 4 } });
      for (let p = 0; p < 4; p++) write(sim.cluster, 'orders', p, ...numbers(50, p * 50));
      const done: string[] = [];
      const options = { ...inGroup, groupProtocol, maxUnackedRecords: 10 };
      const member = () =>
        fromTopics(sim.kafka(), 'orders', options).pipe(
          processEach(
            async (record) => {
              await later(sim, 300);
              done.push(String(record.value));
            },
            { concurrency: 4 },
          ),
        );
      const first = new Seen(member());
      await sim.until(() => done.length >= 8);
      const second = new Seen(member());
      await sim.until(() => sim.eventsOf('revoked').length > 0);
      await sim.until(() => done.length >= 100);
      expect(membersOf(sim.cluster, 'billing')).toBe(2);
      first.subscription.unsubscribe();
      await sim.until(() => new Set(done).size === 200);
      expect(done).toHaveLength(200);
      second.subscription.unsubscribe();
      await sim.until(() => membersOf(sim.cluster, 'billing') === 0);
      for (let p = 0; p < 4; p++) {
        expect(committed(sim.cluster, 'billing', 'orders', p)).toBe(50);
      }
    },
  );
});
