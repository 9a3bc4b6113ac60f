import { describe, expect, test, vi } from 'vitest';
import { encodeRecords } from '../../../../src/core/records/index.js';
import type { Consumer, ConsumerOptions } from '../../../../src/index.js';
import { membersOf } from '../../../support/consuming.js';
import { Simulation } from '../../../support/simulation.js';
import { watch } from '../../../support/watching.js';

const TOPIC = 'retries';
const where = { topic: TOPIC, partition: 0 };

async function start(...delays: readonly number[]): Promise<Simulation> {
  const sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
  const now = sim.clock.now();
  for (const delay of delays) {
    // A batch each; its value says when it is due.
    sim.cluster.append(TOPIC, 0, encodeRecords([{ value: `${now + delay}` }]));
  }
  return sim;
}

/** Notes when each record comes, by the virtual clock, and acks it. */
function consume(sim: Simulation, options: ConsumerOptions = {}) {
  const begin = sim.clock.now();
  const consumer: Consumer = sim.kafka().consumer({
    groupId: 'retries',
    autoOffsetReset: 'earliest',
    autoCommitIntervalMs: 20,
    ...options,
  });
  const came: [offset: number, atMs: number][] = [];
  const seen = watch(
    consumer.recordsWhenDue(TOPIC, ({ value }) => Number(String(value))),
    (record) => {
      came.push([record.offset, sim.clock.now() - begin]);
      record.ack();
    },
  );
  return { consumer, came, seen };
}

async function held(sim: Simulation, consumer: Consumer): Promise<void> {
  await sim.until(() => consumer.position(where) !== undefined);
  await sim.advance(1000);
}

describe('records that are not due', () => {
  test('come when they are, in order, each once', async () => {
    await using sim = await start(5000, 3000, 9000);
    const { came } = consume(sim);
    await sim.until(() => came.length === 3);
    expect(came.map(([offset]) => offset)).toEqual([0, 1, 2]);
    expect(came[0]![1]).toBeGreaterThanOrEqual(5000);
    expect(came[2]![1]).toBeGreaterThanOrEqual(9000);
    await sim.advance(20_000);
    expect(came).toHaveLength(3);
  });

  test('a seek while one is held goes where it says at once, and the one that was held comes no more', async () => {
    await using sim = await start(9000, 0);
    const { consumer, came } = consume(sim);
    await held(sim, consumer);
    expect(came).toEqual([]);
    consumer.seek(where, { offset: 1 });
    await sim.until(() => came.length === 1);
    await sim.advance(20_000);
    expect(came.map(([offset]) => offset)).toEqual([1]);
    expect(came[0]![1]).toBeLessThan(9000);
  });

  test('a seek back to one that is held waits for its time again', async () => {
    await using sim = await start(9000, 12_000);
    const { consumer, came } = consume(sim);
    await held(sim, consumer);
    for (const offset of [1, 0, 1, 0]) {
      consumer.seek(where, { offset });
      await sim.advance(500);
    }
    expect(came).toEqual([]);
    await sim.until(() => came.length === 2);
    await sim.advance(20_000);
    expect(came.map(([offset]) => offset)).toEqual([0, 1]);
    expect(came[0]![1]).toBeGreaterThanOrEqual(9000);
    expect(came[1]![1]).toBeGreaterThanOrEqual(12_000);
  });

  test('one that becomes due while its partition is paused comes when that goes on', async () => {
    await using sim = await start(3000);
    const { consumer, came } = consume(sim);
    await held(sim, consumer);
    consumer.pause([where]);
    await sim.advance(10_000);
    expect(came).toEqual([]);
    consumer.resume([where]);
    await sim.until(() => came.length === 1);
  });

  test('when its time is put off by a clock that was set back, it waits on', async () => {
    await using sim = await start(3000);
    const { consumer, came } = consume(sim);
    await held(sim, consumer);
    sim.clock.setBack(60_000);
    await sim.advance(5000);
    expect(came).toEqual([]);
    await sim.until(() => came.length === 1);
  });

  test('a wait that is longer than timers can be is made of several', async () => {
    const longest = 2 ** 31 - 1;
    await using sim = await start(longest + 5000);
    const schedule = vi.spyOn(sim.clock, 'schedule');
    const { consumer, came } = consume(sim);
    await held(sim, consumer);
    expect(Math.max(...schedule.mock.calls.map(([delayMs]) => delayMs))).toBe(longest);
    expect(came).toEqual([]);
  });

  test('unsubscribing while one is held ends its timer, and commits nothing of it', async () => {
    await using sim = await start(600_000);
    const { consumer, came, seen } = consume(sim);
    await held(sim, consumer);
    seen.subscription.unsubscribe();
    await sim.until(() => membersOf(sim.cluster, 'retries') === 0);
    await sim.run(consumer.close());
    expect(came).toEqual([]);
    expect(sim.cluster.groupOffsets('retries')[TOPIC]?.[0]?.offset ?? 0).toBe(0);
  });

  test.each(['classic', 'consumer'] as const)(
    'a drain by the %s protocol leaves it to the next',
    async (groupProtocol) => {
      await using sim = await start(8000);
      const { consumer, came } = consume(sim, { groupProtocol });
      await held(sim, consumer);
      const report = await sim.run(consumer.drain());
      expect(report).toMatchObject({ recordsAbandoned: 0 });
      expect(came).toEqual([]);
      const next = consume(sim, { groupProtocol });
      await sim.until(() => next.came.length === 1);
    },
  );
});
