import { catchError, EMPTY, mergeMap, tap } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import {
  ackEach,
  FencedError,
  fromTopics,
  fromTopicsByPartition,
  processEach,
  type Consumer,
  type ConsumerOptions,
  type ConsumerRecord,
} from '../../../src/index.js';
import { committed, membersOf, Seen } from '../../support/consuming.js';
import { Simulation } from '../../support/simulation.js';
import { fill, offsetsOf, upTo } from '../../support/watching.js';

const TOPIC = 'orders';
const GROUP = 'billing';
const inGroup = {
  groupId: GROUP,
  autoOffsetReset: 'earliest',
  autoCommitIntervalMs: 3_600_000,
} as const;
const protocols = ['classic', 'consumer'] as const;
type Protocol = (typeof protocols)[number];

async function start(partitions = 2, count = 20, brokers = 1): Promise<Simulation> {
  const sim = await Simulation.start({ brokers, topics: { [TOPIC]: partitions } });
  for (const partition of upTo(partitions)) fill(sim, TOPIC, partition, count);
  return sim;
}

/** A member whose records the test acks. */
function join(sim: Simulation, options: ConsumerOptions = {}) {
  const kafka = sim.kafka();
  const consumer = kafka.consumer({ ...inGroup, ...options });
  const seen = new Seen<ConsumerRecord>(consumer.records(TOPIC));
  const of = (partition: number) => seen.values.filter((each) => each.partition === partition);
  const ackAll = () => {
    for (const record of seen.values) record.ack();
  };
  return { kafka, consumer, seen, of, ackAll };
}

const isStable = (sim: Simulation) =>
  ['Stable'].includes(sim.cluster.inspect().groups[GROUP]?.state ?? '');

const given = ({ consumer }: ReturnType<typeof join>) =>
  consumer.assignment.map(({ partition }) => partition);

describe.each(protocols)('a partition that is revoked (%s)', (groupProtocol) => {
  it('is handed over exactly where what was acked without a gap ends', async () => {
    await using sim = await start();
    const first = join(sim, { groupProtocol, drainTimeoutMs: 5000 });
    await sim.until(() => first.seen.values.length === 40);
    for (const { offset, ack } of first.seen.values.map((record) => ({
      offset: record.offset,
      ack: () => record.ack(),
    }))) {
      if (offset !== 7) ack();
    }
    const second = join(sim, { groupProtocol });
    await sim.until(() => second.seen.values.length > 0);
    const [partition] = given(second);
    expect(offsetsOf(second.of(partition!))[0]).toBe(7);
    expect(sim.eventsOf('revoked')[0]!.recordsAbandoned).toBeGreaterThan(0);
    expect(committed(sim.cluster, GROUP, TOPIC, partition)).toBe(7);
  });

  it('has its late acks change nothing: its next owner decides', async () => {
    await using sim = await start();
    const first = join(sim, { groupProtocol, drainTimeoutMs: 2000 });
    await sim.until(() => first.seen.values.length === 40);
    const second = join(sim, { groupProtocol });
    await sim.until(() => second.seen.values.length === 20);
    const [partition] = given(second);
    for (const record of first.of(partition!)) record.ack();
    await sim.run(first.consumer.commit());
    await sim.advance(1000);
    expect(committed(sim.cluster, GROUP, TOPIC, partition)).toBe(0);
    for (const record of second.seen.values.slice(0, 3)) record.ack();
    await sim.run(second.consumer.commit());
    expect(committed(sim.cluster, GROUP, TOPIC, partition)).toBe(3);
  });

  it('is waited for as long as work on it goes on, and its signal aborts only at the deadline', async () => {
    await using sim = await start();
    const first = join(sim, { groupProtocol, drainTimeoutMs: 10_000 });
    await sim.until(() => first.seen.values.length === 40);
    join(sim, { groupProtocol });
    await sim.until(() => sim.eventsOf('draining').length === 1);
    const { partition } = sim.eventsOf('draining')[0]!.partitions[0]!;
    const record = first.of(partition)[5]!;
    await sim.advance(9000);
    expect(sim.eventsOf('revoked')).toEqual([]);
    expect(record.signal.aborted).toBe(false);
    await sim.until(() => sim.eventsOf('revoked').length === 1);
    expect(record.signal.aborted).toBe(true);
  });

  it('is handed over at once when all that was delivered is acked', async () => {
    await using sim = await start();
    const first = join(sim, { groupProtocol });
    await sim.until(() => first.seen.values.length === 40);
    first.ackAll();
    join(sim, { groupProtocol });
    await sim.until(() => sim.eventsOf('draining').length === 1);
    const startedAt = sim.clock.monotonic();
    await sim.until(() => sim.eventsOf('revoked').length === 1);
    expect(sim.clock.monotonic() - startedAt).toBeLessThan(200);
  });

  it('is handed over at once where nothing of it was delivered', async () => {
    await using sim = await start();
    const kafka = sim.kafka();
    const streams = new Seen(fromTopicsByPartition(kafka, TOPIC, { ...inGroup, groupProtocol }));
    await sim.until(() => streams.values.length === 2);
    join(sim, { groupProtocol });
    await sim.until(() => sim.eventsOf('draining').length === 1);
    const startedAt = sim.clock.monotonic();
    await sim.until(() => sim.eventsOf('revoked').length === 1);
    expect(sim.clock.monotonic() - startedAt).toBeLessThan(200);
    streams.subscription.unsubscribe();
  });

  it('is handed over at once where its stream has failed: nobody will ack more of it', async () => {
    await using sim = await start();
    const options = { ...inGroup, groupProtocol };
    const failing = processEach(async (record: ConsumerRecord) => {
      await new Promise<void>((resolve) => sim.clock.schedule(10, resolve));
      if (record.offset === 3) throw new Error('no stock');
    });
    const failed: unknown[] = [];
    const streams = new Seen(
      fromTopicsByPartition(sim.kafka(), TOPIC, options).pipe(
        mergeMap(({ records }) =>
          records.pipe(
            failing,
            catchError((error: unknown) => (failed.push(error), EMPTY)),
          ),
        ),
      ),
    );
    await sim.until(() => failed.length === 2);
    const second = join(sim, { groupProtocol });
    await sim.until(() => sim.eventsOf('draining').length === 1);
    const startedAt = sim.clock.monotonic();
    await sim.until(() => sim.eventsOf('revoked').length === 1);
    expect(sim.clock.monotonic() - startedAt).toBeLessThan(200);
    await sim.until(() => second.seen.values.length > 0);
    expect(second.seen.values[0]!.offset).toBe(3);
    streams.subscription.unsubscribe();
  });

  it('is handed over at once by a member whose whole stream has failed, the rest finished', async () => {
    await using sim = await start();
    let started = 0;
    const work = processEach(
      async (record: ConsumerRecord) => {
        started++;
        await new Promise<void>((resolve) => sim.clock.schedule(500, resolve));
        if (record.partition === 0 && record.offset === 3) throw new Error('no stock');
      },
      { concurrency: 2, order: 'partition' },
    );
    const seen = new Seen(fromTopics(sim.kafka(), TOPIC, { ...inGroup, groupProtocol }).pipe(work));
    await sim.until(() => seen.error !== undefined);
    const startedAt = sim.clock.monotonic();
    await sim.until(() => membersOf(sim.cluster, GROUP) === 0);
    expect(sim.clock.monotonic() - startedAt).toBeLessThan(1000);
    expect(committed(sim.cluster, GROUP, TOPIC, 0)).toBe(3);
    expect(committed(sim.cluster, GROUP, TOPIC, 1)).toBe(started - 4);
  });

  it.each<[string, (sim: Simulation, consumer: Consumer, partition: number) => void]>([
    [
      'it is sought',
      (_, consumer, partition) => consumer.seek({ topic: TOPIC, partition }, { offset: 5 }),
    ],
    ['its log is cut off', (sim, _, partition) => sim.cluster.truncate(TOPIC, partition, 5)],
  ])(
    'is handed over at once where %s meanwhile: then nothing is in hand',
    async (_title, begin) => {
      await using sim = await Simulation.start({ topics: { [TOPIC]: 2 } });
      for (const partition of [0, 1]) for (let i = 0; i < 20; i++) fill(sim, TOPIC, partition, 1);
      const first = sim.kafka({ metadataMaxAgeMs: 500 }).consumer({ ...inGroup, groupProtocol });
      const seen = new Seen<ConsumerRecord>(first.records(TOPIC));
      await sim.until(() => seen.values.length === 40);
      join(sim, { groupProtocol });
      await sim.until(() => sim.eventsOf('draining').length > 0);
      const [draining] = sim.eventsOf('draining');
      // The eager protocol gives all up.
      for (const { partition } of draining!.partitions) begin(sim, first, partition);
      const startedAt = sim.clock.monotonic();
      await sim.until(() => sim.eventsOf('revoked').length === 1);
      expect(sim.clock.monotonic() - startedAt).toBeLessThan(2000);
    },
  );

  it('is handed over without waiting for work that was not started: that is the next owner’s', async () => {
    await using sim = await start();
    const done: string[] = [];
    const member = (name: string) => {
      const source = fromTopics(sim.kafka(), TOPIC, { ...inGroup, groupProtocol });
      const work = processEach(
        async (record: ConsumerRecord) => {
          await new Promise<void>((resolve) => sim.clock.schedule(1000, resolve));
          done.push(`${name} ${record.partition}/${record.offset}`);
        },
        { concurrency: 2 },
      );
      return new Seen(source.pipe(work));
    };
    const first = member('first');
    await sim.until(() => done.length === 2);
    const second = member('second');
    await sim.until(() => done.some((each) => each.startsWith('second')));
    await sim.until(() => done.length >= 40);
    expect(new Set(done.map((each) => each.split(' ')[1])).size).toBe(40);
    expect(done).toHaveLength(40);
    for (const { subscription } of [first, second]) subscription.unsubscribe();
  });

  it('is handed over right also where the commit fails at first', async () => {
    await using sim = await start();
    const first = join(sim, { groupProtocol });
    await sim.until(() => first.seen.values.length === 40);
    first.ackAll();
    sim.cluster.failNext('OffsetCommit', 'COORDINATOR_LOAD_IN_PROGRESS', 3);
    const second = join(sim, { groupProtocol });
    await sim.until(() => sim.eventsOf('assigned').length >= 2 && isStable(sim));
    await sim.until(() => sim.eventsOf('position-reset').length >= 3);
    await sim.advance(2000);
    expect(sim.eventsOf('commit-failed').length).toBeGreaterThanOrEqual(3);
    expect(second.seen.values).toEqual([]);
  });

  it('is handed over in time also where no commit gets through, and nothing is lost then', async () => {
    await using sim = await start();
    const first = join(sim, { groupProtocol, maxPollIntervalMs: 30_000, drainTimeoutMs: 5000 });
    await sim.until(() => first.seen.values.length === 40);
    first.ackAll();
    sim.cluster.failNext('OffsetCommit', 'COORDINATOR_LOAD_IN_PROGRESS', 100_000);
    const second = join(sim, { groupProtocol });
    await sim.until(() => second.seen.values.length === 20);
    expect(offsetsOf(second.seen.values)).toEqual(upTo(20));
    expect(first.seen.isOver).toBe(false);
    expect(sim.eventsOf('lost')).toEqual([]);
    sim.cluster.clearFaults();
  });

  it('loses and doubles nothing when its leader moves meanwhile', async () => {
    await using sim = await start(4, 50, 3);
    const done: string[] = [];
    const member = () =>
      new Seen(
        fromTopics(sim.kafka(), TOPIC, { ...inGroup, groupProtocol, maxUnackedRecords: 10 }).pipe(
          processEach(
            async (record: ConsumerRecord) => {
              await new Promise<void>((resolve) => sim.clock.schedule(100, resolve));
              done.push(`${record.partition}/${record.offset}`);
            },
            { concurrency: 4 },
          ),
        ),
      );
    const first = member();
    await sim.until(() => done.length >= 20);
    const second = member();
    await sim.until(() => sim.eventsOf('draining').length > 0);
    for (const partition of upTo(4)) sim.cluster.moveLeader(TOPIC, partition, 1 + (partition % 3));
    await sim.until(() => done.length >= 120);
    for (const partition of upTo(4)) {
      sim.cluster.moveLeader(TOPIC, partition, 1 + ((partition + 1) % 3));
    }
    await sim.until(() => new Set(done).size === 200);
    expect(done).toHaveLength(200);
    for (const { subscription } of [first, second]) subscription.unsubscribe();
  });
});

describe.each<Protocol>(protocols)('pauses (%s)', (groupProtocol) => {
  const cooperative = groupProtocol === 'classic' ? 'cooperative-sticky' : undefined;
  const options: ConsumerOptions = {
    groupProtocol,
    ...(cooperative !== undefined && { partitionAssignmentStrategy: [cooperative] }),
  };

  it('last over rebalances, and come to an end with a resume', async () => {
    await using sim = await start(2, 0);
    const first = join(sim, options);
    await sim.until(() => sim.eventsOf('position-reset').length === 2);
    first.consumer.pause();
    const second = join(sim, options);
    await sim.until(() => given(first).length === 1 && given(second).length === 1);
    await sim.run(second.consumer.drain());
    await sim.until(() => given(first).length === 2);
    for (const partition of [0, 1]) fill(sim, TOPIC, partition, 5);
    await sim.advance(5000);
    expect(first.seen.values).toEqual([]);
    first.consumer.resume();
    await sim.until(() => first.seen.values.length === 10);
  });

  it('of one member say nothing to another', async () => {
    await using sim = await start(2, 0);
    const first = join(sim, options);
    await sim.until(() => sim.eventsOf('position-reset').length === 2);
    first.consumer.pause();
    const second = join(sim, options);
    await sim.until(() => given(first).length === 1 && given(second).length === 1);
    for (const partition of [0, 1]) fill(sim, TOPIC, partition, 5);
    await sim.until(() => second.seen.values.length === 5);
    await sim.advance(2000);
    expect(first.seen.values).toEqual([]);
  });
});

describe('a full window', () => {
  it.each(protocols)('keeps nobody stuck after a rebalance (%s)', async (groupProtocol) => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    await using sim = await start(2, 200);
    const options = { groupProtocol, maxUnackedRecords: 10, drainTimeoutMs: 1000 };
    const first = join(sim, options);
    await sim.until(() => first.seen.values.length === 20);
    const second = join(sim, options);
    await sim.until(() => second.seen.values.length === 10);
    await sim.run(second.consumer.drain({ timeoutMs: 0 }));
    await sim.until(() => given(first).length === 2);
    let acked = 0;
    while (
      new Set(first.seen.values.map(({ partition, offset }) => `${partition}/${offset}`)).size < 400
    ) {
      const records = first.seen.values.slice(acked);
      acked = first.seen.values.length;
      for (const record of records) record.ack();
      await sim.until(() => first.seen.values.length > acked);
    }
  });
});

describe('partitions that stay', () => {
  it.each<[string, ConsumerOptions]>([
    [
      'cooperative',
      { groupProtocol: 'classic', partitionAssignmentStrategy: ['cooperative-sticky'] },
    ],
    ['of the new protocol', { groupProtocol: 'consumer' }],
  ])('keep flowing while others are drained (%s)', async (_, options) => {
    await using sim = await start(2, 1);
    const first = join(sim, { ...options, drainTimeoutMs: 20_000 });
    await sim.until(() => first.seen.values.length === 2);
    join(sim, options);
    await sim.until(() => sim.eventsOf('draining').length === 1);
    const { partition: leaving } = sim.eventsOf('draining')[0]!.partitions[0]!;
    const staying = 1 - leaving;
    const before = first.of(staying).length;
    fill(sim, TOPIC, staying, 5);
    await sim.until(() => first.of(staying).length === before + 5);
    expect(sim.eventsOf('revoked')).toEqual([]);
  });
});

describe.each(protocols)('partitions that are lost (%s)', (groupProtocol) => {
  it('are told of at once, abort their work, and come again from what was committed', async () => {
    await using sim = await start();
    const first = join(sim, { groupProtocol });
    await sim.until(() => first.seen.values.length === 40);
    for (const record of first.seen.values) if (record.offset < 5) record.ack();
    await sim.run(first.consumer.commit());
    for (const record of first.seen.values) if (record.offset < 10) record.ack();
    const inHand = first.seen.values.find(({ offset }) => offset === 15)!;
    const [member] = sim.cluster.inspect().groups[GROUP]!.members;
    const { signal } = inHand;
    sim.cluster.expireMember(GROUP, member!.memberId);
    await sim.until(() => sim.eventsOf('lost').length === 1);
    expect(sim.eventsOf('lost')[0]).toMatchObject({ recordsAbandoned: 20 });
    expect(sim.eventsOf('draining')).toEqual([]);
    expect(signal.aborted).toBe(true);
    inHand.ack();
    await sim.until(() => first.seen.values.length === 70);
    for (const partition of [0, 1]) {
      expect(offsetsOf(first.of(partition)).slice(20)).toEqual(upTo(15, 5));
      expect(committed(sim.cluster, GROUP, TOPIC, partition)).toBe(5);
    }
  });

  it('while they are drained keep what comes next waiting for nothing, and are not revoked', async () => {
    await using sim = await start();
    const first = join(sim, { groupProtocol, drainTimeoutMs: 30_000 });
    await sim.until(() => first.seen.values.length === 40);
    const second = new Seen(
      fromTopics(sim.kafka(), TOPIC, { ...inGroup, groupProtocol }).pipe(ackEach()),
    );
    await sim.until(() => sim.eventsOf('draining').length === 1);
    const drainedAt = sim.clock.monotonic();
    sim.cluster.expireMember(GROUP, first.consumer.groupMetadata!.memberId);
    await sim.until(() => sim.eventsOf('lost').length === 1);
    expect(first.consumer.assignment).toEqual([]);
    await sim.until(() => given(first).length === 1);
    expect(sim.clock.monotonic() - drainedAt).toBeLessThan(15_000);
    expect(sim.eventsOf('revoked').filter(({ recordsAbandoned }) => recordsAbandoned > 0)).toEqual(
      [],
    );
    const told = sim.events.map(({ type }) => type);
    expect(told.slice(told.indexOf('lost')).filter((type) => type === 'revoked')).toHaveLength(1);
    second.subscription.unsubscribe();
  });

  it('are told of to operators that hold their records back', async () => {
    await using sim = await start();
    const first = join(sim, { groupProtocol });
    await sim.until(() => first.seen.values.length === 40);
    const told: boolean[] = [];
    const [record] = first.seen.values;
    record!.pipeline.listen({ onLost: () => told.push(record!.isLeaving && record!.isFenced) });
    const [member] = sim.cluster.inspect().groups[GROUP]!.members;
    sim.cluster.expireMember(GROUP, member!.memberId);
    await sim.until(() => sim.eventsOf('lost').length === 1);
    expect(told).toEqual([true]);
  });
});

describe.each(protocols)('a static member (%s)', (groupProtocol) => {
  it('goes on where it was, without a rebalance', async () => {
    await using sim = await start();
    const options = { groupProtocol, groupInstanceId: 'one' };
    const first = join(sim, options);
    await sim.until(() => first.seen.values.length === 40);
    for (const record of first.seen.values) if (record.offset < 12) record.ack();
    await sim.run(first.consumer.drain({ timeoutMs: 100 }));
    const { epoch } = sim.cluster.inspect().groups[GROUP]!;
    const again = join(sim, options);
    await sim.until(() => again.seen.values.length === 16);
    for (const partition of [0, 1]) expect(offsetsOf(again.of(partition))).toEqual(upTo(8, 12));
    expect(sim.cluster.inspect().groups[GROUP]!.epoch).toBe(epoch);
  });

  it('that has a twin ends with a typed error, when everything is given back', async () => {
    await using sim = await start();
    const options = { groupProtocol, groupInstanceId: 'one' };
    const first = join(sim, options);
    await sim.until(() => first.seen.values.length === 40);
    const twin = join(sim, options);
    await sim.until(() => first.seen.isOver || twin.seen.isOver);
    const loser = first.seen.isOver ? first : twin;
    expect(loser.seen.error).toBeInstanceOf(FencedError);
    expect(loser.consumer.assignment).toEqual([]);
  });
});

it.each(protocols)(
  'many rebalances in the middle of records lose and double none (%s)',
  async (groupProtocol) => {
    await using sim = await start(6, 40);
    const done: string[] = [];
    const member = () => {
      const kafka = sim.kafka();
      const source = fromTopicsByPartition(kafka, TOPIC, {
        ...inGroup,
        groupProtocol,
        maxUnackedRecords: 8,
      });
      const seen = new Seen(
        source.pipe(
          mergeMap(({ records }) =>
            records.pipe(
              processEach(async (record: ConsumerRecord) => {
                await new Promise<void>((resolve) => sim.clock.schedule(70, resolve));
                done.push(`${record.partition}/${record.offset}`);
              }),
            ),
          ),
        ),
      );
      return { kafka, seen };
    };
    let members = [member()];
    for (const target of [30, 70, 110, 150, 190]) {
      await sim.until(() => done.length >= target);
      members.push(member());
      if (members.length > 2) {
        const [oldest, ...rest] = members;
        await sim.run(oldest!.kafka.drain());
        members = rest;
      }
    }
    await sim.until(() => new Set(done).size === 240);
    expect(done).toHaveLength(240);
    for (const { seen } of members) seen.subscription.unsubscribe();
    await sim.until(() => membersOf(sim.cluster, GROUP) === 0);
    for (const partition of upTo(6)) {
      expect(committed(sim.cluster, GROUP, TOPIC, partition)).toBe(40);
    }
  },
);

it('the order of events is the order in which they were true', async () => {
  await using sim = await start();
  const kafka = sim.kafka();
  const source = fromTopics(kafka, TOPIC, inGroup).pipe(ackEach());
  let deliveredAfterRevoke = 0;
  const seen = new Seen(
    source.pipe(
      tap(() => {
        if (sim.eventsOf('revoked').length > 0) deliveredAfterRevoke++;
      }),
    ),
  );
  await sim.until(() => seen.values.length === 40);
  await sim.run(kafka.drain());
  const order = sim.events
    .map(({ type }) => type)
    .filter((type) =>
      ['assigned', 'caught-up', 'draining', 'committed', 'left', 'drained'].includes(type),
    );
  expect(order).toEqual([
    'assigned',
    'caught-up',
    'caught-up',
    'draining',
    'committed',
    'left',
    'drained',
  ]);
  expect(deliveredAfterRevoke).toBe(0);
});
