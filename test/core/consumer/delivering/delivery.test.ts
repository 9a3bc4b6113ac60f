import { take, takeWhile } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { encodeRecords } from '../../../../src/core/records/index.js';
import { insidesOf } from '../../../support/insides.js';
import { fill, offsetsOf, upTo, watch } from '../../../support/watching.js';
import { Simulation } from '../../../support/simulation.js';

const TOPIC = 'orders';

function start(partitions = 1, brokers = 1) {
  return Simulation.start({ brokers, topics: { [TOPIC]: partitions } });
}

describe('delivery', () => {
  it('connects nothing before something subscribes, and leaves nothing behind', async () => {
    const sim = await start(3);
    fill(sim, TOPIC, 0, 5);
    const kafka = sim.kafka();
    const consumer = kafka.consumer({ autoOffsetReset: 'earliest' });
    const records = consumer.records(TOPIC);
    await sim.calm();
    expect(sim.cluster.inspect().requests).toEqual({});
    const seen = watch(records);
    await sim.until(() => seen.values.length === 5);
    await sim.run(kafka.close());
    await sim.calm();
    expect(sim.cluster.inspect().brokers[0]!.connections).toBe(0);
    expect(sim.clock.pending).toBe(0);
    expect(seen.isComplete).toBe(true);
  });

  it('gives all records of each partition in order, over batches, fetches and brokers', async () => {
    await using sim = await start(4, 2);
    for (const partition of upTo(4))
      for (const count of [1, 50, 7, 300]) fill(sim, TOPIC, partition, count);
    const consumer = sim
      .kafka()
      .consumer({ autoOffsetReset: 'earliest', maxPartitionFetchBytes: 2000 });
    const seen = watch(consumer.records(TOPIC));
    await sim.until(() => seen.values.length >= 4 * 358);
    for (const partition of upTo(4)) expect(offsetsOf(seen.values, partition)).toEqual(upTo(358));
    expect(seen.values.map(({ value }) => String(value))).toEqual(
      seen.values.map(({ partition, offset }) => `${partition}:${offset}`),
    );
  });

  it('lets acks come while records are being delivered, within the window', async () => {
    await using sim = await start();
    for (const count of [100, 100]) fill(sim, TOPIC, 0, count);
    const consumer = sim.kafka().consumer({
      ack: 'manual',
      autoOffsetReset: 'earliest',
      maxUnackedRecords: 1,
    });
    const seen = watch(consumer.records(TOPIC), (record) => record.ack());
    await sim.until(() => seen.values.length === 200);
    expect(offsetsOf(seen.values)).toEqual(upTo(200));
  });

  it('stops at once when it is unsubscribed in the middle of a batch', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 100);
    const consumer = sim.kafka().consumer({ autoOffsetReset: 'earliest' });
    const seen = watch(consumer.records(TOPIC).pipe(take(7)));
    await sim.until(() => seen.isComplete);
    await sim.advance(1000);
    expect(offsetsOf(seen.values)).toEqual(upTo(7));
    expect(consumer.assignment).toEqual([]);
  });

  it('goes on elsewhere when the record being delivered makes it seek', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 20);
    const consumer = sim.kafka().consumer({ autoOffsetReset: 'earliest' });
    let hasSought = false;
    const seen = watch(consumer.records(TOPIC), ({ offset }) => {
      if (offset !== 4 || hasSought) return;
      hasSought = true;
      consumer.seek({ topic: TOPIC, partition: 0 }, { offset: 15 });
    });
    await sim.until(() => seen.values.length >= 10);
    expect(offsetsOf(seen.values)).toEqual([...upTo(5), ...upTo(5, 15)]);
  });

  it('seeks to the place that was asked for last, also while the first is being looked up', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 20);
    const consumer = sim.kafka().consumer({ autoOffsetReset: 'earliest' });
    const seen = watch(consumer.records(TOPIC));
    await sim.until(() => consumer.assignment.length === 1);
    const undo = sim.cluster.delay('ListOffsets', 300);
    consumer.seek({ topic: TOPIC, partition: 0 }, 'end');
    await sim.advance(100);
    undo();
    consumer.seek({ topic: TOPIC, partition: 0 }, { timestamp: 0 });
    await sim.advance(1000);
    expect(offsetsOf(seen.values).at(-1)).toBe(19);
    expect(consumer.position({ topic: TOPIC, partition: 0 })).toBe(20);
    expect(sim.eventsOf('position-reset').map(({ offset }) => offset)).toEqual([0, 0]);
  });

  it('delivers nothing of a paused partition, and all of it after a resume', async () => {
    await using sim = await start(2);
    for (const partition of [0, 1]) fill(sim, TOPIC, partition, 10);
    const consumer = sim.kafka().consumer({ autoOffsetReset: 'earliest' });
    consumer.pause([{ topic: TOPIC, partition: 1 }]);
    const seen = watch(consumer.records(TOPIC));
    await sim.advance(3000);
    expect(offsetsOf(seen.values, 0)).toEqual(upTo(10));
    expect(offsetsOf(seen.values, 1)).toEqual([]);
    consumer.resume();
    await sim.until(() => seen.values.length === 20);
    expect(offsetsOf(seen.values, 1)).toEqual(upTo(10));
  });

  it('pauses in the middle of a batch from within next, and goes on where it stopped', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 10);
    const consumer = sim.kafka().consumer({ autoOffsetReset: 'earliest' });
    const seen = watch(consumer.records(TOPIC), ({ offset }) => {
      if (offset === 3) consumer.pause();
    });
    await sim.advance(2000);
    expect(offsetsOf(seen.values)).toEqual(upTo(4));
    consumer.resume();
    await sim.until(() => seen.values.length === 10);
    expect(offsetsOf(seen.values)).toEqual(upTo(10));
  });

  it('refuses a second subscription while one is on, and gives one after it a clean start', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 3);
    const consumer = sim.kafka().consumer({ autoOffsetReset: 'earliest' });
    const first = watch(consumer.records(TOPIC));
    const second = watch(consumer.records(TOPIC));
    expect(second.error).toMatchObject({ code: 'CONSUMER_IN_USE' });
    await sim.until(() => first.values.length === 3);
    first.subscription.unsubscribe();
    const third = watch(consumer.records(TOPIC));
    await sim.until(() => third.values.length === 3);
  });

  it('lets only one of two have it that both wait for the one before to leave', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 3);
    const consumer = sim.kafka().consumer({ autoOffsetReset: 'earliest', ack: 'manual' });
    const first = watch(consumer.records(TOPIC));
    await sim.until(() => first.values.length === 3);
    first.subscription.unsubscribe();
    const waiting = [watch(consumer.records(TOPIC)), watch(consumer.records(TOPIC))];
    for (const record of first.values) record.ack();
    await sim.until(() => waiting.some(({ values }) => values.length === 3));
    await sim.advance(1000);
    expect(waiting.map(({ values }) => values.length).sort()).toEqual([0, 3]);
    const refused = waiting.find(({ values }) => values.length === 0)!;
    expect(refused.error).toMatchObject({ code: 'CONSUMER_IN_USE' });
  });

  it('begins nothing for one that waited while the consumer was closed', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 3);
    const consumer = sim.kafka().consumer({ autoOffsetReset: 'earliest', ack: 'manual' });
    const first = watch(consumer.records(TOPIC));
    await sim.until(() => first.values.length === 3);
    first.subscription.unsubscribe();
    const waiting = watch(consumer.records(TOPIC));
    await sim.run(consumer.close({ timeoutMs: 0 }));
    await sim.calm();
    expect(waiting.error).toMatchObject({ code: 'CONSUMER_CLOSED' });
    expect(waiting.values).toEqual([]);
  });

  it('can be unsubscribed while it connects, and leaves no timer', async () => {
    const sim = await start();
    const kafka = sim.kafka();
    const seen = watch(kafka.consumer({ autoOffsetReset: 'earliest' }).records(TOPIC));
    seen.subscription.unsubscribe();
    await sim.run(kafka.close());
    await sim.calm();
    expect(sim.clock.pending).toBe(0);
  });

  it('can be closed twice', async () => {
    await using sim = await start();
    const consumer = sim.kafka().consumer();
    watch(consumer.records(TOPIC));
    await sim.run(Promise.all([consumer.close(), consumer.close()]));
    await sim.run(consumer.close());
  });
});

describe('what is opened', () => {
  it('is a batch whose turn has come: one that can’t be read is not noticed before', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 3);
    const damaged = encodeRecords([{ value: 'damaged', timestamp: 1 }]);
    damaged[damaged.length - 2]! ^= 1;
    sim.cluster.append(TOPIC, 0, damaged);
    const consumer = sim
      .kafka()
      .consumer({ ack: 'manual', autoOffsetReset: 'earliest', maxUnackedRecords: 3 });
    const seen = watch(consumer.records(TOPIC));
    await sim.until(() => seen.values.length === 3);
    await sim.advance(10_000);
    expect(seen.error).toBeUndefined();
    for (const record of seen.values) record.ack();
    await sim.until(() => seen.error !== undefined);
  });

  it('gives its memory back when it is unsubscribed in the middle of a batch, and no record after it', async () => {
    await using sim = await start();
    for (let i = 0; i < 3; i++) fill(sim, TOPIC, 0, 100, { compressionType: 'gzip' });
    const consumer = sim
      .kafka()
      .consumer({ ack: 'manual', autoOffsetReset: 'earliest', drainTimeoutMs: 1000 });
    let count = 0;
    const seen = watch(consumer.records(TOPIC).pipe(takeWhile(() => ++count <= 42)));
    const run = insidesOf(consumer).run!;
    await sim.until(() => seen.isComplete);
    expect(run.budget.heldBytes).toBeGreaterThan(0);
    await sim.advance(2000);
    expect(offsetsOf(seen.values)).toEqual(upTo(42));
    expect(run.budget.heldBytes).toBe(0);
    expect(run.budget.freeBytes).toBe(run.budget.limitBytes);
  });

  it('gives its memory back when the partition is sought with a batch half delivered', async () => {
    await using sim = await start();
    for (let i = 0; i < 3; i++) fill(sim, TOPIC, 0, 100, { compressionType: 'gzip', padding: 100 });
    const consumer = sim
      .kafka()
      .consumer({ ack: 'manual', autoOffsetReset: 'earliest', maxUnackedRecords: 50 });
    const seen = watch(consumer.records(TOPIC));
    await sim.until(() => seen.values.length === 50);
    consumer.seek({ topic: TOPIC, partition: 0 }, 'end');
    await sim.advance(2000);
    expect(insidesOf(consumer).run!.budget.heldBytes).toBe(0);
  });
});

describe('acks from within a delivery', () => {
  const manual = { ack: 'manual', autoOffsetReset: 'earliest' } as const;

  it('may be of records before, in any order, and let delivery go on at once', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 100);
    const consumer = sim.kafka().consumer({ ...manual, maxUnackedRecords: 4 });
    const held: { ack(): void }[] = [];
    const seen = watch(consumer.records(TOPIC), (record) => {
      held.push(record);
      if (held.length === 4) for (const each of held.splice(0).reverse()) each.ack();
    });
    await sim.until(() => seen.values.length === 100);
    expect(sim.clock.monotonic()).toBe(0);
    expect(offsetsOf(seen.values)).toEqual(upTo(100));
  });

  it('may be of another partition, which goes on without waiting for a fetch', async () => {
    await using sim = await start(2, 2);
    fill(sim, TOPIC, 1, 5);
    const consumer = sim.kafka().consumer({ ...manual, maxUnackedRecords: 1 });
    const seen = watch(consumer.records(TOPIC), (record) => {
      if (record.partition === 0) for (const other of seen.values) other.ack();
    });
    await sim.until(() => seen.values.length === 1);
    await sim.advance(3000);
    const writtenAt = sim.clock.monotonic();
    fill(sim, TOPIC, 0, 1);
    await sim.until(() => offsetsOf(seen.values, 1).length === 2);
    expect(sim.clock.monotonic()).toBe(writtenAt);
  });
});

describe('a timestamp beyond 2^53', () => {
  it.each([0, 1, 2] as const)(
    'makes no partition unreadable: it is the nearest number, and exact as timestampBigInt (magic %i)',
    async (magic) => {
      await using sim = await start();
      const nanoseconds = 1_700_000_000_123_456_789n;
      const contents = [1n, nanoseconds, 2n].map((timestamp) => ({ value: 'a', timestamp }));
      sim.cluster.append(TOPIC, 0, encodeRecords(contents, { magic }));
      const consumer = sim.kafka().consumer({ autoOffsetReset: 'earliest' });
      const seen = watch(consumer.records(TOPIC));
      await sim.until(() => seen.values.length === 3);
      const exact = magic === 0 ? -1n : nanoseconds;
      expect(seen.values[1]!.timestampBigInt).toBe(exact);
      expect(seen.values[1]!.timestamp).toBe(Number(exact));
    },
  );
});

describe('a record that can never be processed', () => {
  const manual = { ack: 'manual', autoOffsetReset: 'earliest' } as const;

  it('is told as stalled by its age since delivery, however long it had waited to be delivered', async () => {
    await using sim = await start();
    for (let i = 0; i < 10; i++) fill(sim, TOPIC, 0, 1);
    const consumer = sim
      .kafka()
      .consumer({ ...manual, maxUnackedRecords: 1, stallTimeoutMs: 30_000 });
    const seen = watch(consumer.records(TOPIC), (record) => {
      // Each takes 20 s, but for one that is never done.
      if (record.offset !== 5) sim.clock.schedule(20_000, () => record.ack());
    });
    await sim.until(() => sim.eventsOf('stalled').some(({ offset }) => offset === 5));
    const stalled = sim.eventsOf('stalled').find(({ offset }) => offset === 5)!;
    // It was fetched 100 s before it was delivered.
    expect(stalled.ageMs).toBeGreaterThanOrEqual(30_000);
    expect(stalled.ageMs).toBeLessThan(45_000);
    expect(offsetsOf(seen.values)).toEqual(upTo(6));
  });
});
