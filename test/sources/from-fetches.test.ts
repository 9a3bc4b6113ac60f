import { concatMap, ignoreElements, map, mergeMap, take, tap, toArray } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { ackEach, ConfigError, fromFetches } from '../../src/index.js';
import { committed, connectionsTo, membersOf, numbers, Seen, write } from '../support/consuming.js';
import { Simulation } from '../support/simulation.js';
import { fill } from '../support/watching.js';

const inGroup = { groupId: 'billing', autoOffsetReset: 'earliest' } as const;

async function batches(count: number, size: number, partitions = 1): Promise<Simulation> {
  const sim = await Simulation.start({ topics: { orders: partitions } });
  for (let p = 0; p < partitions; p++) {
    for (let i = 0; i < count; i++) write(sim.cluster, 'orders', p, ...numbers(size, i * size));
  }
  return sim;
}

test('nothing connects before something subscribes', async () => {
  await using sim = await batches(1, 1);
  fromFetches(sim.kafka(), 'orders', inGroup);
  await sim.advance(1000);
  expect(connectionsTo(sim.cluster)).toBe(0);
});

test('concatMap delivers all, in order', async () => {
  await using sim = await batches(10, 20);
  // One batch of twenty records an answer.
  const options = { ...inGroup, maxPartitionFetchBytes: 200 };
  const seen = new Seen(
    fromFetches(sim.kafka(), 'orders', options).pipe(
      concatMap((fetch) => fetch.records),
      ackEach(),
      map(({ value }) => String(value)),
    ),
  );
  await sim.until(() => seen.values.length === 200);
  expect(seen.values).toEqual(numbers(200));
  await sim.until(() => committed(sim.cluster, 'billing', 'orders') === 200);
  seen.subscription.unsubscribe();
});

test('a handle says what it is of; the next one comes when its records are through', async () => {
  await using sim = await batches(3, 10);
  const options = { ...inGroup, maxPartitionFetchBytes: 100 };
  const handles = new Seen(fromFetches(sim.kafka(), 'orders', options));
  await sim.until(() => handles.values.length === 1);
  await sim.advance(5000);
  expect(handles.values).toHaveLength(1);
  const [first] = handles.values;
  expect(first).toMatchObject({ topic: 'orders', partition: 0, position: 0, highWatermark: 30 });
  expect(first!.sizeBytes).toBeGreaterThan(0);
  const records = new Seen(first!.records.pipe(ackEach()));
  await sim.until(() => records.isComplete);
  await sim.until(() => handles.values.length === 2);
  expect(handles.values[1]!.position).toBe(records.values.length);
  handles.subscription.unsubscribe();
});

test('handles that are not subscribed to keep memory bounded', async () => {
  await using sim = await batches(400, 50);
  const options = { ...inGroup, maxPartitionFetchBytes: 1000 };
  const consumer = sim.kafka().consumer(options);
  const handles = new Seen(fromFetches(consumer, 'orders'));
  await sim.until(() => handles.values.length === 1);
  await sim.advance(60_000);
  const fetched = sim.cluster.inspect().requests['Fetch'];
  await sim.advance(60_000);
  expect(sim.cluster.inspect().requests['Fetch']).toBe(fetched);
  handles.subscription.unsubscribe();
});

test('what a handle that is unsubscribed early has left comes with the next', async () => {
  await using sim = await batches(1, 30);
  const seen = new Seen(
    fromFetches(sim.kafka(), 'orders', inGroup).pipe(
      concatMap((fetch) => fetch.records.pipe(take(7))),
      ackEach(),
      map(({ value }) => String(value)),
    ),
  );
  await sim.until(() => seen.values.length === 30);
  expect(seen.values).toEqual(numbers(30));
  seen.subscription.unsubscribe();
});

test('a fetch can be taken as a whole where the window holds it', async () => {
  await using sim = await batches(4, 25);
  const options = { ...inGroup, maxPartitionFetchBytes: 100, maxUnackedRecords: 25 };
  const seen = new Seen(
    fromFetches(sim.kafka(), 'orders', options).pipe(
      concatMap((fetch) => fetch.records.pipe(toArray())),
      tap((records) => {
        for (const record of records) record.ack();
      }),
      map(({ length }) => length),
    ),
  );
  await sim.until(() => seen.values.reduce((a, b) => a + b, 0) === 100);
  seen.subscription.unsubscribe();
});

/** Takes fetches whole, acks them some time later, and tells how many records each had. */
function wholeFetches(sim: Simulation, options: object, ackAfterMs = 0) {
  return new Seen(
    fromFetches(sim.kafka(), 'orders', { ...inGroup, ...options }).pipe(
      mergeMap((fetch) => fetch.records.pipe(toArray())),
      tap((records) => {
        sim.clock.schedule(ackAfterMs, () => records.forEach((record) => record.ack()));
      }),
      map((records) => records.map(({ offset }) => offset)),
    ),
  );
}

describe('a fetch that brings more than can be out at once', () => {
  const all = (seen: Seen<number[]>) => seen.values.flat();
  /** Long before a hung pipeline would be thrown out of its group, and begin anew. */
  const soon = (sim: Simulation, seen: Seen<number[]>, count: number) => {
    const startedAt = sim.clock.monotonic();
    const isLate = () => sim.clock.monotonic() - startedAt > 60_000;
    return sim.until(() => all(seen).length === count || isLate());
  };

  test('can be taken as a whole all the same: its handle ends with the window', async () => {
    await using sim = await batches(4, 25);
    const seen = wholeFetches(sim, { maxUnackedRecords: 10 });
    await soon(sim, seen, 100);
    expect(all(seen)).toEqual(numbers(100).map(Number));
    expect(Math.max(...seen.values.map(({ length }) => length))).toBe(10);
    seen.subscription.unsubscribe();
  });

  test('comes in handles as large as the window, also when acks take their time', async () => {
    await using sim = await batches(4, 25, 2);
    const seen = wholeFetches(sim, { maxUnackedRecords: 10 }, 700);
    await soon(sim, seen, 200);
    expect(all(seen)).toHaveLength(200);
    expect(seen.values.length).toBeLessThan(40);
    seen.subscription.unsubscribe();
  });

  test('is cut where the bytes are used up', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    for (let i = 0; i < 20; i++) {
      fill(sim, 'orders', 0, 5, { padding: 10_000, compressionType: 'gzip' });
    }
    const seen = wholeFetches(sim, { maxBufferedBytes: 100_000, maxUnackedRecords: 1000 });
    await soon(sim, seen, 100);
    expect(all(seen)).toEqual(numbers(100).map(Number));
    expect(seen.values.length).toBeGreaterThan(1);
    seen.subscription.unsubscribe();
  });

  test('is cut also where what fills the window is a record that came again', async () => {
    await using sim = await batches(1, 30);
    let isFirst = true;
    const seen = new Seen(
      fromFetches(sim.kafka(), 'orders', { ...inGroup, maxUnackedRecords: 10 }).pipe(
        concatMap((fetch) => fetch.records.pipe(toArray())),
        tap((records) => {
          for (const record of records) {
            if (isFirst && record.offset === 0) record.nack('once');
            else record.ack();
          }
          isFirst = false;
        }),
        map((records) => records.map(({ offset }) => offset)),
      ),
    );
    await soon(sim, seen, 31);
    expect(all(seen)).toHaveLength(31);
    expect(all(seen).filter((offset) => offset === 0)).toHaveLength(2);
    seen.subscription.unsubscribe();
  });

  test('that came again comes in a handle of its own where nothing else does, and that ends', async () => {
    await using sim = await batches(1, 3);
    const seen = new Seen(
      fromFetches(sim.kafka(), 'orders', inGroup).pipe(
        concatMap(({ position, records }) =>
          records.pipe(
            toArray(),
            map((all) => ({ position, offsets: all.map(({ offset }) => offset), all })),
          ),
        ),
        tap(({ all }) => {
          for (const record of all) {
            if (record.offset > 0 && record.attempt < 3) record.nack('busy');
            else record.ack();
          }
        }),
        map(({ position, offsets }) => ({ position, offsets })),
      ),
    );
    await sim.until(() => committed(sim.cluster, 'billing', 'orders') === 3);
    const came = (offset: number) =>
      seen.values.filter(({ offsets }) => offsets.includes(offset)).length;
    expect([0, 1, 2].map(came)).toEqual([1, 3, 3]);
    for (const { position, offsets } of seen.values) expect(offsets[0]).toBe(position);
    write(sim.cluster, 'orders', 0, 'more');
    await sim.until(() => came(3) === 1);
    expect(seen.values.every(({ offsets }) => offsets.length > 0)).toBe(true);
    seen.subscription.unsubscribe();
  });

  test('goes on in the same handle where records are acked one by one', async () => {
    await using sim = await batches(1, 100);
    const handles = new Seen(
      fromFetches(sim.kafka(), 'orders', { ...inGroup, maxUnackedRecords: 10 }).pipe(
        concatMap((fetch) => fetch.records.pipe(ackEach(), toArray())),
        map(({ length }) => length),
      ),
    );
    await sim.until(() => handles.values.length === 1);
    expect(handles.values).toEqual([100]);
    handles.subscription.unsubscribe();
  });
});

test('one handle of a partition is out at a time, partitions side by side', async () => {
  await using sim = await batches(5, 10, 3);
  const options = { ...inGroup, maxPartitionFetchBytes: 100 };
  const out = new Map<number, number>();
  let most = 0;
  const seen = new Seen(
    fromFetches(sim.kafka(), 'orders', options).pipe(
      mergeMap(({ partition, records }) => {
        out.set(partition, (out.get(partition) ?? 0) + 1);
        most = Math.max(most, ...out.values());
        return records.pipe(
          ackEach(),
          tap({ finalize: () => out.set(partition, out.get(partition)! - 1) }),
        );
      }),
    ),
  );
  await sim.until(() => seen.values.length === 150);
  expect(most).toBe(1);
  seen.subscription.unsubscribe();
});

describe('at the end', () => {
  test('drain() completes handles and stream', async () => {
    await using sim = await batches(3, 10);
    const kafka = sim.kafka();
    const seen = new Seen(
      fromFetches(kafka, 'orders', inGroup).pipe(
        concatMap((fetch) => fetch.records.pipe(ackEach(), ignoreElements())),
      ),
    );
    await sim.until(() => committed(sim.cluster, 'billing', 'orders') === 30);
    await sim.run(kafka.drain());
    expect(seen.isComplete).toBe(true);
  });

  test('unsubscribing in the middle of a handle leaves the group', async () => {
    await using sim = await batches(1, 30);
    const seen = new Seen(
      fromFetches(sim.kafka(), 'orders', inGroup).pipe(
        concatMap((fetch) => fetch.records),
        ackEach(),
        take(5),
      ),
    );
    await sim.until(() => seen.isComplete);
    await sim.until(() => membersOf(sim.cluster, 'billing') === 0);
    expect(committed(sim.cluster, 'billing', 'orders')).toBe(5);
  });

  test('an error ends handles and stream', async () => {
    await using sim = await batches(1, 30);
    const source = fromFetches(sim.kafka(), 'orders', {
      ...inGroup,
      valueDeserializer: (bytes) => {
        if (bytes.toString() === '5') throw new Error('can’t be read');
        return bytes.toString();
      },
    });
    const seen = new Seen(source.pipe(concatMap((fetch) => fetch.records.pipe(ackEach()))));
    await sim.until(() => seen.isOver);
    expect(seen.error).toMatchObject({ context: { topic: 'orders', offset: 5 } });
    expect(seen.values).toHaveLength(5);
  });
});

test('options are checked when the source is made', async () => {
  await using sim = await Simulation.start();
  const kafka = sim.kafka();
  expect(() => fromFetches(kafka, 'orders', { fetchMinBytes: -1 })).toThrow(ConfigError);
  expect(() => fromFetches(kafka.consumer(), 'orders', { fetchMinBytes: 1 })).toThrow(
    'fromFetches: option fetchMinBytes belongs to the consumer',
  );
});
