import {
  concat,
  delay,
  endWith,
  from,
  map,
  NEVER,
  Subject,
  take,
  toArray,
  type Observable,
} from 'rxjs';
import { describe, expect, test } from 'vitest';
import { ackEach, batchEach, processEach, processPartitioned } from '../../src/index.js';
import { kafkaMarbles } from '../../src/testing/index.js';
import { behavesLikeAnOperator, text, Work } from '../support/operator-spec.js';
import { TestPartition, testPipeline, type TestRecord } from '../support/records.js';
import { watch } from '../support/watching.js';

const texts = map((record: TestRecord) => text(record));

function partitions(count: number): TestPartition[] {
  const pipeline = testPipeline();
  return Array.from(
    { length: count },
    (_, partition) => new TestPartition({ partition, pipeline }),
  );
}

describe('processPartitioned', () => {
  behavesLikeAnOperator(() => processPartitioned((records) => records));

  test('gives the records of each partition to a pipeline of its own', () => {
    const [p0, p1] = partitions(2);
    const records = [...p0!.deliver('a', 'b'), ...p1!.deliver('x'), ...p0!.deliver('c')];
    const made: object[] = [];
    const seen = watch(
      from(records).pipe(
        processPartitioned((stream, partition) => {
          made.push(partition);
          return stream.pipe(ackEach(), texts, toArray());
        }),
      ),
    );
    expect(made).toEqual([
      { topic: 'orders', partition: 0 },
      { topic: 'orders', partition: 1 },
    ]);
    expect(seen).toMatchObject({ values: [['a', 'b', 'c'], ['x']], isComplete: true });
    expect([p0!.committable, p1!.committable]).toEqual([3, 1]);
  });

  test('none waits for another', async () => {
    const [p0, p1] = partitions(2);
    const work = new Work();
    watch(
      from([...p0!.deliver('a', 'b'), ...p1!.deliver('x', 'y')]).pipe(
        processPartitioned((stream) => stream.pipe(processEach(work.start))),
      ),
    );
    expect(work.started).toEqual(['a', 'x']);
    await work.finish('x');
    await work.finish('y');
    expect(work.started).toEqual(['a', 'x', 'y']);
    expect(p1!.committable).toBe(2);
  });

  test('of so many partitions at once, if asked; others wait until one has ended', () => {
    const [p0, p1, p2] = partitions(3);
    const source = new Subject<TestRecord>();
    const seen = watch(
      source.pipe(
        processPartitioned((stream) => stream.pipe(ackEach(), texts), { concurrency: 2 }),
      ),
    );
    const records = [p0, p1, p2].flatMap((partition, i) => partition!.deliver(`${i}a`, `${i}b`));
    for (const record of records) source.next(record);
    expect(seen.values).toEqual(['0a', '0b', '1a', '1b']);
    p0!.drain();
    expect(seen.values.slice(4)).toEqual(['2a', '2b']);
    expect(p2!.committable).toBe(2);
    source.complete();
    expect(seen.isComplete).toBe(true);
  });

  test('what waits is let through before it completes with its source', () => {
    const [p0, p1] = partitions(2);
    const seen = watch(
      from([...p0!.deliver('a'), ...p1!.deliver('b')]).pipe(
        processPartitioned((stream) => stream.pipe(ackEach(), texts), { concurrency: 1 }),
      ),
    );
    expect(seen).toMatchObject({ values: ['a', 'b'], isComplete: true });
  });

  test(
    'when its partition is given up, its pipeline lets go of what it holds back',
    kafkaMarbles(({ records, lifecycle, expectOutput, expectCommits }) => {
      const definitions = { a: {}, b: {}, x: { partition: 1 } };
      const orders = records('-abx----', definitions);
      lifecycle(orders, '     ----R---', { R: { type: 'revoke', partitions: [0] } });
      const sizes = processPartitioned((stream: Observable<TestRecord>) =>
        stream.pipe(
          batchEach({ maxWaitMs: 100 }),
          ackEach(),
          map(({ records: list }) => list),
        ),
      );
      expectOutput(orders.pipe(sizes)).toBe('----p 98ms q', { p: ['a', 'b'], q: ['x'] });
      expectCommits(orders).toBe('           ----(ab) 95ms x');
    }),
  );

  test('when it is assigned again, a new pipeline begins after the one before has ended', async () => {
    const [partition] = partitions(1);
    const work = new Work();
    const source = new Subject<TestRecord>();
    let made = 0;
    watch(
      source.pipe(
        processPartitioned((stream) => {
          made++;
          return stream.pipe(processEach(work.start));
        }),
      ),
    );
    for (const record of partition!.deliver('a')) source.next(record);
    partition!.drain();
    const again = new TestPartition({ pipeline: partition!.pipeline });
    for (const record of again.deliver('b')) source.next(record);
    expect([made, ...work.started]).toEqual([1, 'a']);
    await work.finish('a');
    expect([made, ...work.started]).toEqual([2, 'a', 'b']);
  });

  test(
    'what comes when its partition was given up already goes back, and makes no pipeline',
    kafkaMarbles(({ records, lifecycle, expectOutput, expectReturns }) => {
      const orders = records('(ab)x-----', { a: {}, b: {}, x: { partition: 1 } });
      lifecycle(orders, '     -----R', { R: { type: 'revoke', partitions: [0] } });
      const made: number[] = [];
      const each = processPartitioned((stream: Observable<TestRecord>, { partition }) => {
        made.push(partition);
        return stream.pipe(ackEach());
      });
      const late = orders.pipe(delay(8), each);
      expectOutput(late.pipe(map((record) => [record.partition, made.join()]))).toBe(
        '------------x',
        { x: [1, '1'] },
      );
      expectReturns(orders).toBe('--------(ab)');
    }),
  );

  test(
    'when its partition is lost, its records complete at once, and what waits for it is let go',
    kafkaMarbles(({ records, lifecycle, expectOutput }) => {
      const orders = records('(ax)------', { a: {}, x: { partition: 1 } });
      lifecycle(orders, '     ---L', { L: { type: 'lose', partitions: [0] } });
      const ends = processPartitioned(
        (stream: Observable<TestRecord>, { partition }) =>
          stream.pipe(
            map(() => `${partition}`),
            endWith('end'),
          ),
        { concurrency: 1 },
      );
      expectOutput(orders.pipe(ends)).toBe('0--(e1)', { 0: '0', e: 'end', 1: '1' });
    }),
  );

  test(
    'when its source has had enough, each pipeline gets what was delivered, however late',
    kafkaMarbles(({ records, expectOutput, expectAcks }) => {
      const orders = records('a-x-b-y', { a: {}, b: {}, x: { partition: 1 }, y: { partition: 1 } });
      const each = processPartitioned((stream: Observable<TestRecord>) => stream.pipe(ackEach()));
      expectOutput(orders.pipe(take(4), delay(9), each)).toBe('---------a-x-b-(y|)');
      expectAcks(orders).toBe('                                 ---------a-x-b-y');
    }),
  );

  test('one that has had enough gets nothing more, and its records stay unacked', () => {
    const [p0, p1] = partitions(2);
    const source = new Subject<TestRecord>();
    const seen = watch(
      source.pipe(processPartitioned((stream) => stream.pipe(take(1), ackEach(), texts))),
    );
    for (const record of [...p0!.deliver('a', 'b'), ...p1!.deliver('x')]) source.next(record);
    expect(seen.values).toEqual(['a', 'x']);
    expect([p0!.committable, p0!.unacked]).toEqual([1, 1]);
    source.complete();
    expect(seen.isComplete).toBe(true);
  });

  test('what comes after one has had enough goes back when its partition is given up, or all ends', () => {
    const [p0, p1] = partitions(2);
    const records = [...p0!.deliver('a', 'b', 'c'), ...p1!.deliver('x', 'y')];
    const seen = watch(
      concat(from(records), NEVER).pipe(
        processPartitioned((stream) => stream.pipe(take(1), ackEach(), texts)),
      ),
    );
    expect([p0!.returned, p1!.returned]).toEqual([[], []]);
    p0!.drain();
    expect(p0!.returned).toEqual([1, 2]);
    expect(p1!.returned).toEqual([]);
    seen.subscription.unsubscribe();
    expect(p1!.returned).toEqual([1]);
  });

  test('under ack: auto, what comes while the last work of one that has had enough goes on is not acked', async () => {
    const partition = new TestPartition({ pipeline: testPipeline({ isAutoAck: true }) });
    const work = new Work();
    const source = new Subject<TestRecord>();
    watch(
      source.pipe(processPartitioned((stream) => stream.pipe(take(1), processEach(work.start)))),
    );
    for (const record of partition.deliver('a', 'b')) {
      source.next(record);
      record.ackUnlessTaken();
    }
    await work.finish('a');
    expect(partition.committable).toBe(1);
    partition.drain();
    expect(partition.returned).toEqual([1]);
  });

  test('what waits goes back when its partition is given up, and when it is unsubscribed', () => {
    const [p0, p1, p2] = partitions(3);
    const records = [...p0!.deliver('a'), ...p1!.deliver('b'), ...p2!.deliver('c')];
    const seen = watch(
      concat(from(records), NEVER).pipe(processPartitioned((stream) => stream, { concurrency: 1 })),
    );
    p1!.drain();
    expect(p1!.returned).toEqual([0]);
    seen.subscription.unsubscribe();
    expect(p2!.returned).toEqual([0]);
    expect(p0!.inHand).toBe(1);
  });

  test('an error of a pipeline, or of who makes it, ends the stream and the others', () => {
    const fail = () => {
      throw new Error('can’t');
    };
    for (const operator of [
      processPartitioned<Buffer | null, Buffer | null, never>(fail),
      processPartitioned((stream: Observable<TestRecord>) =>
        stream.pipe(processEach((record) => (record.partition === 1 ? fail() : NEVER))),
      ),
    ]) {
      const [p0, p1] = partitions(2);
      const source = new Subject<TestRecord>();
      const seen = watch(source.pipe(operator));
      for (const record of [...p0!.deliver('a', 'b'), ...p1!.deliver('x')]) {
        if (source.observed) source.next(record);
      }
      expect(seen.error).toEqual(new Error('can’t'));
      expect(source.observed).toBe(false);
      expect([p0!.committable, p1!.committable]).toEqual([0, 0]);
    }
  });

  test('options are checked when the operator is made', () => {
    expect(() => processPartitioned((stream) => stream, { concurrency: 0 })).toThrow(
      'processPartitioned: option concurrency is 0',
    );
  });
});
