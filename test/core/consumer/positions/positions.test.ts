import { describe, expect, it } from 'vitest';
import type { Consumer, ConsumerOptions } from '../../../../src/index.js';
import { limitVersions } from '../../../support/api-limits.js';
import { EmbeddedClient } from '../../../support/embedded-client.js';
import { Simulation } from '../../../support/simulation.js';
import { fill, offsetsOf, upTo, watch } from '../../../support/watching.js';

const TOPIC = 'orders';
const where = { topic: TOPIC, partition: 0 };
const manual = { ack: 'manual', autoOffsetReset: 'earliest' } as const;

function start(partitions = 1, brokers = 1) {
  return Simulation.start({
    brokers,
    autoCreateTopicsEnable: false,
    topics: { [TOPIC]: partitions },
  });
}

/** Deletes the records in front of an offset, as retention does. */
async function deleteBefore(sim: Simulation, offset: number): Promise<void> {
  const client = new EmbeddedClient(sim.cluster);
  const topics = [{ name: TOPIC, partitions: [{ partitionIndex: 0, offset }] }];
  await sim.run(client.request('DeleteRecords', 2, { topics, timeoutMs: 1000 }));
  client.close();
}

/** A record a minute: 20 of them, the last just now. */
async function twentyMinutes(sim: Simulation): Promise<void> {
  for (let i = 0; i < 20; i++) {
    if (i > 0) await sim.advance(60_000);
    fill(sim, TOPIC, 0, 1);
  }
}

describe('an offset that the log no longer has', () => {
  it.each([
    ['earliest', 10],
    ['latest', 20],
    ['by_duration:PT5M30S', 14],
    ['by_duration:PT1S', 19],
    ['by_duration:PT0S', 19],
    ['by_duration:P1D', 10],
  ] as const)(
    'is reset by %s to offset %i, with the reason, and nothing is read twice',
    async (policy, to) => {
      await using sim = await start();
      await twentyMinutes(sim);
      await deleteBefore(sim, 10);
      const consumer = sim.kafka().consumer({ autoOffsetReset: policy });
      const partitions = [{ ...where, start: { offset: 3 } }];
      const seen = watch(consumer.records({ partitions }));
      await sim.until(() => sim.eventsOf('position-reset').length === 2);
      fill(sim, TOPIC, 0, 2);
      await sim.until(() => seen.values.length >= 22 - to);
      expect(offsetsOf(seen.values)).toEqual(upTo(22 - to, to));
      expect(sim.eventsOf('position-reset').map(({ offset, reason }) => [offset, reason])).toEqual([
        [3, 'seek'],
        [to, 'out-of-range'],
      ]);
    },
  );

  it.each([3, 30])(
    'ends the stream where the policy is none, naming offset %i and what to do',
    async (offset) => {
      await using sim = await start();
      fill(sim, TOPIC, 0, 20);
      await deleteBefore(sim, 10);
      const consumer = sim.kafka().consumer({ autoOffsetReset: 'none' });
      const seen = watch(consumer.records({ partitions: [{ ...where, start: { offset } }] }));
      await sim.until(() => seen.error !== undefined);
      expect(seen.error).toMatchObject({
        code: 'OFFSET_OUT_OF_RANGE',
        context: { ...where, offset },
      });
      expect((seen.error as Error).message).toMatch(/orders-0.*autoOffsetReset.*Seek/);
    },
  );

  it('is not reset before what was fetched is delivered, and what was delivered is acked', async () => {
    await using sim = await start();
    for (let i = 0; i < 20; i++) fill(sim, TOPIC, 0, 1);
    const consumer = sim.kafka().consumer({
      ...manual,
      groupId: 'billing',
      autoCommitIntervalMs: 100,
      maxUnackedRecords: 5,
      maxPartitionFetchBytes: 1,
    });
    const seen = watch(consumer.records(TOPIC));
    await sim.until(() => seen.values.length === 5);
    await sim.advance(1000);
    await deleteBefore(sim, 10);
    for (const record of seen.values.slice(0, 4)) record.ack();
    await sim.until(() => sim.eventsOf('fetch-failed').length > 1);
    await sim.advance(5000);
    // At work on what exists nowhere else any more: that comes first, however long it takes.
    expect(sim.cluster.groupOffsets('billing')[TOPIC]?.[0]?.offset).toBe(4);
    expect(sim.eventsOf('fetch-failed').at(-1)).toMatchObject({
      ...where,
      reason: 'OFFSET_OUT_OF_RANGE',
    });
    const fetched = seen.values.length;
    for (const record of seen.values) record.ack();
    await sim.until(() => seen.values.length > fetched);
    expect(sim.eventsOf('position-reset').at(-1)).toMatchObject({ reason: 'out-of-range' });
    expect(offsetsOf(seen.values).slice(0, fetched + 1)).toEqual([...upTo(fetched), 10]);
  });
});

it.each<[string, number, (sim: Simulation, consumer: Consumer) => unknown]>([
  ['a reset', 20, (sim) => deleteBefore(sim, 10)],
  ['a seek', 15, (_, consumer) => consumer.seek(where, { offset: 15 })],
])('%s is committed at the next interval, though nothing is acked', async (_, offset, move) => {
  await using sim = await start();
  fill(sim, TOPIC, 0, 20);
  const consumer = sim.kafka().consumer({
    ...manual,
    autoOffsetReset: 'latest',
    groupId: 'billing',
    autoCommitIntervalMs: 100,
  });
  const committed = () => sim.cluster.groupOffsets('billing')[TOPIC]?.[0]?.offset;
  consumer.pause([where]);
  watch(consumer.records({ partitions: [{ ...where, start: { offset: 3 } }] }));
  await sim.until(() => committed() === 3);
  await move(sim, consumer);
  consumer.resume();
  await sim.until(() => consumer.position(where) === 20);
  await sim.advance(200);
  expect(committed()).toBe(offset);
});

describe('where a group has committed nothing', () => {
  it.each([
    ['earliest', 0],
    ['latest', 20],
    ['by_duration:PT5M30S', 14],
  ] as const)('%s begins at offset %i', async (policy, offset) => {
    await using sim = await start();
    await twentyMinutes(sim);
    const consumer = sim.kafka().consumer({ groupId: 'billing', autoOffsetReset: policy });
    watch(consumer.records(TOPIC));
    await sim.until(() => sim.eventsOf('position-reset').length === 1);
    expect(sim.eventsOf('position-reset')).toMatchObject([
      { offset, reason: 'no-committed-offset' },
    ]);
  });

  it('none ends the stream, naming the group', async () => {
    await using sim = await start();
    const consumer = sim.kafka().consumer({ groupId: 'billing', autoOffsetReset: 'none' });
    const seen = watch(consumer.records(TOPIC));
    await sim.until(() => seen.error !== undefined);
    expect(seen.error).toMatchObject({ code: 'NO_OFFSET_FOR_PARTITION', context: where });
    expect((seen.error as Error).message).toContain('billing');
  });

  it('the start that was resolved is committed when the partition is given up, so that the next owner can’t skip by latest', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 10);
    const options = { groupId: 'billing', autoOffsetReset: 'latest' } as const;
    const first = sim.kafka().consumer(options);
    watch(first.records(TOPIC));
    await sim.until(() => first.position(where) === 10);
    await sim.run(first.drain());
    expect(sim.cluster.groupOffsets('billing')[TOPIC]?.[0]?.offset).toBe(10);
    fill(sim, TOPIC, 0, 5);
    const second = watch(sim.kafka().consumer(options).records(TOPIC));
    await sim.until(() => second.values.length === 5);
    expect(offsetsOf(second.values)).toEqual(upTo(5, 10));
  });
});

describe('a start by time', () => {
  it('is the first record of that time or later, on every version of ListOffsets that can tell', async () => {
    for (const version of [1, 2, 4, 5, 7, 10]) {
      await using sim = await start();
      limitVersions(sim, { ListOffsets: version });
      await twentyMinutes(sim);
      const timestamp = Math.floor(sim.clock.now()) - 5.5 * 60_000;
      const consumer = sim.kafka().consumer({ autoOffsetReset: 'none' });
      const seen = watch(consumer.records({ partitions: [{ ...where, start: { timestamp } }] }));
      await sim.until(() => seen.values.length === 6);
      expect(offsetsOf(seen.values)).toEqual(upTo(6, 14));
    }
  });

  it('is the end where no record is that young, so that the next one comes', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 3);
    const timestamp = Math.floor(sim.clock.now()) + 60_000;
    const consumer = sim.kafka().consumer();
    const seen = watch(consumer.records({ partitions: [{ ...where, start: { timestamp } }] }));
    await sim.until(() => consumer.position(where) === 3);
    fill(sim, TOPIC, 0, 1);
    await sim.until(() => seen.values.length === 1);
    expect(offsetsOf(seen.values)).toEqual([3]);
  });
});

describe('partitions of one consumer', () => {
  it('begin each as soon as its own leader has answered: one without a leader keeps no other waiting', async () => {
    await using sim = await start(4, 3);
    const replicas = sim.cluster.inspect().topics[TOPIC]!.partitions.map(({ leader }) => leader);
    for (const partition of upTo(4)) fill(sim, TOPIC, partition, 5);
    // What nobody leads any more: all other replicas of it are gone.
    sim.cluster.createTopic('alone', { assignments: [[replicas[0]!]] });
    const others = sim.cluster.brokerIds.filter((id) => id !== replicas[0]);
    await sim.cluster.stop(replicas[0]!);
    const consumer = sim.kafka().consumer(manual);
    const seen = watch(consumer.records([TOPIC, 'alone']), (record) => record.ack());
    await sim.until(() => seen.values.length === 20);
    expect(others).toHaveLength(2);
    expect(consumer.position({ topic: 'alone', partition: 0 })).toBeUndefined();
    await sim.cluster.start(replicas[0]!);
    await sim.until(() => consumer.position({ topic: 'alone', partition: 0 }) === 0);
  });

  it('begin each as soon as its own leader has answered: one that is slow keeps no other waiting', async () => {
    await using sim = await start(4, 2);
    for (const partition of upTo(4)) fill(sim, TOPIC, partition, 5);
    sim.cluster.delay('ListOffsets', 20_000, { broker: 2 });
    const consumer = sim.kafka().consumer(manual);
    const seen = watch(consumer.records(TOPIC), (record) => record.ack());
    await sim.until(() => seen.values.length === 10);
    expect(sim.clock.monotonic()).toBeLessThan(5000);
    await sim.until(() => seen.values.length === 20);
  });

  it('are looked for no longer when they are given up, with no leader in sight', async () => {
    await using sim = await Simulation.start({
      brokers: 2,
      autoCreateTopicsEnable: false,
      topics: { [TOPIC]: { assignments: [[1], [2]] } },
    });
    await sim.cluster.stop(2);
    const consumer = sim.kafka().consumer({
      ...manual,
      groupId: 'billing',
      groupProtocol: 'classic',
      metadataMaxAgeMs: 10_000,
    });
    watch(consumer.records(/orders/));
    await sim.until(() => consumer.assignment.length === 2);
    await sim.advance(1000);
    sim.cluster.deleteTopic(TOPIC);
    await sim.until(() => consumer.assignment.length === 0);
    await sim.advance(1000);
    const asked = () => sim.cluster.inspect().brokers[0]!.requests['Metadata'] ?? 0;
    const before = asked();
    await sim.advance(100_000);
    expect(asked() - before).toBeLessThanOrEqual(20);
  });

  it('are told of in no event that they have been lost before they began', async () => {
    await using sim = await start(2, 2);
    sim.cluster.delay('ListOffsets', 5000);
    const consumer = sim.kafka().consumer({ ...manual, groupId: 'billing' });
    watch(consumer.records(TOPIC));
    await sim.until(() => consumer.assignment.length === 2);
    await sim.run(consumer.drain());
    await sim.advance(10_000);
    expect(sim.eventsOf('position-reset')).toEqual([]);
  });
});

describe('a partition that is added while its topic is subscribed', () => {
  const options: ConsumerOptions = { autoOffsetReset: 'latest', metadataMaxAgeMs: 1000 };

  it.each([
    ['in a group', { ...options, groupId: 'billing' }],
    ['without a group', options],
  ])('is read from its beginning, whatever autoOffsetReset says, %s', async (_title, given) => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 5);
    const consumer = sim.kafka({ metadataMaxAgeMs: 1000 }).consumer(given);
    const seen = watch(consumer.records(TOPIC));
    await sim.until(() => consumer.position(where) === 5);
    const client = new EmbeddedClient(sim.cluster);
    const topics = [{ name: TOPIC, count: 2, assignments: null }];
    const body = { topics, timeoutMs: 1000, validateOnly: false };
    await sim.run(client.request('CreatePartitions', 3, body));
    fill(sim, TOPIC, 1, 3);
    await sim.until(() => seen.values.length === 3);
    expect(offsetsOf(seen.values, 1)).toEqual(upTo(3));
  });
});

describe('a topic that is deleted and made anew', () => {
  const quick = { metadataMaxAgeMs: 1000 };

  it('is read from its beginning under its new id, told as recreated, and acks of the old one change nothing', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 10);
    const consumer = sim.kafka(quick).consumer({ ...manual, ...quick, groupId: 'billing' });
    const seen = watch(consumer.records(TOPIC));
    await sim.until(() => seen.values.length === 10);
    sim.cluster.deleteTopic(TOPIC);
    await sim.advance(3000);
    sim.cluster.createTopic(TOPIC, { partitions: 1 });
    fill(sim, TOPIC, 0, 4);
    await sim.until(() => seen.values.length === 14);
    expect(sim.eventsOf('position-reset').at(-1)).toMatchObject({ offset: 0, reason: 'recreated' });
    for (const record of seen.values.slice(0, 10)) record.ack();
    await sim.run(consumer.commit());
    expect(sim.cluster.groupOffsets('billing')[TOPIC]?.[0]?.offset).toBe(0);
    for (const record of seen.values.slice(10)) record.ack();
    await sim.run(consumer.commit());
    expect(sim.cluster.groupOffsets('billing')[TOPIC]?.[0]?.offset).toBe(4);
  });

  it('gets no offset that was meant for the one before, when that is given up because it is gone', async () => {
    await using sim = await start();
    const options = { ...manual, ...quick, groupId: 'billing', groupProtocol: 'classic' } as const;
    fill(sim, TOPIC, 0, 10);
    const consumer = sim.kafka(quick).consumer(options);
    const seen = watch(consumer.records(TOPIC));
    await sim.until(() => seen.values.length === 10);
    await sim.advance(3000);
    sim.cluster.deleteTopic(TOPIC);
    await sim.until(() => sim.eventsOf('draining').length === 1);
    sim.cluster.createTopic(TOPIC, { partitions: 1 });
    fill(sim, TOPIC, 0, 12);
    for (const record of seen.values) record.ack();
    await sim.until(() => seen.values.length === 22);
    expect(offsetsOf(seen.values)).toEqual([...upTo(10), ...upTo(12)]);
  });

  it('ends the stream where autoOffsetReset is none, saying why', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 10);
    const consumer = sim.kafka(quick).consumer({ autoOffsetReset: 'none', ...quick });
    const partitions = [{ ...where, start: 'beginning' as const }];
    const seen = watch(consumer.records({ partitions }));
    await sim.until(() => seen.values.length === 10);
    sim.cluster.deleteTopic(TOPIC);
    sim.cluster.createTopic(TOPIC, { partitions: 1 });
    fill(sim, TOPIC, 0, 4);
    await sim.until(() => seen.error !== undefined);
    expect(seen.error).toMatchObject({ code: 'TOPIC_RECREATED', context: where });
    expect((seen.error as Error).message).toContain('made anew');
  });

  it('keeps no other topic of the same broker waiting, within one fetch session', async () => {
    await using sim = await start();
    sim.cluster.createTopic('other', { partitions: 1 });
    fill(sim, TOPIC, 0, 10);
    fill(sim, 'other', 0, 10);
    const consumer = sim.kafka(quick).consumer({ ...manual, ...quick });
    const seen = watch(consumer.records([TOPIC, 'other']), (record) => record.ack());
    await sim.until(() => seen.values.length === 20);
    sim.cluster.deleteTopic(TOPIC);
    fill(sim, 'other', 0, 10);
    await sim.until(() => seen.values.length === 30);
    sim.cluster.createTopic(TOPIC, { partitions: 1 });
    fill(sim, TOPIC, 0, 3);
    fill(sim, 'other', 0, 10);
    await sim.until(() => seen.values.length === 43);
    const of = (topic: string) => offsetsOf(seen.values.filter((record) => record.topic === topic));
    expect(of(TOPIC)).toEqual([...upTo(10), ...upTo(3)]);
    expect(of('other')).toEqual(upTo(30));
  });
});
