import { describe, expect, it } from 'vitest';
import type { ConsumerOptions } from '../../../src/index.js';
import { limitVersions, versionsOf } from '../../support/api-limits.js';
import { Simulation } from '../../support/simulation.js';
import { fill, offsetsOf, upTo, watch } from '../../support/watching.js';

const TOPIC = 'orders';
const where = { topic: TOPIC, partition: 0 };
const manual = { ack: 'manual', autoOffsetReset: 'earliest' } as const;

/** The last version with which brokers say nothing of diverging epochs in a fetch. */
const BEFORE_DIVERGENCE = { Fetch: 11 };

function start(brokers = 2) {
  return Simulation.start({ brokers, topics: { [TOPIC]: 1 } });
}

function consume(
  sim: Simulation,
  options: ConsumerOptions = {},
  acks: (offset: number) => boolean = () => true,
) {
  const kafka = sim.kafka({ metadataMaxAgeMs: 1000 });
  const consumer = kafka.consumer({ ...manual, ...options });
  const seen = watch(consumer.records(TOPIC), (record) => {
    if (acks(record.offset)) record.ack();
  });
  return { consumer, seen, position: () => consumer.position(where) };
}

/** Loses the end of the log, and has other records written in its place. */
function rewrite(sim: Simulation, from: number, count: number) {
  sim.cluster.truncate(TOPIC, 0, from);
  fill(sim, TOPIC, 0, count);
}

describe.each([
  ['Fetch 12 or later, whose answers tell where epochs diverge (KIP-595)', {}],
  ['older versions, where OffsetForLeaderEpoch tells (KIP-320)', BEFORE_DIVERGENCE],
])('a log that was cut off behind what was consumed, with %s', (_title, limits) => {
  it('is noticed, told of, and read on from where it was cut off', async () => {
    await using sim = await start();
    limitVersions(sim, limits);
    for (let i = 0; i < 10; i++) fill(sim, TOPIC, 0, 1);
    const { seen, position } = consume(sim);
    await sim.until(() => position() === 10);
    rewrite(sim, 6, 8);
    await sim.until(() => position() === 14);
    expect(offsetsOf(seen.values)).toEqual([...upTo(10), ...upTo(8, 6)]);
    expect(sim.eventsOf('truncated')).toMatchObject([{ ...where, offset: 6, consumedOffset: 10 }]);
  });

  it('ends the stream with LOG_TRUNCATION, naming the offset, where autoOffsetReset is none', async () => {
    await using sim = await start();
    limitVersions(sim, limits);
    for (let i = 0; i < 10; i++) fill(sim, TOPIC, 0, 1);
    const kafka = sim.kafka({ metadataMaxAgeMs: 1000 });
    const consumer = kafka.consumer({ ack: 'manual', autoOffsetReset: 'none' });
    const partitions = [{ ...where, start: 'beginning' as const }];
    const seen = watch(consumer.records({ partitions }), (record) => record.ack());
    await sim.until(() => seen.values.length === 10);
    rewrite(sim, 6, 8);
    await sim.until(() => seen.error !== undefined);
    expect(seen.error).toMatchObject({ code: 'LOG_TRUNCATION', context: { ...where, offset: 6 } });
    expect((seen.error as Error).message).toMatch(/orders-0.*6.*10/);
    expect(offsetsOf(seen.values)).toEqual(upTo(10));
  });

  it('is read again from the oldest record that is not acked: the cut passes nothing unprocessed', async () => {
    await using sim = await start();
    limitVersions(sim, limits);
    for (let i = 0; i < 10; i++) fill(sim, TOPIC, 0, 1);
    const options = { groupId: 'billing', autoCommitIntervalMs: 100 };
    const { seen, position } = consume(sim, options, (offset) => offset < 3);
    await sim.until(() => position() === 10);
    rewrite(sim, 6, 4);
    await sim.until(() => sim.eventsOf('truncated').length === 1);
    await sim.advance(1000);
    expect(offsetsOf(seen.values)).toEqual([...upTo(10), ...upTo(7, 3)]);
    expect(sim.cluster.groupOffsets('billing')[TOPIC]![0]!.offset).toBe(3);
  });

  it('has what is committed put right at the next interval, though nothing is written or acked', async () => {
    await using sim = await start();
    limitVersions(sim, limits);
    for (let i = 0; i < 10; i++) fill(sim, TOPIC, 0, 1);
    const committed = () => sim.cluster.groupOffsets('billing')[TOPIC]?.[0]?.offset;
    const { position } = consume(sim, { groupId: 'billing', autoCommitIntervalMs: 100 });
    await sim.until(() => committed() === 10);
    sim.cluster.truncate(TOPIC, 0, 6);
    await sim.until(() => position() === 6);
    await sim.advance(200);
    expect(committed()).toBe(6);
    const commits = sim.cluster.inspect().requests['OffsetCommit'];
    await sim.advance(10_000);
    expect(sim.cluster.inspect().requests['OffsetCommit']).toBe(commits);
  });

  it('is no matter where only records are gone that nobody has seen', async () => {
    await using sim = await start();
    limitVersions(sim, limits);
    for (let i = 0; i < 10; i++) fill(sim, TOPIC, 0, 1);
    const { consumer, seen } = consume(sim, { maxUnackedRecords: 4 }, () => false);
    await sim.until(() => seen.values.length === 4);
    await sim.advance(1000);
    rewrite(sim, 4, 2);
    await sim.advance(5000);
    expect(sim.eventsOf('truncated')).toEqual([]);
    for (const record of seen.values) record.ack();
    await sim.until(() => seen.values.length === 6);
    expect(offsetsOf(seen.values)).toEqual(upTo(6));
    expect(consumer.position(where)).toBe(6);
  });
});

describe('a leader that moves', () => {
  it('costs nothing where its log is whole: no record twice, none missing, nothing told', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 10);
    const { seen, position } = consume(sim);
    await sim.until(() => position() === 10);
    sim.cluster.moveLeader(TOPIC, 0, 2);
    fill(sim, TOPIC, 0, 10);
    await sim.until(() => position() === 20);
    sim.cluster.moveLeader(TOPIC, 0, 1);
    fill(sim, TOPIC, 0, 10);
    await sim.until(() => position() === 30);
    expect(offsetsOf(seen.values)).toEqual(upTo(30));
    expect(sim.eventsOf('truncated')).toEqual([]);
  });

  it('is asked as the leader of the epoch that is known, so that one that was deposed refuses', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 10);
    const asked: number[] = [];
    sim.cluster.intercept('OffsetForLeaderEpoch', ({ body }) => {
      asked.push(body.topics[0]!.partitions[0]!.currentLeaderEpoch);
      return undefined;
    });
    const { position } = consume(sim);
    await sim.until(() => position() === 10);
    sim.cluster.moveLeader(TOPIC, 0, 2);
    await sim.until(() => asked.length > 0);
    expect(asked[0]).toBe(sim.cluster.inspect().topics[TOPIC]!.partitions[0]!.leaderEpoch);
  });
});

describe('a committed offset', () => {
  async function committedThenCut(sim: Simulation, groupId: string) {
    for (let i = 0; i < 10; i++) fill(sim, TOPIC, 0, 1);
    const first = consume(sim, { groupId });
    await sim.until(() => first.position() === 10);
    await sim.run(first.consumer.drain());
    expect(sim.cluster.groupOffsets(groupId)[TOPIC]![0]!.offset).toBe(10);
    rewrite(sim, 6, 8);
  }

  it.each([
    ['before the first fetch, by its leader epoch', BEFORE_DIVERGENCE],
    ['also where fetches would tell', {}],
  ])('is checked against the log %s', async (_title, limits) => {
    await using sim = await start();
    limitVersions(sim, limits);
    await committedThenCut(sim, 'billing');
    const { seen, position } = consume(sim, { groupId: 'billing' });
    await sim.until(() => position() === 14);
    expect(offsetsOf(seen.values)).toEqual(upTo(8, 6));
    expect(sim.eventsOf('truncated')).toMatchObject([{ offset: 6, consumedOffset: 10 }]);
  });

  it('that the log no longer leads to ends the stream where autoOffsetReset is none', async () => {
    await using sim = await start();
    limitVersions(sim, BEFORE_DIVERGENCE);
    await committedThenCut(sim, 'billing');
    const { seen } = consume(sim, { groupId: 'billing', autoOffsetReset: 'none' });
    await sim.until(() => seen.error !== undefined);
    expect(seen.error).toMatchObject({ code: 'LOG_TRUNCATION' });
    expect(seen.values).toEqual([]);
  });

  it('is taken as it is where the broker is too old to be asked, or does not allow it', async () => {
    for (const limits of [{ Fetch: 8, OffsetForLeaderEpoch: 0 }, BEFORE_DIVERGENCE]) {
      await using sim = await start();
      limitVersions(sim, limits);
      fill(sim, TOPIC, 0, 10);
      const first = consume(sim, { groupId: 'billing' });
      await sim.until(() => first.position() === 10);
      await sim.run(first.consumer.drain());
      fill(sim, TOPIC, 0, 5);
      sim.cluster.failNext('OffsetForLeaderEpoch', 'CLUSTER_AUTHORIZATION_FAILED', 1000);
      const { seen } = consume(sim, { groupId: 'billing' });
      await sim.until(() => seen.values.length === 5);
      expect(offsetsOf(seen.values)).toEqual(upTo(5, 10));
    }
  });

  it('is checked once, and not again while its leader stays', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 10);
    const first = consume(sim, { groupId: 'billing' });
    await sim.until(() => first.position() === 10);
    await sim.run(first.consumer.drain());
    versionsOf(sim, 'OffsetForLeaderEpoch');
    const { seen } = consume(sim, { groupId: 'billing' });
    fill(sim, TOPIC, 0, 10);
    await sim.until(() => seen.values.length === 10);
    await sim.advance(60_000);
    expect(sim.cluster.inspect().requests['OffsetForLeaderEpoch']).toBe(1);
  });

  it('of an epoch that is newer than what is known of the leader waits for newer knowledge', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 10);
    const first = consume(sim, { groupId: 'billing' });
    await sim.until(() => first.position() === 10);
    const epochs: number[] = [];
    sim.cluster.intercept('OffsetForLeaderEpoch', ({ body }) => {
      epochs.push(body.topics[0]!.partitions[0]!.currentLeaderEpoch);
      return undefined;
    });
    // The second consumer learns of the leader, and then hears nothing of the move.
    const late = sim.kafka({ metadataMaxAgeMs: 300_000 });
    await sim.run(late.consumer().endOffsets([where]));
    sim.cluster.moveLeader(TOPIC, 0, 2);
    fill(sim, TOPIC, 0, 1);
    await sim.until(() => first.position() === 11);
    await sim.run(first.consumer.drain());
    epochs.length = 0;
    fill(sim, TOPIC, 0, 1);
    const seen = watch(late.consumer({ ...manual, groupId: 'billing' }).records(TOPIC));
    await sim.until(() => seen.values.length === 1);
    expect(offsetsOf(seen.values)).toEqual([11]);
    expect(epochs).toEqual([1]);
    expect(sim.eventsOf('position-reset').at(-1)).toMatchObject({
      reason: 'committed',
      offset: 11,
    });
  });
});
