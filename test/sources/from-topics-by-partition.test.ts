import { concatMap, ignoreElements, map, mergeMap, of, take, tap } from 'rxjs';
import { expect, test } from 'vitest';
import {
  ackEach,
  fromTopicsByPartition,
  processEach,
  type PartitionStream,
} from '../../src/index.js';
import { committed, connectionsTo, membersOf, numbers, Seen, write } from '../support/consuming.js';
import { Simulation } from '../support/simulation.js';

const inGroup = { groupId: 'billing', autoOffsetReset: 'earliest' } as const;

function later(sim: Simulation, ms: number): Promise<void> {
  return new Promise((resolve) => sim.clock.schedule(ms, resolve));
}

async function twoPartitions(count = 10): Promise<Simulation> {
  const sim = await Simulation.start({ topics: { orders: 2 } });
  for (const p of [0, 1]) write(sim.cluster, 'orders', p, ...numbers(count));
  return sim;
}

test('nothing connects before something subscribes', async () => {
  await using sim = await twoPartitions();
  fromTopicsByPartition(sim.kafka(), 'orders', inGroup);
  await sim.advance(1000);
  expect(connectionsTo(sim.cluster)).toBe(0);
});

test('there is a stream for each partition, with its records in order', async () => {
  await using sim = await twoPartitions();
  const seen = new Seen(
    fromTopicsByPartition(sim.kafka(), 'orders', inGroup).pipe(
      mergeMap(({ partition, records }) =>
        records.pipe(
          ackEach(),
          map((record) => [partition, record.partition, String(record.value)] as const),
        ),
      ),
    ),
  );
  await sim.until(() => seen.values.length === 20);
  for (const p of [0, 1]) {
    const mine = seen.values.filter(([stream]) => stream === p);
    expect(mine.map(([, partition]) => partition)).toEqual(Array(10).fill(p));
    expect(mine.map(([, , value]) => value)).toEqual(numbers(10));
  }
  seen.subscription.unsubscribe();
});

test('one that nobody subscribes to delivers nothing, and is not even fetched', async () => {
  await using sim = await twoPartitions();
  const fetched = new Set<number>();
  sim.cluster.intercept('Fetch', ({ body }) => {
    for (const { partitions } of body.topics) {
      for (const { partition } of partitions) fetched.add(partition);
    }
    return undefined;
  });
  const seen = new Seen(
    fromTopicsByPartition(sim.kafka(), 'orders', inGroup).pipe(
      mergeMap(({ partition, records }) => (partition === 0 ? records.pipe(ackEach()) : of())),
    ),
  );
  await sim.until(() => seen.values.length === 10);
  await sim.advance(5000);
  expect(seen.values).toHaveLength(10);
  expect([...fetched]).toEqual([0]);
  seen.subscription.unsubscribe();
});

test('one that is subscribed to later delivers then', async () => {
  await using sim = await twoPartitions();
  const streams = new Seen(fromTopicsByPartition(sim.kafka(), 'orders', inGroup));
  await sim.until(() => streams.values.length === 2);
  await sim.advance(5000);
  const seen = new Seen(streams.values[1]!.records.pipe(ackEach()));
  await sim.until(() => seen.values.length === 10);
  streams.subscription.unsubscribe();
});

test('one that is unsubscribed early delivers nothing more, and leaves its rest uncommitted', async () => {
  await using sim = await twoPartitions();
  const kafka = sim.kafka();
  const streams = new Seen(fromTopicsByPartition(kafka, 'orders', inGroup));
  await sim.until(() => streams.values.length === 2);
  const [first, second] = streams.values.sort((a, b) => a.partition - b.partition);
  const early = new Seen(first!.records.pipe(take(4)));
  const other = new Seen(second!.records.pipe(ackEach()));
  await sim.until(() => other.values.length === 10 && early.isComplete);
  for (const record of early.values.slice(0, 2)) record.ack();
  await sim.advance(6000);
  expect(early.values).toHaveLength(4);
  const again = new Seen(first!.records);
  expect(again.error).toMatchObject({ code: 'SUBSCRIBED_TWICE' });
  await sim.run(kafka.drain({ timeoutMs: 1000 }));
  expect(committed(sim.cluster, 'billing', 'orders', 0)).toBe(2);
  expect(committed(sim.cluster, 'billing', 'orders', 1)).toBe(10);
});

test('a slow one keeps no other waiting', async () => {
  await using sim = await twoPartitions(50);
  const done = [0, 0];
  const seen = new Seen(
    fromTopicsByPartition(sim.kafka(), 'orders', { ...inGroup, maxUnackedRecords: 5 }).pipe(
      mergeMap(({ partition, records }) =>
        records.pipe(
          processEach(async () => {
            if (partition === 0) await later(sim, 60_000);
            done[partition]!++;
          }),
        ),
      ),
    ),
  );
  await sim.until(() => done[1] === 50);
  expect(done[0]).toBeLessThanOrEqual(1);
  seen.subscription.unsubscribe();
});

test.each(['classic', 'consumer'] as const)(
  'streams complete when partitions are given up, and none are out twice (%s)',
  async (groupProtocol) => {
    await using sim = await Simulation.start({ topics: { orders: 4 } });
    for (let p = 0; p < 4; p++) write(sim.cluster, 'orders', p, ...numbers(30));
    const open = new Map<number, number>();
    const done: string[] = [];
    let most = 0;
    const follow = ({ partition, records }: PartitionStream) => {
      open.set(partition, (open.get(partition) ?? 0) + 1);
      most = Math.max(most, ...open.values());
      return records.pipe(
        processEach(async (record) => {
          await later(sim, 200);
          done.push(`${partition} ${String(record.value)}`);
        }),
        tap({ finalize: () => open.set(partition, open.get(partition)! - 1) }),
        ignoreElements(),
      );
    };
    const member = () =>
      new Seen(
        fromTopicsByPartition(sim.kafka(), 'orders', { ...inGroup, groupProtocol }).pipe(
          mergeMap(follow),
        ),
      );
    const first = member();
    await sim.until(() => done.length >= 8);
    const second = member();
    await sim.until(() => sim.eventsOf('revoked').length > 0);
    await sim.until(() => done.length >= 60);
    first.subscription.unsubscribe();
    await sim.until(() => new Set(done).size === 120);
    expect(done).toHaveLength(120);
    expect(most).toBe(1);
    second.subscription.unsubscribe();
    await sim.until(() => membersOf(sim.cluster, 'billing') === 0);
  },
);

test('drain() completes every stream, also those that are subscribed to only then', async () => {
  await using sim = await twoPartitions();
  const kafka = sim.kafka();
  const seen = new Seen(
    fromTopicsByPartition(kafka, 'orders', inGroup).pipe(
      concatMap(({ records }) => records.pipe(ackEach())),
    ),
  );
  await sim.until(() => seen.values.length === 10);
  await sim.run(kafka.drain({ timeoutMs: 1000 }));
  expect(seen.isComplete).toBe(true);
  expect(seen.values).toHaveLength(10);
});

test('an error ends the streams and is told', async () => {
  await using sim = await twoPartitions();
  const source = fromTopicsByPartition(sim.kafka(), 'orders', {
    ...inGroup,
    valueDeserializer: (bytes) => {
      if (bytes.toString() === '5') throw new Error('can’t be read');
      return bytes.toString();
    },
  });
  const seen = new Seen(source.pipe(mergeMap(({ records }) => records.pipe(ackEach()))));
  await sim.until(() => seen.isOver);
  expect(seen.error).toMatchObject({ context: { topic: 'orders', offset: 5 } });
  expect(membersOf(sim.cluster, 'billing')).toBe(0);
});
