import { from } from 'rxjs';
import { describe, expect, test } from 'vitest';
import {
  batchEach,
  deadLetter,
  KafkaError,
  processEach,
  retryEach,
  type ConsumerRecord,
  type Receipt,
} from '../../src/index.js';
import { text } from '../support/operator-spec.js';
import { TestPartition, testPipeline } from '../support/records.js';
import { Simulation } from '../support/simulation.js';
import { watch } from '../support/watching.js';

const DEAD = 'orders.dead';

function start(): Promise<Simulation> {
  return Simulation.start({ topics: { [DEAD]: 1 } });
}

function partitionOf(sim: Simulation): TestPartition {
  return new TestPartition({ pipeline: testPipeline({ clock: sim.clock }), partition: 3 });
}

function poison(record: ConsumerRecord<unknown, unknown>): string[] {
  if (text(record) === 'bad') throw new Error('no such customer');
  return [text(record)];
}

function headersOf(sim: Simulation): Record<string, string>[] {
  return sim.cluster
    .records(DEAD)
    .map(({ headers }) =>
      Object.fromEntries(headers.map(([name, value]) => [name, String(value)])),
    );
}

describe('deadLetter', () => {
  test('writes what failed as it was stored, with where it came from and why it failed', async () => {
    await using sim = await start();
    const partition = partitionOf(sim);
    const records = partition.deliverContents([
      { value: 'good' },
      { key: 'k', value: 'bad', headers: [['trace', 'x1']], timestamp: 1234 },
    ]);
    const seen = watch(
      from(records).pipe(
        retryEach(poison, { count: 2, onError: deadLetter(sim.kafka(), { topic: DEAD }) }),
      ),
    );
    await sim.until(() => seen.isComplete || seen.error !== undefined);
    expect(seen.error).toBeUndefined();
    const [letter] = sim.cluster.records(DEAD);
    expect(letter).toMatchObject({ key: Buffer.from('k'), value: Buffer.from('bad') });
    expect(headersOf(sim)).toEqual([
      {
        trace: 'x1',
        'dead-letter.topic': 'orders',
        'dead-letter.partition': '3',
        'dead-letter.offset': '1',
        'dead-letter.timestamp': '1234',
        'dead-letter.attempt': '3',
        'dead-letter.error': 'no such customer',
      },
    ]);
    const [result, receipt] = seen.values as [string, Receipt<unknown>];
    expect(result).toBe('good');
    expect([receipt.topic, receipt.partition, receipt.offset]).toEqual([DEAD, 0, 0]);
    expect(receipt.origin).toBe(records[1]);
  });

  test('names the code of an error that has one', async () => {
    await using sim = await start();
    const seen = watch(
      from(partitionOf(sim).deliver('a')).pipe(
        processEach(
          () => {
            throw new KafkaError('too late', { code: 'TOO_LATE' });
          },
          { onError: deadLetter(sim.kafka(), { topic: DEAD }) },
        ),
      ),
    );
    await sim.until(() => seen.isComplete || seen.error !== undefined);
    expect(headersOf(sim)[0]).toMatchObject({ 'dead-letter.code': 'TOO_LATE' });
  });

  test('a record is acked after its letter is, and its lane waits', async () => {
    await using sim = await start();
    const partition = partitionOf(sim);
    sim.cluster.delay('Produce', 300);
    const seen = watch(
      from(partition.deliver('bad', 'next')).pipe(
        processEach(poison, { onError: deadLetter(sim.kafka(), { topic: DEAD }) }),
      ),
    );
    await sim.advance(200);
    expect(partition.committable).toBe(0);
    expect(seen.values).toEqual([]);
    await sim.until(() => seen.isComplete || seen.error !== undefined);
    expect(partition.committable).toBe(2);
    expect(seen.values.at(-1)).toBe('next');
  });

  test('a letter that can not be written ends the stream, and the record goes back', async () => {
    await using sim = await start();
    const partition = partitionOf(sim);
    sim.cluster.failNext('Produce', 'TOPIC_AUTHORIZATION_FAILED');
    const seen = watch(
      from(partition.deliver('bad')).pipe(
        processEach(poison, { onError: deadLetter(sim.kafka(), { topic: DEAD }) }),
      ),
    );
    await sim.until(() => seen.error !== undefined);
    expect(seen.error).toMatchObject({ code: 'TOPIC_AUTHORIZATION_FAILED' });
    expect(partition.returned).toEqual([0]);
    expect(partition.committable).toBe(0);
  });

  test('a batch becomes a letter for each of its records', async () => {
    await using sim = await start();
    const partition = partitionOf(sim);
    const seen = watch(
      from(partition.deliver('a', 'b')).pipe(
        batchEach({ maxRecords: 2 }),
        processEach(
          () => {
            throw new Error('all of them');
          },
          { onError: deadLetter(sim.kafka(), { topic: DEAD }) },
        ),
      ),
    );
    await sim.until(() => seen.isComplete || seen.error !== undefined);
    expect(sim.cluster.records(DEAD).map(({ value }) => String(value))).toEqual(['a', 'b']);
    expect(partition.committable).toBe(2);
  });

  test('many letters at once find their way, through a buffer that is too small for them', async () => {
    await using sim = await start();
    const partition = partitionOf(sim);
    const names = Array.from({ length: 100 }, (_, i) => `bad ${i}`);
    const onError = deadLetter(sim.kafka(), { topic: DEAD, bufferMemory: 2000 });
    const fail = ({ value }: ConsumerRecord<unknown, unknown>) => {
      throw new Error(String(value));
    };
    const seen = watch(
      from(partition.deliver(...names)).pipe(
        processEach(fail, { onError, concurrency: 100, order: 'none' }),
      ),
    );
    await sim.until(() => seen.isComplete || seen.error !== undefined);
    expect(seen.error).toBeUndefined();
    expect(sim.cluster.records(DEAD).map(({ value }) => String(value))).toEqual(names);
    expect(headersOf(sim).map((headers) => headers['dead-letter.error'])).toEqual(names);
  });

  test('makes a producer for the first letter, not before', async () => {
    await using sim = await start();
    const partition = partitionOf(sim);
    const onError = deadLetter(sim.kafka(), { topic: DEAD });
    const good = watch(from(partition.deliver('fine')).pipe(processEach(poison, { onError })));
    await sim.calm();
    expect(good.isComplete).toBe(true);
    expect(sim.cluster.inspect().requests['InitProducerId'] ?? 0).toBe(0);
    const seen = watch(from(partition.deliver('bad')).pipe(processEach(poison, { onError })));
    await sim.until(() => seen.isComplete || seen.error !== undefined);
    expect(sim.cluster.inspect().requests['InitProducerId']).toBe(1);
  });

  test('writes through a producer that is given, and leaves it open', async () => {
    await using sim = await start();
    const producer = sim.kafka().producer();
    const onError = deadLetter(producer, { topic: DEAD });
    const seen = watch(
      from(partitionOf(sim).deliver('bad', 'bad')).pipe(processEach(poison, { onError })),
    );
    await sim.until(() => seen.isComplete || seen.error !== undefined);
    await sim.run(producer.send({ topic: DEAD, value: 'more' }));
    expect(sim.cluster.records(DEAD)).toHaveLength(3);
    expect(sim.cluster.inspect().requests['InitProducerId']).toBe(1);
  });
});
