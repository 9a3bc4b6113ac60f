import { describe, expect, it } from 'vitest';
import type { ConsumerOptions } from '../../../src/index.js';
import { Simulation } from '../../support/simulation.js';
import { fill, offsetsOf, upTo, watch } from '../../support/watching.js';

const TOPIC = 'orders';
const where = { topic: TOPIC, partition: 0 };
const LEADER = 1;
const FOLLOWER = 2;
const racks = [
  { id: LEADER, rack: 'a' },
  { id: FOLLOWER, rack: 'b' },
];

function start() {
  return Simulation.start({
    brokers: racks,
    rackAwareFetch: true,
    topics: { [TOPIC]: { assignments: [[LEADER, FOLLOWER]] } },
  });
}

const nearby = { autoOffsetReset: 'earliest', clientRack: 'b', ack: 'manual' } as const;

function consume(sim: Simulation, options: ConsumerOptions = {}) {
  const consumer = sim.kafka().consumer({ ...nearby, ...options });
  const seen = watch(consumer.records(TOPIC), (record) => record.ack());
  return { consumer, seen };
}

/** How many fetches a broker was sent while something went on. */
async function fetchesTo(sim: Simulation, broker: number, during: () => Promise<void>) {
  const count = () =>
    sim.cluster.inspect().brokers.find(({ id }) => id === broker)!.requests['Fetch'] ?? 0;
  const before = count();
  await during();
  return count() - before;
}

describe('a consumer that names its rack (KIP-392)', () => {
  it('reads from the replica in it, as the leader tells, and asks the leader no more', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 5);
    const { seen } = consume(sim);
    await sim.until(() => seen.values.length === 5);
    const toLeader = await fetchesTo(sim, LEADER, async () => {
      for (let i = 0; i < 10; i++) {
        fill(sim, TOPIC, 0, 5);
        await sim.advance(1000);
      }
    });
    expect(toLeader).toBe(0);
    expect(offsetsOf(seen.values)).toEqual(upTo(55));
  });

  it('reads from the leader where it names none', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 5);
    const { seen } = consume(sim, { clientRack: '' });
    const toFollower = await fetchesTo(sim, FOLLOWER, () =>
      sim.until(() => seen.values.length === 5),
    );
    expect(toFollower).toBe(0);
  });

  it('asks the leader again after metadataMaxAgeMs, for another replica may be nearer by then', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 5);
    const { seen } = consume(sim, { metadataMaxAgeMs: 60_000 });
    await sim.until(() => seen.values.length === 5);
    expect(await fetchesTo(sim, LEADER, () => sim.advance(50_000))).toBe(0);
    expect(await fetchesTo(sim, LEADER, () => sim.advance(20_000))).toBe(1);
    expect(await fetchesTo(sim, FOLLOWER, () => sim.advance(20_000))).toBeGreaterThan(0);
  });

  it('goes back to the leader when the follower has no such offset, and resets nothing', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 5);
    const { seen } = consume(sim, { enableIncrementalFetchSessions: false });
    await sim.until(() => seen.values.length === 5);
    sim.cluster.failNext('Fetch', 'OFFSET_OUT_OF_RANGE', 1, { broker: FOLLOWER });
    const toLeader = await fetchesTo(sim, LEADER, async () => {
      await sim.advance(2000);
      fill(sim, TOPIC, 0, 5);
      await sim.until(() => seen.values.length === 10);
    });
    // Which sends it to the follower again, by now intact.
    expect(toLeader).toBe(1);
    expect(sim.eventsOf('fetch-failed')).toMatchObject([{ reason: 'OFFSET_OUT_OF_RANGE' }]);
    expect(sim.eventsOf('position-reset').map(({ reason }) => reason)).toEqual([
      'no-committed-offset',
    ]);
    expect(offsetsOf(seen.values)).toEqual(upTo(10));
  });

  it('is reset when the leader says that there is no such offset', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 5);
    const consumer = sim.kafka().consumer({ ...nearby, enableIncrementalFetchSessions: false });
    const seen = watch(consumer.records({ partitions: [{ ...where, start: { offset: 50 } }] }));
    await sim.until(() => seen.values.length === 5);
    expect(sim.eventsOf('position-reset').at(-1)).toMatchObject({
      reason: 'out-of-range',
      offset: 0,
    });
  });

  it('sends no flood of requests where leader and follower send it back and forth', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 5);
    const { seen } = consume(sim, { enableIncrementalFetchSessions: false });
    await sim.until(() => seen.values.length === 5);
    sim.cluster.failNext('Fetch', 'OFFSET_OUT_OF_RANGE', 100_000, { broker: FOLLOWER });
    const toFollower = await fetchesTo(sim, FOLLOWER, () => sim.advance(10_000));
    expect(toFollower).toBeGreaterThan(1);
    expect(toFollower).toBeLessThan(110);
    sim.cluster.clearFaults();
    fill(sim, TOPIC, 0, 5);
    await sim.until(() => seen.values.length === 10);
  });

  it('finds a replica that has joined the cluster since it asked, and sends no flood of requests', async () => {
    await using sim = await start();
    await sim.cluster.stop(FOLLOWER);
    fill(sim, TOPIC, 0, 5);
    const { seen } = consume(sim);
    await sim.until(() => seen.values.length === 5);
    await sim.cluster.start(FOLLOWER);
    let asked = 0;
    sim.cluster.intercept('Fetch', ({ broker }) => {
      if (broker === LEADER && ++asked > 100) throw new Error('a flood');
      return undefined;
    });
    const toFollower = await fetchesTo(sim, FOLLOWER, async () => {
      fill(sim, TOPIC, 0, 5);
      await sim.until(() => seen.values.length === 10);
    });
    expect(toFollower).toBeGreaterThan(0);
    expect(asked).toBeLessThan(10);
    expect(offsetsOf(seen.values)).toEqual(upTo(10));
  });

  it('reads on from the leader when the follower dies', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 5);
    const { seen } = consume(sim);
    await sim.until(() => seen.values.length === 5);
    await sim.cluster.stop(FOLLOWER);
    fill(sim, TOPIC, 0, 5);
    await sim.until(() => seen.values.length === 10);
    expect(offsetsOf(seen.values)).toEqual(upTo(10));
  });

  it('reads on when the leader dies and the follower leads', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 5);
    const { seen } = consume(sim);
    await sim.until(() => seen.values.length === 5);
    await sim.cluster.stop(LEADER);
    fill(sim, TOPIC, 0, 5);
    await sim.until(() => seen.values.length === 10);
    expect(offsetsOf(seen.values)).toEqual(upTo(10));
  });
});
