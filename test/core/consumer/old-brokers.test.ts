import { describe, expect, it } from 'vitest';
import { encodeRecords } from '../../../src/core/records/index.js';
import type { ConsumerOptions } from '../../../src/index.js';
import { kafkaReleases } from '../../../src/testing/versions.js';
import { limitVersions, versionsOf } from '../../support/api-limits.js';
import { Simulation } from '../../support/simulation.js';
import { fill, offsetsOf, upTo, watch } from '../../support/watching.js';

const TOPIC = 'orders';
const where = { topic: TOPIC, partition: 0 };
const codecs = ['none', 'gzip', 'snappy', 'lz4'] as const;

/** The newest format that a line of Kafka has. */
function magicOf(release: string): 0 | 1 | 2 {
  if (release === '0.8.2' || release === '0.9') return 0;
  return release.startsWith('0.10') ? 1 : 2;
}

/** Four sets of five records, one of each codec. */
function fillAll(sim: Simulation, partition: number, magic: 0 | 1 | 2): void {
  for (const compressionType of codecs) fill(sim, TOPIC, partition, 5, { magic, compressionType });
}

function read(sim: Simulation, offset: number, options: ConsumerOptions = {}) {
  const consumer = sim.kafka().consumer(options);
  const partitions = [{ ...where, start: { offset } }];
  return watch(consumer.records({ partitions }));
}

describe.each(kafkaReleases)('Kafka %s', (version) => {
  const magic = magicOf(version);
  const start = (partitions = 1) => Simulation.start({ version, topics: { [TOPIC]: partitions } });

  it('gives all records of plain and compressed sets, in order, with their offsets', async () => {
    await using sim = await start(3);
    for (const partition of upTo(3)) fillAll(sim, partition, magic);
    const consumer = sim
      .kafka()
      .consumer({ autoOffsetReset: 'earliest', maxPartitionFetchBytes: 300 });
    const seen = watch(consumer.records(TOPIC));
    await sim.until(() => seen.values.length === 60);
    for (const partition of upTo(3)) expect(offsetsOf(seen.values, partition)).toEqual(upTo(20));
    expect(seen.values.map(({ value }) => String(value))).toEqual(
      seen.values.map(({ partition, offset }) => `${partition}:${offset}`),
    );
  });

  it('gives a stretch that begins in the middle of a set from its first record on', async () => {
    await using sim = await start();
    fillAll(sim, 0, magic);
    for (const offset of [2, 7, 12, 17, 19]) {
      const seen = read(sim, offset);
      await sim.until(() => seen.values.length === 20 - offset);
      expect(offsetsOf(seen.values)).toEqual(upTo(20 - offset, offset));
      seen.subscription.unsubscribe();
    }
  });

  it('is asked in versions that it has, with a session only where it knows them', async () => {
    await using sim = await start();
    const sessions = new Set<number>();
    const versions = versionsOf(sim, 'Fetch');
    sim.cluster.intercept('Fetch', ({ body }) => {
      sessions.add(body.sessionEpoch);
      return undefined;
    });
    const seen = read(sim, 0);
    fillAll(sim, 0, magic);
    await sim.until(() => seen.values.length === 20);
    expect(versions.size).toBe(1);
    const [used] = versions;
    expect(sessions.has(0)).toBe(used! >= 7);
    expect(sessions.has(-1)).toBe(used! < 7);
  });
});

describe('the formats before 0.11', () => {
  it.each([0, 1] as const)(
    'magic %i: what was written under it is read through a newer broker beside newer batches',
    async (magic) => {
      await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
      fillAll(sim, 0, magic);
      fillAll(sim, 0, 2);
      fillAll(sim, 0, magic);
      const seen = read(sim, 3);
      await sim.until(() => seen.values.length === 57);
      expect(offsetsOf(seen.values)).toEqual(upTo(57, 3));
    },
  );

  it('magic 0 has no timestamps, magic 1 has: its own or the broker’s', async () => {
    await using sim = await Simulation.start({ version: '0.10.2', topics: { [TOPIC]: 1 } });
    sim.cluster.append(TOPIC, 0, encodeRecords([{ value: 'a' }], { magic: 0 }));
    sim.cluster.append(TOPIC, 0, encodeRecords([{ value: 'b', timestamp: 1234 }], { magic: 1 }));
    const seen = read(sim, 0);
    await sim.until(() => seen.values.length === 2);
    expect(seen.values.map(({ timestamp }) => timestamp)).toEqual([-1, 1234]);
  });
});

describe.each([4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16, 17])('Fetch %i', (version) => {
  it('reads several partitions in order, and follows a leader that moves', async () => {
    await using sim = await Simulation.start({ brokers: 2, topics: { [TOPIC]: 3 } });
    limitVersions(sim, { Fetch: version });
    const versions = versionsOf(sim, 'Fetch');
    for (const partition of upTo(3)) fill(sim, TOPIC, partition, 10);
    const consumer = sim.kafka().consumer({ autoOffsetReset: 'earliest' });
    const seen = watch(consumer.records(TOPIC));
    await sim.until(() => seen.values.length === 30);
    const { leader } = sim.cluster.inspect().topics[TOPIC]!.partitions[0]!;
    sim.cluster.moveLeader(TOPIC, 0, 3 - leader);
    for (const partition of upTo(3)) fill(sim, TOPIC, partition, 10);
    await sim.until(() => seen.values.length === 60);
    for (const partition of upTo(3)) expect(offsetsOf(seen.values, partition)).toEqual(upTo(20));
    expect([...versions]).toEqual([version]);
  });
});

describe('fetch sessions (KIP-227)', () => {
  const quiet = { autoOffsetReset: 'earliest' } as const;

  async function startQuiet(slots?: number) {
    const options = slots === undefined ? {} : { maxIncrementalFetchSessionCacheSlots: slots };
    const sim = await Simulation.start({ ...options, topics: { [TOPIC]: 20 } });
    for (const partition of upTo(20)) fill(sim, TOPIC, partition, 2);
    return sim;
  }

  it('name only the partitions whose fetch has changed', async () => {
    await using sim = await startQuiet();
    const seen = watch(sim.kafka().consumer(quiet).records(TOPIC));
    await sim.until(() => seen.values.length === 40);
    await sim.advance(2000);
    const named: number[] = [];
    sim.cluster.intercept('Fetch', ({ body }) => {
      named.push(body.topics.reduce((sum, { partitions }) => sum + partitions.length, 0));
      return undefined;
    });
    fill(sim, TOPIC, 7, 1);
    await sim.until(() => seen.values.length === 41);
    await sim.advance(5000);
    expect(named.reduce((sum, count) => sum + count, 0)).toBe(1);
    expect(named.length).toBeGreaterThan(5);
  });

  it.each([
    'FETCH_SESSION_ID_NOT_FOUND',
    'INVALID_FETCH_SESSION_EPOCH',
    'FETCH_SESSION_TOPIC_ID_ERROR',
  ])('that the broker refuses with %s begin anew, and nothing is lost or told', async (error) => {
    await using sim = await startQuiet();
    const seen = watch(sim.kafka().consumer(quiet).records(TOPIC));
    await sim.until(() => seen.values.length === 40);
    sim.cluster.failNext('Fetch', error, 1);
    await sim.advance(2000);
    for (const partition of upTo(20)) fill(sim, TOPIC, partition, 1);
    await sim.until(() => seen.values.length === 60);
    for (const partition of upTo(20)) expect(offsetsOf(seen.values, partition)).toEqual(upTo(3));
    expect(sim.eventsOf('fetch-failed')).toEqual([]);
  });

  it('are done without where the broker has no room for them', async () => {
    await using sim = await startQuiet(0);
    const seen = watch(sim.kafka().consumer(quiet).records(TOPIC));
    await sim.until(() => seen.values.length === 40);
    fill(sim, TOPIC, 3, 1);
    await sim.until(() => seen.values.length === 41);
  });

  it('survive an answer that never came: the next fetch is a full one', async () => {
    await using sim = await startQuiet();
    const seen = watch(sim.kafka().consumer(quiet).records(TOPIC));
    await sim.until(() => seen.values.length === 40);
    sim.cluster.drop('Fetch', 1, { when: 'after' });
    for (const partition of upTo(20)) fill(sim, TOPIC, partition, 1);
    await sim.until(() => seen.values.length === 60);
    for (const partition of upTo(20)) expect(offsetsOf(seen.values, partition)).toEqual(upTo(3));
  });

  it('are given back to the broker when the subscription ends', async () => {
    await using sim = await startQuiet();
    const consumer = sim.kafka().consumer(quiet);
    const closed: number[] = [];
    sim.cluster.intercept('Fetch', ({ body }) => {
      if (body.sessionId !== 0 && body.sessionEpoch === -1) closed.push(body.sessionId);
      return undefined;
    });
    const seen = watch(consumer.records(TOPIC));
    await sim.until(() => seen.values.length === 40);
    seen.subscription.unsubscribe();
    await sim.advance(2000);
    expect(closed).toHaveLength(1);
  });
});
