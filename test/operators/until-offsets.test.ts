import { map, NEVER, range, Subject } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { crc32c, encodeRecords } from '../../src/core/records/index.js';
import { ackEach, processEach, untilOffsets, type ConsumerEvent } from '../../src/index.js';
import { kafkaMarbles } from '../../src/testing/index.js';
import { committed, numbers, Seen, write } from '../support/consuming.js';
import { behavesLikeAnOperator } from '../support/operator-spec.js';
import { TestPartition, type TestRecord } from '../support/records.js';
import { Simulation } from '../support/simulation.js';
import { watch } from '../support/watching.js';

const earliest = { groupId: 'billing', autoOffsetReset: 'earliest' } as const;
/** Where a batch of format 2 has what a test changes. */
const CRC_AT = 17;
const ATTRIBUTES_AT = 21;
const LAST_OFFSET_DELTA_AT = 23;

const at = (offset: number, partition = 0) => ({ topic: 'orders', partition, offset });

/** Stands for a consumer, and notes what it is told. */
function fakeConsumer() {
  const lifecycle = new Subject<ConsumerEvent>();
  const moves = new Subject<{ topic: string; partition: number; position: number }>();
  const told: unknown[] = [];
  return {
    lifecycle,
    moves,
    told,
    pause: (partitions: readonly object[] = []) => void told.push(['pause', ...partitions]),
    resume: (partitions: readonly object[] = []) => void told.push(['resume', ...partitions]),
  };
}

describe('untilOffsets', () => {
  behavesLikeAnOperator(() => untilOffsets(fakeConsumer(), [at(1_000_000)]));

  test('endless and synchronous: ends where the offset is reached', () => {
    const partition = new TestPartition();
    const endless = range(0, Infinity).pipe(map(() => partition.deliver('a')[0]!));
    const seen = watch(endless.pipe(untilOffsets(fakeConsumer(), [at(100)])));
    expect(seen.values).toHaveLength(100);
    expect(seen.isComplete).toBe(true);
  });

  test(
    'lets through what is before the offsets, and leaves the rest unacked to whoever reads on',
    kafkaMarbles(({ records, expectOutput, expectAcks, expectCommits }) => {
      const orders = records('-a-b-x-c', { a: {}, b: {}, x: { partition: 1 }, c: {} });
      const until = untilOffsets<Buffer | null, Buffer | null>(fakeConsumer(), [at(1), at(1, 1)]);
      expectOutput(orders.pipe(until, ackEach())).toBe('-a---(x|)');
      expectAcks(orders).toBe('                         -a---x');
      expectCommits(orders).toBe('                      -a---x');
    }),
  );

  test('without offsets it is over at once', () => {
    expect(watch(NEVER.pipe(untilOffsets(fakeConsumer(), []))).isComplete).toBe(true);
  });

  test('a partition that is there is paused until the others are', () => {
    const consumer = fakeConsumer();
    const source = new Subject<TestRecord>();
    const [p0, p1] = [0, 1].map((partition) => new TestPartition({ partition }));
    const seen = watch(source.pipe(untilOffsets(consumer, [at(1), at(1, 1)])));
    for (const record of p0!.deliver('a', 'b')) source.next(record);
    expect(seen.values).toHaveLength(1);
    expect(consumer.told).toEqual([['pause', { topic: 'orders', partition: 0 }]]);
    for (const record of p1!.deliver('x')) source.next(record);
    expect(seen).toMatchObject({ isComplete: true });
    expect(consumer.told.at(-1)).toEqual([
      'resume',
      { topic: 'orders', partition: 0 },
      { topic: 'orders', partition: 1 },
    ]);
    expect([source.observed, consumer.lifecycle.observed, consumer.moves.observed]).toEqual([
      false,
      false,
      false,
    ]);
  });

  test('what lies behind an offset goes back when its partition is given up, or all are reached', () => {
    const source = new Subject<TestRecord>();
    const [p0, p1] = [0, 1].map((partition) => new TestPartition({ partition }));
    const seen = watch(source.pipe(untilOffsets(fakeConsumer(), [at(1), at(1, 1)]), ackEach()));
    for (const record of p0!.deliver('a', 'b')) source.next(record);
    expect(p0!.returned).toEqual([]);
    p0!.drain();
    expect(p0!.returned).toEqual([1]);
    for (const record of p1!.deliver('x', 'y').reverse()) source.next(record);
    expect(seen.isComplete).toBe(true);
    expect(p1!.returned).toEqual([1]);
  });

  test('partitions without an offset come through until the end', () => {
    const source = new Subject<TestRecord>();
    const other = new TestPartition({ partition: 7 });
    const seen = watch(source.pipe(untilOffsets(fakeConsumer(), [at(1)])));
    for (const record of other.deliver('x', 'y')) source.next(record);
    expect(seen.values).toHaveLength(2);
    for (const record of new TestPartition().deliver('a')) source.next(record);
    expect(seen).toMatchObject({ isComplete: true });
  });

  test('unsubscribing resumes what it has paused', () => {
    const consumer = fakeConsumer();
    const seen = watch(NEVER.pipe(untilOffsets(consumer, [at(0), at(5, 1)])));
    consumer.lifecycle.next({ type: 'position-reset', ...at(0), reason: 'committed' });
    seen.subscription.unsubscribe();
    expect(consumer.told).toEqual([
      ['pause', { topic: 'orders', partition: 0 }],
      ['resume', { topic: 'orders', partition: 0 }],
    ]);
  });

  test('in a group: what is before is delivered and committed, nothing else', async () => {
    await using sim = await Simulation.start({ topics: { orders: 2 } });
    for (const partition of [0, 1]) write(sim.cluster, 'orders', partition, ...numbers(50));
    const consumer = sim.kafka().consumer(earliest);
    const seen = new Seen(
      consumer.records('orders').pipe(
        untilOffsets(consumer, [at(10), at(20, 1)]),
        processEach((record) => [record.partition]),
      ),
    );
    await sim.until(() => seen.isComplete);
    expect(seen.values.filter((partition) => partition === 0)).toHaveLength(10);
    expect(seen.values).toHaveLength(30);
    await sim.run(consumer.close());
    expect(
      [0, 1].map((partition) => committed(sim.cluster, 'billing', 'orders', partition)),
    ).toEqual([10, 20]);
  });

  test('completes by position: where the last offsets hold no record', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    write(sim.cluster, 'orders', 0, 'a');
    // As compaction leaves it: one batch over offsets 1 to 5, of which only 1 is there.
    const batch = encodeRecords([{ value: 'b' }], { baseOffset: 1 });
    batch.writeInt32BE(4, LAST_OFFSET_DELTA_AT);
    batch.writeUInt32BE(crc32c(batch.subarray(ATTRIBUTES_AT)), CRC_AT);
    sim.cluster.append('orders', 0, batch);
    expect(sim.cluster.inspect().topics['orders']!.partitions[0]!.logEndOffset).toBe(6);
    const consumer = sim.kafka().consumer(earliest);
    const seen = new Seen(
      consumer.records('orders').pipe(untilOffsets(consumer, [at(6)]), ackEach()),
    );
    await sim.until(() => seen.isComplete);
    expect(seen.values.map(({ offset }) => offset)).toEqual([0, 1]);
    await sim.run(consumer.close());
    expect(committed(sim.cluster, 'billing', 'orders')).toBe(6);
  });

  test('what is reached already, or empty, is over at once', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    const consumer = sim.kafka().consumer(earliest);
    const seen = new Seen(consumer.records('orders').pipe(untilOffsets(consumer, [at(0)])));
    await sim.until(() => seen.isComplete);
    expect(seen.values).toEqual([]);
  });
});
