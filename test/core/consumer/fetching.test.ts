import { describe, expect, it } from 'vitest';
import type { ConsumerOptions } from '../../../src/index.js';
import { Simulation } from '../../support/simulation.js';
import { insidesOf } from '../../support/insides.js';
import { fill, offsetsOf, upTo, watch } from '../../support/watching.js';

const TOPIC = 'orders';
const auto = { autoOffsetReset: 'earliest' } as const;
const manual = { ...auto, ack: 'manual' } as const;

function start(partitions: number, brokers = 1) {
  return Simulation.start({ brokers, topics: { [TOPIC]: partitions } });
}

/** Notes what fetches ask for, and keeps count of those that are not answered. */
function observe(sim: Simulation) {
  const bounds: { broker: number; maxBytes: number; minBytes: number; partitionBytes: number[] }[] =
    [];
  sim.cluster.intercept('Fetch', ({ broker, body }) => {
    const partitionBytes = body.topics.flatMap(({ partitions }) =>
      partitions.map(({ partitionMaxBytes }) => partitionMaxBytes),
    );
    bounds.push({ broker, maxBytes: body.maxBytes, minBytes: body.minBytes, partitionBytes });
    return undefined;
  });
  return bounds;
}

function leaderOf(sim: Simulation, partition: number): number {
  return sim.cluster.inspect().topics[TOPIC]!.partitions[partition]!.leader;
}

function bufferedBytes(consumer: { metrics(): Record<string, Record<string, number>> }): number {
  return Math.max(
    ...Object.values(consumer.metrics()).flatMap((group) => group['buffered-bytes'] ?? []),
  );
}

describe('long polls', () => {
  it('are on the way to all brokers side by side: one that does not answer keeps no other waiting', async () => {
    await using sim = await start(3, 3);
    for (const partition of upTo(3)) fill(sim, TOPIC, partition, 5);
    sim.cluster.delay('Fetch', 20_000, { broker: leaderOf(sim, 0) });
    const seen = watch(sim.kafka().consumer(auto).records(TOPIC));
    await sim.until(() => seen.values.length === 10);
    expect(sim.clock.monotonic()).toBeLessThan(2000);
    expect(offsetsOf(seen.values, 0)).toEqual([]);
    await sim.until(() => seen.values.length === 15);
  });

  it('bring a record as soon as it is written, however long they may wait', async () => {
    await using sim = await start(1);
    const consumer = sim.kafka().consumer({ ...auto, fetchMaxWaitMs: 10_000 });
    const seen = watch(consumer.records(TOPIC));
    await sim.advance(3000);
    const writtenAt = sim.clock.monotonic();
    fill(sim, TOPIC, 0, 1);
    await sim.until(() => seen.values.length === 1);
    expect(sim.clock.monotonic()).toBe(writtenAt);
  });

  it.each([
    ['leave before what the last one brought is delivered', { padding: 1000, inFlight: 1 }],
    [
      'leave after it where that is so little that it takes less time',
      { padding: 100, inFlight: 0 },
    ],
  ])('%s', async (_, { padding, inFlight }) => {
    await using sim = await start(1);
    for (let i = 0; i < 50; i++) fill(sim, TOPIC, 0, 3, { padding });
    const consumer = sim.kafka().consumer({ ...auto, maxPartitionFetchBytes: 20 * padding });
    const { cluster } = insidesOf(consumer).context;
    const onTheWay: number[] = [];
    const seen = watch(consumer.records(TOPIC), () => {
      onTheWay.push(cluster.channel(1, 'fetch').inFlight);
    });
    await sim.until(() => seen.values.length === 150);
    expect(sim.cluster.inspect().requests['Fetch']).toBeGreaterThan(5);
    expect(new Set(onTheWay)).toEqual(new Set([inFlight]));
  });

  it('wait on the broker, not in between: a paused partition takes up no connection, and is read at once when resumed', async () => {
    await using sim = await start(1);
    const consumer = sim.kafka().consumer(auto);
    const seen = watch(consumer.records(TOPIC));
    await sim.until(() => consumer.assignment.length === 1);
    consumer.pause();
    await sim.advance(5000);
    fill(sim, TOPIC, 0, 3);
    const bounds = observe(sim);
    await sim.advance(60_000);
    expect(bounds).toEqual([]);
    const resumedAt = sim.clock.monotonic();
    consumer.resume();
    await sim.until(() => seen.values.length === 3);
    expect(sim.clock.monotonic()).toBe(resumedAt);
  });

  it('of a broker are not held up by a paused partition of it', async () => {
    await using sim = await start(2);
    const consumer = sim.kafka().consumer(auto);
    const seen = watch(consumer.records(TOPIC));
    await sim.until(() => consumer.assignment.length === 2);
    consumer.pause([{ topic: TOPIC, partition: 0 }]);
    await sim.advance(5000);
    const writtenAt = sim.clock.monotonic();
    fill(sim, TOPIC, 1, 1);
    await sim.until(() => seen.values.length === 1);
    expect(sim.clock.monotonic()).toBe(writtenAt);
  });
});

describe('partitions of one broker', () => {
  it('are asked for in turn, so that one with endless records starves none', async () => {
    await using sim = await start(4);
    for (let i = 0; i < 200; i++) fill(sim, TOPIC, 0, 10, { padding: 1000 });
    for (const partition of [1, 2, 3]) fill(sim, TOPIC, partition, 10, { padding: 1000 });
    const limits = { maxPartitionFetchBytes: 12_000, fetchMaxBytes: 12_000, maxPollRecords: 10 };
    const seen = watch(
      sim
        .kafka()
        .consumer({ ...auto, ...limits })
        .records(TOPIC),
    );
    await sim.until(() => seen.values.length === 2030);
    const last = seen.values.findLastIndex(({ partition }) => partition > 0);
    expect(last).toBeLessThan(100);
  });

  it('are delivered in turn, maxPollRecords of each', async () => {
    await using sim = await start(3);
    for (const partition of upTo(3)) fill(sim, TOPIC, partition, 100);
    const consumer = sim.kafka().consumer({ ...auto, maxPollRecords: 10 });
    const seen = watch(consumer.records(TOPIC));
    await sim.until(() => seen.values.length === 300);
    const turns = upTo(30).map((turn) => {
      const of = seen.values.slice(turn * 10, turn * 10 + 10).map(({ partition }) => partition);
      expect(new Set(of).size).toBe(1);
      return of[0]!;
    });
    for (const partition of upTo(3)) {
      expect(turns.slice(0, 6).filter((each) => each === partition)).toHaveLength(2);
    }
  });

  it('have no head-of-line blocking: one whose pipeline hangs keeps no other waiting', async () => {
    await using sim = await start(3);
    for (const partition of upTo(3)) {
      for (let i = 0; i < 20; i++) fill(sim, TOPIC, partition, 10);
    }
    const options = { ...manual, maxUnackedRecords: 10, maxPartitionFetchBytes: 1 };
    const seen = watch(sim.kafka().consumer(options).records(TOPIC), (record) => {
      if (record.partition !== 0) record.ack();
    });
    await sim.until(() => seen.values.length === 410);
    expect(offsetsOf(seen.values, 0)).toEqual(upTo(10));
    for (const partition of [1, 2]) expect(offsetsOf(seen.values, partition)).toEqual(upTo(200));
  });
});

describe('the bytes that fetches may bring', () => {
  it('are set aside before they are asked for: all that is on the way and held stays within maxBufferedBytes', async () => {
    await using sim = await start(6, 3);
    for (const partition of upTo(6)) {
      for (let i = 0; i < 20; i++) fill(sim, TOPIC, partition, 10, { padding: 500 });
    }
    const limit = 120_000;
    const onTheWay = new Map<number, number>();
    let most = 0;
    sim.cluster.intercept('Fetch', ({ broker, body }) => {
      onTheWay.set(broker, body.maxBytes);
      most = Math.max(
        most,
        bufferedBytes(consumer) + [...onTheWay.values()].reduce((a, b) => a + b, 0),
      );
      return undefined;
    });
    const consumer = sim
      .kafka()
      .consumer({ ...manual, maxBufferedBytes: limit, maxUnackedRecords: 1000 });
    const held: { ack(): void }[] = [];
    const seen = watch(consumer.records(TOPIC), (record) => held.push(record));
    await sim.advance(3000);
    while (seen.values.length < 1200) {
      for (const record of held.splice(0)) record.ack();
      await sim.advance(100);
    }
    expect(most).toBeGreaterThan(limit / 2);
    // An answer may have come that the map still counts as on the way.
    expect(most).toBeLessThanOrEqual(2 * limit);
    expect(seen.values).toHaveLength(1200);
  });

  it('are a fair share for each broker: the long poll of an idle one leaves room for the others', async () => {
    await using sim = await start(3, 3);
    const bounds = observe(sim);
    const limit = 300_000;
    const consumer = sim.kafka().consumer({ ...auto, maxBufferedBytes: limit });
    watch(consumer.records(TOPIC));
    await sim.advance(5000);
    const settled = bounds.slice(-3);
    expect(new Set(settled.map(({ broker }) => broker)).size).toBe(3);
    for (const { maxBytes } of settled) expect(maxBytes).toBeLessThanOrEqual(limit / 3);
  });

  it('are not shared with brokers that have left the cluster', async () => {
    await using sim = await start(3, 3);
    const kafka = sim.kafka({ metadataMaxAgeMs: 1000 });
    watch(kafka.consumer({ ...auto, maxBufferedBytes: 300_000 }).records(TOPIC));
    await sim.advance(3000);
    for (const broker of [1, 2]) await sim.cluster.stop(broker);
    const bounds = observe(sim);
    await sim.advance(10_000);
    expect(bounds.at(-1)).toMatchObject({ broker: 3, maxBytes: 300_000 });
  });

  it('come back when the last record of their frame is acked, not before', async () => {
    await using sim = await start(1);
    fill(sim, TOPIC, 0, 10, { padding: 1000 });
    const consumer = sim.kafka().consumer(manual);
    const seen = watch(consumer.records(TOPIC));
    await sim.until(() => seen.values.length === 10);
    const whole = bufferedBytes(consumer);
    expect(whole).toBeGreaterThan(10_000);
    for (const record of seen.values.slice(1)) record.ack();
    expect(bufferedBytes(consumer)).toBe(whole);
    seen.values[0]!.ack();
    expect(bufferedBytes(consumer)).toBe(0);
  });

  it('count a compressed batch as it was fetched, and as it was decoded once it is opened', async () => {
    await using sim = await start(1);
    for (let i = 0; i < 2; i++) fill(sim, TOPIC, 0, 10, { padding: 1000, compressionType: 'gzip' });
    const consumer = sim.kafka().consumer({ ...manual, maxUnackedRecords: 10 });
    const seen = watch(consumer.records(TOPIC));
    await sim.until(() => seen.values.length === 10);
    const one = bufferedBytes(consumer);
    expect(one).toBeGreaterThan(10_000);
    expect(one).toBeLessThan(20_000);
    for (const record of seen.values) record.ack();
    await sim.until(() => seen.values.length === 20);
    expect(bufferedBytes(consumer)).toBeLessThan(20_000);
  });

  it('gate fetches only: a batch that is there is opened though more is held than may be', async () => {
    await using sim = await start(3);
    for (const partition of upTo(3)) fill(sim, TOPIC, partition, 3, { padding: 20_000 });
    const consumer = sim.kafka().consumer({ ...manual, maxBufferedBytes: 10_000 });
    const seen = watch(consumer.records(TOPIC), (record) => record.ack());
    await sim.until(() => seen.values.length === 9);
  });

  it('don’t grow with the number of partitions', async () => {
    await using sim = await start(100, 3);
    for (const partition of upTo(100)) {
      for (let i = 0; i < 4; i++) fill(sim, TOPIC, partition, 5, { padding: 1000 });
    }
    const limit = 100_000;
    const consumer = sim.kafka().consumer({ ...manual, maxBufferedBytes: limit });
    watch(consumer.records(TOPIC));
    await sim.advance(10_000);
    expect(consumer.metrics()).toBeDefined();
    expect(bufferedBytes(consumer)).toBeLessThanOrEqual(limit + 10_000);
  });
});

describe('fetchMinBytes', () => {
  it('is never more than what was asked for: a broker that has it all does not wait for more', async () => {
    await using sim = await start(2);
    const options: ConsumerOptions = {
      ...auto,
      fetchMinBytes: 1_000_000,
      fetchMaxWaitMs: 30_000,
      maxPartitionFetchBytes: 20_000,
    };
    for (const partition of [0, 1]) {
      for (let i = 0; i < 10; i++) fill(sim, TOPIC, partition, 10, { padding: 1000 });
    }
    const seen = watch(sim.kafka().consumer(options).records(TOPIC));
    await sim.until(() => seen.values.length >= 100);
    expect(sim.clock.monotonic()).toBeLessThan(10_000);
  });

  it('is what the partitions together are asked for where the user wants more than usual', async () => {
    await using sim = await start(8);
    const bounds = observe(sim);
    const fetchMinBytes = 4 * 1024 * 1024;
    watch(
      sim
        .kafka()
        .consumer({ ...auto, fetchMinBytes })
        .records(TOPIC),
    );
    await sim.advance(1000);
    const { partitionBytes, minBytes } = bounds[0]!;
    expect(partitionBytes.reduce((a, b) => a + b, 0)).toBeGreaterThanOrEqual(fetchMinBytes);
    expect(minBytes).toBe(fetchMinBytes);
  });

  it('lets a broker gather records before it answers, for fetchMaxWaitMs at most', async () => {
    await using sim = await start(1);
    const options = { ...auto, fetchMinBytes: 100_000, fetchMaxWaitMs: 3000 };
    const consumer = sim.kafka().consumer(options);
    const seen = watch(consumer.records(TOPIC));
    await sim.until(() => consumer.position({ topic: TOPIC, partition: 0 }) === 0);
    await sim.advance(500);
    fill(sim, TOPIC, 0, 1);
    await sim.advance(1000);
    expect(seen.values).toEqual([]);
    await sim.advance(3000);
    expect(offsetsOf(seen.values)).toEqual([0]);
  });
});

describe('a pipeline that is sometimes slow', () => {
  it('makes fewer fetches, and no flapping: they don’t grow with its acks', async () => {
    await using sim = await start(1);
    for (let i = 0; i < 100; i++) fill(sim, TOPIC, 0, 100, { padding: 20 });
    const options = { ...manual, maxUnackedRecords: 100, maxPartitionFetchBytes: 40_000 };
    const seen = watch(sim.kafka().consumer(options).records(TOPIC), (record) => {
      sim.clock.schedule(1, () => record.ack());
    });
    await sim.until(() => seen.values.length === 10_000);
    // 10,000 acks, one at a time; a fetch for each 40,000 bytes or so.
    expect(sim.cluster.inspect().requests['Fetch']).toBeLessThan(60);
  });
});
