import { map, toArray } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { encodeControlBatch, encodeRecords } from '../../src/core/records/index.js';
import { ConfigError, fromOffsetRange, type OffsetRange } from '../../src/index.js';
import { connectionsTo, numbers, Seen, write } from '../support/consuming.js';
import { Simulation } from '../support/simulation.js';

const orders = { topic: 'orders', partition: 0 } as const;

async function ten(): Promise<Simulation> {
  const sim = await Simulation.start({ topics: { orders: 2 } });
  write(sim.cluster, 'orders', 0, ...numbers(10));
  return sim;
}

/** The values of a range, once it has completed. */
async function read(sim: Simulation, ranges: OffsetRange[], options: object = {}) {
  const values = fromOffsetRange(sim.kafka(), ranges, options).pipe(
    map(({ value }) => Number(value)),
    toArray(),
  );
  const seen = new Seen(values);
  await sim.until(() => seen.isOver);
  if (seen.error !== undefined) throw seen.error as Error;
  return seen.values[0]!;
}

describe('what is delivered', () => {
  test.each<[string, Partial<OffsetRange>, number[]]>([
    ['all of it', {}, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
    ['from an offset', { from: { offset: 7 } }, [7, 8, 9]],
    ['up to an offset', { to: 3 }, [0, 1, 2]],
    ['one record', { from: { offset: 4 }, to: 5 }, [4]],
    ['nothing between an offset and itself', { from: { offset: 4 }, to: 4 }, []],
    ['nothing from the end on', { from: { offset: 10 } }, []],
    ['nothing up to the beginning', { to: 0 }, []],
  ])('%s', async (_, range, expected) => {
    await using sim = await ten();
    expect(await read(sim, [{ ...orders, ...range }])).toEqual(expected);
  });

  test('nothing of an empty partition', async () => {
    await using sim = await ten();
    expect(await read(sim, [{ topic: 'orders', partition: 1 }])).toEqual([]);
  });

  test('several stretches: all of each', async () => {
    await using sim = await ten();
    write(sim.cluster, 'orders', 1, ...numbers(3, 100));
    const both = [
      { ...orders, from: { offset: 8 } },
      { topic: 'orders', partition: 1, to: 2 },
    ];
    expect((await read(sim, both)).sort((a, b) => a - b)).toEqual([8, 9, 100, 101]);
  });

  test('what was there at the subscription, not what came later', async () => {
    await using sim = await ten();
    const source = fromOffsetRange(sim.kafka(), [orders]);
    const seen = new Seen(source);
    await sim.until(() => seen.values.length > 0);
    write(sim.cluster, 'orders', 0, 'later');
    await sim.until(() => seen.isComplete);
    expect(seen.values).toHaveLength(10);
    const again = new Seen(source);
    await sim.until(() => again.isComplete);
    expect(again.values).toHaveLength(11);
  });

  test('records up to an end that is not there yet, as they come', async () => {
    await using sim = await ten();
    const seen = new Seen(fromOffsetRange(sim.kafka(), [{ ...orders, to: 12 }]));
    await sim.until(() => seen.values.length === 10);
    await sim.advance(5000);
    expect(seen.isComplete).toBe(false);
    write(sim.cluster, 'orders', 0, '10', '11', '12');
    await sim.until(() => seen.isComplete);
    expect(seen.values).toHaveLength(12);
  });
});

describe('it completes by position', () => {
  test('where the last offsets are markers of transactions', async () => {
    await using sim = await ten();
    const marker = { producerId: 7, producerEpoch: 0, coordinatorEpoch: 0, timestamp: 0 };
    sim.cluster.append(
      'orders',
      0,
      encodeRecords([{ value: '10' }], {
        isTransactional: true,
        producer: { producerId: 7, producerEpoch: 0, baseSequence: 0 },
      }),
    );
    sim.cluster.append('orders', 0, encodeControlBatch({ kind: 'commit', ...marker }));
    expect(await read(sim, [orders])).toEqual(numbers(11).map(Number));
    expect(await read(sim, [{ ...orders, from: { offset: 11 }, to: 12 }])).toEqual([]);
  });

  test('under read_committed it ends before what is still open', async () => {
    await using sim = await ten();
    sim.cluster.append(
      'orders',
      0,
      encodeRecords([{ value: '10' }], {
        isTransactional: true,
        producer: { producerId: 7, producerEpoch: 0, baseSequence: 0 },
      }),
    );
    const values = await read(sim, [orders], { isolationLevel: 'read_committed' });
    expect(values).toEqual(numbers(10).map(Number));
    expect(await read(sim, [orders])).toEqual(numbers(11).map(Number));
  });
});

describe('errors', () => {
  test('a start that the log has not: another range is not delivered in its place', async () => {
    await using sim = await ten();
    const range = [{ ...orders, from: { offset: 50 }, to: 60 }];
    await expect(read(sim, range)).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' });
  });

  test('unless a reset is asked for', async () => {
    await using sim = await ten();
    const range = [{ ...orders, from: { offset: 50 }, to: 60 }];
    const options = { autoOffsetReset: 'earliest' } as const;
    const seen = new Seen(fromOffsetRange(sim.kafka(), range, options));
    await sim.until(() => seen.values.length === 10);
    expect(sim.eventsOf('position-reset').at(-1)).toMatchObject({ reason: 'out-of-range' });
    seen.subscription.unsubscribe();
  });

  test.each<[string, unknown[], string]>([
    ['an end before the start', [{ ...orders, from: { offset: 5 }, to: 3 }], 'from 5 to 3'],
    ['an end that is none', [{ ...orders, to: -1 }], '-1 is not an offset'],
    ['a start that is none', [{ ...orders, from: 'earliest' }], "'earliest' is nowhere to start"],
    ['one partition twice', [{ ...orders, to: 3 }, orders], 'orders-0 is given twice'],
    ['a range that is not in a list', orders as never, 'option ranges is {'],
    ['nothing at all', [], 'there is nothing to consume'],
  ])('%s is refused when the source is made', async (_, ranges, message) => {
    await using sim = await Simulation.start();
    const attempt = () => fromOffsetRange(sim.kafka(), ranges as never);
    expect(attempt).toThrow(ConfigError);
    expect(attempt).toThrow(message);
  });
});

test('nothing connects before something subscribes, and all is given back at the end', async () => {
  await using sim = await ten();
  const kafka = sim.kafka();
  const source = fromOffsetRange(kafka, [orders]);
  await sim.advance(1000);
  expect(connectionsTo(sim.cluster)).toBe(0);
  const seen = new Seen(source);
  await sim.until(() => seen.isComplete);
  await sim.run(kafka.close());
  expect(connectionsTo(sim.cluster)).toBe(0);
});

test('unsubscribing while the end is asked for leaves nothing behind', async () => {
  await using sim = await ten();
  const kafka = sim.kafka();
  const seen = new Seen(fromOffsetRange(kafka, [orders]));
  seen.subscription.unsubscribe();
  await sim.advance(5000);
  expect(seen).toMatchObject({ values: [], error: undefined, isComplete: false });
  await sim.run(kafka.close());
  expect(connectionsTo(sim.cluster)).toBe(0);
});

test('given a consumer, it stays open', async () => {
  await using sim = await ten();
  const consumer = sim.kafka().consumer();
  for (let i = 0; i < 2; i++) {
    const seen = new Seen(fromOffsetRange(consumer, [orders]));
    await sim.until(() => seen.isComplete);
    expect(seen.values).toHaveLength(10);
  }
});

test('a partition that the topic does not have is named when the time is up', async () => {
  await using sim = await ten();
  const range = { topic: 'orders', partition: 7 };
  const options = { defaultApiTimeoutMs: 2000 };
  const seen = new Seen(fromOffsetRange(sim.kafka(), [range], options));
  await sim.until(() => seen.isOver);
  expect(seen.error).toMatchObject({
    code: 'TIMED_OUT',
    message:
      'Could not find an offset of orders-7 in time; there is no partition 7 of orders; it has 0 to 1',
  });
});
