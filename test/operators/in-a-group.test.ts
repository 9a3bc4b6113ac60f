import { concat, type Observable } from 'rxjs';
import { expect, test } from 'vitest';
import {
  ackEach,
  aggregateEach,
  batchEach,
  dedupeEach,
  exhaustEach,
  fanOut,
  flatMapEach,
  fromTopics,
  mapEach,
  pauseWhile,
  processEach,
  processPartitioned,
  switchEach,
  throttleBytes,
} from '../../src/index.js';
import { committed, membersOf, Seen, write } from '../support/consuming.js';
import type { TestRecord } from '../support/records.js';
import { Simulation } from '../support/simulation.js';

const RECORDS = 60;
const PARTITIONS = [0, 1];

/** Work that takes a while of virtual time. */
type Later = () => Promise<void>;

/** Pipelines that see to the acks of all they are given. */
const pipelines: Readonly<
  Record<string, (later: Later) => (records: Observable<TestRecord>) => Observable<unknown>>
> = {
  processEach: (later) => processEach(later, { concurrency: 4, order: 'key' }),
  'processEach with retries': (later) =>
    processEach(
      async (_, { attempt }) => {
        await later();
        if (attempt % 2 === 1) throw new Error('not yet');
      },
      { concurrency: 4, order: 'key', retry: { count: Infinity, backoffMs: 1 } },
    ),
  processPartitioned: (later) => processPartitioned((records) => records.pipe(processEach(later))),
  'mapEach, flatMapEach': (later) => (records) =>
    records.pipe(
      mapEach(({ offset }) => offset),
      flatMapEach(({ value }) => [value, value + 1]),
      processEach(later, { concurrency: 4, order: 'none' }),
    ),
  fanOut: (later) => fanOut(ackEach(), processEach(later)),
  batchEach: (later) => (records) =>
    records.pipe(batchEach({ maxRecords: 7, maxWaitMs: 5 }), processEach(later)),
  'batchEach by key': (later) => (records) =>
    records.pipe(
      batchEach({ maxRecords: 3, maxWaitMs: 5, by: 'key' }),
      processEach(later, { concurrency: 4, order: 'key' }),
    ),
  aggregateEach: (later) => (records) =>
    records.pipe(
      aggregateEach(
        (sum, { offset }) => sum + offset,
        () => 0,
        { maxRecords: 10, by: 'partition' },
      ),
      processEach(later, { concurrency: 2 }),
    ),
  dedupeEach: (later) => (records) => records.pipe(dedupeEach(), processEach(later)),
  switchEach: (later) => switchEach(later, { by: 'key' }),
  exhaustEach: (later) => exhaustEach(later, { by: 'key' }),
  pauseWhile: (later) => (records) =>
    records.pipe(
      pauseWhile(
        concat(
          [true],
          later().then(() => false),
        ),
      ),
      processEach(later),
    ),
  throttleBytes: (later) => (records) =>
    records.pipe(throttleBytes(2000, { burstBytes: 10 }), processEach(later)),
};

test.each(Object.keys(pipelines))(
  '%s: all is acked and committed over a rebalance, a leader that moves, and commits that fail',
  async (name) => {
    await using sim = await Simulation.start({
      brokers: 2,
      topics: { orders: { partitions: PARTITIONS.length, replicationFactor: 2 } },
    });
    for (const partition of PARTITIONS) {
      const values = Array.from({ length: RECORDS }, (_, i) => `k${String(i % 5)}=${String(i)}`);
      write(sim.cluster, 'orders', partition, ...values);
    }
    let works = 0;
    const later = async () => {
      works++;
      await new Promise<void>((resolve) => sim.clock.schedule(10, resolve));
    };
    const join = () => {
      const records = fromTopics(sim.kafka(), 'orders', {
        groupId: 'billing',
        autoOffsetReset: 'earliest',
        maxUnackedRecords: 20,
        autoCommitIntervalMs: 20,
      });
      return new Seen(pipelines[name]!(later)(records));
    };
    const first = join();
    await sim.until(() => works >= 3);
    sim.cluster.failNext('OffsetCommit', 'COORDINATOR_LOAD_IN_PROGRESS', 2);
    const second = join();
    await sim.until(() => membersOf(sim.cluster, 'billing') === 2);
    const { leader } = sim.cluster.inspect().topics['orders']!.partitions[0]!;
    sim.cluster.moveLeader('orders', 0, leader === 1 ? 2 : 1);
    const isDone = (partition: number) =>
      committed(sim.cluster, 'billing', 'orders', partition) === RECORDS;
    await sim.until(() => PARTITIONS.every(isDone));
    expect([first.error, second.error]).toEqual([undefined, undefined]);
    for (const { subscription } of [first, second]) subscription.unsubscribe();
    await sim.until(() => membersOf(sim.cluster, 'billing') === 0);
    expect(PARTITIONS.every(isDone)).toBe(true);
  },
);
