import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ConsumerOptions } from '../../../src/index.js';
import { emptiedBatch, thinnedBatch } from '../../support/compacted.js';
import { Simulation } from '../../support/simulation.js';
import { TransactionalLog } from '../../support/transactions.js';
import { fill, offsetsOf, upTo, watch } from '../../support/watching.js';

const TOPIC = 'orders';
const strict = {
  ack: 'manual',
  autoOffsetReset: 'earliest',
  isolationLevel: 'read_committed',
} as const;

async function start() {
  const sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
  return {
    sim,
    log: new TransactionalLog(sim, TOPIC, 0),
    [Symbol.asyncDispose]: () => sim[Symbol.asyncDispose](),
  };
}

function consume(sim: Simulation, options: ConsumerOptions = {}) {
  const consumer = sim.kafka().consumer({ ...strict, ...options });
  const seen = watch(consumer.records(TOPIC), (record) => record.ack());
  const position = () => consumer.position({ topic: TOPIC, partition: 0 });
  return { consumer, seen, position };
}

describe('read_committed', () => {
  it('leaves out two aborted transactions of one producer in one fetch, and keeps what it committed between and after', async () => {
    await using run = await start();
    const { sim, log } = run;
    const aborted = [...log.write(7, 2)];
    log.abort(7);
    const kept = [...log.write(7, 2)];
    log.commit(7);
    aborted.push(...log.write(7, 3));
    log.abort(7);
    kept.push(...log.write(7, 1));
    log.commit(7);
    kept.push(...log.plain(2));
    const { seen, position } = consume(sim);
    await sim.until(() => position() === 14);
    expect(offsetsOf(seen.values)).toEqual(kept);
    expect(aborted).toEqual([0, 1, 6, 7, 8]);
  });

  it('knows an aborted transaction also where its marker lies beyond the fetch', async () => {
    await using run = await start();
    const { sim, log } = run;
    const kept: number[] = log.plain(2);
    for (let i = 0; i < 10; i++) log.write(7, 2);
    kept.push(...log.plain(2));
    log.abort(7);
    const { seen, position } = consume(sim, { maxPartitionFetchBytes: 1 });
    await sim.until(() => position() === 25);
    expect(offsetsOf(seen.values)).toEqual(kept);
    // One batch an answer: none of those with aborted records had the marker.
    expect(sim.cluster.inspect().requests['Fetch']).toBeGreaterThan(10);
  });

  it('never delivers a marker, whichever level is asked for', async () => {
    await using run = await start();
    const { sim, log } = run;
    const all = [...log.write(7, 1)];
    const markers = [log.abort(7)];
    all.push(...log.write(8, 1));
    markers.push(log.commit(8));
    const { seen, position } = consume(sim, { isolationLevel: 'read_uncommitted' });
    await sim.until(() => position() === 4);
    expect(offsetsOf(seen.values)).toEqual(all);
    expect(markers).toEqual([1, 3]);
  });

  it('waits in front of an open transaction, and goes on as its outcome says', async () => {
    await using run = await start();
    const { sim, log } = run;
    log.plain(1);
    const open = log.write(7, 2);
    const after = log.plain(1);
    const { consumer, seen } = consume(sim);
    await sim.until(() => seen.values.length === 1);
    await sim.advance(5000);
    expect(offsetsOf(seen.values)).toEqual([0]);
    expect(consumer.lag({ topic: TOPIC, partition: 0 })).toBe(0);
    log.commit(7);
    await sim.until(() => seen.values.length === 4);
    expect(offsetsOf(seen.values)).toEqual([0, ...open, ...after]);
  });

  it('tells that it has caught up at the last stable offset, past markers at the end of the log', async () => {
    await using run = await start();
    const { sim, log } = run;
    log.write(7, 2);
    log.abort(7);
    consume(sim);
    await sim.until(() => sim.eventsOf('caught-up').length === 1);
    expect(sim.eventsOf('caught-up')).toMatchObject([{ offset: 3 }]);
  });

  it('commits past markers and aborted records only when all before them is acked', async () => {
    await using run = await start();
    const { sim, log } = run;
    log.plain(1);
    log.write(7, 3);
    log.abort(7);
    const consumer = sim.kafka().consumer({ ...strict, groupId: 'billing' });
    const seen = watch(consumer.records(TOPIC));
    await sim.until(() => consumer.position({ topic: TOPIC, partition: 0 }) === 5);
    const committed = () => sim.cluster.groupOffsets('billing')[TOPIC]?.[0]?.offset;
    await sim.run(consumer.commit());
    expect(committed()).toBe(0);
    seen.values[0]!.ack();
    await sim.run(consumer.commit());
    expect(committed()).toBe(5);
  });

  it('delivers what a transaction has committed, whatever was aborted around it', async () => {
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          producer: fc.integer({ min: 1, max: 3 }),
          count: fc.integer({ min: 1, max: 3 }),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ ends: fc.integer({ min: 1, max: 3 }), isAbort: fc.boolean() }),
      },
      { weight: 1, arbitrary: fc.record({ plain: fc.integer({ min: 1, max: 2 }) }) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 25 }),
        fc.constantFrom(1, 300, 100_000),
        async (steps, bytes) => {
          await using run = await start();
          const { sim, log } = run;
          const pending = new Map<number, number[]>();
          const kept: number[] = [];
          let end = 0;
          const close = (producer: number, isAbort: boolean) => {
            const offsets = pending.get(producer);
            if (offsets === undefined) return;
            pending.delete(producer);
            if (!isAbort) kept.push(...offsets);
            end = (isAbort ? log.abort(producer) : log.commit(producer)) + 1;
          };
          for (const each of steps) {
            if ('ends' in each) close(each.ends, each.isAbort);
            else {
              const isPlain = 'plain' in each;
              const offsets = isPlain
                ? log.plain(each.plain)
                : log.write(each.producer, each.count);
              if (isPlain) kept.push(...offsets);
              else pending.set(each.producer, [...(pending.get(each.producer) ?? []), ...offsets]);
              end = offsets.at(-1)! + 1;
            }
          }
          for (const producer of [...pending.keys()]) close(producer, true);
          const { seen, position } = consume(sim, { maxPartitionFetchBytes: bytes });
          await sim.until(() => position() === end);
          expect(offsetsOf(seen.values)).toEqual(kept.toSorted((a, b) => a - b));
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe('what compaction has left', () => {
  it('is delivered with its gaps, and the position ends behind those at the end of a batch', async () => {
    await using run = await start();
    const { sim } = run;
    sim.cluster.append(TOPIC, 0, thinnedBatch(10, [2, 5]));
    fill(sim, TOPIC, 0, 1);
    const { seen, position } = consume(sim);
    await sim.until(() => position() === 11);
    expect(offsetsOf(seen.values)).toEqual([2, 5, 10]);
  });

  it('lets the position pass a batch without any record, and commits past it', async () => {
    await using run = await start();
    const { sim } = run;
    fill(sim, TOPIC, 0, 2);
    sim.cluster.append(TOPIC, 0, emptiedBatch(1000));
    const { seen, position } = consume(sim, { groupId: 'billing' });
    await sim.until(() => position() === 1002);
    expect(offsetsOf(seen.values)).toEqual(upTo(2));
    await sim.until(() => sim.cluster.groupOffsets('billing')[TOPIC]?.[0]?.offset === 1002);
  });

  it('begins in the middle of a batch with the first record at or after the offset', async () => {
    await using run = await start();
    const { sim } = run;
    sim.cluster.append(TOPIC, 0, thinnedBatch(10, [2, 5, 9]));
    const consumer = sim.kafka().consumer({ ack: 'auto' });
    const seen = watch(
      consumer.records({ partitions: [{ topic: TOPIC, partition: 0, start: { offset: 3 } }] }),
    );
    await sim.until(() => seen.values.length === 2);
    expect(offsetsOf(seen.values)).toEqual([5, 9]);
  });
});
