import { config, EMPTY, map, NEVER, of, throwError, timer, type ObservableInput } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import {
  ackEach,
  fromTopics,
  processEach,
  type Assignor,
  type ConsumerOptions,
  type ConsumerRecord,
} from '../../../src/index.js';
import { committed, membersOf, Seen } from '../../support/consuming.js';
import { Simulation } from '../../support/simulation.js';
import { fill, offsetsOf, upTo } from '../../support/watching.js';

const TOPIC = 'orders';
const GROUP = 'billing';
const inGroup = { groupId: GROUP, autoOffsetReset: 'earliest' } as const;

async function start(partitions = 1, count = 5): Promise<Simulation> {
  const sim = await Simulation.start({ topics: { [TOPIC]: partitions } });
  for (const partition of upTo(partitions)) fill(sim, TOPIC, partition, count);
  return sim;
}

function member(sim: Simulation, options: ConsumerOptions = {}) {
  const kafka = sim.kafka();
  const source = fromTopics(kafka, TOPIC, { ...inGroup, ...options });
  return { kafka, seen: new Seen<ConsumerRecord>(source.pipe(ackEach())) };
}

function later(sim: Simulation, ms: number): Promise<void> {
  return new Promise((resolve) => sim.clock.schedule(ms, resolve));
}

describe('onAssign', () => {
  it.each<[string, (offsets: { topic: string; partition: number; offset: number }[]) => unknown]>([
    ['an array that it returns in an Observable', (offsets) => of(offsets)],
    ['a promise', (offsets) => Promise.resolve(offsets)],
    ['the last of what it emits', (offsets) => of([], offsets)],
  ])('says where to begin: %s', async (_, give) => {
    await using sim = await start(2);
    const { seen } = member(sim, {
      onAssign: (partitions) =>
        give(partitions.map((each) => ({ ...each, offset: 3 }))) as ObservableInput<never>,
    });
    await sim.until(() => seen.values.length === 4);
    for (const partition of [0, 1]) expect(offsetsOf(seen.values, partition)).toEqual([3, 4]);
  });

  it('may leave it to the group: by nothing, or by leaving partitions out', async () => {
    await using sim = await start(2);
    const { seen } = member(sim, {
      onAssign: () => of([{ topic: TOPIC, partition: 1, offset: 4 }]),
    });
    await sim.until(() => seen.values.length === 6);
    expect(offsetsOf(seen.values, 0)).toEqual(upTo(5));
    expect(offsetsOf(seen.values, 1)).toEqual([4]);
  });

  it('is waited for before anything is delivered, and no longer than drainTimeoutMs', async () => {
    await using sim = await start();
    const { seen } = member(sim, { onAssign: () => NEVER, drainTimeoutMs: 4000 });
    await sim.advance(3900);
    expect(seen.values).toEqual([]);
    await sim.until(() => seen.values.length === 5);
    expect(sim.clock.monotonic()).toBeLessThan(6000);
  });

  it.each<[string, () => ObservableInput<never>]>([
    [
      'throws',
      () => {
        throw new Error('no store');
      },
    ],
    ['is rejected', () => Promise.reject(new Error('no store'))],
    ['errors', () => throwError(() => new Error('no store'))],
  ])(
    'that %s ends the stream with an error that names it, when the member has left',
    async (_, onAssign) => {
      await using sim = await start();
      const { seen } = member(sim, { onAssign });
      await sim.until(() => seen.isOver);
      expect(seen.error).toMatchObject({
        code: 'CALLBACK_FAILED',
        message: 'The callback onAssign failed: no store',
        cause: new Error('no store'),
      });
      expect(seen.values).toEqual([]);
      expect(membersOf(sim.cluster, GROUP)).toBe(0);
    },
  );

  it('that says what is no offset ends the stream', async () => {
    await using sim = await start();
    const { seen } = member(sim, {
      onAssign: () => of([{ topic: TOPIC, partition: 0, offset: -7 }]),
    });
    await sim.until(() => seen.isOver);
    expect(String(seen.error)).toContain('onAssign');
    expect(String(seen.error)).toContain('-7');
  });
});

describe('beforeRevoke', () => {
  it('is waited for, with the drain, before partitions are handed over', async () => {
    await using sim = await start(2);
    const calls: string[] = [];
    const beforeRevoke = async () => {
      calls.push('asked');
      await later(sim, 3000);
      calls.push('stored');
    };
    const first = member(sim, { beforeRevoke });
    await sim.until(() => first.seen.values.length === 10);
    const second = member(sim);
    await sim.until(() => sim.eventsOf('revoked').length === 1);
    expect(calls).toEqual(['asked', 'stored']);
    await sim.until(() => sim.eventsOf('position-reset').length === 3);
    second.seen.subscription.unsubscribe();
  });

  it('is asked on every way out: a drain, unsubscribing, a bounded stream’s end', async () => {
    await using sim = await start();
    let asked = 0;
    const beforeRevoke = () => {
      asked++;
      return EMPTY;
    };
    const drained = member(sim, { beforeRevoke });
    await sim.until(() => drained.seen.values.length === 5);
    await sim.run(drained.kafka.drain());
    expect(asked).toBe(1);
    const unsubscribed = member(sim, { beforeRevoke });
    await sim.until(() => membersOf(sim.cluster, GROUP) === 1);
    await sim.until(() => sim.eventsOf('assigned').length === 2);
    unsubscribed.seen.subscription.unsubscribe();
    await sim.until(() => membersOf(sim.cluster, GROUP) === 0);
    expect(asked).toBe(2);
  });

  it('that never ends is given up at the deadline', async () => {
    await using sim = await start();
    const { kafka, seen } = member(sim, { beforeRevoke: () => NEVER, drainTimeoutMs: 4000 });
    await sim.until(() => seen.values.length === 5);
    const startedAt = sim.clock.monotonic();
    await sim.run(kafka.drain());
    expect(sim.clock.monotonic() - startedAt).toBeLessThan(5000);
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(5);
  });

  it('that never ends is hastened by a second drain that has less time', async () => {
    await using sim = await start();
    const { kafka, seen } = member(sim, { beforeRevoke: () => NEVER });
    await sim.until(() => seen.values.length === 5);
    const startedAt = sim.clock.monotonic();
    const first = kafka.drain({ timeoutMs: 30_000 });
    await sim.advance(1000);
    await sim.run(kafka.drain({ timeoutMs: 500 }));
    await sim.run(first);
    expect(sim.clock.monotonic() - startedAt).toBeLessThan(3000);
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(5);
  });

  it('that throws ends the stream, but what was acked is committed first', async () => {
    await using sim = await start(2);
    const first = member(sim, {
      beforeRevoke: () => {
        throw new Error('no store');
      },
    });
    await sim.until(() => first.seen.values.length === 10);
    const second = member(sim);
    await sim.until(() => first.seen.isOver);
    expect(first.seen.error).toMatchObject({
      message: 'The callback beforeRevoke failed: no store',
    });
    for (const partition of [0, 1]) expect(committed(sim.cluster, GROUP, TOPIC, partition)).toBe(5);
    await sim.until(() => sim.cluster.inspect().groups[GROUP]!.state === 'Stable');
    expect(second.seen.values).toEqual([]);
    second.seen.subscription.unsubscribe();
  });
});

describe('onNack', () => {
  it('that throws ends the stream, and the record is not committed', async () => {
    await using sim = await start();
    const options: ConsumerOptions = {
      ...inGroup,
      onNack: () => {
        throw new Error('no dead letters');
      },
    };
    const work = processEach((record: ConsumerRecord) => {
      if (record.offset === 2) record.nack('poison');
    });
    const seen = new Seen(fromTopics(sim.kafka(), TOPIC, options).pipe(work));
    await sim.until(() => seen.isOver);
    expect(seen.error).toMatchObject({ message: 'The callback onNack failed: no dead letters' });
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(2);
  });
});

describe('the pipeline', () => {
  afterEach(() => {
    config.onUnhandledError = null;
  });

  it('an operator that throws ends the stream; that record is not committed, those before it are', async () => {
    await using sim = await start();
    const seen = new Seen(
      fromTopics(sim.kafka(), TOPIC, inGroup).pipe(
        map((record) => {
          if (record.offset === 3) throw new Error('no stock');
          return record;
        }),
        ackEach(),
      ),
    );
    await sim.until(() => seen.isOver);
    expect(seen.error).toEqual(new Error('no stock'));
    await sim.until(() => membersOf(sim.cluster, GROUP) === 0);
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(3);
  });

  it('a project that throws ends the stream; that record is not committed, those before it are', async () => {
    await using sim = await start();
    const work = processEach((record: ConsumerRecord) => {
      if (record.offset === 3) throw new Error('no stock');
    });
    const seen = new Seen(fromTopics(sim.kafka(), TOPIC, inGroup).pipe(work));
    await sim.until(() => seen.isOver);
    await sim.until(() => membersOf(sim.cluster, GROUP) === 0);
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(3);
  });

  it('a next that throws is RxJS’s to tell; delivery goes on, and that record stays unacked', async () => {
    await using sim = await start();
    const unhandled: unknown[] = [];
    config.onUnhandledError = (error) => unhandled.push(error);
    const consumer = sim.kafka().consumer({ ...inGroup, autoCommitIntervalMs: 100 });
    const offsets: number[] = [];
    const subscription = consumer.records(TOPIC).subscribe((record) => {
      offsets.push(record.offset);
      if (record.offset === 2) throw new Error('no stock');
      record.ack();
    });
    await sim.until(() => offsets.length === 5);
    await sim.advance(1000);
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(2);
    await expect.poll(() => unhandled).toEqual([new Error('no stock')]);
    subscription.unsubscribe();
  });

  it('a listener of the lifecycle that throws harms nobody', async () => {
    await using sim = await start();
    const unhandled: unknown[] = [];
    config.onUnhandledError = (error) => unhandled.push(error);
    const { kafka, seen } = member(sim);
    let told = 0;
    const listening = kafka.lifecycle.subscribe(() => {
      told++;
      throw new Error('no log');
    });
    await sim.until(() => seen.values.length === 5);
    await sim.run(kafka.drain());
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(5);
    listening.unsubscribe();
    expect(told).toBeGreaterThan(5);
    await expect.poll(() => unhandled.length).toBe(told);
  });
});

it.each(['assign', 'subscriptionUserData', 'onAssignment'] as const)(
  'an assignor whose %s throws ends the stream with an error that names it',
  async (method) => {
    await using sim = await start();
    const broken: Assignor = {
      name: 'broken',
      supportedProtocols: ['eager'],
      assign: () => new Map(),
      [method]: () => {
        throw new Error('no idea');
      },
    };
    const { seen } = member(sim, {
      groupProtocol: 'classic',
      partitionAssignmentStrategy: [broken],
    });
    await sim.until(() => seen.isOver);
    expect(seen.error).toMatchObject({
      code: 'ASSIGNOR_FAILED',
      message: "The assignor 'broken' failed: no idea",
    });
    expect(membersOf(sim.cluster, GROUP)).toBe(0);
  },
);

it('a timer of the user’s in a callback counts on the user’s clock', async () => {
  await using sim = await start();
  const { seen } = member(sim, { onAssign: () => timer(0).pipe(map(() => undefined)) });
  await expect.poll(() => sim.advance(10).then(() => seen.values.length)).toBe(5);
});
