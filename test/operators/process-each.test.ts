import {
  concat,
  defer,
  delay,
  from,
  map,
  merge,
  NEVER,
  Observable,
  of,
  range,
  retry,
  Subject,
  take,
  takeUntil,
  tap,
  throwError,
  timer,
  toArray,
} from 'rxjs';
import { describe, expect, test } from 'vitest';
import { originsOf } from '../../src/core/records/index.js';
import {
  ConfigError,
  processEach,
  type ConsumerRecord,
  type ProcessEachOptions,
} from '../../src/index.js';
import { kafkaMarbles } from '../../src/testing/index.js';
import { settled } from '../support/fake-clock.js';
import { behavesLikeAnOperator, text, Work } from '../support/operator-spec.js';
import { TestPartition, testPipeline, type TestRecord } from '../support/records.js';
import { watch } from '../support/watching.js';

describe('what is done with a record', () => {
  test('is done at once where nothing is returned, and emits nothing', () => {
    const partition = new TestPartition();
    const did: string[] = [];
    const seen = watch(
      from(partition.deliver('a', 'b')).pipe(processEach((record) => void did.push(text(record)))),
    );
    expect(did).toEqual(['a', 'b']);
    expect(seen).toMatchObject({ values: [], isComplete: true });
    expect(partition.committable).toBe(2);
  });

  test('is done when its promise is fulfilled, not before', async () => {
    const partition = new TestPartition();
    const work = new Work();
    const seen = watch(from(partition.deliver('a', 'b')).pipe(processEach(work.start)));
    expect(work.started).toEqual(['a']);
    expect(partition.committable).toBe(0);
    await work.finish('a');
    expect(partition.committable).toBe(1);
    expect(seen).toMatchObject({ values: ['A'], isComplete: false });
    await work.finish('b');
    expect(seen).toMatchObject({ values: ['A', 'B'], isComplete: true });
    expect(partition.committable).toBe(2);
  });

  test('is done when its Observable completes, and everything that emits comes out', () => {
    const partition = new TestPartition();
    const results = new Subject<number>();
    const seen = watch(from(partition.deliver('a')).pipe(processEach(() => results)));
    results.next(1);
    results.next(2);
    expect(partition.committable).toBe(0);
    results.complete();
    expect(seen).toMatchObject({ values: [1, 2], isComplete: true });
    expect(partition.committable).toBe(1);
  });

  test('may be an array or an async generator', async () => {
    const partition = new TestPartition();
    async function* countdown() {
      yield 2;
      await settled();
      yield 1;
    }
    const seen = watch(
      from(partition.deliver('a', 'b')).pipe(
        processEach((record) => (text(record) === 'a' ? [3] : countdown())),
      ),
    );
    await expect.poll(() => seen.isComplete).toBe(true);
    expect(seen.values).toEqual([3, 2, 1]);
    expect(partition.committable).toBe(2);
  });

  test('is told how often the record was delivered, and when it has become pointless', async () => {
    const partition = new TestPartition();
    const [first] = partition.deliver('a');
    first!.nack('not yet');
    const signals: AbortSignal[] = [];
    const attempts: number[] = [];
    const [again] = (first!.giveBack(), [first!.again(0)]);
    watch(
      of(again).pipe(
        processEach((_, context) => {
          attempts.push(context.attempt);
          signals.push(context.signal);
          return NEVER;
        }),
      ),
    );
    expect(attempts).toEqual([2]);
    expect(signals[0]!.aborted).toBe(false);
    partition.lose();
    expect(signals[0]!.aborted).toBe(true);
    await settled();
  });

  test('sees an aborted signal also where it looks only after the partition was taken away', () => {
    const partition = new TestPartition();
    let look = (): boolean => false;
    watch(
      from(partition.deliver('a')).pipe(
        processEach((_, context) => {
          look = () => context.signal.aborted;
          return NEVER;
        }),
      ),
    );
    partition.lose();
    expect(look()).toBe(true);
    partition.begin(5);
    expect(look()).toBe(true);
    expect(partition.deliver('b')[0]!.signal.aborted).toBe(false);
  });
});

behavesLikeAnOperator(() => processEach((record) => [record]));

describe('the source', () => {
  test('failing: passes the error on, and gives back what was not started', async () => {
    const partition = new TestPartition();
    const work = new Work();
    const failing = concat(
      from(partition.deliver('a', 'b', 'c')),
      throwError(() => new Error('gone')),
    );
    const seen = watch(failing.pipe(processEach(work.start)));
    expect(seen.error).toEqual(new Error('gone'));
    expect(partition.returned).toEqual([1, 2]);
    await work.finish('a');
    expect(partition.committable).toBe(1);
  });

  test('is subscribed to once for each subscriber, with lanes of their own', () => {
    let count = 0;
    const source = defer(() => {
      count++;
      return from(new TestPartition().deliver('a', 'b'));
    });
    const processed = source.pipe(processEach((record) => of(text(record))));
    expect(watch(processed).values).toEqual(['a', 'b']);
    expect(watch(processed).values).toEqual(['a', 'b']);
    expect(count).toBe(2);
  });
});

describe('errors', () => {
  test('what the callback throws ends the stream, and the record goes back', () => {
    const partition = new TestPartition();
    const source = new Subject<TestRecord>();
    const seen = watch(
      source.pipe(
        processEach((record) => {
          if (text(record) === 'b') throw new Error('can’t');
        }),
      ),
    );
    for (const record of partition.deliver('a', 'b', 'c')) source.next(record);
    expect(seen.error).toEqual(new Error('can’t'));
    expect(source.observed).toBe(false);
    expect(partition.returned).toEqual([1]);
    expect(partition.committable).toBe(1);
  });

  test('so does a rejection, and an Observable that errors', async () => {
    for (const fail of [
      () => Promise.reject(new Error('can’t')),
      () => throwError(() => new Error('can’t')),
    ]) {
      const partition = new TestPartition();
      const seen = watch(from(partition.deliver('a')).pipe(processEach(fail)));
      await settled();
      expect(seen.error).toEqual(new Error('can’t'));
      expect(partition.returned).toEqual([0]);
      expect(partition.committable).toBe(0);
    }
  });

  test('so does a callback that returns what can’t be waited for', () => {
    for (const wrong of [5, null, true, {}]) {
      const partition = new TestPartition();
      const source = new Subject<TestRecord>();
      const seen = watch(source.pipe(processEach(() => wrong as unknown as undefined)));
      for (const record of partition.deliver('a', 'b')) source.next(record);
      expect(seen.error).toBeInstanceOf(TypeError);
      expect(partition.returned).toEqual([0]);
      expect(source.observed).toBe(false);
    }
  });

  test('work in other lanes that is under way still counts', async () => {
    const partition = new TestPartition();
    const work = new Work();
    const seen = watch(
      from(partition.deliver('a', 'b', 'c')).pipe(
        processEach(work.start, { concurrency: 3, order: 'none' }),
      ),
    );
    await work.fail('b', new Error('can’t'));
    expect(seen.error).toEqual(new Error('can’t'));
    await work.finish('a', 'c');
    expect(partition.committable).toBe(1);
    expect(partition.unacked).toBe(1);
    expect(seen.values).toEqual([]);
  });

  test('retry() begins anew with what went back', async () => {
    const partition = new TestPartition();
    let failures = 1;
    const source = defer(() => {
      const again = partition.redeliver();
      return from(again.length > 0 ? again : partition.deliver('a', 'b'));
    });
    const seen = watch(
      source.pipe(
        processEach((record) => {
          if (failures-- > 0) throw new Error('once');
          return of(`${text(record)}${record.attempt}`);
        }),
        retry(1),
      ),
    );
    await settled();
    expect(seen).toMatchObject({ values: ['a2', 'b2'], isComplete: true });
  });

  test('options are checked when the operator is made', () => {
    const makeWith = (options: object) => () => processEach(() => undefined, options);
    expect(makeWith({ concurrency: 0 })).toThrow(
      new ConfigError(
        'processEach: option concurrency is 0, but it must be a whole number of at least 1',
      ),
    );
    expect(makeWith({ order: 'keys' })).toThrow(
      "processEach: option order is 'keys', but it must be one of 'partition', 'key', 'none'",
    );
    expect(makeWith({ concurency: 2 })).toThrow('processEach: there is no option concurency');
  });
});

describe('order', () => {
  /** Drives work to its end, newest first, and gives the order in which it was started. */
  async function startOrder(
    records: readonly TestRecord[],
    options: { order: 'partition' | 'key' | 'none'; concurrency: number },
  ): Promise<string[][]> {
    const work = new Work();
    const steps: string[][] = [];
    const done = new Set<string>();
    watch(from(records).pipe(processEach(work.start, options)));
    for (;;) {
      const running = work.started.filter((name) => !done.has(name));
      if (running.length === 0) return steps;
      steps.push(running);
      const newest = running.at(-1)!;
      done.add(newest);
      await work.finish(newest);
    }
  }

  test('by partition: one at a time of each, others don’t wait', async () => {
    const pipeline = testPipeline();
    const [p0, p1] = [0, 1].map((partition) => new TestPartition({ partition, pipeline }));
    const records = [...p0!.deliver('a0', 'b0'), ...p1!.deliver('a1', 'b1')];
    expect(await startOrder(records, { order: 'partition', concurrency: 4 })).toEqual([
      ['a0', 'a1'],
      ['a0', 'b1'],
      ['a0'],
      ['b0'],
    ]);
  });

  test('by key: one at a time of each key, in each partition; none counts as one', async () => {
    const partition = new TestPartition();
    const records = partition.deliver('x=1', 'x=2', 'y=3', '4', '5');
    expect(await startOrder(records, { order: 'key', concurrency: 8 })).toEqual([
      ['1', '3', '4'],
      ['1', '3', '5'],
      ['1', '3'],
      ['1'],
      ['2'],
    ]);
  });

  test('by key: an empty key is a key, and bytes that are no text differ', async () => {
    const partition = new TestPartition();
    const records = partition.deliverContents([
      { key: Buffer.from([0xff]), value: 'ff' },
      { key: Buffer.from([0xfe]), value: 'fe' },
      { key: '', value: 'empty' },
      { value: 'none' },
    ]);
    expect((await startOrder(records, { order: 'key', concurrency: 8 }))[0]).toHaveLength(4);
  });

  test('by key: the same key in another partition or topic is another lane', async () => {
    const records = [
      new TestPartition({ partition: 0 }),
      new TestPartition({ partition: 1 }),
      new TestPartition({ topic: 'orders-1' }),
    ].flatMap((partition, i) => partition.deliver(`k=${i}`));
    expect((await startOrder(records, { order: 'key', concurrency: 8 }))[0]).toHaveLength(3);
  });

  test('none: as many at once as allowed, in the order in which they came', async () => {
    const records = new TestPartition().deliver('a', 'b', 'c', 'd');
    expect(await startOrder(records, { order: 'none', concurrency: 3 })).toEqual([
      ['a', 'b', 'c'],
      ['a', 'b', 'd'],
      ['a', 'b'],
      ['a'],
    ]);
  });

  test('one record at a time is the default', async () => {
    const pipeline = testPipeline();
    const work = new Work();
    const records = [0, 1].flatMap((partition) =>
      new TestPartition({ partition, pipeline }).deliver(`${partition}`),
    );
    watch(from(records).pipe(processEach(work.start)));
    expect(work.started).toEqual(['0']);
    await work.finish('0');
    expect(work.started).toEqual(['0', '1']);
  });

  test('never more are worked on at once than allowed, whatever the order', async () => {
    for (const order of ['partition', 'key', 'none'] as const) {
      const pipeline = testPipeline();
      let atWork = 0;
      let most = 0;
      const records = Array.from({ length: 8 }, (_, partition) =>
        new TestPartition({ partition, pipeline }).deliver('a=1', 'b=2', 'c=3', '4'),
      ).flat();
      const seen = watch(
        from(records).pipe(
          processEach(
            async () => {
              most = Math.max(most, ++atWork);
              await Promise.resolve();
              atWork--;
            },
            { concurrency: 5, order },
          ),
        ),
      );
      await expect.poll(() => seen.isComplete).toBe(true);
      expect(most).toBe(5);
    }
  });

  test('a slow lane keeps no other waiting', async () => {
    const partition = new TestPartition();
    const work = new Work();
    watch(
      from(partition.deliver('slow=a', 'slow=b', 'x=c', 'x=d', 'x=e')).pipe(
        processEach(work.start, { concurrency: 2, order: 'key' }),
      ),
    );
    await work.finish('c');
    await work.finish('d');
    await work.finish('e');
    expect(work.started).toEqual(['a', 'c', 'd', 'e']);
    expect(partition.committable).toBe(0);
    await work.finish('a');
    expect(work.started.at(-1)).toBe('b');
  });
});

describe('time', () => {
  const results = { A: 'A', B: 'B', C: 'C' };

  test(
    'results come out when they are ready, without an order to keep',
    kafkaMarbles(({ records, cold, expectOutput, expectAcks, expectCommits }) => {
      const work: Record<string, string> = { a: '----(A|)', b: '--(B|)', c: '----(C|)' };
      const orders = records('-a-b-c---------|');
      const project = (record: TestRecord) => cold(work[text(record)]!, results);
      expectOutput(orders.pipe(processEach(project, { concurrency: 3, order: 'none' }))).toBe(
        '              -----(AB)C-----|',
        results,
      );
      expectAcks(orders).toBe('   -----(ab)c');
      expectCommits(orders).toBe('-----(ab)c');
    }),
  );

  test(
    'with an order to keep, one begins when the one before has ended',
    kafkaMarbles(({ records, cold, expectOutput, expectAcks, expectSubscriptions }) => {
      const inner = cold('--A-|', results);
      const orders = records('-(ab)-|');
      expectOutput(orders.pipe(processEach(() => inner, { concurrency: 3 }))).toBe(
        '---A---A-|',
        results,
      );
      expectSubscriptions(inner.subscriptions).toBe(['-^---!', '-----^---!']);
      expectAcks(orders).toBe('                        -----a---b');
    }),
  );

  test(
    'completes when the source has, and all work is done',
    kafkaMarbles(({ records, expectOutput }) => {
      const work = () => timer(5).pipe(map(() => 'A'));
      expectOutput(records('-a|').pipe(processEach(work))).toBe('------(A|)', results);
    }),
  );

  test(
    'errors at once, unsubscribes work that is under way, and acks none of it',
    kafkaMarbles(
      ({ records, cold, expectOutput, expectAcks, expectReturns, expectSubscriptions }) => {
        const slow = cold('----------');
        const failing = cold('--#');
        const orders = records('-ab--');
        const project = (record: TestRecord) => (text(record) === 'a' ? slow : failing);
        expectOutput(orders.pipe(processEach(project, { concurrency: 2, order: 'none' }))).toBe(
          '----#',
        );
        expectSubscriptions(slow.subscriptions).toBe('-^--!');
        expectAcks(orders).toBe('');
        expectReturns(orders).toBe('----(ba)');
      },
    ),
  );

  test(
    'unsubscribing ends the work that is under way, and its record goes back',
    kafkaMarbles(({ records, cold, expectOutput, expectReturns, expectSubscriptions }) => {
      const inner = cold('----A|', results);
      const orders = records('-a---');
      expectOutput(orders.pipe(processEach(() => inner)), '---!').toBe('----');
      expectSubscriptions(inner.subscriptions).toBe('-^-!');
      expectReturns(orders).toBe('---a');
    }),
  );
});

describe('unsubscribed', () => {
  test('promises under way ack when they are fulfilled, and what was not started goes back', async () => {
    const partition = new TestPartition();
    const work = new Work();
    const source = concat(from(partition.deliver('a', 'b', 'c')), NEVER);
    const seen = watch(source.pipe(processEach(work.start)));
    seen.subscription.unsubscribe();
    expect(partition.returned).toEqual([1, 2]);
    expect(partition.inHand).toBe(1);
    await work.finish('a');
    expect(partition.committable).toBe(1);
    expect(partition.inHand).toBe(0);
    expect(seen.values).toEqual([]);
    expect(work.started).toEqual(['a']);
  });

  test('a promise that is rejected later gives its record back', async () => {
    const partition = new TestPartition();
    const work = new Work();
    const seen = watch(concat(from(partition.deliver('a')), NEVER).pipe(processEach(work.start)));
    seen.subscription.unsubscribe();
    await work.fail('a', new Error('too late'));
    expect(partition.returned).toEqual([0]);
    expect(partition.committable).toBe(0);
    expect(seen.error).toBeUndefined();
  });

  test('Observables are cancelled, and their records go back', () => {
    const partition = new TestPartition();
    let isCancelled = false;
    const { subscription } = watch(
      from(partition.deliver('a')).pipe(
        processEach(() => new Observable<never>(() => () => (isCancelled = true))),
      ),
    );
    subscription.unsubscribe();
    expect(isCancelled).toBe(true);
    expect(partition.returned).toEqual([0]);
    expect(partition.inHand).toBe(0);
  });

  test('by take() while a synchronous Observable emits: it ends there', () => {
    const partition = new TestPartition();
    const seen = watch(
      from(partition.deliver('a', 'b')).pipe(
        processEach(() => range(0, Infinity)),
        take(2),
      ),
    );
    expect(seen).toMatchObject({ values: [0, 1], isComplete: true });
    expect(partition.committable).toBe(0);
    expect(partition.inHand).toBe(0);
    expect(partition.returned.sort()).toEqual([0, 1]);
  });

  test('within the callback: an Observable that it returns is not begun', () => {
    const partition = new TestPartition();
    const ended = new Subject<void>();
    let isBegun = false;
    from(partition.deliver('a', 'b'))
      .pipe(
        processEach(() => {
          ended.next();
          return new Observable<never>(() => {
            isBegun = true;
          });
        }),
        takeUntil(ended),
      )
      .subscribe();
    expect(isBegun).toBe(false);
    expect(partition.returned.sort()).toEqual([0, 1]);
    expect(partition.inHand).toBe(0);
  });

  test('while an Observable is subscribed to: it is cancelled', () => {
    const partition = new TestPartition();
    const ended = new Subject<void>();
    const result = new Subject<never>();
    const end = defer(() => {
      ended.next();
      return result;
    });
    from(partition.deliver('a'))
      .pipe(
        processEach(() => end),
        takeUntil(ended),
      )
      .subscribe();
    expect(result.observed).toBe(false);
    result.complete();
    expect(partition.committable).toBe(0);
    expect(partition.returned).toEqual([0]);
  });

  test('by take() before it: what was taken is worked on to the end', async () => {
    const partition = new TestPartition();
    const work = new Work();
    const seen = watch(
      concat(from(partition.deliver('a', 'b', 'c')), NEVER).pipe(take(2), processEach(work.start)),
    );
    await work.finish('a');
    await work.finish('b');
    expect(seen).toMatchObject({ values: ['A', 'B'], isComplete: true });
    expect(partition.committable).toBe(2);
  });

  test('nothing listens any more', () => {
    const partition = new TestPartition();
    const source = concat(from(partition.deliver('a')), NEVER);
    const { subscription } = watch(source.pipe(processEach(() => NEVER)));
    subscription.unsubscribe();
    partition.drain();
    expect(partition.returned).toEqual([0]);
  });
});

describe('when partitions are given up', () => {
  test('records that were not started go back, and those in work are finished', async () => {
    const pipeline = testPipeline();
    const going = new TestPartition({ partition: 0, pipeline });
    const staying = new TestPartition({ partition: 1, pipeline });
    const work = new Work();
    const records = [...going.deliver('a0', 'b0', 'c0'), ...staying.deliver('a1', 'b1')];
    const seen = watch(
      concat(from(records), NEVER).pipe(processEach(work.start, { concurrency: 2 })),
    );
    going.drain();
    expect(going.returned).toEqual([1, 2]);
    expect(staying.returned).toEqual([]);
    await work.finish('a0', 'a1');
    await work.finish('b1');
    expect(seen.values).toEqual(['A0', 'A1', 'B1']);
    expect(going.committable).toBe(1);
    expect(staying.committable).toBe(2);
  });

  test('by key: what lies before work that was begun is finished too, so that nothing is done twice', async () => {
    const partition = new TestPartition();
    const work = new Work();
    const records = partition.deliver('slow=a', 'slow=b', 'x=c', 'x=d', 'slow=e');
    watch(
      concat(from(records), NEVER).pipe(processEach(work.start, { concurrency: 2, order: 'key' })),
    );
    await work.finish('c');
    expect(work.started).toEqual(['a', 'c', 'd']);
    partition.drain();
    expect(partition.returned).toEqual([4]);
    await work.finish('a', 'd');
    await work.finish('b');
    expect(work.started).toEqual(['a', 'c', 'd', 'b']);
    expect(partition.committable).toBe(4);
    expect(partition.inHand).toBe(0);
  });

  test('by key: what was not begun in time goes back', async () => {
    const partition = new TestPartition();
    const work = new Work();
    const records = partition.deliver('slow=a', 'slow=b', 'x=c');
    watch(
      concat(from(records), NEVER).pipe(processEach(work.start, { concurrency: 2, order: 'key' })),
    );
    partition.drain();
    expect(partition.returned).toEqual([]);
    partition.abortWork();
    await work.finish('a', 'c');
    expect(work.started).toEqual(['a', 'c']);
    expect(partition.returned).toEqual([1]);
  });

  test('by key: what comes after a failed record of its key goes back with it', async () => {
    const partition = new TestPartition();
    const work = new Work();
    const records = partition.deliver('slow=a', 'slow=b', 'x=c');
    watch(
      concat(from(records), NEVER).pipe(
        processEach(work.start, { concurrency: 2, order: 'key', retry: { count: 1 } }),
      ),
    );
    await work.fail('a', new Error('busy'));
    partition.drain();
    expect(partition.returned).toEqual([0, 1]);
    await work.finish('c');
    expect(work.started).toEqual(['a', 'c']);
  });

  test('by key: what was begun in an epoch before holds nothing back', () => {
    const partition = new TestPartition();
    const source = new Subject<TestRecord>();
    watch(source.pipe(processEach(() => NEVER, { concurrency: 3, order: 'key' })));
    for (const record of partition.deliver('x=a', 'y=b', 'z=c')) source.next(record);
    partition.begin(0);
    for (const record of partition.deliver('u=d', 'u=e')) source.next(record);
    partition.drain();
    expect(partition.returned).toEqual([0, 1]);
  });

  test('it completes where the source has, and nothing is left', async () => {
    const partition = new TestPartition();
    const work = new Work();
    const seen = watch(from(partition.deliver('a', 'b')).pipe(processEach(work.start)));
    partition.drain();
    expect(seen.isComplete).toBe(false);
    await work.finish('a');
    expect(seen.isComplete).toBe(true);
    expect(work.started).toEqual(['a']);
  });

  test('also of a consumer that took the place of another', () => {
    const [before, after] = [new TestPartition(), new TestPartition()];
    const source = new Subject<TestRecord>();
    watch(source.pipe(processEach(() => NEVER)));
    for (const record of before.deliver('a')) source.next(record);
    for (const record of after.deliver('b', 'c')) source.next(record);
    after.drain();
    expect(after.returned).toEqual([0, 1]);
  });

  test('also of several consumers that are merged', () => {
    const [left, right] = [new TestPartition({ topic: 'l' }), new TestPartition({ topic: 'r' })];
    watch(
      merge(from(left.deliver('a', 'b')), from(right.deliver('c', 'd')), NEVER).pipe(
        processEach(() => NEVER, { concurrency: 2 }),
      ),
    );
    right.drain();
    expect(right.returned).toEqual([1]);
    left.drain();
    expect(left.returned).toEqual([1]);
  });

  test('work on a partition that was taken away is not begun', async () => {
    const pipeline = testPipeline();
    const lost = new TestPartition({ partition: 0, pipeline });
    const kept = new TestPartition({ partition: 1, pipeline });
    const work = new Work();
    const records = [...lost.deliver('a0', 'b0', 'c0'), ...kept.deliver('a1')];
    const seen = watch(from(records).pipe(processEach(work.start)));
    lost.lose();
    await work.finish('a0');
    expect(work.started).toEqual(['a0', 'a1']);
    await work.finish('a1');
    expect(seen).toMatchObject({ values: ['A0', 'A1'], isComplete: true });
    expect(lost.ackedLate).toBe(1);
    expect(kept.committable).toBe(1);
  });

  test('records of the next epoch wait for work of the one before', async () => {
    const partition = new TestPartition();
    const work = new Work();
    const source = new Subject<TestRecord>();
    watch(source.pipe(processEach(work.start, { concurrency: 2 })));
    for (const record of partition.deliver('old')) source.next(record);
    partition.begin(0);
    for (const record of partition.deliver('new')) source.next(record);
    expect(work.started).toEqual(['old']);
    await work.finish('old');
    expect(partition.committable).toBe(0);
    await work.finish('new');
    expect(partition.committable).toBe(1);
  });
});

describe('a record that is nacked', () => {
  /** Nacks `a` the first time. */
  function nackingA(partition: TestPartition, options: ProcessEachOptions<TestRecord> = {}) {
    const started: string[] = [];
    const source = new Subject<TestRecord>();
    const seen = watch(
      source.pipe(
        processEach((record) => {
          started.push(`${text(record)}${record.attempt}`);
          if (text(record) === 'a' && record.attempt === 1) record.nack('busy');
        }, options),
      ),
    );
    for (const record of partition.deliver('a', 'b', 'c')) source.next(record);
    return { started, source, seen };
  }

  test('closes its lane until it has come again', () => {
    const partition = new TestPartition();
    const { started, source } = nackingA(partition);
    expect(started).toEqual(['a1']);
    for (const record of partition.redeliver()) source.next(record);
    expect(started).toEqual(['a1', 'a2', 'b1', 'c1']);
    expect(partition.committable).toBe(3);
  });

  test('comes before those of its lane that came again sooner', async () => {
    const partition = new TestPartition();
    const work = new Work();
    const source = new Subject<TestRecord>();
    watch(source.pipe(processEach(work.start)));
    const [a, b, c, d] = partition.deliver('a', 'b', 'c', 'd');
    for (const record of [b!, c!]) record.nack('elsewhere');
    source.next(a!);
    source.next(d!);
    const again = partition.redeliver();
    for (const record of again.toReversed()) source.next(record);
    for (const name of ['a', 'b', 'c', 'd']) await work.finish(name);
    expect(work.started).toEqual(['a', 'b', 'c', 'd']);
  });

  test('keeps a stream open that has come to its end', () => {
    const partition = new TestPartition();
    const { started, source, seen } = nackingA(partition);
    source.complete();
    expect(seen.isComplete).toBe(false);
    partition.drain();
    expect(seen.isComplete).toBe(true);
    expect(started).toEqual(['a1']);
    expect(partition.returned).toEqual([1, 2]);
  });

  test('takes what comes after it along where nothing more is delivered', () => {
    const partition = new TestPartition();
    const { started, source, seen } = nackingA(partition);
    source.complete();
    partition.stop();
    expect(seen.isComplete).toBe(true);
    expect(started).toEqual(['a1']);
    expect(partition.returned).toEqual([1, 2]);
  });

  test('takes what comes after it along also when nothing more was delivered by then', async () => {
    const partition = new TestPartition();
    const work = new Work();
    const records = partition.deliver('a', 'b', 'c');
    const seen = watch(from(records).pipe(processEach(work.start)));
    partition.stop();
    records[0]!.nack('busy');
    await work.finish('a');
    expect(seen).toMatchObject({ values: ['A'], isComplete: true });
    expect(work.started).toEqual(['a']);
    expect(partition.returned).toEqual([1, 2]);
  });

  test('is waited for no longer when its partition was taken away', () => {
    const partition = new TestPartition();
    const { started, source, seen } = nackingA(partition);
    source.complete();
    partition.lose();
    expect(seen.isComplete).toBe(true);
    expect(started).toEqual(['a1']);
  });

  test('keeps no order where there are no lanes', () => {
    const partition = new TestPartition();
    const { started, source } = nackingA(partition, { order: 'none' });
    for (const record of partition.redeliver()) source.next(record);
    expect(started).toEqual(['a1', 'b1', 'c1', 'a2']);
  });
});

describe('results that were derived', () => {
  test('take the origin with them: it is acked by whoever writes them', () => {
    const partition = new TestPartition();
    const seen = watch(
      from(partition.deliver('a', 'b')).pipe(
        processEach((record) => of(record.derive({ topic: 'invoices' }))),
      ),
    );
    expect(seen.isComplete).toBe(true);
    expect(partition.committable).toBe(0);
    const origins = seen.values.flatMap((derived) => originsOf(derived));
    for (const origin of origins) origin.ack();
    expect(partition.committable).toBe(2);
  });

  test('hand it over before they are emitted: a sink may ack at once', async () => {
    const partition = new TestPartition();
    watch(
      from(partition.deliver('a')).pipe(
        processEach((record) => Promise.resolve(record.derive())),
        tap((derived) => originsOf(derived)[0]!.ack()),
      ),
    );
    await settled();
    expect(partition.committable).toBe(1);
  });

  test('may be derived further down, while the result is emitted', () => {
    const partition = new TestPartition();
    const seen = watch(
      from(partition.deliver('a')).pipe(
        processEach((record) => of(record)),
        map((record: ConsumerRecord) => record.derive()),
      ),
    );
    expect(seen.values).toHaveLength(1);
    expect(partition.committable).toBe(0);
  });

  test('don’t keep their lane waiting for the sink', () => {
    const partition = new TestPartition();
    const seen = watch(
      from(partition.deliver('a', 'b')).pipe(processEach((record) => of(record.derive()))),
    );
    expect(seen.values).toHaveLength(2);
  });

  test('that come after unsubscribing go nowhere: the record goes back', async () => {
    const partition = new TestPartition();
    let finish: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (finish = resolve));
    const { subscription } = watch(
      from(partition.deliver('a')).pipe(processEach((record) => gate.then(() => record.derive()))),
    );
    subscription.unsubscribe();
    finish();
    await settled();
    expect(partition.returned).toEqual([0]);
    expect(partition.committable).toBe(0);
  });
});

describe('large numbers', () => {
  const many = (count: number) => Array.from({ length: count }, (_, i) => String(i));

  test('deep queues of work that is done at once don’t recurse', async () => {
    const partition = new TestPartition();
    const work = new Work();
    const did: number[] = [];
    const seen = watch(
      from(partition.deliver(...many(20_000))).pipe(
        processEach((record) => {
          did.push(record.offset);
          if (record.offset === 0) return work.start(record);
          return record.offset % 2 === 0 ? undefined : of('odd');
        }),
      ),
    );
    expect(did).toEqual([0]);
    await work.finish('0');
    expect(seen.isComplete).toBe(true);
    expect(did).toHaveLength(20_000);
    expect(partition.committable).toBe(20_000);
  });

  test('100,000 records that wait cost no more each than a few', () => {
    for (const order of ['partition', 'key', 'none'] as const) {
      const perRecord = (count: number) => {
        const partition = new TestPartition();
        const records = partition.deliverContents(
          many(count).map((value, i) => ({ key: String(i % 1000), value })),
        );
        let looks = 0;
        const counted = records.map((record) => countingLooks(record, () => looks++));
        const { subscription } = watch(
          concat(from(counted), NEVER).pipe(processEach(() => NEVER, { order })),
        );
        partition.drain();
        subscription.unsubscribe();
        expect(partition.returned).toHaveLength(count);
        return looks / count;
      };
      expect(perRecord(100_000)).toBeLessThanOrEqual(perRecord(1000) * 1.1);
    }
  });

  /** Counts how often anything of a record is looked at. */
  function countingLooks(record: TestRecord, onLook: () => void): TestRecord {
    return new Proxy(record, {
      get(target, name) {
        onLook();
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
      },
    });
  }
});

test('an Observable result that comes later is emitted as it comes', async () => {
  const partition = new TestPartition();
  const seen = watch(
    from(partition.deliver('a')).pipe(
      processEach((record) => of(text(record)).pipe(delay(0))),
      toArray(),
    ),
  );
  await expect.poll(() => seen.values).toEqual([['a']]);
  expect(partition.committable).toBe(1);
});
