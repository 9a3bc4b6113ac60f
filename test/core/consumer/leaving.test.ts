import { map, mergeMap, take } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  ackEach,
  fromOffsetRange,
  fromTopics,
  processEach,
  toTopic,
  type ConsumerOptions,
  type ConsumerRecord,
} from '../../../src/index.js';
import { committed, connectionsTo, membersOf, Seen } from '../../support/consuming.js';
import { Simulation } from '../../support/simulation.js';
import { fill, upTo } from '../../support/watching.js';

const TOPIC = 'orders';
const GROUP = 'billing';
const inGroup = { groupId: GROUP, autoOffsetReset: 'earliest' } as const;

async function start(count = 20, partitions = 1): Promise<Simulation> {
  const sim = await Simulation.start({ topics: { [TOPIC]: partitions, invoices: 1 } });
  for (const partition of upTo(partitions)) fill(sim, TOPIC, partition, count);
  return sim;
}

function later(sim: Simulation, ms: number): Promise<void> {
  return new Promise((resolve) => sim.clock.schedule(ms, resolve));
}

/** Works on records, so long each, two at once. */
function atWork(sim: Simulation, options: ConsumerOptions = {}, ms = 1000) {
  const kafka = sim.kafka();
  let started = 0;
  const work = processEach(
    async (_: ConsumerRecord) => {
      started++;
      await later(sim, ms);
    },
    { concurrency: 2, order: 'none' },
  );
  const seen = new Seen(fromTopics(kafka, TOPIC, { ...inGroup, ...options }).pipe(work));
  return { kafka, seen, started: () => started };
}

describe('drain()', () => {
  it('finishes what was started, gives the rest back, commits, leaves, and says what was done', async () => {
    await using sim = await start();
    const { kafka, seen, started } = atWork(sim);
    await sim.until(() => started() === 4);
    const report = await sim.run(kafka.drain());
    expect(report).toEqual({
      recordsFinished: 4,
      recordsAbandoned: 0,
      offsetsCommitted: [{ topic: TOPIC, partition: 0, offset: 4 }],
    });
    expect(seen.isComplete).toBe(true);
    expect(started()).toBe(4);
    expect(membersOf(sim.cluster, GROUP)).toBe(0);
  });

  it('waits no longer than it is told to, and says what was abandoned', async () => {
    await using sim = await start();
    const { kafka, started } = atWork(sim, {}, 60_000);
    await sim.until(() => started() === 2);
    const startedAt = sim.clock.monotonic();
    const report = await sim.run(kafka.drain({ timeoutMs: 3000 }));
    expect(sim.clock.monotonic() - startedAt).toBeLessThan(4000);
    expect(report).toMatchObject({ recordsFinished: 0, recordsAbandoned: 2 });
  });

  it('counts once what is lost while the last commit is being repeated', async () => {
    await using sim = await start(4);
    const consumer = sim.kafka().consumer({ ...inGroup, groupProtocol: 'classic' });
    const seen = new Seen<ConsumerRecord>(consumer.records(TOPIC));
    await sim.until(() => seen.values.length === 4);
    for (const record of seen.values.slice(0, 3)) record.ack();
    sim.cluster.failNext('OffsetCommit', 'COORDINATOR_LOAD_IN_PROGRESS', 1000);
    const draining = consumer.drain({ timeoutMs: 0 });
    await sim.until(() => sim.eventsOf('commit-failed').length > 0);
    sim.cluster.expireMember(GROUP, consumer.groupMetadata!.memberId);
    const report = await sim.run(draining);
    expect(sim.eventsOf('lost')).toHaveLength(1);
    expect(report).toMatchObject({ recordsFinished: 3, recordsAbandoned: 1 });
  });

  it('that is called again hastens the first', async () => {
    await using sim = await start();
    const { kafka, started } = atWork(sim, {}, 60_000);
    await sim.until(() => started() === 2);
    const startedAt = sim.clock.monotonic();
    const first = kafka.drain({ timeoutMs: 30_000 });
    await sim.advance(1000);
    await sim.run(kafka.drain({ timeoutMs: 500 }));
    expect(await sim.run(first)).toMatchObject({ recordsAbandoned: 2 });
    expect(sim.clock.monotonic() - startedAt).toBeLessThan(3000);
  });

  it('waits for nothing where nothing is in hand', async () => {
    await using sim = await start(0);
    const { kafka } = atWork(sim);
    await sim.until(() => sim.eventsOf('position-reset').length === 1);
    const startedAt = sim.clock.monotonic();
    await sim.run(kafka.drain());
    expect(sim.clock.monotonic() - startedAt).toBeLessThan(200);
  });

  it('gives nothing to do where nothing is subscribed', async () => {
    await using sim = await start(0);
    const consumer = sim.kafka().consumer(inGroup);
    expect(await consumer.drain()).toEqual({
      recordsFinished: 0,
      recordsAbandoned: 0,
      offsetsCommitted: [],
    });
  });

  it('of the client drains consumers first, then producers, so that what was made is written', async () => {
    await using sim = await start();
    const kafka = sim.kafka();
    let started = 0;
    const seen = new Seen(
      fromTopics(kafka, TOPIC, inGroup).pipe(
        processEach(
          async (order: ConsumerRecord) => {
            started++;
            await later(sim, 500);
            return order.derive({ value: `invoice of ${String(order.value)}` });
          },
          { concurrency: 3, order: 'none' },
        ),
        toTopic(kafka, 'invoices', { lingerMs: 10_000 }),
      ),
    );
    await sim.until(() => started === 6);
    const report = await sim.run(kafka.drain({ timeoutMs: 20_000 }));
    const written = sim.cluster.records('invoices').length;
    expect(seen.isComplete).toBe(true);
    expect(written).toBe(started);
    expect(report).toMatchObject({ recordsFinished: started, recordsAbandoned: 0 });
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(started);
  });

  it('adds up the consumers of a client', async () => {
    await using sim = await start(5);
    const kafka = sim.kafka();
    const all = ['one', 'two'].map((groupId) => {
      return new Seen(fromTopics(kafka, TOPIC, { ...inGroup, groupId }).pipe(ackEach()));
    });
    await sim.until(() => all.every(({ values }) => values.length === 5));
    const report = await sim.run(kafka.drain());
    expect(report).toMatchObject({ recordsFinished: 10, recordsAbandoned: 0 });
    expect(report.offsetsCommitted).toHaveLength(2);
  });
});

describe('unsubscribing', () => {
  it('stops delivery at once, and the member stays until work in hand is done', async () => {
    await using sim = await start();
    const { seen, started } = atWork(sim, { drainTimeoutMs: 10_000 }, 5000);
    await sim.until(() => started() === 2);
    seen.subscription.unsubscribe();
    await sim.advance(4000);
    expect(started()).toBe(2);
    expect(membersOf(sim.cluster, GROUP)).toBe(1);
    await sim.until(() => membersOf(sim.cluster, GROUP) === 0);
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(2);
  });

  it('take(10) and asynchronous work after it, by stock operators: what was done is committed', async () => {
    await using sim = await start();
    const seen = new Seen(
      fromTopics(sim.kafka(), TOPIC, inGroup).pipe(
        take(10),
        mergeMap(async (record) => {
          await later(sim, 2000);
          return record;
        }),
        ackEach(),
      ),
    );
    await sim.until(() => seen.isComplete);
    await sim.until(() => membersOf(sim.cluster, GROUP) === 0);
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(10);
  });

  it('waits no longer than drainTimeoutMs for records that nobody acks', async () => {
    await using sim = await start();
    const source = fromTopics(sim.kafka(), TOPIC, { ...inGroup, drainTimeoutMs: 3000 });
    const seen = new Seen(source);
    await sim.until(() => seen.values.length === 20);
    const startedAt = sim.clock.monotonic();
    seen.subscription.unsubscribe();
    await sim.until(() => membersOf(sim.cluster, GROUP) === 0);
    expect(sim.clock.monotonic() - startedAt).toBeLessThan(4000);
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(0);
  });

  it('leaves no connection, timer or member behind when the client is closed', async () => {
    await using sim = await start();
    const kafka = sim.kafka();
    const seen = new Seen(fromTopics(kafka, TOPIC, inGroup).pipe(ackEach()));
    await sim.until(() => seen.values.length === 20);
    seen.subscription.unsubscribe();
    await sim.run(kafka.close());
    await sim.calm();
    expect(connectionsTo(sim.cluster)).toBe(0);
    expect(membersOf(sim.cluster, GROUP)).toBe(0);
  });
});

describe('a bounded stream', () => {
  it('commits all of it, leaves nothing behind, and never joins the group', async () => {
    await using sim = await start(20, 2);
    const range = [0, 1].map((partition) => ({ topic: TOPIC, partition }));
    const seen = new Seen(
      fromOffsetRange(sim.kafka(), range, inGroup).pipe(
        ackEach(),
        map(({ offset }) => offset),
      ),
    );
    await sim.until(() => seen.isComplete);
    await sim.until(() => sim.eventsOf('drained').length === 1);
    expect(seen.values).toHaveLength(40);
    for (const partition of [0, 1]) {
      expect(committed(sim.cluster, GROUP, TOPIC, partition)).toBe(20);
    }
    expect(sim.eventsOf('joined')).toEqual([]);
  });
});
