import { map, type Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  fromOffsetRange,
  fromTopics,
  transactional,
  type ConsumerOptions,
  type ConsumerRecord,
  type Kafka,
  type TransactionalOptions,
  type TransactionProject,
  type TransactionResult,
} from '../../src/index.js';
import { committed } from '../support/consuming.js';
import { Simulation } from '../support/simulation.js';
import { fill, watch } from '../support/watching.js';

const PARTITIONS = 2;

type Bytes = Buffer | null;

async function start(): Promise<Simulation> {
  return Simulation.start({ topics: { in: PARTITIONS, out: PARTITIONS } });
}

/** Copies to the same partition of another topic. */
const copy: TransactionProject<Bytes, Bytes, unknown, unknown> = (records) =>
  records.pipe(map((record) => record.derive({ topic: 'out', partition: record.partition })));

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
async function written(sim: Simulation): Promise<string[]> {
  const range = Array.from({ length: PARTITIONS }, (_, partition) => ({ topic: 'out', partition }));
  const seen = watch(fromOffsetRange(sim.kafka(), range, { isolationLevel: 'read_committed' }));
  await sim.until(() => seen.isComplete || seen.error !== undefined);
  return seen.values
    .sort((a, b) => a.partition - b.partition || a.offset - b.offset)
    .map(({ value }) => String(value));
}

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
});
