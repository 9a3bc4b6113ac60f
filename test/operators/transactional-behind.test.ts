// On the embedded broker: what became of a transaction, only its coordinators and readers know.

import {
  concat,
  delay,
  EMPTY,
  filter,
  from,
  map,
  mergeMap,
  NEVER,
  take,
  tap,
  type Observable,
  type OperatorFunction,
} from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  ackEach,
  batchEach,
  dedupeEach,
  exhaustEach,
  fanOut,
  filterEach,
  flatMapEach,
  fromTopics,
  mapEach,
  pauseWhile,
  processEach,
  processPartitioned,
  retryEach,
  switchEach,
  tee,
  throttleBytes,
  transactional,
  type ConsumerRecord,
  type Kafka,
  type TransactionalOptions,
  type TransactionProject,
  type TransactionResult,
} from '../../src/index.js';
import { committed } from '../support/consuming.js';
import { TestPartition, type TestRecord } from '../support/records.js';
import { Simulation } from '../support/simulation.js';
import { committedValues, fill, watch } from '../support/watching.js';

type Anything = ConsumerRecord<unknown, unknown>;

const start = () => Simulation.start({ topics: { in: 1, out: 1 } });

const source = (kafka: Kafka) =>
  fromTopics(kafka, 'in', {
    groupId: 'g',
    isolationLevel: 'read_committed',
    autoOffsetReset: 'earliest',
  });

/** Copies what operators have made of the records. */
function copying(
  kafka: Kafka,
  before: (records: Observable<ConsumerRecord>) => Observable<unknown>,
  options: Partial<TransactionalOptions> = {},
): Observable<TransactionResult> {
  return (before(source(kafka)) as Observable<Anything>).pipe(
    transactional(kafka, { transactionalId: 'id', ...options }, (records) =>
      records.pipe(map((record) => record.derive({ topic: 'out', partition: 0 }))),
    ),
  );
}

const written = (sim: Simulation) => committedValues(sim, 'out');

const stored = (sim: Simulation) => committed(sim.cluster, 'g', 'in', 0);
const values = (...offsets: number[]) => offsets.map((offset) => `0:${offset}`);

describe('transactional behind', () => {
  it('mapEach stores the offsets of the records that were mapped', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 5);
    const seen = watch(
      copying(
        sim.kafka(),
        mapEach((record) => Buffer.from(`<${String(record.value)}>`)),
      ),
    );
    await sim.until(() => stored(sim) === 5);
    expect(seen.error).toBeUndefined();
    expect(await written(sim)).toEqual(['<0:0>', '<0:1>', '<0:2>', '<0:3>', '<0:4>']);
  });

  it('mapEach replays the same mapped records after an abort, without mapping them twice', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 3);
    sim.cluster.failNext('TxnOffsetCommit', 'ILLEGAL_GENERATION', 2);
    let mapped = 0;
    const before = mapEach(() => Buffer.from(String(mapped++)));
    const seen = watch(copying(sim.kafka(), before, { maxRecords: 3 }));
    await sim.until(() => stored(sim) === 3);
    expect(seen.values[0]!.attempts).toBe(3);
    expect(await written(sim)).toEqual(['0', '1', '2']);
  });

  it('mapEach begins again with what was mapped when it is unsubscribed in between', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 6);
    const before = mapEach<Buffer | null, Buffer | null, unknown>(({ value }) => value);
    const first = watch(copying(sim.kafka(), before, { maxRecords: 2 }).pipe(take(1)));
    await sim.until(() => first.isComplete);
    const second = watch(copying(sim.kafka(), before));
    await sim.until(() => stored(sim) === 6);
    expect(second.error).toBeUndefined();
    expect(await written(sim)).toEqual(values(0, 1, 2, 3, 4, 5));
  });

  it('filterEach passes what was filtered out with the next transaction', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 6);
    watch(
      copying(
        sim.kafka(),
        filterEach(({ offset }) => offset % 3 === 2),
      ),
    );
    await sim.until(() => stored(sim) === 6);
    expect(await written(sim)).toEqual(values(2, 5));
  });

  it('filterEach leaves a tail of nothing but filtered records to be filtered once more', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 2);
    const kafka = sim.kafka();
    const seen: number[] = [];
    const before = filterEach<Buffer | null, Buffer | null>(({ offset }) => {
      seen.push(offset);
      return offset < 2;
    });
    watch(copying(kafka, before));
    await sim.until(() => stored(sim) === 2);
    fill(sim, 'in', 0, 4);
    await sim.advance(60_000);
    await sim.run(kafka.drain());
    expect(stored(sim)).toBe(2);
    seen.length = 0;
    watch(copying(sim.kafka(), before));
    await sim.until(() => seen.length === 4);
    expect(seen).toEqual([2, 3, 4, 5]);
    expect(await written(sim)).toEqual(values(0, 1));
  });

  it('batchEach takes the records of a batch, not the batch', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 6);
    const batches = (records: Observable<ConsumerRecord>) =>
      records.pipe(
        batchEach({ maxRecords: 4, maxWaitMs: 100 }),
        mergeMap((batch) => batch.records),
      );
    watch(copying(sim.kafka(), batches));
    await sim.until(() => stored(sim) === 6);
    expect(await written(sim)).toEqual(values(0, 1, 2, 3, 4, 5));
  });

  it('dedupeEach passes repetitions with the transaction of the first', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 6);
    const by = ({ offset }: ConsumerRecord<unknown, unknown>) => offset % 2;
    watch(copying(sim.kafka(), dedupeEach({ by })));
    await sim.advance(5000);
    expect(await written(sim)).toEqual(values(0, 1));
    fill(sim, 'in', 0, 1);
    await sim.advance(5000);
    expect(stored(sim)).toBe(2);
  });

  it.each<[string, (records: Observable<ConsumerRecord>) => Observable<unknown>]>([
    ['flatMapEach', flatMapEach((record) => [record.value, record.value])],
    ['flatMapEach that makes one of one', flatMapEach((record) => [record.value])],
    [
      'fanOut',
      fanOut(
        (records) => records,
        (records) => records.pipe(filter(() => false)),
      ),
    ],
    ['tee', tee((records) => records)],
    [
      'fanOut and mapEach',
      (records) =>
        records.pipe(
          fanOut(
            (branch) => branch,
            (branch) => branch,
          ),
          mapEach(({ value }) => value),
        ),
    ],
  ])('%s is refused: parts of a record are not a record', async (_name, before) => {
    await using sim = await start();
    fill(sim, 'in', 0, 4);
    const seen = watch(copying(sim.kafka(), before));
    await sim.until(() => seen.error !== undefined);
    expect(seen.error).toMatchObject({ code: 'RECORD_DIVIDED' });
    expect(await written(sim)).toEqual([]);
    expect(stored(sim) ?? 0).toBe(0);
  });

  it.each<[string, OperatorFunction<TestRecord, object>]>([
    ['a batch', batchEach({ maxRecords: 2 })],
    ['what was derived', map((record) => record.derive())],
  ])('%s is no record: what it was made of goes back', async (_name, before) => {
    await using sim = await start();
    const partition = new TestPartition();
    const options = { transactionalId: 'copier' };
    const seen = watch(
      concat(from(partition.deliver('a', 'b')), NEVER).pipe(
        before as OperatorFunction<TestRecord, TestRecord>,
        transactional(sim.kafka(), options, () => EMPTY),
      ),
    );
    await sim.until(() => seen.error !== undefined);
    expect(seen.error).toMatchObject({ code: 'NOT_A_RECORD' });
    expect(partition.inHand).toBe(0);
  });

  it.each<[string, (records: Observable<ConsumerRecord>) => Observable<unknown>]>([
    ['batches', batchEach()],
    ['derived records', map((record: ConsumerRecord) => record.derive())],
    ['texts', map(({ value }: ConsumerRecord) => String(value))],
  ])('%s that are no records are refused', async (_name, before) => {
    await using sim = await start();
    fill(sim, 'in', 0, 4);
    const seen = watch(copying(sim.kafka(), before));
    await sim.until(() => seen.error !== undefined);
    expect(seen.error).toMatchObject({ code: 'NOT_A_RECORD' });
    expect(await written(sim)).toEqual([]);
    expect(stored(sim) ?? 0).toBe(0);
  });

  it('ackEach is refused: the record would be done before its transaction is', async () => {
    await using sim = await start();
    fill(sim, 'in', 0, 4);
    const seen = watch(copying(sim.kafka(), ackEach()));
    await sim.until(() => seen.error !== undefined);
    expect(seen.error).toMatchObject({ code: 'RECORD_SETTLED' });
    expect(await written(sim)).toEqual([]);
  });

  it.each<[string, (records: Observable<ConsumerRecord>) => Observable<unknown>]>([
    ['processEach', processEach((record) => [record])],
    ['processEach with promises', processEach((record) => Promise.resolve(record))],
    ['retryEach', retryEach((record) => Promise.resolve(record))],
    [
      'processEach of batches',
      (records) =>
        records.pipe(
          batchEach({ maxRecords: 2 }),
          processEach((batch) => batch.records),
        ),
    ],
    ['switchEach', switchEach((record) => [record])],
    ['exhaustEach', exhaustEach((record) => Promise.resolve(record))],
    [
      'processEach and mapEach',
      (records) =>
        records.pipe(
          processEach((record: ConsumerRecord) => Promise.resolve(record)),
          mapEach(({ value }) => value),
        ),
    ],
    [
      'processEach and dedupeEach',
      (records) =>
        records.pipe(
          processEach((record: ConsumerRecord) => Promise.resolve(record)),
          dedupeEach({ by: ({ offset }) => offset }),
        ),
    ],
    [
      'what derives and passes the record on',
      tap((record: ConsumerRecord) => void record.derive()),
    ],
  ])('%s is refused, with nothing committed: it sees to acks itself', async (_name, before) => {
    await using sim = await start();
    fill(sim, 'in', 0, 4);
    const seen = watch(copying(sim.kafka(), before));
    await sim.until(() => seen.error !== undefined);
    expect(seen.error).toMatchObject({
      code: 'RECORD_TAKEN',
      context: { topic: 'in', partition: 0, offset: 0 },
    });
    await sim.advance(60_000);
    expect(await written(sim)).toEqual([]);
    expect(stored(sim) ?? 0).toBe(0);
  });

  it.each<[string, (records: Observable<ConsumerRecord>) => Observable<unknown>]>([
    ['throttleBytes', throttleBytes(10)],
    ['pauseWhile', (records) => records.pipe(pauseWhile(from([true, false])))],
    ['processPartitioned', processPartitioned((records) => records, { concurrency: 1 })],
    ['delay', delay(10)],
  ])('%s holds records back, and then they are taken', async (_name, before) => {
    await using sim = await start();
    fill(sim, 'in', 0, 4);
    const seen = watch(copying(sim.kafka(), before));
    await sim.until(() => stored(sim) === 4 || seen.error !== undefined);
    expect(seen.error).toBeUndefined();
    expect(await written(sim)).toEqual(values(0, 1, 2, 3));
  });
});

describe('within project', () => {
  const to = (record: { derive: ConsumerRecord['derive'] }, value: string) =>
    record.derive({ topic: 'out', partition: 0, value });

  it.each<[string, TransactionProject<Buffer | null, Buffer | null, unknown, unknown>, string[]]>([
    [
      'mapEach',
      (records) =>
        records.pipe(
          mapEach(({ offset }) => `m${offset}`),
          map((record) => record.derive({ topic: 'out', partition: 0 })),
        ),
      ['m0', 'm1', 'm2', 'm3'],
    ],
    [
      'flatMapEach',
      (records) =>
        records.pipe(
          flatMapEach((record) =>
            Array.from({ length: record.offset % 3 }, (_, i) =>
              to(record, `${record.offset}.${i}`),
            ),
          ),
        ),
      ['1.0', '2.0', '2.1'],
    ],
    [
      'batchEach',
      (records) =>
        records.pipe(
          batchEach({ maxRecords: 3 }),
          map((batch) => batch.derive({ topic: 'out', partition: 0, value: `${batch.length}` })),
        ),
      ['3', '1'],
    ],
    [
      'fanOut',
      (records) =>
        records.pipe(
          fanOut(
            map((record) => to(record, `a${record.offset}`)),
            (branch) =>
              branch.pipe(
                filterEach(({ offset }) => offset === 3),
                map((record) => to(record, `b${record.offset}`)),
              ),
          ),
        ),
      ['a0', 'a1', 'a2', 'a3', 'b3'],
    ],
  ])(
    '%s makes of the records what it wants, and all of them count',
    async (_name, project, texts) => {
      await using sim = await start();
      fill(sim, 'in', 0, 4);
      const kafka = sim.kafka();
      const options = { transactionalId: 'id', maxRecords: 4 };
      const seen = watch(source(kafka).pipe(transactional(kafka, options, project)));
      await sim.until(() => stored(sim) === 4 || seen.error !== undefined);
      expect(seen.error).toBeUndefined();
      expect(await written(sim)).toEqual(texts);
      expect(seen.values).toMatchObject([{ records: 4, results: texts.length }]);
    },
  );
});
