import { filter, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { fromOffsetRange, fromTopics, processEach } from '../../../src/index.js';
import { committed, membersOf, Seen, write } from '../../support/consuming.js';
import { fill, offsetsOf, upTo, watch } from '../../support/watching.js';
import { Simulation } from '../../support/simulation.js';

const TOPIC = 'orders';

/** A promise on the virtual clock. */
function later(sim: Simulation, ms: number): Promise<void> {
  return new Promise((resolve) => sim.clock.schedule(ms, resolve));
}

function start() {
  return Simulation.start({ topics: { [TOPIC]: 1 } });
}

const manual = { ack: 'manual', autoOffsetReset: 'earliest' } as const;

describe('a nacked record', () => {
  it('comes again after a backoff, with its attempt, while others go on', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 3);
    const consumer = sim.kafka().consumer({ ...manual, nackBackoffMs: 1000 });
    const seen = watch(consumer.records(TOPIC), (record) => {
      if (record.offset === 1 && record.attempt === 1) record.nack('busy');
      else record.ack();
    });
    await sim.until(() => seen.values.length === 4);
    expect(offsetsOf(seen.values)).toEqual([0, 1, 2, 1]);
    expect(seen.values[3]!.attempt).toBe(2);
    expect(sim.eventsOf('redelivered')).toMatchObject([{ offset: 1, attempt: 2, reason: 'busy' }]);
  });

  it('lets the event loop turn when it is nacked within next and there is no backoff', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 1);
    const consumer = sim.kafka().consumer({ ...manual, nackBackoffMs: 0, nackBackoffMaxMs: 0 });
    let isEnough = false;
    const seen = watch(consumer.records(TOPIC), (record) => {
      if (isEnough) record.ack();
      else record.nack('no');
    });
    await sim.until(() => seen.values.length > 20);
    isEnough = true;
    await sim.advance(10);
    expect(consumer.metrics()).toBeDefined();
    expect(offsetsOf(seen.values)).toEqual(seen.values.map(() => 0));
  });

  it('gives its memory back when a policy has taken care of it', async () => {
    await using sim = await start();
    for (let i = 0; i < 50; i++) fill(sim, TOPIC, 0, 1, { padding: 2000 });
    const handled: number[] = [];
    const consumer = sim.kafka().consumer({
      ...manual,
      maxBufferedBytes: 20_000,
      maxUnackedRecords: 100,
      onNack: ({ offset }) => {
        handled.push(offset);
        return [];
      },
    });
    watch(consumer.records(TOPIC), (record) => record.nack('poison'));
    await sim.until(() => handled.length === 50);
    expect(handled).toEqual(upTo(50));
  });

  it('ends the stream when the policy says so', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 3);
    const consumer = sim.kafka().consumer({ ...manual, onNack: 'fail' });
    const seen = watch(consumer.records(TOPIC), (record) => {
      if (record.offset === 1) record.nack(new Error('no stock'));
      else record.ack();
    });
    await sim.until(() => seen.error !== undefined);
    expect(seen.error).toMatchObject({ code: 'RECORD_FAILED', context: { offset: 1 } });
  });
});

describe('a record that is nacked in its lane', () => {
  /** Works on records, nacks some the first time, and notes what was done in which order. */
  async function workOff(
    order: 'partition' | 'key' | 'none',
    values: string[],
    fails: string[],
    isOver: (done: readonly string[]) => boolean = (done) => done.length === values.length,
  ): Promise<string[]> {
    await using sim = await start();
    write(sim.cluster, TOPIC, 0, ...values);
    const done: string[] = [];
    const options = { ...manual, groupId: 'billing', nackBackoffMs: 1000 };
    const work = processEach(
      async (record) => {
        await later(sim, 10);
        const key = record.rawKey === null ? '' : `${String(record.rawKey)}=`;
        const text = `${key}${String(record.value)}`;
        if (fails.includes(text) && record.attempt === 1) record.nack('busy');
        else done.push(text);
      },
      { order, concurrency: 8 },
    );
    const seen = new Seen(fromTopics(sim.kafka(), TOPIC, options).pipe(work));
    await sim.until(() => isOver(done));
    seen.subscription.unsubscribe();
    await sim.until(() => membersOf(sim.cluster, 'billing') === 0);
    expect(committed(sim.cluster, 'billing', TOPIC)).toBe(values.length);
    return done;
  }

  it('comes again before those after it: of its partition', async () => {
    expect(await workOff('partition', ['a', 'b', 'c', 'd'], ['b', 'c'])).toEqual([
      'a',
      'b',
      'c',
      'd',
    ]);
  });

  it('comes again before those after it: of its key, while other keys go on', async () => {
    const values = ['x=1', 'y=2', 'x=3', 'y=4', '5'];
    expect(await workOff('key', values, ['x=1'])).toEqual(['y=2', '5', 'y=4', 'x=1', 'x=3']);
  });

  it('keeps nothing waiting where there are no lanes', async () => {
    expect(await workOff('none', ['a', 'b', 'c'], ['a'])).toEqual(['b', 'c', 'a']);
  });

  it('keeps its lane closed also when its work goes on after the backoff', async () => {
    await using sim = await start();
    write(sim.cluster, TOPIC, 0, 'a', 'b', 'c');
    const done: string[] = [];
    const work = processEach(async (record) => {
      const text = String(record.value);
      if (text === 'a' && record.attempt === 1) {
        record.nack('busy');
        await later(sim, 5000);
        done.push('cleaned up');
      } else done.push(text);
    });
    const options = { ...manual, nackBackoffMs: 100 };
    const seen = new Seen(sim.kafka().consumer(options).records(TOPIC).pipe(work));
    await sim.until(() => done.length === 4);
    expect(done).toEqual(['cleaned up', 'a', 'b', 'c']);
    seen.subscription.unsubscribe();
  });

  it('opens its lane when a policy has taken care of it', async () => {
    await using sim = await start();
    write(sim.cluster, TOPIC, 0, 'a', 'b', 'c');
    const done: string[] = [];
    const onNack = async ({ offset }: { offset: number }) => {
      await later(sim, 500);
      done.push(`taken care of ${offset}`);
    };
    const work = processEach((record) => {
      if (record.offset === 0) record.nack('poison');
      else done.push(String(record.value));
    });
    const consumer = sim.kafka().consumer({ ...manual, onNack });
    const seen = new Seen(consumer.records(TOPIC).pipe(work));
    await sim.until(() => done.length === 3);
    expect(done).toEqual(['taken care of 0', 'b', 'c']);
    seen.subscription.unsubscribe();
  });

  it('opens its lane when a seek begins a new epoch', async () => {
    await using sim = await start();
    write(sim.cluster, TOPIC, 0, 'a', 'b', 'c');
    const done: string[] = [];
    const consumer = sim.kafka().consumer({ ...manual, nackBackoffMs: 10_000 });
    const work = processEach((record) => {
      if (record.offset === 1 && done.length === 1) record.nack('busy');
      else done.push(String(record.value));
    });
    const seen = new Seen(consumer.records(TOPIC).pipe(work));
    await sim.until(() => done.length === 1);
    await sim.advance(100);
    done.push('sought');
    consumer.seek({ topic: TOPIC, partition: 0 }, { offset: 1 });
    await sim.until(() => done.length === 4);
    expect(done).toEqual(['a', 'sought', 'b', 'c']);
    seen.subscription.unsubscribe();
  });

  it('doesn’t keep the stream from ending when its partition is given up', async () => {
    await using sim = await start();
    write(sim.cluster, TOPIC, 0, 'a', 'b', 'c');
    const kafka = sim.kafka();
    let count = 0;
    const work = processEach((record) => {
      count++;
      record.nack('busy');
    });
    const options = { ...manual, groupId: 'billing', nackBackoffMs: 10_000 };
    const seen = new Seen(fromTopics(kafka, TOPIC, options).pipe(work));
    await sim.until(() => count === 1);
    const startedAt = sim.clock.monotonic();
    await sim.run(kafka.drain());
    expect(seen.isComplete).toBe(true);
    expect(sim.clock.monotonic() - startedAt).toBeLessThan(1000);
    expect(committed(sim.cluster, 'billing', TOPIC)).toBe(0);
  });
});

describe('a bounded stream', () => {
  const range = [{ topic: TOPIC, partition: 0 }];

  it('stays open until what was nacked has come again', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 5);
    const consumer = sim.kafka().consumer({ ack: 'manual' });
    const seen = watch(fromOffsetRange(consumer, range), (record) => {
      if (record.offset >= 3 && record.attempt < 3) record.nack('busy');
      else record.ack();
    });
    await sim.until(() => seen.isComplete);
    expect(offsetsOf(seen.values).slice(0, 5)).toEqual(upTo(5));
    expect(offsetsOf(seen.values).slice(5).toSorted()).toEqual([3, 3, 4, 4]);
  });

  it('stays open until what was nacked has come again, however late that was', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 5);
    const attempts: number[][] = [];
    const work = processEach(
      async (record) => {
        await later(sim, 2000);
        attempts.push([record.offset, record.attempt]);
        if (record.offset >= 3 && record.attempt < 3) record.nack('busy');
      },
      { concurrency: 8, order: 'none' },
    );
    const options = { ...manual, groupId: 'billing', drainTimeoutMs: 3000 };
    const seen = new Seen(fromOffsetRange(sim.kafka(), range, options).pipe(work));
    await sim.until(() => seen.isComplete);
    await sim.until(() => sim.eventsOf('drained').length === 1);
    expect(attempts.slice(-2).toSorted()).toEqual([
      [3, 3],
      [4, 3],
    ]);
    expect(sim.eventsOf('drained')[0]).toMatchObject({ recordsFinished: 5, recordsAbandoned: 0 });
    expect(committed(sim.cluster, 'billing', TOPIC)).toBe(5);
  });

  it('ends all the same where an operator has dropped records unacked', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 5);
    const options = { ...manual, groupId: 'billing', drainTimeoutMs: 3000 };
    const seen = new Seen(
      fromOffsetRange(sim.kafka(), range, options).pipe(
        filter(({ offset }) => offset !== 4),
        processEach(() => undefined),
      ),
    );
    await sim.until(() => seen.isComplete);
    expect(sim.clock.monotonic()).toBeLessThan(10_000);
  });

  it('ends at once where records are held until it does', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 5);
    const options = { ...manual, groupId: 'billing' };
    const seen = new Seen(fromOffsetRange(sim.kafka(), range, options).pipe(toArray()));
    await sim.until(() => seen.isComplete);
    expect(sim.clock.monotonic()).toBeLessThan(1000);
    for (const record of seen.values[0]!) record.ack();
    await sim.until(() => membersOf(sim.cluster, 'billing') === 0);
    await sim.until(() => committed(sim.cluster, 'billing', TOPIC) === 5);
  });
});

describe('work that fails when nobody can be told', () => {
  it('is an event: of a promise after unsubscribing', async () => {
    await using sim = await start();
    write(sim.cluster, TOPIC, 0, 'a', 'b');
    let started = 0;
    const work = processEach(async () => {
      started++;
      await later(sim, 2000);
      throw new Error('no stock');
    });
    const options = { ...manual, groupId: 'billing' };
    const seen = new Seen(fromTopics(sim.kafka(), TOPIC, options).pipe(work));
    await sim.until(() => started === 1);
    seen.subscription.unsubscribe();
    await sim.until(() => membersOf(sim.cluster, 'billing') === 0);
    expect(sim.eventsOf('record-failed')).toMatchObject([
      { topic: TOPIC, partition: 0, offset: 0, attempt: 1, reason: new Error('no stock') },
    ]);
    expect(seen.error).toBeUndefined();
    expect(committed(sim.cluster, 'billing', TOPIC)).toBe(0);
  });

  it('is an event: of a nack while the partition is being given up', async () => {
    await using sim = await start();
    write(sim.cluster, TOPIC, 0, 'a', 'b');
    const kafka = sim.kafka();
    let started = 0;
    const work = processEach(async (record) => {
      started++;
      await later(sim, 2000);
      record.nack('no stock');
    });
    const options = { ...manual, groupId: 'billing' };
    const seen = new Seen(fromTopics(kafka, TOPIC, options).pipe(work));
    await sim.until(() => started === 1);
    await sim.run(kafka.drain());
    expect(seen.isComplete).toBe(true);
    expect(sim.eventsOf('record-failed')).toMatchObject([{ offset: 0, reason: 'no stock' }]);
    expect(sim.eventsOf('redelivered')).toEqual([]);
  });
});
