import { concat, from, map, NEVER, Observable, of, Subject, throwError } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { originsOf } from '../../src/core/records/index.js';
import { switchEach } from '../../src/index.js';
import { kafkaMarbles, kafkaMarblesAsync } from '../../src/testing/index.js';
import { settled } from '../support/fake-clock.js';
import { behavesLikeAnOperator, text, Work } from '../support/operator-spec.js';
import { TestPartition, testPipeline, type TestRecord } from '../support/records.js';
import { watch } from '../support/watching.js';

/** Work that the test ends, on records that it pushes. */
function started(options: Parameters<typeof switchEach<Buffer | null, Buffer | null>>[1] = {}) {
  const partition = new TestPartition({ pipeline: testPipeline() });
  const source = new Subject<TestRecord>();
  const work = new Map<string, Subject<string>>();
  const seen = watch(
    source.pipe(
      switchEach((record) => {
        const results = new Subject<string>();
        work.set(text(record), results);
        return results;
      }, options),
    ),
  );
  const push = (records: readonly TestRecord[]) => {
    for (const record of records) source.next(record);
  };
  return { partition, push, seen, source, work };
}

describe('switchEach', () => {
  behavesLikeAnOperator(() => switchEach((record) => [record]));

  test(
    'a superseded record is acked when its successor is',
    kafkaMarbles(({ records, cold, expectOutput, expectAcks, expectCommits }) => {
      const orders = records('-a-------b-c----');
      const work = (record: TestRecord) => cold('----(x|)', { x: record });
      expectOutput(orders.pipe(switchEach(work))).toBe('-----a---------c');
      expectAcks(orders).toBe('                         -----a---------(bc)');
      expectCommits(orders).toBe('                      -----a---------(bc)');
    }),
  );

  test('however many were superseded, in one chain', () => {
    const { partition, push, work } = started();
    push(partition.deliver('a', 'b', 'c', 'd'));
    expect(['a', 'b', 'c'].map((name) => work.get(name)!.observed)).toEqual([false, false, false]);
    expect(partition.committable).toBe(0);
    work.get('d')!.complete();
    expect(partition.committable).toBe(4);
  });

  test('per key, if asked: other keys go on', () => {
    const { partition, push, seen, work } = started({ by: 'key' });
    push(partition.deliver('x=a', 'y=b', 'x=c'));
    expect(work.get('a')!.observed).toBe(false);
    expect(work.get('b')!.observed).toBe(true);
    work.get('b')!.next('B');
    work.get('b')!.complete();
    expect(partition.committable).toBe(0);
    work.get('c')!.complete();
    expect(partition.committable).toBe(3);
    expect(seen.values).toEqual(['B']);
  });

  test('per partition, or as a function says', () => {
    const other = new TestPartition({ partition: 1, pipeline: testPipeline() });
    const byPartition = started({ by: 'partition' });
    byPartition.push([...byPartition.partition.deliver('a'), ...other.deliver('b')]);
    expect(byPartition.work.get('a')!.observed).toBe(true);
    const byParity = started({ by: ({ offset }) => offset % 2 });
    byParity.push(byParity.partition.deliver('a', 'b', 'c'));
    expect(['a', 'b', 'c'].map((name) => byParity.work.get(name)!.observed)).toEqual([
      false,
      true,
      true,
    ]);
  });

  test('work that has ended is not superseded', () => {
    const { partition, push, work } = started();
    push(partition.deliver('a'));
    work.get('a')!.complete();
    expect(partition.committable).toBe(1);
    push(partition.deliver('b'));
    expect(partition.committable).toBe(1);
  });

  test('where a successor fails, both come again', () => {
    const { partition, push, seen, source, work } = started();
    push(partition.deliver('a', 'b'));
    work.get('b')!.error(new Error('no'));
    expect(seen.error).toEqual(new Error('no'));
    expect(source.observed).toBe(false);
    expect(partition.returned.sort()).toEqual([0, 1]);
    expect(partition.committable).toBe(0);
  });

  test('a derived result takes the superseded along: they are acked when it is written', () => {
    const partition = new TestPartition();
    const seen = watch(
      concat(from(partition.deliver('a', 'b')), NEVER).pipe(
        switchEach((record) => (text(record) === 'a' ? NEVER : of(record.derive()))),
      ),
    );
    expect(partition.committable).toBe(0);
    originsOf(seen.values[0])[0]!.ack();
    expect(partition.committable).toBe(2);
  });

  test('a result of a superseded record that can’t be written doesn’t bring it back', () => {
    const partition = new TestPartition();
    const source = new Subject<TestRecord>();
    const seen = watch(source.pipe(switchEach((record) => concat(of(record.derive()), NEVER))));
    for (const record of partition.deliver('a', 'b')) source.next(record);
    originsOf(seen.values[0])[0]!.nack('too large');
    expect(partition.nacked).toEqual([]);
    originsOf(seen.values[1])[0]!.nack('too large');
    expect(partition.nacked).toEqual([{ offset: 1, reason: 'too large' }]);
    expect(partition.returned).toEqual([0]);
  });

  test('its signal aborts when it is superseded, and when its partition is lost', () => {
    const partition = new TestPartition();
    const source = new Subject<TestRecord>();
    const signals: AbortSignal[] = [];
    watch(
      source.pipe(
        switchEach((_, { signal, attempt }) => {
          expect(attempt).toBe(1);
          signals.push(signal);
          return NEVER;
        }),
      ),
    );
    for (const record of partition.deliver('a', 'b')) source.next(record);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
    partition.lose();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
  });

  test(
    'what a superseded promise resolves to is dropped',
    kafkaMarblesAsync(async ({ records, expectOutput, expectAcks }) => {
      const orders = records('-(ab)|');
      expectOutput(orders.pipe(switchEach((record) => Promise.resolve(text(record))))).toBe(
        '-b---|',
        { b: 'b' },
      );
      expectAcks(orders).toBe('-(ab)');
      await Promise.resolve();
    }),
  );

  test('completes when the source has, and the work is done', async () => {
    const work = new Work();
    const seen = watch(from(new TestPartition().deliver('a')).pipe(switchEach(work.start)));
    expect(seen.isComplete).toBe(false);
    await work.finish('a');
    expect(seen).toMatchObject({ values: ['A'], isComplete: true });
  });

  test('a record for which nothing is returned is done at once', () => {
    const partition = new TestPartition();
    watch(from(partition.deliver('a', 'b')).pipe(switchEach(() => undefined)));
    expect(partition.committable).toBe(2);
  });

  test('work that supersedes itself while it is being started ends', () => {
    const partition = new TestPartition();
    const source = new Subject<TestRecord>();
    const [a, b] = partition.deliver('a', 'b');
    const seen: string[] = [];
    source
      .pipe(
        switchEach((record) =>
          text(record) === 'a' ? of('1', '2').pipe(map((n) => `a${n}`)) : ['b1'],
        ),
      )
      .subscribe((value) => {
        seen.push(value);
        if (value === 'a1') source.next(b!);
      });
    source.next(a!);
    expect(seen).toEqual(['a1', 'b1']);
    expect(partition.committable).toBe(2);
  });

  test('work that was superseded by its own callback is not begun', () => {
    const partition = new TestPartition();
    const source = new Subject<TestRecord>();
    const [a, b] = partition.deliver('a', 'b');
    const begun: string[] = [];
    const begin = (record: TestRecord) =>
      new Observable<never>((subscriber) => {
        begun.push(text(record));
        subscriber.complete();
      });
    source
      .pipe(
        switchEach((record) => {
          if (text(record) === 'a') source.next(b!);
          return begin(record);
        }),
      )
      .subscribe();
    source.next(a!);
    expect(begun).toEqual(['b']);
    expect(partition.committable).toBe(2);
  });

  test('unsubscribing ends the work, and all goes back', () => {
    const { partition, push, seen, work } = started();
    push(partition.deliver('a', 'b'));
    seen.subscription.unsubscribe();
    expect(work.get('b')!.observed).toBe(false);
    expect(partition.returned.sort()).toEqual([0, 1]);
  });

  test('what the callback throws, or by, ends the stream, and the records go back', async () => {
    const fail = () => {
      throw new Error('can’t');
    };
    for (const operator of [
      switchEach(fail),
      switchEach(() => throwError(() => new Error('can’t'))),
      switchEach(() => Promise.reject(new Error('can’t'))),
      switchEach(() => NEVER, { by: fail }),
    ]) {
      const partition = new TestPartition();
      const source = new Subject<TestRecord>();
      const seen = watch(source.pipe(operator));
      for (const record of partition.deliver('a')) source.next(record);
      await settled();
      expect(seen.error).toEqual(new Error('can’t'));
      expect(source.observed).toBe(false);
      expect(partition.returned).toEqual([0]);
    }
  });

  test('work that was told to stop because its partition was lost ends nothing', () => {
    const { partition, push, seen, work } = started();
    push(partition.deliver('a'));
    partition.lose();
    work.get('a')!.error(new Error('aborted'));
    expect(seen.error).toBeUndefined();
  });

  test(
    'in a rebalance, work under way is finished, and what it superseded is committed with it',
    kafkaMarbles(({ records, lifecycle, cold, expectOutput, expectCommits, expectReturns }) => {
      const orders = records('-ab-----');
      lifecycle(orders, '     ---R----');
      const work = (record: TestRecord) => cold('----(x|)', { x: record });
      expectOutput(orders.pipe(switchEach(work))).toBe('------b');
      expectCommits(orders).toBe('                      ------(ab)');
      expectReturns(orders).toBe('');
    }),
  );

  test('options are checked when the operator is made', () => {
    expect(() => switchEach(() => undefined, { by: 'topic' as 'key' })).toThrow(
      "switchEach: option by is 'topic'",
    );
  });

  test('an unsubscribed source is not asked for more', () => {
    let isUnsubscribed = false;
    const source = new Observable<TestRecord>(() => () => (isUnsubscribed = true));
    watch(source.pipe(switchEach(() => undefined))).subscription.unsubscribe();
    expect(isUnsubscribed).toBe(true);
  });
});
