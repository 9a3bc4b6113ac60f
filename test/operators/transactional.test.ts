// On the embedded broker: what became of a transaction, only its coordinators and readers know.

import {
  concatMap,
  EMPTY,
  filter,
  finalize,
  ignoreElements,
  map,
  merge,
  mergeMap,
  NEVER,
  of,
  pipe,
  retry,
  take,
  tap,
  throwError,
  Observable,
  type OperatorFunction,
} from 'rxjs';
import { describe, expect, it } from 'vitest';
import { encodeRecords } from '../../src/core/records/index.js';
import {
  ConfigError,
  FencedError,
  filterEach,
  fromTopics,
  processEach,
  transactional,
  UnsupportedVersionError,
  type ConsumerOptions,
  type ConsumerRecord,
  type Kafka,
  type TransactionalOptions,
  type TransactionProject,
  type TransactionResult,
} from '../../src/index.js';
import { committed, membersOf } from '../support/consuming.js';
import { Simulation } from '../support/simulation.js';
import { committedValues, fill, watch } from '../support/watching.js';

const PARTITIONS = 2;

type Bytes = Buffer | null;

async function start(): Promise<Simulation> {
  return Simulation.start({ topics: { in: PARTITIONS, out: PARTITIONS } });
}

/** Copies to the same partition of another topic. */
const copy: TransactionProject<Bytes, Bytes, unknown, unknown> = (records) =>
  records.pipe(map((record) => record.derive({ topic: 'out', partition: record.partition })));

/** RxJS's own delay() goes by another clock. */
function later<T>(sim: Simulation, ms: number): OperatorFunction<T, T> {
  return mergeMap(
    (value) => new Promise<T>((resolve) => sim.clock.schedule(ms, () => resolve(value))),
  );
}

function source(kafka: Kafka, options: ConsumerOptions = {}): Observable<ConsumerRecord> {
  return fromTopics(kafka, 'in', {
    groupId: 'g',
    isolationLevel: 'read_committed',
    autoOffsetReset: 'earliest',
    ...options,
  });
}

const ids = { transactionalId: 'id' } as const;

function copying(kafka: Kafka, options: TransactionalOptions<Bytes, Bytes> = {}, project = copy) {
  return source(kafka).pipe(transactional(kafka, { ...ids, ...options }, project));
}

/** What `read_committed` sees of the results, by partition. */
const written = (sim: Simulation) => committedValues(sim, 'out', PARTITIONS);

const taken = (results: readonly TransactionResult[]) =>
  results.reduce((sum, { records }) => sum + records, 0);

const values = (partition: number, count: number, first = 0) =>
  Array.from({ length: count }, (_, i) => `${partition}:${first + i}`);

describe('transactional', () => {
  it('writes what came of the records and commits their offsets with it', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 5);
    fill(sim, 'in', 1, 3);
    const seen = watch(copying(sim.kafka()));
    await sim.until(() => taken(seen.values) === 8);
    expect(await written(sim)).toEqual([...values(0, 5), ...values(1, 3)]);
    expect(committed(sim.cluster, 'g', 'in', 0)).toBe(5);
    expect(committed(sim.cluster, 'g', 'in', 1)).toBe(3);
    expect(seen.values[0]).toMatchObject({ transactionalId: 'id', attempts: 1 });
  });

  it('connects nothing before it is subscribed to', async () => {
    await using sim = await start();
    copying(sim.kafka());
    await sim.advance(60_000);
    expect(sim.cluster.inspect().requests).toEqual({});
  });

  it('cuts at maxRecords, and what is left after maxWaitMs', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 10);
    const seen = watch(copying(sim.kafka(), { maxRecords: 4, maxWaitMs: 500 }));
    await sim.until(() => taken(seen.values) === 10);
    expect(seen.values.map(({ records }) => records)).toEqual([4, 4, 2]);
    expect(await written(sim)).toEqual(values(0, 10));
  });

  it('cuts when windows are full, however many records it would take', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 30);
    fill(sim, 'in', 1, 30);
    const limited = source(sim.kafka(), { maxUnackedRecords: 10 });
    const options = { ...ids, maxRecords: 1000, maxWaitMs: 20_000 };
    const seen = watch(limited.pipe(transactional(sim.kafka(), options, copy)));
    const startedAt = sim.clock.monotonic();
    await sim.until(() => taken(seen.values) === 60);
    expect(sim.clock.monotonic() - startedAt).toBeLessThan(20_000);
    expect(await written(sim)).toEqual([...values(0, 30), ...values(1, 30)]);
  });

  it('commits what came when the source completes, then completes', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 5);
    const kafka = sim.kafka();
    const seen = watch(
      source(kafka).pipe(take(3), transactional(kafka, { ...ids, maxWaitMs: 20_000 }, copy)),
    );
    await sim.until(() => seen.isComplete);
    expect(seen.values.map(({ records }) => records)).toEqual([3]);
    expect(await written(sim)).toEqual(values(0, 3));
    expect(committed(sim.cluster, 'g', 'in', 0)).toBe(3);
  });

  it('makes a transaction also of a single record', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 1);
    const kafka = sim.kafka();
    const seen = watch(source(kafka).pipe(take(1), transactional(kafka, ids, copy)));
    await sim.until(() => seen.isComplete);
    expect(seen.values.map(({ records }) => records)).toEqual([1]);
    expect(await written(sim)).toEqual(values(0, 1));
    expect(committed(sim.cluster, 'g', 'in', 0)).toBe(1);
  });

  it('completes at once where nothing came, and never where nothing ends', async () => {
    await using sim = await start();
    const kafka = sim.kafka();
    const nothing = watch(EMPTY.pipe(transactional(kafka, ids, copy)));
    await sim.until(() => nothing.isComplete);
    const never = watch(NEVER.pipe(transactional(kafka, ids, copy)));
    await sim.advance(1000);
    expect([never.isComplete, never.error]).toEqual([false, undefined]);
    never.subscription.unsubscribe();
  });

  it('passes an error of the source on, after it has aborted', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 5);
    const kafka = sim.kafka();
    const failing = source(kafka).pipe(
      map((record, index) => {
        if (index === 3) throw new Error('upstream');
        return record;
      }),
    );
    const seen = watch(failing.pipe(transactional(kafka, { ...ids, maxWaitMs: 20_000 }, copy)));
    await sim.until(() => seen.error !== undefined);
    expect(String(seen.error)).toContain('upstream');
    expect(await written(sim)).toEqual([]);
    expect(committed(sim.cluster, 'g', 'in', 0)).toBeUndefined();
  });

  it('is done with records that project filters out, or never looks at', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 6);
    const seen = watch(
      copying(sim.kafka(), { maxRecords: 6 }, (records) =>
        records.pipe(
          filter(({ offset }) => offset > 0),
          filterEach(({ offset }) => offset !== 2),
          filter(({ offset }) => offset < 5),
          map((record) => record.derive({ topic: 'out', partition: 0 })),
        ),
      ),
    );
    await sim.until(() => taken(seen.values) === 6);
    expect(seen.values[0]).toMatchObject({ records: 6, results: 3 });
    expect(await written(sim)).toEqual(['0:1', '0:3', '0:4']);
    expect(committed(sim.cluster, 'g', 'in', 0)).toBe(6);
  });

  it('commits offsets alone where the result is empty', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 4);
    const seen = watch(copying(sim.kafka(), {}, (records) => records.pipe(ignoreElements())));
    await sim.until(() => taken(seen.values) === 4);
    expect(seen.values.every(({ results }) => results === 0)).toBe(true);
    expect(await written(sim)).toEqual([]);
    expect(committed(sim.cluster, 'g', 'in', 0)).toBe(4);
  });

  it('commits when what project returned completes early: what was taken until then is done', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 4);
    const seen = watch(
      copying(sim.kafka(), { maxRecords: 4, maxWaitMs: 20_000 }, (records, context) =>
        copy(records.pipe(take(1)), context),
      ),
    );
    await sim.until(() => committed(sim.cluster, 'g', 'in', 0) === 4);
    expect(seen.values.every(({ results }) => results === 1)).toBe(true);
    expect(taken(seen.values)).toBe(4);
    expect((await written(sim))[0]).toBe('0:0');
  });

  it('lets project work asynchronously, with operators of both kinds, in any order', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 8);
    const seen = watch(
      copying(sim.kafka(), { maxRecords: 8 }, (records) =>
        records.pipe(
          processEach((record) => Promise.resolve(record), { concurrency: 3, order: 'none' }),
          mergeMap((record) => of(record).pipe(later(sim, 10 - record.offset))),
          map((record) => record.derive({ topic: 'out', partition: 0 })),
        ),
      ),
    );
    await sim.until(() => taken(seen.values) === 8);
    expect((await written(sim)).sort()).toEqual(values(0, 8));
  });

  it('take(n) ends after n transactions: nothing more counts', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 10);
    const seen = watch(copying(sim.kafka(), { maxRecords: 2 }).pipe(take(2)));
    await sim.until(() => seen.isComplete);
    await sim.advance(60_000);
    expect(await written(sim)).toEqual(values(0, 4));
    expect(committed(sim.cluster, 'g', 'in', 0)).toBe(4);
  });

  it('aborts what is under way when it is unsubscribed, and leaves the group soon', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 4);
    let began = false;
    const seen = watch(
      copying(sim.kafka(), { maxRecords: 4 }, (records) => {
        began = true;
        return merge(copy(records, undefined as never) as Observable<never>, NEVER);
      }),
    );
    await sim.until(() => began);
    await sim.advance(200);
    const startedAt = sim.clock.monotonic();
    seen.subscription.unsubscribe();
    await sim.until(() => sim.eventsOf('drained').length === 1);
    expect(sim.clock.monotonic() - startedAt).toBeLessThan(2000);
    expect(sim.eventsOf('transaction-aborted')).toHaveLength(1);
    expect(await written(sim)).toEqual([]);
  });

  it('an error of project ends the stream by default; the records come again to whoever is next', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 4);
    const kafka = sim.kafka();
    const failing = watch(copying(kafka, {}, () => throwError(() => new Error('bug'))));
    await sim.until(() => failing.error !== undefined);
    expect(String(failing.error)).toContain('bug');
    const next = watch(copying(kafka));
    await sim.until(() => taken(next.values) === 4);
    expect(await written(sim)).toEqual(values(0, 4));
  });

  it('a project that throws is the same', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 1);
    const failing = watch(
      copying(sim.kafka(), {}, () => {
        throw new Error('bug');
      }),
    );
    await sim.until(() => failing.error !== undefined);
    expect(String(failing.error)).toContain('bug');
  });

  it('nack() within project aborts', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 2);
    const failing = watch(
      copying(sim.kafka(), {}, (records) =>
        records.pipe(
          map((record) => record.nack(new Error('bad'))),
          ignoreElements(),
        ),
      ),
    );
    await sim.until(() => failing.error !== undefined);
    expect(String(failing.error)).toContain('bad');
  });

  it('retries the same records in the same order after what passes, with derive() anew', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 4);
    sim.cluster.failNext('TxnOffsetCommit', 'ILLEGAL_GENERATION', 2);
    const seen: string[][] = [];
    const results = watch(
      copying(sim.kafka(), { maxRecords: 4 }, (records) => {
        const attempt: string[] = [];
        seen.push(attempt);
        return records.pipe(
          map((record) => {
            attempt.push(String(record.value));
            return record.derive({ topic: 'out', partition: 0 });
          }),
        );
      }),
    );
    await sim.until(() => taken(results.values) === 4);
    expect(seen).toEqual([values(0, 4), values(0, 4), values(0, 4)]);
    expect(results.values[0]!.attempts).toBe(3);
    expect(await written(sim)).toEqual(values(0, 4));
    expect(sim.eventsOf('transaction-aborted')).toHaveLength(2);
  });

  it('asks onAbort, which may put dead letters in the place of the results', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 4);
    const attempts: unknown[] = [];
    const seen = watch(
      copying(
        sim.kafka(),
        {
          maxRecords: 2,
          onAbort: ({ error, records, attempt, isPassing }) => {
            attempts.push([(error as Error).message, attempt, isPassing]);
            if (attempt < 2) return 'retry';
            return records.map(({ value }) => ({
              topic: 'out',
              partition: 1,
              value: `dead ${String(value)}`,
            }));
          },
        },
        (records) =>
          records.pipe(
            map((record) => {
              if (record.offset === 1) throw new Error('poison');
              return record.derive({ topic: 'out', partition: 0 });
            }),
          ),
      ),
    );
    await sim.until(() => taken(seen.values) === 4);
    expect(attempts).toEqual([
      ['poison', 1, false],
      ['poison', 2, false],
    ]);
    expect(await written(sim)).toEqual(['0:2', '0:3', 'dead 0:0', 'dead 0:1']);
    expect(committed(sim.cluster, 'g', 'in', 0)).toBe(4);
  });

  it("onAbort: 'fail' ends the stream also after what passes", async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 2);
    sim.cluster.failNext('TxnOffsetCommit', 'ILLEGAL_GENERATION', 1);
    const seen = watch(copying(sim.kafka(), { onAbort: 'fail' }));
    await sim.until(() => seen.error !== undefined);
    expect(await written(sim)).toEqual([]);
  });

  it('is fenced at once, with a typed error and nothing committed, when another takes the id', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 2);
    const kafka = sim.kafka();
    let took: Promise<void> | undefined;
    const seen = watch(
      copying(kafka, { maxRecords: 2, onAbort: 'retry' }, (records) =>
        records.pipe(
          concatMap((record) => {
            took ??= kafka.producer({ transactionalId: 'id' }).initTransactions();
            return took.then(() => record.derive({ topic: 'out', partition: 0 }));
          }),
        ),
      ),
    );
    await sim.until(() => seen.error !== undefined);
    expect(seen.error).toBeInstanceOf(FencedError);
    expect(sim.eventsOf('fenced')).toHaveLength(1);
    expect(await written(sim)).toEqual([]);
    expect(committed(sim.cluster, 'g', 'in', 0)).toBeUndefined();
  });

  it('a record that names no topic is a typed error', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 1);
    const seen = watch(
      copying(sim.kafka(), {}, (records) => records.pipe(map((record) => record.derive()))),
    );
    await sim.until(() => seen.error !== undefined);
    expect(seen.error).toMatchObject({ code: 'NO_TOPIC' });
  });

  it('takes a transactional producer that is shared with others, and leaves it open', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 3);
    const kafka = sim.kafka();
    const producer = kafka.producer({ transactionalId: 'mine' });
    const seen = watch(
      source(kafka).pipe(transactional(producer, { maxRecords: 3 }, copy), take(1)),
    );
    await sim.until(() => seen.isComplete);
    expect(seen.values[0]).toMatchObject({ transactionalId: 'mine', records: 3 });
    const txn = await sim.run(producer.beginTransaction());
    await sim.run(txn.send({ topic: 'out', partition: 1, value: 'x' }));
    await sim.run(txn.commit());
    expect(await written(sim)).toEqual([...values(0, 3), 'x']);
  });
});

describe('rule 5', () => {
  const latest = { autoOffsetReset: 'latest' } as const;
  const copyLatest = (kafka: Kafka, transactionalId: string, project = copy) =>
    source(kafka, latest).pipe(transactional(kafka, { transactionalId }, project));

  it('where nothing was committed, what a transaction took and gave back is not skipped by the next owner', async () => {
    await using sim = await start();
    let hasTaken = false;
    const hanging = watch(
      copyLatest(sim.kafka(), 'first', (records) =>
        records.pipe(
          mergeMap(() => {
            hasTaken = true;
            return NEVER;
          }),
        ),
      ),
    );
    await sim.until(() => sim.eventsOf('position-reset').length === PARTITIONS);
    fill(sim, 'in', 0, 3);
    await sim.until(() => hasTaken);
    hanging.subscription.unsubscribe();
    await sim.until(() => sim.eventsOf('drained').length === 1);
    const seen = watch(copyLatest(sim.kafka(), 'second'));
    await sim.until(() => taken(seen.values) === 3);
    expect(await written(sim)).toEqual(values(0, 3));
  });

  it('a partition that comes and goes between two transactions leaves where it began', async () => {
    await using sim = await start();
    const seen = watch(copyLatest(sim.kafka(), 'first'));
    const other = sim.kafka().consumer({ groupId: 'g', enableAutoCommit: false, ...latest });
    watch(other.records('in'));
    await sim.until(() => other.assignment.length === 1);
    const left = other.assignment[0]!.partition;
    await sim.until(() => sim.eventsOf('position-reset').length > PARTITIONS);
    fill(sim, 'in', 1 - left, 1);
    await sim.until(() => taken(seen.values) === 1);
    const before = sim.eventsOf('position-reset').length;
    await sim.run(other.close({ timeoutMs: 0 }));
    await sim.until(() => sim.eventsOf('position-reset').length > before);
    seen.subscription.unsubscribe();
    await sim.until(() => sim.eventsOf('drained').length === 2);
    fill(sim, 'in', left, 2);
    const next = watch(copyLatest(sim.kafka(), 'second'));
    await sim.until(() => taken(next.values) === 2);
    expect(await written(sim)).toHaveLength(3);
  });

  it('what transactions have committed is not taken back when the partition is given up', async () => {
    await using sim = await start();
    const seen = watch(copyLatest(sim.kafka(), 'first'));
    await sim.until(() => sim.eventsOf('position-reset').length === PARTITIONS);
    fill(sim, 'in', 0, 3);
    await sim.until(() => taken(seen.values) === 3);
    seen.subscription.unsubscribe();
    await sim.until(() => sim.eventsOf('drained').length === 1);
    expect(sim.cluster.inspect().requests['OffsetCommit'] ?? 0).toBe(0);
    expect(committed(sim.cluster, 'g', 'in', 0)).toBe(3);
  });
});

describe('rule 28', () => {
  it('a record joins only when all before it in its partition are acked or in the transaction', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 4);
    fill(sim, 'in', 1, 2);
    const kafka = sim.kafka();
    let held: ConsumerRecord | undefined;
    const holding = source(kafka).pipe(
      filter((record) => {
        if (record.partition === 1 || record.offset !== 1) return true;
        held = record;
        return false;
      }),
    );
    const seen = watch(holding.pipe(transactional(kafka, ids, copy)));
    await sim.until(() => taken(seen.values) === 3);
    await sim.advance(5000);
    expect(await written(sim)).toEqual(['0:0', '1:0', '1:1']);
    expect(committed(sim.cluster, 'g', 'in', 0)).toBe(1);
    held!.ack();
    await sim.until(() => taken(seen.values) === 5);
    expect(await written(sim)).toEqual(['0:0', '0:2', '0:3', '1:0', '1:1']);
    expect(committed(sim.cluster, 'g', 'in', 0)).toBe(4);
  });

  it('partitions are committed by transactions only, also at the end', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 4);
    const kafka = sim.kafka();
    const seen = watch(copying(kafka));
    await sim.until(() => taken(seen.values) === 4);
    await sim.advance(120_000);
    await sim.run(kafka.drain());
    const { requests } = sim.cluster.inspect();
    expect(requests['OffsetCommit'] ?? 0).toBe(0);
    expect(requests['TxnOffsetCommit']).toBeGreaterThan(0);
  });

  it('a plain commit that was on the way before the first record lands before what transactions store', async () => {
    await using sim = await start();
    let isHeldUp = false;
    sim.cluster.intercept('OffsetCommit', async () => {
      isHeldUp = true;
      await new Promise<void>((resolve) => sim.clock.schedule(3000, resolve));
      return undefined;
    });
    const seen = watch(source(sim.kafka()).pipe(transactional(sim.kafka(), ids, copy)));
    // Where the partitions begin is committed while nothing has come of them.
    await sim.until(() => isHeldUp);
    fill(sim, 'in', 0, 3);
    await sim.until(() => taken(seen.values) === 3);
    await sim.advance(10_000);
    expect(committed(sim.cluster, 'g', 'in', 0)).toBe(3);
  });

  it('the first transaction stores where idle partitions begin, too, as rule 5 wants it', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 1);
    const seen = watch(copying(sim.kafka()));
    await sim.until(() => taken(seen.values) === 1);
    expect(committed(sim.cluster, 'g', 'in', 1)).toBe(0);
  });
});

describe('rule 29', () => {
  it('the id is taken over before the upstream is subscribed', async () => {
    await using sim = await start();
    let isInitialized = false;
    const kafka = sim.kafka();
    sim.cluster.delay('InitProducerId', 3000);
    let subscribedAt = -1;
    const upstream = NEVER.pipe(finalize(() => undefined));
    const deferred = new Observable<never>(() => {
      subscribedAt = sim.cluster.inspect().requests['InitProducerId'] ?? 0;
      isInitialized = sim.clock.monotonic() >= 3000;
      return upstream.subscribe();
    });
    const seen = watch(deferred.pipe(transactional(kafka, ids, copy)));
    await sim.until(() => subscribedAt >= 0);
    expect([subscribedAt, isInitialized]).toEqual([1, true]);
    seen.subscription.unsubscribe();
  });
});

describe('rule 15', () => {
  it.each(['instance', 'partition'] as const)(
    'a client that is drained while an id is taken over completes the stream (%s)',
    async (transactionalIdPer) => {
      await using sim = await start();
      fill(sim, 'in', 0, 3);
      sim.cluster.failNext('InitProducerId', 'COORDINATOR_LOAD_IN_PROGRESS', 1000);
      const kafka = sim.kafka();
      const options = { transactionalIdPrefix: 'app', transactionalIdPer };
      const seen = watch(source(kafka).pipe(transactional(kafka, options, copy)));
      await sim.until(() => (sim.cluster.inspect().requests['InitProducerId'] ?? 0) > 0);
      await sim.run(kafka.drain());
      await sim.until(() => seen.isComplete || seen.error !== undefined);
      expect([seen.isComplete, seen.error]).toEqual([true, undefined]);
    },
  );

  it('so does one that is drained with the producer that was given', async () => {
    await using sim = await start();
    sim.cluster.failNext('InitProducerId', 'COORDINATOR_LOAD_IN_PROGRESS', 1000);
    const kafka = sim.kafka();
    const producer = kafka.producer({ transactionalId: 'mine' });
    const seen = watch(source(kafka).pipe(transactional(producer, {}, copy)));
    await sim.until(() => (sim.cluster.inspect().requests['InitProducerId'] ?? 0) > 0);
    await sim.run(kafka.drain());
    await sim.until(() => seen.isComplete || seen.error !== undefined);
    expect([seen.isComplete, seen.error]).toEqual([true, undefined]);
  });

  it.each(['instance', 'partition'] as const)(
    'what a drained client has no time for is aborted, goes back, and the stream completes (%s)',
    async (transactionalIdPer) => {
      await using sim = await start();
      fill(sim, 'in', 0, 3);
      // Not even the abort gets through: what was sent has to be answered before.
      sim.cluster.delay('Produce', 8000);
      const kafka = sim.kafka({ requestTimeoutMs: 1000 });
      const ids = { transactionalIdPrefix: 'app', transactionalIdPer } as const;
      const options = { ...ids, requestTimeoutMs: 1000, transactionTimeoutMs: 40_000 };
      const hasty = source(kafka, { drainTimeoutMs: 1000 });
      const seen = watch(hasty.pipe(transactional(kafka, options, copy)));
      await sim.until(() => (sim.cluster.inspect().requests['Produce'] ?? 0) > 0);
      const report = await sim.run(kafka.drain());
      expect(report).toMatchObject({ recordsFinished: 0, recordsAbandoned: 3 });
      await sim.until(() => seen.isComplete || seen.error !== undefined);
      expect([seen.isComplete, seen.error]).toEqual([true, undefined]);
      sim.cluster.clearFaults();
      const next = watch(copying(sim.kafka()));
      await sim.until(() => taken(next.values) === 3);
      await sim.advance(60_000);
      expect(await written(sim)).toEqual(values(0, 3));
    },
  );

  it('one that is closed without being drained says so to whoever waits for an id', async () => {
    await using sim = await start();
    sim.cluster.failNext('InitProducerId', 'COORDINATOR_LOAD_IN_PROGRESS', 1000);
    const kafka = sim.kafka();
    const seen = watch(copying(kafka));
    await sim.until(() => (sim.cluster.inspect().requests['InitProducerId'] ?? 0) > 0);
    await sim.run(kafka.close());
    await sim.until(() => seen.isComplete || seen.error !== undefined);
    expect(seen.error).toMatchObject({ code: 'PRODUCER_CLOSED' });
  });

  it('a client that is drained finishes what is under way, and completes the stream', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 3);
    const kafka = sim.kafka();
    const seen = watch(copying(kafka, { maxWaitMs: 10_000 }));
    await sim.until(() => sim.eventsOf('transaction-begun').length === 1);
    await sim.run(kafka.drain());
    expect([seen.isComplete, seen.error]).toEqual([true, undefined]);
    expect(await written(sim)).toEqual(values(0, 3));
  });
});

describe('rule 30', () => {
  it('records whose epoch ended before EndTxn are not committed; the rest is replayed', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 2);
    fill(sim, 'in', 1, 2);
    const kafka = sim.kafka();
    const consumer = kafka.consumer({ groupId: 'g', autoOffsetReset: 'earliest' });
    let attempts = 0;
    const seen = watch(
      consumer.records('in').pipe(
        transactional(kafka, { ...ids, maxRecords: 4 }, (records) => {
          attempts++;
          return records.pipe(
            later(sim, attempts === 1 ? 500 : 0),
            map((record) => record.derive({ topic: 'out', partition: record.partition })),
          );
        }),
      ),
    );
    await sim.until(() => attempts === 1);
    await sim.advance(300);
    consumer.seek({ topic: 'in', partition: 0 }, { offset: 1 });
    await sim.until(() => taken(seen.values) === 3);
    expect(await written(sim)).toEqual(['0:1', '1:0', '1:1']);
    expect(sim.eventsOf('transaction-aborted')).toHaveLength(1);
  });

  it('once EndTxn(commit) is sent its outcome is awaited, whoever unsubscribes', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 3);
    const undo = sim.cluster.delay('EndTxn', 8000);
    const seen = watch(copying(sim.kafka(), { maxRecords: 3 }));
    await sim.until(() => (sim.cluster.inspect().requests['EndTxn'] ?? 0) === 1);
    seen.subscription.unsubscribe();
    await sim.until(() => sim.eventsOf('drained').length === 1);
    undo();
    expect(sim.eventsOf('transaction-committed')).toHaveLength(1);
    expect(sim.eventsOf('drained')[0]).toMatchObject({ recordsFinished: 3, recordsAbandoned: 0 });
    expect(await written(sim)).toEqual(values(0, 3));
  });

  it('once EndTxn(commit) is sent no deadline aborts it, neither project’s nor that of a revoke', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 3);
    fill(sim, 'in', 1, 3);
    const undo = sim.cluster.delay('EndTxn', 8000);
    const kafka = sim.kafka();
    const options = { ...ids, maxRecords: 6, projectTimeoutMs: 500 };
    const seen = watch(
      source(kafka, { drainTimeoutMs: 1000 }).pipe(transactional(kafka, options, copy)),
    );
    await sim.until(() => (sim.cluster.inspect().requests['EndTxn'] ?? 0) === 1);
    const other = watch(copying(sim.kafka(), { transactionalId: 'other' }));
    await sim.until(() => taken(seen.values) === 6);
    undo();
    await sim.advance(30_000);
    expect(seen.values[0]).toMatchObject({ records: 6, attempts: 1 });
    expect(sim.eventsOf('transaction-aborted')).toEqual([]);
    expect(taken(other.values)).toBe(0);
    expect(await written(sim)).toEqual([...values(0, 3), ...values(1, 3)]);
  });

  describe('a log that is cut off while a commit is under way', () => {
    /** Four of ten records are being committed when the last two are lost. */
    const cutOff = async (sim: Simulation) => {
      for (let batch = 0; batch < 5; batch++) fill(sim, 'in', 0, 2);
      const undo = sim.cluster.delay('EndTxn', 4000);
      const seen = watch(copying(sim.kafka(), { maxRecords: 4 }));
      await sim.until(() => (sim.cluster.inspect().requests['EndTxn'] ?? 0) === 1);
      sim.cluster.truncate('in', 0, 8);
      sim.cluster.append('in', 0, encodeRecords([{ value: 'new', timestamp: sim.clock.now() }]));
      undo();
      await sim.until(() => committed(sim.cluster, 'g', 'in', 0) === 9);
      expect(sim.eventsOf('truncated')).toMatchObject([{ offset: 8, consumedOffset: 10 }]);
      expect(seen.error).toBeUndefined();
      return seen.values;
    };

    it('is read on from behind what that has committed', async () => {
      await using sim = await start();
      const results = await cutOff(sim);
      expect(await written(sim)).toEqual([...values(0, 8), 'new']);
      expect(results[0]).toMatchObject({ records: 4, attempts: 1 });
    });

    it('is read from the first record of it when it fails', async () => {
      await using sim = await start();
      sim.cluster.failNext('EndTxn', 'TRANSACTION_ABORTABLE');
      await cutOff(sim);
      expect(await written(sim)).toEqual([...values(0, 8), 'new']);
      expect(sim.eventsOf('transaction-aborted')).toHaveLength(1);
    });
  });

  it.each<[string, (sim: Simulation) => void]>([
    ['is cut off', ({ cluster }) => cluster.truncate('in', 0, 0)],
    [
      'is of a topic that is made anew',
      ({ cluster }) => {
        cluster.deleteTopic('in');
        cluster.createTopic('in', { partitions: PARTITIONS });
      },
    ],
  ])(
    'a log that %s and as long again is stored anew: nothing of it comes twice',
    async (_, lose) => {
      await using sim = await start();
      fill(sim, 'in', 0, 4);
      const first = watch(copying(sim.kafka()));
      await sim.until(() => taken(first.values) === 4);
      lose(sim);
      fill(sim, 'in', 0, 4);
      await sim.until(() => taken(first.values) === 8 || first.error !== undefined);
      first.subscription.unsubscribe();
      await sim.until(() => sim.eventsOf('drained').length === 1);
      const next = watch(copying(sim.kafka()));
      await sim.advance(30_000);
      expect(taken(next.values)).toBe(0);
      expect(await written(sim)).toEqual([...values(0, 4), ...values(0, 4)]);
    },
  );

  it('a lost answer to EndTxn(commit) is asked for again, and counts once', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 3);
    sim.cluster.drop('EndTxn', 1, { when: 'after' });
    const seen = watch(copying(sim.kafka(), { maxRecords: 3 }));
    await sim.until(() => taken(seen.values) === 3);
    expect(seen.values[0]!.attempts).toBe(1);
    expect(await written(sim)).toEqual(values(0, 3));
  });

  it('on revoke the transaction in hand is finished before the partition is handed over', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 3);
    fill(sim, 'in', 1, 3);
    const kafka = sim.kafka();
    let began = false;
    const slow = watch(
      copying(kafka, { maxRecords: 100, maxWaitMs: 20_000 }, (records) => {
        began = true;
        return copy(records.pipe(later(sim, 1000)), undefined as never);
      }),
    );
    await sim.until(() => began);
    await sim.advance(1500);
    const other = watch(copying(sim.kafka(), { transactionalId: 'other' }));
    await sim.until(() => taken(slow.values) === 6);
    fill(sim, 'in', 0, 2);
    fill(sim, 'in', 1, 2);
    await sim.until(() => taken(slow.values) + taken(other.values) === 10);
    expect(taken(other.values)).toBe(2);
    expect(await written(sim)).toEqual([...values(0, 5), ...values(1, 5)]);
  });

  it('on revoke what is not done by the deadline is aborted, and is the next owner’s', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 3);
    fill(sim, 'in', 1, 3);
    const kafka = sim.kafka();
    let isStuck = true;
    const stuck = watch(
      source(kafka, { drainTimeoutMs: 2000 }).pipe(
        transactional(kafka, { ...ids, maxRecords: 6 }, (records) =>
          merge(copy(records, undefined as never) as Observable<never>, isStuck ? NEVER : EMPTY),
        ),
      ),
    );
    await sim.until(() => sim.eventsOf('transaction-begun').length === 1);
    await sim.advance(1000);
    isStuck = false;
    const other = watch(copying(sim.kafka(), { transactionalId: 'other' }));
    await sim.until(() => taken(stuck.values) + taken(other.values) === 6);
    expect(taken(other.values)).toBe(3);
    expect(await written(sim)).toEqual([...values(0, 3), ...values(1, 3)]);
  });
});

describe('partitions that are lost', () => {
  it('abort the transaction that has records of them, and are the next owner’s', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 3);
    let began = 0;
    const seen = watch(
      copying(sim.kafka(), { maxRecords: 3 }, (records, context) =>
        began++ === 0
          ? merge(copy(records, context) as Observable<never>, NEVER)
          : copy(records, context),
      ),
    );
    await sim.until(() => began === 1);
    await sim.advance(100);
    const [member] = sim.cluster.inspect().groups['g']!.members;
    sim.cluster.expireMember('g', member!.memberId);
    await sim.until(() => taken(seen.values) === 3);
    expect(sim.eventsOf('lost')).toHaveLength(1);
    expect(sim.eventsOf('transaction-aborted')).toHaveLength(1);
    expect(await written(sim)).toEqual(values(0, 3));
  });
});

describe('partitions that are lost, with an id for each', () => {
  const options = { transactionalIdPrefix: 'app', transactionalIdPer: 'partition' } as const;

  it.each(['the same', 'another'])(
    'may be taken over by %s member before the abort is done: nothing else is to end',
    async (next) => {
      await using sim = await start();
      fill(sim, 'in', 0, 3);
      fill(sim, 'in', 1, 3);
      let began = 0;
      const hanging: typeof copy = (records, context) =>
        began++ < PARTITIONS
          ? merge(copy(records, context) as Observable<never>, NEVER)
          : copy(records, context);
      const run = (kafka: Kafka) =>
        watch(source(kafka).pipe(transactional(kafka, { ...options, maxRecords: 3 }, hanging)));
      const streams = [run(sim.kafka())];
      await sim.until(() => began === PARTITIONS);
      await sim.advance(100);
      const undo = sim.cluster.failNext('EndTxn', 'COORDINATOR_LOAD_IN_PROGRESS', 1000);
      if (next === 'another') streams.push(run(sim.kafka()));
      const [member] = sim.cluster.inspect().groups['g']!.members;
      sim.cluster.expireMember('g', member!.memberId);
      await sim.until(() => began > PARTITIONS);
      undo();
      await sim.until(() => sim.eventsOf('fenced').length === PARTITIONS);
      const all = () => streams.reduce((sum, { values }) => sum + taken(values), 0);
      await sim.until(() => all() === 6 || streams.some(({ error }) => error !== undefined));
      expect(streams.map(({ error }) => error)).toEqual(streams.map(() => undefined));
      expect(await written(sim)).toEqual([...values(0, 3), ...values(1, 3)]);
    },
  );
});

describe('records that come when their partition is lost, with an id for each', () => {
  it('don’t fence whoever has it by then', async () => {
    await using sim = await start();
    for (const partition of [0, 1]) fill(sim, 'in', partition, 3);
    const options = { transactionalIdPrefix: 'app', transactionalIdPer: 'partition' } as const;
    const run = (before: OperatorFunction<ConsumerRecord, ConsumerRecord>) => {
      const kafka = sim.kafka();
      return watch(source(kafka).pipe(before, transactional(kafka, options, copy)));
    };
    let came = 0;
    let passed = 0;
    const slowly = pipe(
      tap<ConsumerRecord>(() => came++),
      later(sim, 20_000),
      tap(() => passed++),
    );
    run(slowly);
    await sim.until(() => came === 6);
    const next = run(tap());
    const [member] = sim.cluster.inspect().groups['g']!.members;
    sim.cluster.expireMember('g', member!.memberId);
    await sim.until(() => taken(next.values) > 0);
    await sim.until(() => passed >= 6);
    const before = taken(next.values);
    for (const partition of [0, 1]) fill(sim, 'in', partition, 3);
    await sim.until(() => taken(next.values) > before || next.error !== undefined);
    expect(next.error).toBeUndefined();
    expect(sim.eventsOf('fenced')).toEqual([]);
  });
});

describe('rule 31', () => {
  it('transactionTimeoutMs must exceed maxWaitMs and the time allowed to project', async () => {
    await using sim = await start();
    const options = { ...ids, maxWaitMs: 10_000, projectTimeoutMs: 20_000 };
    const make = (transactionTimeoutMs: number) => () =>
      transactional(sim.kafka(), { ...options, transactionTimeoutMs }, copy);
    expect(make(30_000)).toThrow(ConfigError);
    expect(make(30_000)).toThrow('transactionTimeoutMs');
    expect(make(30_001)).not.toThrow();
    const producer = sim.kafka().producer({ transactionalId: 'p', transactionTimeoutMs: 1000 });
    expect(() => transactional(producer, {}, copy)).toThrow('transactionTimeoutMs');
  });

  it('a transaction past its time aborts, and is replayed after a backoff', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 2);
    const begunAt: number[] = [];
    const options = { maxRecords: 2, maxWaitMs: 0, projectTimeoutMs: 1000 };
    const seen = watch(
      copying(sim.kafka(), options, (records) => {
        begunAt.push(sim.clock.monotonic());
        return begunAt.length < 3 ? NEVER : copy(records, undefined as never);
      }),
    );
    await sim.until(() => taken(seen.values) === 2);
    const [first = 0, second = 0, third = 0] = begunAt;
    expect(second - first).toBeGreaterThan(1050);
    expect(third - second).toBeGreaterThan(second - first);
    expect(seen.values[0]!.attempts).toBe(3);
    expect(sim.eventsOf('transaction-aborted')).toHaveLength(2);
    expect(await written(sim)).toEqual(values(0, 2));
  });
});

describe('a transaction that the coordinator aborted for time', () => {
  const untilAborted = async (sim: Simulation) => {
    fill(sim, 'in', 0, 4);
    const errors: unknown[] = [];
    const options = { maxRecords: 4, projectTimeoutMs: 1000, transactionTimeoutMs: 5000 };
    sim.cluster.failNext('EndTxn', 'COORDINATOR_LOAD_IN_PROGRESS', 100_000);
    const again = (error: unknown) => {
      errors.push(error);
      return of(0);
    };
    const seen = watch(copying(sim.kafka(), options).pipe(retry({ delay: again })));
    await sim.advance(30_000);
    sim.cluster.clearFaults();
    await sim.until(() => taken(seen.values) === 4);
    expect(await written(sim)).toEqual(values(0, 4));
    return { attempts: seen.values[0]!.attempts, errors };
  };

  it('is replayed with transaction.version 2', async () => {
    await using sim = await start();
    expect(await untilAborted(sim)).toEqual({ attempts: 2, errors: [] });
  });

  it('ends the stream with version 1, and retry() goes on without loss or repetition', async () => {
    const topics = { in: PARTITIONS, out: PARTITIONS };
    const features = { 'transaction.version': 1 };
    await using sim = await Simulation.start({ topics, features });
    const { errors } = await untilAborted(sim);
    expect(errors).toHaveLength(1);
    expect(errors[0]).toBeInstanceOf(FencedError);
  });
});

describe('rule 32', () => {
  it('with a prefix each subscription has an id of its own', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 2);
    const kafka = sim.kafka();
    const seen = new Set<string>();
    for (let i = 0; i < 3; i++) {
      const options = { transactionalIdPrefix: 'app', maxRecords: 1 };
      fill(sim, 'in', 0, 1);
      const results = watch(source(kafka).pipe(transactional(kafka, options, copy), take(1)));
      await sim.until(() => results.isComplete);
      seen.add(results.values[0]!.transactionalId);
    }
    expect(seen.size).toBe(3);
    expect([...seen].every((id) => /^app-[0-9a-z]+-0$/.test(id))).toBe(true);
  });

  it('with a prefix and a static member’s id the id is the same each time: a successor goes on at once', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 4);
    const options = { transactionalIdPrefix: 'app', groupInstanceId: 'one' };
    const member = { groupInstanceId: 'one' };
    const crashing = sim.kafka();
    const first = watch(
      source(crashing, member).pipe(
        transactional(crashing, options, (records, context) =>
          merge(copy(records, context) as Observable<never>, NEVER),
        ),
      ),
    );
    await sim.until(() => sim.eventsOf('transaction-begun').length === 1);
    await sim.advance(200);
    sim.cluster.drop('EndTxn', 100, { when: 'before' });
    const closed = crashing.close({ timeoutMs: 0 });
    await sim.run(closed);
    sim.cluster.clearFaults();
    const startedAt = sim.clock.monotonic();
    const next = sim.kafka();
    const second = watch(source(next, member).pipe(transactional(next, options, copy)));
    await sim.until(() => taken(second.values) === 4);
    expect(sim.clock.monotonic() - startedAt).toBeLessThan(20_000);
    expect(second.values[0]!.transactionalId).toMatch(/^app-one/);
    expect(first.values).toEqual([]);
    expect(await written(sim)).toEqual(values(0, 4));
  });

  it('refuses records of another member than the one it is named after', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 1);
    const kafka = sim.kafka();
    const options = { transactionalIdPrefix: 'app', groupInstanceId: 'one' };
    for (const member of [{ groupInstanceId: 'two' }, {}]) {
      const seen = watch(source(kafka, member).pipe(transactional(kafka, options, copy)));
      await sim.until(() => seen.error !== undefined);
      expect(seen.error).toBeInstanceOf(ConfigError);
      expect(String(seen.error)).toContain('groupInstanceId');
      await sim.advance(60_000);
    }
  });

  it('takes records of one group: mixing is a typed error, and so is no group', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 2);
    const kafka = sim.kafka();
    const both = merge(source(kafka), source(kafka, { groupId: 'h' }));
    const mixed = watch(both.pipe(transactional(kafka, ids, copy)));
    await sim.until(() => mixed.error !== undefined);
    expect(mixed.error).toMatchObject({ code: 'MIXED_GROUPS' });
    const none = watch(
      fromTopics(kafka, 'in', { autoOffsetReset: 'earliest' }).pipe(
        transactional(kafka, { transactionalId: 'none' }, copy),
      ),
    );
    await sim.until(() => none.error !== undefined);
    expect(none.error).toMatchObject({ code: 'NO_GROUP' });
  });

  it.each([
    [{}, 'transactionalId'],
    [{ transactionalId: 'a', transactionalIdPrefix: 'b' }, 'transactionalId'],
    [{ transactionalId: 'a', transactionalIdPer: 'partition' }, 'transactionalIdPrefix'],
    [{ transactionalId: 'a', groupInstanceId: 'b' }, 'transactionalIdPrefix'],
    [
      { transactionalIdPrefix: 'a', transactionalIdPer: 'partition', groupInstanceId: 'b' },
      'groupInstanceId',
    ],
    [{ transactionalId: 'a', maxRecords: 0 }, 'maxRecords'],
    [{ transactionalId: 'a', concurrency: 2 }, 'concurrency'],
    [
      { transactionalIdPrefix: 'a', transactionalIdPer: 'partition', concurrency: 2 },
      'concurrency',
    ],
    [{ transactionalIdPrefix: 'a', concurrency: 0 }, 'concurrency'],
    [{ transactionalId: 'a', acks: 1 }, 'acks'],
    [{ transactionalId: 'a', onAbort: 'ignore' }, 'onAbort'],
    [{ transactionalId: 'a', linger: 1 }, 'linger'],
  ])('%j is refused, naming %s', async (options, name) => {
    await using sim = await start();
    const make = () =>
      transactional(sim.kafka(), options as TransactionalOptions<Bytes, Bytes>, copy);
    expect(make).toThrow(ConfigError);
    expect(make).toThrow(name);
  });
});

describe('rule 33', () => {
  const old = { version: '1.1', topics: { in: PARTITIONS, out: PARTITIONS } } as const;

  it('below Kafka 2.5 it fails with an error that names transactionalIdPer', async () => {
    await using sim = await Simulation.start(old);
    const seen = watch(copying(sim.kafka()));
    await sim.until(() => seen.error !== undefined);
    expect(seen.error).toBeInstanceOf(UnsupportedVersionError);
    expect(String(seen.error)).toContain('transactionalIdPer');
  });

  it('with an id for each input partition it works there, through rebalances', async () => {
    await using sim = await Simulation.start(old);
    fill(sim, 'in', 0, 20);
    fill(sim, 'in', 1, 20);
    const options = {
      transactionalIdPrefix: 'app',
      transactionalIdPer: 'partition',
      maxRecords: 4,
    } as const;
    const run = (kafka: Kafka) => watch(source(kafka).pipe(transactional(kafka, options, copy)));
    const first = run(sim.kafka());
    await sim.until(() => taken(first.values) >= 8);
    const second = run(sim.kafka());
    fill(sim, 'in', 0, 20);
    fill(sim, 'in', 1, 20);
    await sim.until(
      () =>
        committed(sim.cluster, 'g', 'in', 0) === 40 && committed(sim.cluster, 'g', 'in', 1) === 40,
    );
    expect([first.error, second.error]).toEqual([undefined, undefined]);
    expect(await written(sim)).toEqual([...values(0, 40), ...values(1, 40)]);
    const ids = new Set(
      [...first.values, ...second.values].map((result) => result.transactionalId),
    );
    expect([...ids].sort()).toEqual(['app-in-0', 'app-in-1']);
  });

  it('a partition is not handed over while its id is being taken over', async () => {
    await using sim = await Simulation.start(old);
    fill(sim, 'in', 0, 3);
    const undo = sim.cluster.delay('InitProducerId', 1000);
    const options = { transactionalIdPrefix: 'app', transactionalIdPer: 'partition' } as const;
    const kafka = sim.kafka();
    const seen = watch(source(kafka).pipe(transactional(kafka, options, copy)));
    await sim.until(() => sim.cluster.inspect().requests['InitProducerId'] !== undefined);
    undo();
    seen.subscription.unsubscribe();
    await sim.advance(500);
    expect(membersOf(sim.cluster, 'g')).toBe(1);
    await sim.until(() => membersOf(sim.cluster, 'g') === 0);
    const next = watch(source(kafka).pipe(transactional(kafka, options, copy)));
    await sim.until(() => taken(next.values) === 3 || next.error !== undefined);
    expect(next.error).toBeUndefined();
  });
});
