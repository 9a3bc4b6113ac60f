import { from, lastValueFrom, map, Subject, tap, throwError, timer } from 'rxjs';
import { describe, expect, test } from 'vitest';
import {
  batchEach,
  deadLetter,
  KafkaError,
  ofType,
  processEach,
  retryEach,
  type ConsumerEvent,
  type ConsumerRecord,
  type Receipt,
} from '../../src/index.js';
import { kafkaMarbles, kafkaMarblesAsync, type MarbleSink } from '../../src/testing/index.js';
import { text } from '../support/operator-spec.js';
import { TestPartition, testPipeline, type TestRecord } from '../support/records.js';
import { Simulation } from '../support/simulation.js';
import { watch } from '../support/watching.js';

const DEAD = 'orders.dead';

const failing = () => {
  throw new Error('no');
};

function poison(record: ConsumerRecord<unknown, unknown>): string[] {
  if (text(record) === 'x') throw new Error('no such customer');
  return [text(record)];
}

function headersOf({ written }: MarbleSink): Record<string, string>[] {
  return written.map(({ headers }) =>
    Object.fromEntries(headers.map(([name, value]) => [name, String(value)])),
  );
}

describe('deadLetter', () => {
  test(
    'writes what failed as it was stored, with where it came from and why it failed',
    kafkaMarbles((t) => {
      const x = {
        key: 'k',
        headers: { trace: 'x1' },
        timestamp: 1234,
        partition: 3,
      };
      const orders = t.records('(ax)', { a: { partition: 3 }, x });
      const letters = t.sink('-r');
      const receipts: Receipt<unknown>[] = [];
      const onError = deadLetter(letters, { topic: DEAD });
      const retried = orders.pipe(retryEach(poison, { count: 2, backoffMs: 1, onError }));
      const told: ConsumerEvent[] = [];
      t.lifecycleOf(orders)
        .pipe(ofType('dead-lettered'))
        .subscribe((event) => told.push(event));
      const note = tap((out: string | Receipt<unknown>) => {
        if (typeof out !== 'string') receipts.push(out);
      });
      t.expectOutput(retried.pipe(note)).toBe('a---x');
      t.flush();
      expect(letters.written).toMatchObject([
        { topic: DEAD, key: Buffer.from('k'), value: Buffer.from('x') },
      ]);
      expect(headersOf(letters)).toEqual([
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
      const letter = { topic: DEAD, partition: 0, offset: 0 };
      expect(receipts).toMatchObject([letter]);
      expect(told).toMatchObject([
        {
          topic: 'orders',
          partition: 3,
          offset: 1,
          attempt: 3,
          letter,
          reason: new Error('no such customer'),
        },
      ]);
    }),
  );

  test(
    'names the code of an error that has one',
    kafkaMarbles((t) => {
      const orders = t.records('a');
      const letters = t.sink();
      const late = () => throwError(() => new KafkaError('too late', { code: 'TOO_LATE' }));
      const onError = deadLetter(letters, { topic: DEAD });
      t.expectOutput(orders.pipe(processEach(late, { onError }))).toBe('a');
      t.flush();
      expect(headersOf(letters)).toMatchObject([{ 'dead-letter.code': 'TOO_LATE' }]);
    }),
  );

  test(
    'a record is acked when its letter is, and its lane waits for that, as others don’t',
    kafkaMarbles((t) => {
      const { records, sink, expectOutput, expectAcks, expectReceipts } = t;
      const orders = records('(xby)---|', { x: {}, b: {}, y: { partition: 1, value: 'x' } });
      const letters = sink('---r');
      const onError = deadLetter(letters, { topic: DEAD });
      const processed = orders.pipe(processEach(poison, { onError, concurrency: 2 }));
      expectOutput(processed).toBe('---(xby)|');
      expectReceipts(letters).toBe('---(xy)');
      expectAcks(orders).toBe('     ---(xby)');
      t.expectLifecycle(orders, 'dead-lettered').toBe('---(BB)');
    }),
  );

  test(
    'it is nothing to one that does not fail: no letter, no wait',
    kafkaMarbles(({ records, sink, expectOutput, expectAcks, expectReceipts }) => {
      const orders = records('-a-b|');
      const letters = sink();
      const onError = deadLetter(letters, { topic: DEAD });
      expectOutput(orders.pipe(processEach(poison, { onError }))).toBe('-a-b|');
      expectAcks(orders).toBe('-a-b');
      expectReceipts(letters).toBe('');
    }),
  );

  test(
    'work that fails later becomes a letter as well as work that throws at once',
    kafkaMarblesAsync(({ records, sink, expectOutput, expectAcks }) => {
      const orders = records('x-----x--|');
      const letters = sink('-r');
      const onError = deadLetter(letters, { topic: DEAD });
      const later = (record: ConsumerRecord) =>
        lastValueFrom(timer(record.offset === 0 ? 2 : 0).pipe(map(() => poison(record))));
      expectOutput(orders.pipe(processEach(later, { onError }))).toBe('---x---x-|');
      expectAcks(orders).toBe('                                        ---x---x');
    }),
  );

  test(
    'a letter that can not be written ends the stream, and the record goes back',
    kafkaMarblesAsync(({ records, sink, expectOutput, expectAcks, expectNacks }) => {
      const orders = records('ax---', { a: {}, x: {} });
      const error = new KafkaError('not allowed', { code: 'TOPIC_AUTHORIZATION_FAILED' });
      const letters = sink('--#', { error });
      const onError = deadLetter(letters, { topic: DEAD });
      expectOutput(orders.pipe(processEach(poison, { onError }))).toBe('a--#', {}, error);
      expectAcks(orders).toBe('a');
      expectNacks(orders).toBe('');
    }),
  );

  test(
    'unsubscribed while a letter is on its way: the record goes back, or is acked if it is written',
    kafkaMarbles(({ records, sink, expectOutput, expectAcks, expectReturns }) => {
      const orders = records('x---------');
      const letters = sink('-----r');
      const onError = deadLetter(letters, { topic: DEAD });
      expectOutput(orders.pipe(processEach(failing, { onError })), '^--!').toBe('');
      expectAcks(orders).toBe('');
      expectReturns(orders).toBe('---x');
    }),
  );

  test(
    'in a rebalance, a letter on its way is waited for, and what was not started is the next owner’s',
    kafkaMarbles(({ records, lifecycle, sink, expectOutput, expectCommits, expectReturns }) => {
      const orders = records('(xa)--------', undefined, { drainTimeoutMs: 20 });
      lifecycle(orders, '     --R-----A');
      const letters = sink('-----r');
      const onError = deadLetter(letters, { topic: DEAD });
      expectOutput(orders.pipe(processEach(poison, { onError }))).toBe('-----x--a');
      expectReturns(orders).toBe('                                      --a');
      expectCommits(orders).toBe('                                      -----x--a');
    }),
  );

  test(
    'a batch becomes a letter for each of its records',
    kafkaMarbles(({ records, sink, expectOutput, expectAcks, expectReceipts }) => {
      const orders = records('(ab)');
      const letters = sink(['-r', '---r']);
      const onError = deadLetter(letters, { topic: DEAD });
      const batches = orders.pipe(batchEach({ maxRecords: 2 }), processEach(failing, { onError }));
      expectOutput(batches).toBe('  -a-b');
      expectReceipts(letters).toBe('-a-b');
      expectAcks(orders).toBe('     -a-b');
    }),
  );
});

// A real producer, on the embedded broker: how many there are, and what it does without room.
describe('deadLetter, and its producer', () => {
  const start = () => Simulation.start({ topics: { [DEAD]: 1 } });
  const partitionOf = ({ clock }: Simulation) =>
    new TestPartition({ pipeline: testPipeline({ clock }) });

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
    const letters = sim.cluster.records(DEAD);
    expect(letters.map(({ value }) => String(value))).toEqual(names);
    const errors = letters.map(
      ({ headers }) => headers.find(([name]) => name === 'dead-letter.error')?.[1],
    );
    expect(errors.map(String)).toEqual(names);
  });

  test('what fails while the producer is drained is not acked without a letter', async () => {
    await using sim = await start();
    const kafka = sim.kafka();
    const partition = partitionOf(sim);
    const source = new Subject<TestRecord>();
    const onError = deadLetter(kafka, { topic: DEAD });
    const seen = watch(
      source.pipe(processEach(poison, { onError, concurrency: 2, order: 'none' })),
    );
    const [first, second] = partition.deliver('x', 'x');
    sim.cluster.delay('Produce', 5000);
    source.next(first!);
    await sim.until(() => (sim.cluster.inspect().requests['Produce'] ?? 0) === 1);
    const drained = kafka.drain();
    await sim.advance(500);
    source.next(second!);
    await sim.run(drained);
    await sim.until(() => seen.error !== undefined);
    expect(seen.error).toMatchObject({ code: 'PRODUCER_CLOSED' });
    expect(sim.cluster.records(DEAD)).toHaveLength(1);
    expect(partition.committable).toBe(1);
  });

  test('makes one for the first letter, not before', async () => {
    await using sim = await start();
    const partition = partitionOf(sim);
    const onError = deadLetter(sim.kafka(), { topic: DEAD });
    const good = watch(from(partition.deliver('fine')).pipe(processEach(poison, { onError })));
    await sim.calm();
    expect(good.isComplete).toBe(true);
    expect(sim.cluster.inspect().requests['InitProducerId'] ?? 0).toBe(0);
    const seen = watch(from(partition.deliver('x')).pipe(processEach(poison, { onError })));
    await sim.until(() => seen.isComplete || seen.error !== undefined);
    expect(sim.cluster.inspect().requests['InitProducerId']).toBe(1);
  });

  test('writes through one that is given, and leaves it open', async () => {
    await using sim = await start();
    const producer = sim.kafka().producer();
    const onError = deadLetter(producer, { topic: DEAD });
    const seen = watch(
      from(partitionOf(sim).deliver('x', 'x')).pipe(processEach(poison, { onError })),
    );
    await sim.until(() => seen.isComplete || seen.error !== undefined);
    await sim.run(producer.send({ topic: DEAD, value: 'more' }));
    expect(sim.cluster.records(DEAD)).toHaveLength(3);
    expect(sim.cluster.inspect().requests['InitProducerId']).toBe(1);
  });
});
