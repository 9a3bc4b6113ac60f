import { concatMap, exhaustMap } from 'rxjs';
import { describe, expect, it, vi } from 'vitest';
import {
  ackEach,
  fromTopics,
  type ConsumerOptions,
  type ConsumerRecord,
} from '../../../../src/index.js';
import { committed, membersOf, Seen } from '../../../support/consuming.js';
import { Simulation } from '../../../support/simulation.js';
import { fill, offsetsOf, upTo } from '../../../support/watching.js';

const TOPIC = 'orders';
const GROUP = 'billing';
const inGroup = { groupId: GROUP, autoOffsetReset: 'earliest', maxUnackedRecords: 10 } as const;

function start(partitions = 1): Promise<Simulation> {
  return Simulation.start({ topics: { [TOPIC]: partitions } });
}

function subscribe(sim: Simulation, options: ConsumerOptions = {}) {
  const consumer = sim.kafka().consumer({ ...inGroup, ...options });
  const seen = new Seen<ConsumerRecord>(consumer.records(TOPIC));
  return { consumer, seen };
}

/** Process warnings of stalls, which are told once for each subscription. */
function catchWarnings(): string[] {
  const warnings: string[] = [];
  vi.spyOn(process, 'emitWarning').mockImplementation((warning) => {
    warnings.push(String(warning));
  });
  return warnings;
}

describe('a stall', () => {
  it('is told where the window is full and its oldest record is not acked, with offset and age', async () => {
    const warnings = catchWarnings();
    await using sim = await start();
    fill(sim, TOPIC, 0, 50);
    const { seen } = subscribe(sim, { stallTimeoutMs: 30_000 });
    await sim.until(() => seen.values.length === 10);
    for (const record of seen.values) if (record.offset !== 4) record.ack();
    await sim.until(() => seen.values.length === 14);
    const fullAt = sim.clock.monotonic();
    await sim.until(() => sim.eventsOf('stalled').length > 0);
    const [stall] = sim.eventsOf('stalled');
    expect(stall).toMatchObject({ topic: TOPIC, partition: 0, offset: 4 });
    expect(stall!.ageMs).toBeGreaterThanOrEqual(30_000);
    expect(sim.clock.monotonic() - fullAt).toBeLessThan(32_000);
    expect(stall!.hint).toContain('an operator may have dropped it');
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('orders-0 has stalled: the record at offset 4');
  });

  it('looks at the age of the watermark, never at acks: exhaustMap drops records while others are acked', async () => {
    catchWarnings();
    await using sim = await start();
    fill(sim, TOPIC, 0, 50);
    const source = fromTopics(sim.kafka(), TOPIC, inGroup).pipe(
      exhaustMap(async (record) => {
        await new Promise<void>((resolve) => sim.clock.schedule(500, resolve));
        return record;
      }),
      ackEach(),
    );
    const seen = new Seen(source);
    await sim.until(() => sim.eventsOf('stalled').length > 0);
    expect(sim.eventsOf('stalled')[0]).toMatchObject({ offset: 1 });
    expect(seen.values.length).toBeGreaterThan(0);
    seen.subscription.unsubscribe();
  });

  it('is told sooner where nothing was ever acked, with what to do about it', async () => {
    catchWarnings();
    await using sim = await start();
    fill(sim, TOPIC, 0, 50);
    subscribe(sim);
    await sim.until(() => sim.eventsOf('stalled').length > 0);
    expect(sim.clock.monotonic()).toBeLessThan(4000);
    expect(sim.eventsOf('stalled')[0]!.hint).toContain("ack: 'auto'");
  });

  it('counts from the delivery of a record, not from when it was fetched', async () => {
    catchWarnings();
    await using sim = await start();
    fill(sim, TOPIC, 0, 50);
    const { consumer, seen } = subscribe(sim, { stallTimeoutMs: 5000 });
    consumer.pause([{ topic: TOPIC, partition: 0 }]);
    await sim.advance(100_000);
    consumer.resume();
    await sim.until(() => seen.values.length === 10);
    const deliveredAt = sim.clock.monotonic();
    await sim.until(() => sim.eventsOf('stalled').length === 1);
    const { ageMs } = sim.eventsOf('stalled')[0]!;
    expect(ageMs).toBeLessThanOrEqual(sim.clock.monotonic() - deliveredAt);
  });

  it('is told once, until the watermark has moved', async () => {
    const warnings = catchWarnings();
    await using sim = await start();
    fill(sim, TOPIC, 0, 50);
    const { seen } = subscribe(sim, { stallTimeoutMs: 5000 });
    await sim.until(() => seen.values.length === 10);
    await sim.advance(60_000);
    expect(sim.eventsOf('stalled')).toHaveLength(1);
    seen.values[0]!.ack();
    await sim.advance(60_000);
    expect(sim.eventsOf('stalled').map(({ offset }) => offset)).toEqual([0, 1]);
    expect(warnings).toHaveLength(1);
  });

  it('is none where records are slow, but done one after the other', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 50);
    const { seen } = subscribe(sim, { stallTimeoutMs: 5000 });
    let next = 0;
    while (next < 30) {
      await sim.until(() => seen.values.length > next);
      await sim.advance(next === 0 ? 500 : 4000);
      seen.values[next++]!.ack();
    }
    expect(sim.eventsOf('stalled')).toEqual([]);
  });

  it('is none where there is room left', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 5);
    const { seen } = subscribe(sim, { stallTimeoutMs: 5000 });
    await sim.until(() => seen.values.length === 5);
    await sim.advance(60_000);
    expect(sim.eventsOf('stalled')).toEqual([]);
  });

  it('is told where the bytes are used up before the window is', async () => {
    catchWarnings();
    await using sim = await start();
    for (let i = 0; i < 20; i++) fill(sim, TOPIC, 0, 1, { padding: 10_000 });
    const options = { maxUnackedRecords: 1000, maxBufferedBytes: 50_000, stallTimeoutMs: 5000 };
    const { seen } = subscribe(sim, options);
    await sim.until(() => sim.eventsOf('stalled').length > 0);
    expect(sim.eventsOf('stalled')[0]).toMatchObject({ offset: 0 });
    expect(seen.values.length).toBeLessThan(20);
  });

  it('names each partition that has stalled', async () => {
    catchWarnings();
    await using sim = await start(3);
    for (const partition of upTo(3)) fill(sim, TOPIC, partition, 50);
    const { seen } = subscribe(sim, { stallTimeoutMs: 5000 });
    await sim.until(() => seen.values.length === 30);
    const ackOf1 = () => {
      for (const record of seen.values) if (record.partition === 1) record.ack();
    };
    while (offsetsOf(seen.values, 1).length < 50) {
      ackOf1();
      await sim.advance(10);
    }
    ackOf1();
    await sim.until(() => sim.eventsOf('stalled').length === 2);
    expect(sim.eventsOf('stalled').map(({ partition }) => partition)).toEqual([0, 2]);
  });
});

describe('with no progress for maxPollIntervalMs', () => {
  const hangs = { maxPollIntervalMs: 60_000, drainTimeoutMs: 5000 } as const;

  it.each(['classic', 'consumer'] as const)(
    'the member leaves, so that others get its partitions, and comes back with the first late ack (%s)',
    async (groupProtocol) => {
      catchWarnings();
      await using sim = await start(2);
      for (const partition of [0, 1]) fill(sim, TOPIC, partition, 5);
      const { consumer, seen } = subscribe(sim, { ...hangs, groupProtocol });
      await sim.until(() => seen.values.length === 10);
      for (const record of seen.values) if (record.offset === 0) record.ack();
      await sim.until(() => membersOf(sim.cluster, GROUP) === 0);
      expect(sim.eventsOf('warning')).toMatchObject([{ code: 'MAX_POLL_INTERVAL_EXCEEDED' }]);
      expect(sim.eventsOf('lost')[0]).toMatchObject({ recordsAbandoned: 8 });
      expect(seen.isOver).toBe(false);
      expect(consumer.assignment).toEqual([]);
      // What was acked is committed all the same: nobody else has had the partitions yet.
      expect(committed(sim.cluster, GROUP, TOPIC, 0)).toBe(1);
      await sim.advance(600_000);
      expect(membersOf(sim.cluster, GROUP)).toBe(0);
      seen.values.find(({ offset }) => offset === 3)!.ack();
      await sim.until(() => membersOf(sim.cluster, GROUP) === 1);
      await sim.until(() => seen.values.length === 18);
      expect(offsetsOf(seen.values.slice(10), 0)).toEqual([1, 2, 3, 4]);
      // The late ack was of an epoch that is over.
      expect(committed(sim.cluster, GROUP, TOPIC, 0)).toBe(1);
    },
  );

  it('the stream fails where the policy says so, when the member has left', async () => {
    catchWarnings();
    await using sim = await start();
    fill(sim, TOPIC, 0, 5);
    const { seen } = subscribe(sim, { ...hangs, onMaxPollInterval: 'fail' });
    await sim.until(() => seen.isOver);
    expect(seen.error).toMatchObject({
      code: 'MAX_POLL_INTERVAL_EXCEEDED',
      context: { topic: TOPIC, partition: 0, offset: 0 },
    });
    expect(membersOf(sim.cluster, GROUP)).toBe(0);
  });

  it('heartbeats have gone on until then', async () => {
    catchWarnings();
    await using sim = await start();
    fill(sim, TOPIC, 0, 5);
    const { seen } = subscribe(sim, { ...hangs, sessionTimeoutMs: 6000, groupProtocol: 'classic' });
    await sim.until(() => seen.values.length === 5);
    await sim.advance(50_000);
    expect(membersOf(sim.cluster, GROUP)).toBe(1);
    expect(sim.eventsOf('lost')).toEqual([]);
  });

  it('nothing happens where records are done one after the other, however slowly', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 5);
    const { seen } = subscribe(sim, hangs);
    await sim.until(() => seen.values.length === 5);
    for (const record of seen.values) {
      await sim.advance(50_000);
      record.ack();
    }
    await sim.advance(200_000);
    expect(sim.eventsOf('warning')).toEqual([]);
    expect(membersOf(sim.cluster, GROUP)).toBe(1);
  });

  it('nothing happens where nothing is in hand', async () => {
    await using sim = await start();
    subscribe(sim, hangs);
    await sim.advance(600_000);
    expect(membersOf(sim.cluster, GROUP)).toBe(1);
    expect(sim.eventsOf('warning')).toEqual([]);
  });

  it('nothing happens where a record is nacked again and again: its pipeline lives', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 1);
    const consumer = sim.kafka().consumer({ ...inGroup, ...hangs, nackBackoffMaxMs: 10_000 });
    let attempts = 0;
    const seen = new Seen(consumer.records(TOPIC));
    const nack = () => {
      const record = seen.values.at(-1);
      if (record !== undefined) {
        attempts = record.attempt;
        record.nack('busy');
      }
    };
    for (let i = 0; i < 300; i++) {
      await sim.advance(1000);
      nack();
    }
    expect(attempts).toBeGreaterThan(5);
    expect(sim.eventsOf('lost')).toEqual([]);
  });
});

describe('a blocked event loop', () => {
  it('is warned of when it was blocked for longer than heartbeats may take', async () => {
    await using sim = await start();
    const { seen } = subscribe(sim, { groupProtocol: 'classic', heartbeatIntervalMs: 3000 });
    await sim.until(() => sim.eventsOf('position-reset').length === 1);
    await sim.advance(10_000);
    expect(sim.eventsOf('warning')).toEqual([]);
    // Nothing gets its turn while this takes time.
    sim.clock.block(8000);
    await sim.advance(1000);
    const warnings = sim.eventsOf('warning');
    expect(warnings.map(({ code }) => code)).toContain('EVENT_LOOP_BLOCKED');
    expect(warnings[0]!.message).toMatch(/blocked.*worker thread/su);
    seen.subscription.unsubscribe();
  });

  it('is told once for one block', async () => {
    await using sim = await start();
    subscribe(sim, { groupProtocol: 'classic', heartbeatIntervalMs: 3000 });
    await sim.until(() => sim.eventsOf('position-reset').length === 1);
    sim.clock.block(8000);
    await sim.advance(30_000);
    expect(sim.eventsOf('warning')).toHaveLength(1);
  });
});

it('one record at a time with concatMap is no stall, though the window is full', async () => {
  await using sim = await start();
  fill(sim, TOPIC, 0, 40);
  const seen = new Seen(
    fromTopics(sim.kafka(), TOPIC, { ...inGroup, stallTimeoutMs: 5000 }).pipe(
      concatMap(async (record) => {
        await new Promise<void>((resolve) => sim.clock.schedule(900, resolve));
        return record;
      }),
      ackEach(),
    ),
  );
  await sim.until(() => seen.values.length === 40);
  expect(sim.eventsOf('stalled')).toEqual([]);
  seen.subscription.unsubscribe();
});
