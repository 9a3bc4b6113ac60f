import { describe, expect, it } from 'vitest';
import type { ProducerOptions } from '../../../src/index.js';
import { rejectionOf, Simulation } from '../../support/simulation.js';

const TOPIC = 'orders';
const SLOW = 1;

/** Two partitions on two brokers; the second takes its time for each request. */
async function unequal(slowMs: number): Promise<Simulation> {
  const sim = await Simulation.start({ brokers: 2, topics: { [TOPIC]: 2 } });
  sim.cluster.moveLeader(TOPIC, 0, 1);
  sim.cluster.moveLeader(TOPIC, SLOW, 2);
  sim.cluster.delay('Produce', slowMs, { broker: 2 });
  return sim;
}

/** Sends records without a key for a while, and counts where they went. */
async function spread(
  sim: Simulation,
  options: ProducerOptions,
  rounds: number,
): Promise<number[]> {
  const producer = sim.kafka().producer({
    batchSize: 500,
    lingerMs: 0,
    // So that a batch does not grow while the broker is busy.
    maxRequestSize: 4000,
    maxInFlightRequestsPerConnection: 1,
    ...options,
  });
  const sends = [0, 1].map((partition) =>
    producer.send({ topic: TOPIC, partition, value: 'warm' }),
  );
  await sim.run(Promise.all(sends));
  const counts = [0, 0];
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < 10; i++) {
      void producer
        .send({ topic: TOPIC, value: 'x'.repeat(200) })
        .then(({ partition }) => counts[partition]!++);
    }
    await sim.advance(20);
  }
  await sim.run(producer.flush());
  return counts;
}

describe('records without a key (KIP-794)', () => {
  it('go to slow partitions less often, since their queues are longer', async () => {
    await using sim = await unequal(400);
    const [fast, slow] = await spread(sim, {}, 100);
    expect(fast! + slow!).toBe(1000);
    expect(slow!).toBeGreaterThan(0);
    expect(fast!).toBeGreaterThan(2 * slow!);
  });

  it('go everywhere alike without partitionerAdaptivePartitioningEnable', async () => {
    await using sim = await unequal(400);
    const [fast, slow] = await spread(sim, { partitionerAdaptivePartitioningEnable: false }, 100);
    expect(slow!).toBeGreaterThan(350);
    expect(fast!).toBeGreaterThan(350);
  });

  it('avoid a partition that takes nothing for partitionerAvailabilityTimeoutMs, until it does', async () => {
    await using sim = await unequal(60_000);
    const producer = sim.kafka({ requestTimeoutMs: 120_000 }).producer({
      batchSize: 500,
      lingerMs: 0,
      maxRequestSize: 4000,
      maxInFlightRequestsPerConnection: 1,
      requestTimeoutMs: 120_000,
      deliveryTimeoutMs: 600_000,
      partitionerAdaptivePartitioningEnable: false,
      partitionerAvailabilityTimeoutMs: 1000,
    });
    const partitions: number[] = [];
    const sendSome = async (count: number) => {
      for (let i = 0; i < count; i++) {
        void producer
          .send({ topic: TOPIC, value: 'x'.repeat(200) })
          .then(({ partition }) => partitions.push(partition));
        await sim.advance(20);
      }
    };
    // By now its one request is on the way, and a batch waits behind it.
    await sendSome(50);
    await sim.advance(2000);
    const before = partitions.length;
    await sendSome(100);
    // But for those that go where the last ones went until that is a batch.
    expect(partitions.length - before).toBeGreaterThanOrEqual(95);
    expect(new Set(partitions.slice(before))).toEqual(new Set([0]));
    sim.cluster.clearFaults();
    await sim.run(producer.flush());
    partitions.length = 0;
    await sendSome(100);
    expect(new Set(partitions)).toEqual(new Set([0, 1]));
  });

  it('go to a partition again when what waited for its broker was given up, and nothing does', async () => {
    await using sim = await unequal(0);
    const producer = sim.kafka().producer({
      batchSize: 200,
      lingerMs: 0,
      requestTimeoutMs: 1000,
      deliveryTimeoutMs: 3000,
      partitionerAvailabilityTimeoutMs: 500,
    });
    const send = (partition?: number) =>
      producer.send({ topic: TOPIC, value: 'x'.repeat(200), partition });
    await sim.run(Promise.all([send(0), send(SLOW)]));
    sim.cluster.drop('Produce', 1, { broker: 2 });
    const undo = sim.cluster.delay('ApiVersions', 30_000, { broker: 2 });
    await sim.run(rejectionOf(send(SLOW)));
    undo();
    await sim.advance(60_000);
    const seen = new Set<number>();
    for (let i = 0; i < 50; i++) seen.add((await sim.run(send())).partition);
    expect(seen).toEqual(new Set([0, 1]));
  });
});
