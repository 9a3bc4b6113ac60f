import { mergeMap } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { ConsumerRecord } from '../../../src/index.js';
import { fill, offsetsOf, upTo, watch } from '../../support/watching.js';
import { Simulation } from '../../support/simulation.js';

const TOPIC = 'orders';

function start(partitions = 1, brokers = 1) {
  return Simulation.start({ brokers, topics: { [TOPIC]: partitions } });
}

const manual = { ack: 'manual', autoOffsetReset: 'earliest' } as const;

describe('the window', () => {
  it('holds delivery back by its span, so that one record that is never acked stops its partition only', async () => {
    await using sim = await start(2);
    for (const partition of [0, 1]) fill(sim, TOPIC, partition, 100);
    const consumer = sim.kafka().consumer({ ...manual, maxUnackedRecords: 10 });
    const seen = watch(consumer.records(TOPIC), (record) => {
      if (record.partition === 1 || record.offset !== 3) record.ack();
    });
    await sim.until(() => offsetsOf(seen.values, 1).length === 100);
    await sim.advance(2000);
    expect(offsetsOf(seen.values, 0)).toEqual(upTo(13));
    seen.values.find(({ partition, offset }) => partition === 0 && offset === 3)!.ack();
    await sim.until(() => offsetsOf(seen.values, 0).length === 100);
  });

  it('makes a pipeline that acks nothing fetch no more', async () => {
    await using sim = await start();
    for (let i = 0; i < 100; i++) fill(sim, TOPIC, 0, 100, { padding: 100 });
    const consumer = sim
      .kafka()
      .consumer({ ...manual, maxUnackedRecords: 10, maxPartitionFetchBytes: 50_000 });
    const seen = watch(consumer.records(TOPIC));
    await sim.advance(5000);
    const before = sim.cluster.inspect().requests['Fetch']!;
    await sim.advance(60_000);
    expect(seen.values.length).toBe(10);
    expect(sim.cluster.inspect().requests['Fetch']).toBe(before);
  });
});

describe('the bytes at hand', () => {
  it('stay within maxBufferedBytes and one batch a partition, though batches grow when they are opened', async () => {
    await using sim = await start(3);
    for (const partition of upTo(3)) {
      for (let i = 0; i < 30; i++) {
        fill(sim, TOPIC, partition, 5, { padding: 10_000, compressionType: 'gzip' });
      }
    }
    const limit = 200_000;
    const consumer = sim.kafka().consumer({
      ...manual,
      maxBufferedBytes: limit,
      maxUnackedRecords: 1000,
    });
    const held: ConsumerRecord[] = [];
    const seen = watch(consumer.records(TOPIC), (record) => held.push(record));
    await sim.advance(2000);
    const batch = 5 * 10_100;
    const peak = () =>
      Math.max(
        ...Object.values(consumer.metrics()).flatMap((group) => group['buffered-bytes-max'] ?? []),
      );
    expect(seen.values.length).toBeLessThan(450);
    while (seen.values.length < 450) {
      const count = seen.values.length;
      for (const record of held.splice(0)) record.ack();
      await sim.until(() => seen.values.length > count);
    }
    expect(peak()).toBeLessThanOrEqual(limit + 3 * batch);
    for (const partition of upTo(3)) expect(offsetsOf(seen.values, partition)).toEqual(upTo(150));
  });

  it('let a first batch pass that is larger than all of them', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 1, { padding: 300_000 });
    fill(sim, TOPIC, 0, 3);
    const consumer = sim.kafka().consumer({ ...manual, maxBufferedBytes: 20_000 });
    const seen = watch(consumer.records(TOPIC), (record) => record.ack());
    await sim.until(() => seen.values.length === 4);
    expect(offsetsOf(seen.values)).toEqual(upTo(4));
  });

  it('are not kept from others by a paused partition: what it has not delivered gives way, and comes again', async () => {
    await using sim = await start(2);
    for (const partition of [0, 1]) {
      for (let i = 0; i < 20; i++) fill(sim, TOPIC, partition, 5, { padding: 1000 });
    }
    const consumer = sim.kafka().consumer({
      ...manual,
      maxBufferedBytes: 30_000,
      maxUnackedRecords: 5,
    });
    const seen = watch(consumer.records(TOPIC), (record) => {
      if (record.partition === 0) consumer.pause([{ topic: TOPIC, partition: 0 }]);
      record.ack();
    });
    await sim.until(() => offsetsOf(seen.values, 1).length === 100);
    expect(offsetsOf(seen.values, 0)).toEqual([0]);
    fill(sim, TOPIC, 1, 100, { padding: 1000 });
    await sim.until(() => offsetsOf(seen.values, 1).length === 200);
    while (offsetsOf(seen.values, 0).length < 100) {
      consumer.resume();
      await sim.advance(100);
    }
    expect(offsetsOf(seen.values, 0)).toEqual(upTo(100));
  });

  it('are not taken up by partitions that nobody listens to', async () => {
    await using sim = await start(6);
    for (const partition of upTo(6)) {
      for (let i = 0; i < 20; i++) fill(sim, TOPIC, partition, 10, { padding: 1000 });
    }
    const consumer = sim.kafka().consumer({
      ...manual,
      maxBufferedBytes: 100_000,
      maxPartitionFetchBytes: 40_000,
    });
    const listened = consumer
      .partitions(TOPIC)
      .pipe(mergeMap(({ partition, records }) => (partition === 5 ? records : [])));
    const seen = watch(listened, (record) => record.ack());
    await sim.until(() => seen.values.length === 200);
    expect(offsetsOf(seen.values)).toEqual(upTo(200));
  });
});

describe('a broker that leads several partitions', () => {
  it('is not kept waiting for one at its end while another of it is being delivered', async () => {
    await using sim = await start(2);
    for (let i = 0; i < 40; i++) fill(sim, TOPIC, 0, 100, { padding: 100 });
    const consumer = sim.kafka().consumer({
      ...manual,
      maxUnackedRecords: 200,
      maxPartitionFetchBytes: 30_000,
    });
    // Everything is acked 1 ms later, so that the window is full most of the time.
    const seen = watch(consumer.records(TOPIC), (record) => {
      sim.clock.schedule(1, () => record.ack());
    });
    await sim.until(() => seen.values.length > 0);
    const startedAt = sim.clock.monotonic();
    await sim.until(() => seen.values.length === 4000);
    // 20 windows of 1 ms, and short polls between them; one long poll alone would take 500.
    expect(sim.clock.monotonic() - startedAt).toBeLessThan(1000);
  });
});
