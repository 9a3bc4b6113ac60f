// On the embedded broker: leaders that move, and members that come, are what it is about.

import { concat, concatMap, map, tap, type Observable } from 'rxjs';
import { expect, test } from 'vitest';
import {
  ackEach,
  aggregateEach,
  batchEach,
  deadLetter,
  dedupeEach,
  exhaustEach,
  fanOut,
  filterEach,
  flatMapEach,
  mapEach,
  pauseWhile,
  processEach,
  processPartitioned,
  retryEach,
  retryTopics,
  switchEach,
  tee,
  throttleBytes,
  toCommit,
  toTopic,
  toTopics,
  transactional,
  untilCaughtUp,
  untilOffsets,
  withLag,
  type Consumer,
  type Kafka,
} from '../../src/index.js';
import { committed, membersOf, Seen, write } from '../support/consuming.js';
import type { TestRecord } from '../support/records.js';
import { Simulation } from '../support/simulation.js';

const RECORDS = 60;
const PARTITIONS = [0, 1];

/** What pipelines have to work with. */
interface Use {
  /** Work that takes a while of virtual time. */
  readonly later: () => Promise<void>;
  readonly kafka: Kafka;
  /** The one whose records these are. */
  readonly consumer: Consumer;
}

const failing = () => {
  throw new Error('no');
};

/** Pipelines that see to the acks of all they are given, by the operators that they show. */
const pipelines: Readonly<
  Record<string, (use: Use) => (records: Observable<TestRecord>) => Observable<unknown>>
> = {
  ackEach: () => ackEach(),
  toCommit: () => toCommit(),
  filterEach: () => (records) =>
    records.pipe(
      filterEach(({ offset }) => offset % 3 === 0),
      ackEach(),
    ),
  processEach: ({ later }) => processEach(later, { concurrency: 4, order: 'key' }),
  retryEach: ({ later }) =>
    retryEach(
      async (_, { attempt }) => {
        await later();
        if (attempt % 2 === 1) throw new Error('not yet');
      },
      { concurrency: 4, order: 'key', backoffMs: 1 },
    ),
  'processEach, deadLetter': ({ kafka }) =>
    processEach(failing, {
      concurrency: 4,
      order: 'none',
      onError: deadLetter(kafka, { topic: 'dead' }),
    }),
  retryTopics: ({ later, kafka }) =>
    retryTopics(
      kafka,
      [{ topic: 'retry', delayMs: 20 }],
      { consumer: { groupId: 'retries' }, onError: 'fail', concurrency: 4, order: 'key' },
      async (_, { attempt }) => {
        await later();
        if (attempt === 1) throw new Error('not yet');
      },
    ),
  processPartitioned: ({ later }) =>
    processPartitioned((records) => records.pipe(processEach(later))),
  'mapEach, flatMapEach':
    ({ later }) =>
    (records) =>
      records.pipe(
        mapEach(({ offset }) => offset),
        flatMapEach(({ value }) => [value, value + 1]),
        processEach(later, { concurrency: 4, order: 'none' }),
      ),
  fanOut: ({ later }) => fanOut(ackEach(), processEach(later)),
  tee:
    ({ later }) =>
    (records) =>
      records.pipe(tee(processEach(later)), ackEach()),
  batchEach:
    ({ later }) =>
    (records) =>
      records.pipe(batchEach({ maxRecords: 7, maxWaitMs: 5 }), processEach(later)),
  'batchEach by key':
    ({ later }) =>
    (records) =>
      records.pipe(
        batchEach({ maxRecords: 3, maxWaitMs: 5, by: 'key' }),
        processEach(later, { concurrency: 4, order: 'key' }),
      ),
  aggregateEach:
    ({ later }) =>
    (records) =>
      records.pipe(
        aggregateEach(
          (sum, { offset }) => sum + offset,
          () => 0,
          { maxRecords: 10, by: 'partition' },
        ),
        processEach(later, { concurrency: 2 }),
      ),
  dedupeEach:
    ({ later }) =>
    (records) =>
      records.pipe(dedupeEach(), processEach(later)),
  switchEach: ({ later }) => switchEach(later, { by: 'key' }),
  exhaustEach: ({ later }) => exhaustEach(later, { by: 'key' }),
  pauseWhile:
    ({ later }) =>
    (records) =>
      records.pipe(
        pauseWhile(
          concat(
            [true],
            later().then(() => false),
          ),
        ),
        processEach(later),
      ),
  throttleBytes:
    ({ later }) =>
    (records) =>
      records.pipe(throttleBytes(2000, { burstBytes: 10 }), processEach(later)),
  withLag:
    ({ later }) =>
    (records) =>
      records.pipe(withLag(), processEach(later)),
  untilCaughtUp:
    ({ later, consumer }) =>
    (records) =>
      records.pipe(untilCaughtUp(consumer), processEach(later)),
  untilOffsets:
    ({ later, consumer }) =>
    (records) =>
      records.pipe(
        untilOffsets(
          consumer,
          PARTITIONS.map((partition) => ({ topic: 'orders', partition, offset: RECORDS })),
        ),
        processEach(later),
      ),
  toTopic:
    ({ kafka }) =>
    (records) =>
      records.pipe(
        map((record) => record.derive()),
        toTopic(kafka, 'results'),
      ),
  toTopics:
    ({ kafka }) =>
    (records) =>
      records.pipe(
        map((record) => record.derive()),
        toTopics(kafka, () => ['results', 'audit'] as const, { results: {}, audit: {} }),
      ),
  transactional: ({ later, kafka }) =>
    transactional(kafka, { transactionalIdPrefix: 'billing', maxRecords: 7 }, (records) =>
      records.pipe(concatMap((record) => later().then(() => record.derive({ topic: 'results' })))),
    ),
};

test.each(Object.keys(pipelines))(
  '%s: all is acked and committed over a rebalance, a leader that moves, and commits that fail',
  async (name) => {
    await using sim = await Simulation.start({
      brokers: 2,
      topics: {
        orders: { partitions: PARTITIONS.length, replicationFactor: 2 },
        ...{ dead: 1, retry: 2, results: 1, audit: 1 },
      },
    });
    for (const partition of PARTITIONS) {
      const values = Array.from({ length: RECORDS }, (_, i) => `k${String(i % 5)}=${String(i)}`);
      write(sim.cluster, 'orders', partition, ...values);
    }
    let delivered = 0;
    const later = async () => {
      await new Promise<void>((resolve) => sim.clock.schedule(10, resolve));
    };
    const join = () => {
      const kafka = sim.kafka();
      const consumer = kafka.consumer({
        groupId: 'billing',
        autoOffsetReset: 'earliest',
        maxUnackedRecords: 20,
        autoCommitIntervalMs: 20,
      });
      const pipeline = pipelines[name]!({ later, kafka, consumer });
      return new Seen(pipeline(consumer.records('orders').pipe(tap(() => delivered++))));
    };
    const first = join();
    await sim.until(() => delivered >= 3);
    for (const api of ['OffsetCommit', 'TxnOffsetCommit'] as const) {
      sim.cluster.failNext(api, 'COORDINATOR_LOAD_IN_PROGRESS', 2);
    }
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
