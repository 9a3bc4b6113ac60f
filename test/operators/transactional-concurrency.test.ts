// On the embedded broker: what became of a transaction, only its coordinators and readers know.

import { finalize, map, mergeMap, tap, type Observable, type OperatorFunction } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  fromOffsetRange,
  fromTopics,
  transactional,
  type ConsumerRecord,
  type TransactionalOptions,
  type TransactionResult,
} from '../../src/index.js';
import { committed } from '../support/consuming.js';
import { Simulation } from '../support/simulation.js';
import { fill, upTo, watch } from '../support/watching.js';

const PARTITIONS = 6;
const PER_PARTITION = 20;

async function start(partitions = PARTITIONS): Promise<Simulation> {
  const sim = await Simulation.start({ topics: { in: partitions, out: partitions } });
  for (const partition of upTo(partitions)) fill(sim, 'in', partition, PER_PARTITION);
  return sim;
}

type Records = Observable<ConsumerRecord>;

const copy = (records: Records) =>
  records.pipe(map((record) => record.derive({ topic: 'out', partition: record.partition })));

function copying(sim: Simulation, options: TransactionalOptions, project = copy) {
  const kafka = sim.kafka();
  const source = fromTopics(kafka, 'in', {
    groupId: 'g',
    isolationLevel: 'read_committed',
    autoOffsetReset: 'earliest',
  });
  const all = { transactionalIdPrefix: 'app', maxRecords: 5, maxWaitMs: 10, ...options };
  return watch(source.pipe(transactional(kafka, all, project)));
}

/** RxJS's own delay() goes by another clock. */
function later<T>(sim: Simulation, ms: number): OperatorFunction<T, T> {
  return mergeMap(
    (value) => new Promise<T>((resolve) => sim.clock.schedule(ms, () => resolve(value))),
  );
}

const taken = (results: readonly TransactionResult[]) =>
  results.reduce((sum, { records }) => sum + records, 0);

/** Every record is there once, in order, and so are the offsets. */
async function expectAllCopied(sim: Simulation, partitions = PARTITIONS): Promise<void> {
  const range = upTo(partitions).map((partition) => ({ topic: 'out', partition }));
  const seen = watch(fromOffsetRange(sim.kafka(), range, { isolationLevel: 'read_committed' }));
  await sim.until(() => seen.isComplete || seen.error !== undefined);
  for (const partition of upTo(partitions)) {
    const values = seen.values.filter((record) => record.partition === partition);
    expect(values.map(({ value }) => String(value))).toEqual(
      upTo(PER_PARTITION).map((i) => `${partition}:${i}`),
    );
    expect(committed(sim.cluster, 'g', 'in', partition)).toBe(PER_PARTITION);
  }
}

describe('transactional with concurrency', () => {
  it('has so many transactions under way, of different partitions', async () => {
    await using sim = await start();
    const open = new Set<Set<number>>();
    let most = 0;
    let shared = 0;
    const seen = copying(sim, { concurrency: 3 }, (records) => {
      const mine = new Set<number>();
      open.add(mine);
      most = Math.max(most, open.size);
      const noted = records.pipe(
        tap(({ partition }) => {
          mine.add(partition);
          for (const other of open) if (other !== mine && other.has(partition)) shared++;
        }),
      );
      return copy(noted).pipe(
        later(sim, 50),
        finalize(() => open.delete(mine)),
      );
    });
    await sim.until(() => taken(seen.values) === PARTITIONS * PER_PARTITION);
    expect(most).toBe(3);
    expect(shared).toBe(0);
    await expectAllCopied(sim);
  });

  it('none waits for what the others have on the way, however many they are', async () => {
    const partitions = 8;
    await using sim = await start(partitions);
    // There are more of them than one producer may have on the way.
    sim.cluster.delay('Produce', 50);
    const startedAt = sim.clock.monotonic();
    const seen = copying(sim, { concurrency: partitions });
    await sim.until(() => taken(seen.values) === partitions * PER_PARTITION);
    expect(sim.clock.monotonic() - startedAt).toBeLessThan(10_000);
    expect(sim.eventsOf('transaction-aborted')).toEqual([]);
    await expectAllCopied(sim, partitions);
  });

  it('each stores the offsets of exactly the records that it took', async () => {
    await using sim = await start();
    const seen = copying(sim, { concurrency: 2 });
    await sim.until(() => taken(seen.values) === PARTITIONS * PER_PARTITION);
    const stored = new Map<number, number>();
    for (const { offsets, records } of seen.values) {
      let passed = 0;
      for (const { partition, offset } of offsets) {
        passed += offset - (stored.get(partition) ?? 0);
        stored.set(partition, offset);
      }
      expect(passed).toBe(records);
    }
    await expectAllCopied(sim);
  });

  it('an abort of one leaves the others alone, and its records come again in order', async () => {
    await using sim = await start();
    sim.cluster.failNext('TxnOffsetCommit', 'ILLEGAL_GENERATION', 2);
    const seen = copying(sim, { concurrency: 3 });
    await sim.until(() => taken(seen.values) === PARTITIONS * PER_PARTITION);
    expect(sim.eventsOf('transaction-aborted')).toHaveLength(2);
    expect(seen.values.filter(({ attempts }) => attempts > 1).length).toBeGreaterThan(0);
    await expectAllCopied(sim);
  });

  it('stores where partitions begin of which nothing came, once', async () => {
    await using sim = await Simulation.start({ topics: { in: 3, out: 3 } });
    fill(sim, 'in', 0, PER_PARTITION);
    const seen = copying(sim, { concurrency: 3 });
    await sim.until(() => taken(seen.values) === PER_PARTITION);
    const stored = seen.values.flatMap(({ offsets }) => offsets);
    for (const idle of [1, 2]) {
      expect(stored.filter(({ partition }) => partition === idle)).toMatchObject([{ offset: 0 }]);
      expect(committed(sim.cluster, 'g', 'in', idle)).toBe(0);
    }
  });

  it('a record that fails for good ends the stream; what others had done stays done', async () => {
    await using sim = await start();
    const seen = copying(sim, { concurrency: 3 }, (records) =>
      records.pipe(
        map((record) => {
          if (record.partition === 0 && record.offset === 7) throw new Error('poison');
          return record.derive({ topic: 'out', partition: record.partition });
        }),
      ),
    );
    await sim.until(() => seen.error !== undefined);
    expect(String(seen.error)).toContain('poison');
    expect(committed(sim.cluster, 'g', 'in', 0)).toBeLessThanOrEqual(7);
  });
});

describe('transactional with a prefix', () => {
  it('has producers take turns, so that none waits for the markers of its last transaction', async () => {
    await using sim = await start(1);
    const seen = copying(sim, { maxRecords: 4 });
    await sim.until(() => taken(seen.values) === PER_PARTITION);
    const turns = seen.values.map(({ transactionalId }) => transactionalId.split('-').at(-1));
    expect(turns).toEqual(['0', '1', '2', '0', '1']);
    await expectAllCopied(sim, 1);
  });

  it('takes every id over before the upstream is subscribed', async () => {
    await using sim = await start(1);
    sim.cluster.delay('InitProducerId', 1000);
    let ids = 0;
    sim.cluster.intercept('Fetch', () => {
      ids ||= sim.cluster.inspect().requests['InitProducerId'] ?? 0;
      return undefined;
    });
    const seen = copying(sim, { concurrency: 2 });
    await sim.until(() => taken(seen.values) === PER_PARTITION);
    expect(ids).toBe(4);
  });
});
