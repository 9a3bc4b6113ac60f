import { repeat, take, toArray } from 'rxjs';
import { describe, expect, test } from 'vitest';
import {
  ackEach,
  ConfigError,
  fromPartitions,
  processEach,
  type StartAt,
} from '../../src/index.js';
import { committed, connectionsTo, numbers, Seen, write } from '../support/consuming.js';
import { Simulation } from '../support/simulation.js';
import { encodeRecords } from '../../src/core/records/index.js';

const orders = { topic: 'orders', partition: 0 } as const;

/** Ten records, one a second, the last of them now. */
async function tenSeconds(): Promise<Simulation> {
  const sim = await Simulation.start({ topics: { orders: 2 } });
  const now = sim.clock.now();
  for (const value of numbers(10)) {
    const timestamp = now - (9 - Number(value)) * 1000;
    sim.cluster.append('orders', 0, encodeRecords([{ value, timestamp }]));
  }
  return sim;
}

describe('where it begins', () => {
  test.each<[string, StartAt, number]>([
    ['the beginning', 'beginning', 0],
    ['an offset', { offset: 4 }, 4],
    ['a time', { timestamp: 1_700_000_000_000 - 2500 }, 7],
    ['a time as a Date', { timestamp: new Date(1_700_000_000_000 - 2500) }, 7],
    ['an age', { durationMs: 2500 }, 7],
    ['the end', 'end', 10],
  ])('%s', async (_, start, first) => {
    await using sim = await tenSeconds();
    const seen = new Seen(fromPartitions(sim.kafka(), [{ ...orders, start }]));
    await sim.until(() => sim.eventsOf('caught-up').length === 1);
    write(sim.cluster, 'orders', 0, '10');
    await sim.until(() => seen.values.at(-1)?.offset === 10);
    expect(seen.values.map(({ value }) => String(value))).toEqual(numbers(11 - first, first));
    seen.subscription.unsubscribe();
  });

  test('where the group has stopped, which goes on from there without joining it', async () => {
    await using sim = await tenSeconds();
    const kafka = sim.kafka();
    const options = { groupId: 'billing', autoOffsetReset: 'earliest' } as const;
    for (const [endOffset, values] of [
      [4, numbers(4)],
      [10, numbers(6, 4)],
    ] as const) {
      const part = [{ ...orders, start: 'committed' as const, endOffset }];
      const seen = new Seen(fromPartitions(kafka, part, options).pipe(ackEach()));
      await sim.until(() => seen.isComplete);
      expect(seen.values.map(({ value }) => String(value))).toEqual(values);
      await sim.until(() => committed(sim.cluster, 'billing', 'orders') === endOffset);
    }
    expect(sim.cluster.inspect().groups['billing']?.members ?? []).toEqual([]);
  });

  test('without a group, as autoOffsetReset says', async () => {
    await using sim = await tenSeconds();
    const options = { autoOffsetReset: 'earliest' } as const;
    const seen = new Seen(fromPartitions(sim.kafka(), [orders], options));
    await sim.until(() => seen.values.length === 10);
    seen.subscription.unsubscribe();
  });

  test('an offset that the log has not is an error where no reset is wanted', async () => {
    await using sim = await tenSeconds();
    const start = { offset: 50 };
    const options = { autoOffsetReset: 'none' } as const;
    const seen = new Seen(fromPartitions(sim.kafka(), [{ ...orders, start }], options));
    await sim.until(() => seen.isOver);
    expect(seen.error).toMatchObject({
      code: 'OFFSET_OUT_OF_RANGE',
      context: { topic: 'orders', partition: 0, offset: 50 },
    });
  });

  test('else it is reset, and that is told', async () => {
    await using sim = await tenSeconds();
    const start = { offset: 50 };
    const options = { autoOffsetReset: 'earliest' } as const;
    const seen = new Seen(fromPartitions(sim.kafka(), [{ ...orders, start }], options));
    await sim.until(() => seen.values.length === 10);
    expect(sim.eventsOf('position-reset').at(-1)).toMatchObject({
      topic: 'orders',
      partition: 0,
      offset: 0,
      reason: 'out-of-range',
    });
    seen.subscription.unsubscribe();
  });
});

test('repeat() waits until what the subscription before has done is committed', async () => {
  await using sim = await tenSeconds();
  const later = (ms: number) => new Promise((resolve) => sim.clock.schedule(ms, () => resolve(ms)));
  const options = { groupId: 'billing', autoOffsetReset: 'earliest' } as const;
  const done: number[] = [];
  const seen = new Seen(
    fromPartitions(sim.kafka(), [orders], options).pipe(
      processEach(
        async ({ offset }) => {
          done.push(offset);
          // Of each pair the second is still under way when take() has enough.
          await later(offset % 2 === 0 ? 100 : 2000);
        },
        { concurrency: 2, order: 'none' },
      ),
      take(1),
      repeat(3),
    ),
  );
  await sim.until(() => seen.isComplete);
  expect(done).toEqual([...new Set(done)]);
  expect(done.length).toBeGreaterThanOrEqual(6);
});

test('each subscription reads everything for itself', async () => {
  await using sim = await tenSeconds();
  const source = fromPartitions(sim.kafka(), [{ ...orders, start: 'beginning' }]);
  const both = [new Seen(source), new Seen(source)];
  await sim.until(() => both.every(({ values }) => values.length === 10));
  for (const { subscription } of both) subscription.unsubscribe();
});

test('nothing connects before something subscribes', async () => {
  await using sim = await tenSeconds();
  fromPartitions(sim.kafka(), [orders]);
  await sim.advance(1000);
  expect(connectionsTo(sim.cluster)).toBe(0);
});

test('several partitions: each is read to its own end', async () => {
  await using sim = await tenSeconds();
  write(sim.cluster, 'orders', 1, ...numbers(10, 100));
  const seen = new Seen(
    fromPartitions(sim.kafka(), [
      { topic: 'orders', partition: 0, start: { offset: 2 }, endOffset: 5 },
      { topic: 'orders', partition: 1, start: 'beginning', endOffset: 1 },
    ]).pipe(toArray()),
  );
  await sim.until(() => seen.isComplete);
  const values = seen.values[0]!.map(({ value }) => Number(value));
  expect(values.sort((a, b) => a - b)).toEqual([2, 3, 4, 100]);
});

describe('what can’t be is refused when the source is made', () => {
  test.each<[string, unknown, string]>([
    ['nothing at all', [], 'consumer: there is nothing to consume'],
    ['a partition below 0', [{ topic: 'orders', partition: -1 }], 'can’t have a partition -1'],
    ['a topic', [{ topic: '', partition: 0 }], "'' is not a legal topic name"],
    ['a start', [{ ...orders, start: 'earliest' }], "'earliest' is nowhere to start"],
    ['a time', [{ ...orders, start: { timestamp: new Date('x') } }], 'is nowhere to start'],
    ['an offset', [{ ...orders, start: { offset: -3 } }], '-3 is not an offset'],
    ['an end', [{ ...orders, endOffset: 1.5 }], '1.5 is not an offset'],
    ['one twice', [orders, { ...orders, start: 'end' }], 'orders-0 is given twice'],
  ])('%s', async (_, partitions, message) => {
    await using sim = await Simulation.start();
    const attempt = () => fromPartitions(sim.kafka(), partitions as never);
    expect(attempt).toThrow(ConfigError);
    expect(attempt).toThrow(message.replace('’', "'"));
  });
});
