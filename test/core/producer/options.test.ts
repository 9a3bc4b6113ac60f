import { describe, expect, it } from 'vitest';
import { resolveProducerOptions } from '../../../src/core/producer/options.js';
import type { ProducerOptions } from '../../../src/index.js';
import { rejectionOf, Simulation } from '../../support/simulation.js';

const TOPIC = 'orders';

function values(sim: Simulation, partition?: number): string[] {
  return sim.cluster.records(TOPIC, partition).map(({ value }) => String(value));
}

it('the defaults of a producer are those of the Java client 4.x', () => {
  const resolved = resolveProducerOptions({}, 'producer', []);
  expect(resolved).toMatchObject({
    acks: -1,
    enableIdempotence: true,
    lingerMs: 5,
    batchSize: 16_384,
    bufferMemory: 33_554_432,
    maxBlockMs: 60_000,
    deliveryTimeoutMs: 120_000,
    requestTimeoutMs: 30_000,
    maxInFlightRequestsPerConnection: 5,
    maxRequestSize: 1_048_576,
    retries: 2_147_483_647,
    retryBackoffMs: 100,
    retryBackoffMaxMs: 1000,
    compressionType: 'none',
    transactionTimeoutMs: 60_000,
    partitionerIgnoreKeys: false,
    partitionerAdaptivePartitioningEnable: true,
    partitionerAvailabilityTimeoutMs: 0,
  });
});

it.each([0, 1] as const)('idempotence is off by default with acks %i, as in Java', (acks) => {
  expect(resolveProducerOptions({ acks }, 'producer', [])).toMatchObject({
    enableIdempotence: false,
  });
});

describe('partitionerIgnoreKeys', () => {
  /** Where records of one key go. */
  async function partitionsOf(options: ProducerOptions): Promise<Set<number>> {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 4 } });
    const producer = sim.kafka().producer({ batchSize: 300, lingerMs: 0, ...options });
    const partitions = new Set<number>();
    for (let i = 0; i < 200; i++) {
      const record = { topic: TOPIC, key: 'anna', value: 'x'.repeat(100) };
      partitions.add((await sim.run(producer.send(record))).partition);
    }
    return partitions;
  }

  it('spreads records that have a key like those without one (KIP-794)', async () => {
    expect((await partitionsOf({ partitionerIgnoreKeys: true })).size).toBe(4);
    expect((await partitionsOf({})).size).toBe(1);
  });
});

describe('batchSize', () => {
  it('0 makes no batch wait, and loses no order', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 2 } });
    const producer = sim.kafka().producer({ batchSize: 0, lingerMs: 10_000 });
    const sends = Array.from({ length: 50 }, (_, i) =>
      producer.send({ topic: TOPIC, key: 'k', value: String(i) }),
    );
    const { partition } = (await sim.run(Promise.all(sends)))[0]!;
    expect(sim.clock.monotonic()).toBeLessThan(10_000);
    expect(values(sim, partition)).toEqual(sends.map((_, i) => String(i)));
  });
});

describe('compressionLevel', () => {
  /** What is left of a byte. */
  async function ratio(compressionLevel: number): Promise<number> {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer({ compressionType: 'gzip', compressionLevel });
    const words = Array.from({ length: 2000 }, (_, i) => `order ${(i * 7919) % 1009} of ${i % 31}`);
    await sim.run(producer.send({ topic: TOPIC, value: words.join(' ') }));
    return producer.metrics()['producer-metrics']!['compression-rate-avg']!;
  }

  it('reaches the codec (KIP-390)', async () => {
    expect(await ratio(9)).toBeLessThan(await ratio(1));
  });
});

describe('maxInFlightRequestsPerConnection', () => {
  it.each([1, 3])('%i is how many requests are on the way to a broker at most', async (limit) => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 8 } });
    const producer = sim.kafka().producer({ lingerMs: 0, maxInFlightRequestsPerConnection: limit });
    const inFlight = () => producer.metrics()['producer-metrics']!['requests-in-flight']!;
    await sim.run(producer.send({ topic: TOPIC, partition: 0, value: 'first' }));
    sim.cluster.delay('Produce', 1000);
    const sends: Promise<unknown>[] = [];
    let most = 0;
    for (let partition = 0; partition < 8; partition++) {
      sends.push(producer.send({ topic: TOPIC, partition, value: 'v' }));
      await sim.calm();
      most = Math.max(most, inFlight());
    }
    expect(most).toBe(limit);
    await sim.run(Promise.all(sends));
    expect(values(sim)).toHaveLength(9);
  });

  it('counts those of the producer alone, whoever else uses the connection', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const kafka = sim.kafka();
    const newProducer = () =>
      kafka.producer({
        lingerMs: 0,
        maxInFlightRequestsPerConnection: 1,
        deliveryTimeoutMs: 60_000,
      });
    const producers = [newProducer(), newProducer()];
    for (const producer of producers) {
      await sim.run(producer.send({ topic: TOPIC, value: 'first' }));
    }
    sim.cluster.delay('Produce', 1000);
    const startedAt = sim.clock.monotonic();
    const sends = producers.map((producer) => producer.send({ topic: TOPIC, value: 'second' }));
    await sim.calm();
    const inFlight = producers.map(
      (producer) => producer.metrics()['producer-metrics']!['requests-in-flight'],
    );
    expect(inFlight).toEqual([1, 1]);
    // Nobody tells the one that the other's request was answered: it would wait for its time to be up.
    await sim.run(Promise.all(sends));
    expect(sim.clock.monotonic() - startedAt).toBeLessThan(5000);
  });
});

describe('retryBackoffMs and retryBackoffMaxMs', () => {
  it('bound the waits between attempts, which double, give or take a fifth (KIP-580)', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer({ lingerMs: 0 });
    const at: number[] = [];
    sim.cluster.intercept('Produce', () => {
      at.push(sim.clock.monotonic());
      return undefined;
    });
    sim.cluster.failNext('Produce', 'NOT_ENOUGH_REPLICAS', 6);
    await sim.run(producer.send({ topic: TOPIC, value: 'v' }));
    const waits = at.slice(1).map((time, i) => time - at[i]!);
    const expected = [100, 200, 400, 800, 1000, 1000];
    expect(waits).toHaveLength(expected.length);
    for (const [i, wait] of waits.entries()) {
      expect(wait).toBeGreaterThanOrEqual(Math.floor(expected[i]! * 0.8));
      expect(wait).toBeLessThanOrEqual(Math.ceil(expected[i]! * 1.2) + 1);
    }
    expect(values(sim)).toEqual(['v']);
  });
});

describe('retries', () => {
  it('are counted beyond the first attempt; then the broker’s error is told', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer({ retries: 2 });
    sim.cluster.failNext('Produce', 'NOT_ENOUGH_REPLICAS', 3);
    const error = await rejectionOf(sim.run(producer.send({ topic: TOPIC, value: 'v' })));
    expect(error).toMatchObject({ code: 'NOT_ENOUGH_REPLICAS', context: { topic: TOPIC } });
    expect(sim.cluster.inspect().requests['Produce']).toBe(3);
    await sim.run(producer.send({ topic: TOPIC, value: 'next' }));
    expect(values(sim)).toEqual(['next']);
  });
});
