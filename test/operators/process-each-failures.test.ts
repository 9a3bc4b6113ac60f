import { getEventListeners } from 'node:events';
import { concat, from, NEVER, of, Subject, takeUntil, throwError } from 'rxjs';
import { describe, expect, test } from 'vitest';
import {
  pauseWhile,
  processEach,
  type ConsumerEvent,
  type ConsumerRecord,
  type ProcessEachOptions,
} from '../../src/index.js';
import { Pipeline } from '../../src/core/consumer/pipeline.js';
import { kafkaMarbles } from '../../src/testing/index.js';
import { FakeClock, settled } from '../support/fake-clock.js';
import { text, Work } from '../support/operator-spec.js';
import { TestPartition, testPipeline, type TestRecord } from '../support/records.js';
import { watch } from '../support/watching.js';

/** A partition on a clock of its own, with what its operators tell. */
function setUp() {
  const clock = new FakeClock();
  const events: ConsumerEvent[] = [];
  const pipeline = testPipeline({ clock, events });
  return { clock, events, pipeline, partition: new TestPartition({ pipeline }) };
}

/** Work that fails so many times for each record before it succeeds, and notes what it was given. */
function failing(times: number, only: (record: TestRecord) => boolean = () => true) {
  const tried: string[] = [];
  const project = (record: TestRecord, { attempt }: { readonly attempt: number }) => {
    tried.push(`${text(record)}${attempt}`);
    if (only(record) && attempt <= times) throw new Error(`${text(record)} failed`);
    return of(text(record));
  };
  return { tried, project };
}

describe('retry', () => {
  test('tries again after a backoff that doubles, and tells each time', () => {
    const { clock, events, partition } = setUp();
    const { tried, project } = failing(2);
    const seen = watch(
      from(partition.deliver('a')).pipe(
        processEach(project, { retry: { count: 2, backoffMs: 100, backoffMaxMs: 1000 } }),
      ),
    );
    expect(tried).toEqual(['a1']);
    clock.advance(79);
    expect(tried).toEqual(['a1']);
    clock.advance(41);
    expect(tried).toEqual(['a1', 'a2']);
    clock.advance(240);
    expect(tried).toEqual(['a1', 'a2', 'a3']);
    expect(seen).toMatchObject({ values: ['a'], isComplete: true });
    expect(partition.committable).toBe(1);
    expect(events).toMatchObject([
      { type: 'record-retried', topic: 'orders', partition: 0, offset: 0, attempt: 2 },
      { type: 'record-retried', attempt: 3, reason: new Error('a failed') },
    ]);
    expect(clock.pending).toBe(0);
  });

  test('promises and Observables are tried again as well', async () => {
    for (const fail of [
      () => Promise.reject(new Error('no')),
      () => throwError(() => new Error('no')),
    ]) {
      const { clock, partition } = setUp();
      const seen = watch(
        from(partition.deliver('a')).pipe(
          processEach(
            (record, { attempt }) => (attempt < 3 ? fail() : Promise.resolve(text(record))),
            { retry: 5 },
          ),
        ),
      );
      for (let i = 0; i < 3; i++) {
        await settled();
        clock.advance(1000);
      }
      await settled();
      expect(seen).toMatchObject({ values: ['a'], isComplete: true });
      expect(partition.committable).toBe(1);
    }
  });

  test('the lane waits, and others go on in its place', async () => {
    const { clock, partition } = setUp();
    const work = new Work();
    watch(
      from(partition.deliver('x=1', 'x=2', 'y=3', 'y=4')).pipe(
        processEach(work.start, { order: 'key', retry: 1 }),
      ),
    );
    await work.fail('1', new Error('no'));
    expect(work.started).toEqual(['1', '3']);
    await work.finish('3');
    await work.finish('4');
    expect(work.started).toEqual(['1', '3', '4']);
    clock.advance(1000);
    expect(work.started).toEqual(['1', '3', '4', '1']);
    await work.finish('1');
    await work.finish('2');
    expect(partition.committable).toBe(4);
  });

  test('fails for good when it was tried often enough', () => {
    const { clock, partition } = setUp();
    const { tried, project } = failing(Infinity);
    const seen = watch(from(partition.deliver('a', 'b')).pipe(processEach(project, { retry: 2 })));
    clock.advance(10_000);
    expect(tried).toEqual(['a1', 'a2', 'a3']);
    expect(seen.error).toEqual(new Error('a failed'));
    expect(partition.returned.sort()).toEqual([0, 1]);
    expect(clock.pending).toBe(0);
  });

  test('unsubscribing ends the wait, and the record goes back', () => {
    const { clock, partition } = setUp();
    const { project } = failing(Infinity);
    const seen = watch(from(partition.deliver('a')).pipe(processEach(project, { retry: 2 })));
    seen.subscription.unsubscribe();
    expect(partition.returned).toEqual([0]);
    expect(clock.pending).toBe(0);
  });

  test('when the partition is given up, what waits for its next try goes back', () => {
    const { clock, pipeline, partition } = setUp();
    const other = new TestPartition({ partition: 1, pipeline });
    const { tried, project } = failing(1);
    watch(
      concat(from([...partition.deliver('a', 'b'), ...other.deliver('c')]), NEVER).pipe(
        processEach(project, { retry: 2, order: 'key' }),
      ),
    );
    expect(tried).toEqual(['a1', 'c1']);
    partition.drain();
    expect(partition.returned).toEqual([0, 1]);
    expect(partition.inHand).toBe(0);
    clock.advance(1000);
    expect(tried).toEqual(['a1', 'c1', 'c2']);
    expect(other.committable).toBe(1);
    expect(clock.pending).toBe(0);
  });

  test('when the partition is given up, what fails then is left to the next owner', async () => {
    const { clock, events, partition } = setUp();
    const work = new Work();
    const seen = watch(
      concat(from(partition.deliver('a')), NEVER).pipe(processEach(work.start, { retry: 2 })),
    );
    partition.drain();
    await work.fail('a', new Error('no'));
    expect(partition.returned).toEqual([0]);
    expect(seen.error).toBeUndefined();
    expect(events).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test('when the partition is given up, what comes after that in its lane goes with it', async () => {
    const { partition } = setUp();
    const work = new Work();
    watch(
      concat(from(partition.deliver('x=1', 'x=2', 'y=3')), NEVER).pipe(
        processEach(work.start, { order: 'key', concurrency: 2, retry: 2 }),
      ),
    );
    partition.drain();
    await work.fail('1', new Error('no'));
    expect(work.started).toEqual(['1', '3']);
    expect(partition.returned).toEqual([0, 1]);
    await work.finish('3');
    expect(partition.inHand).toBe(0);
  });

  test('whoever hears of it may end the stream: the record goes back, and nothing waits', () => {
    const clock = new FakeClock();
    const retried = new Subject<unknown>();
    const pipeline = new Pipeline({
      ...testPipeline({ clock }).host,
      emit: (event) => retried.next(event),
    });
    const partition = new TestPartition({ pipeline });
    const seen = watch(
      concat(from(partition.deliver('a', 'b')), NEVER).pipe(
        processEach(failing(Infinity).project, { retry: 2 }),
        takeUntil(retried),
      ),
    );
    expect(seen.isComplete).toBe(true);
    expect(partition.inHand).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test('what can be waited for and throws as that is tried has failed', () => {
    const { partition } = setUp();
    const incomplete: PromiseLike<never> = {
      then() {
        throw new Error('incomplete');
      },
    };
    const seen = watch(
      from(partition.deliver('a', 'b')).pipe(
        processEach(({ offset }) => (offset === 0 ? incomplete : undefined), { onError: 'skip' }),
      ),
    );
    expect(seen.isComplete).toBe(true);
    expect(partition.committable).toBe(2);
  });

  test('work that was told to stop and does so ends nothing', async () => {
    const { partition } = setUp();
    const work = new Work();
    const seen = watch(concat(from(partition.deliver('a')), NEVER).pipe(processEach(work.start)));
    partition.lose();
    await work.fail('a', new Error('aborted'));
    expect(seen.error).toBeUndefined();
    expect(seen.subscription.closed).toBe(false);
  });
});

describe('onError', () => {
  test('skip acks the record, and tells why', () => {
    const { events, partition } = setUp();
    const { project } = failing(Infinity, (record) => text(record) === 'b');
    const seen = watch(
      from(partition.deliver('a', 'b', 'c')).pipe(processEach(project, { onError: 'skip' })),
    );
    expect(seen).toMatchObject({ values: ['a', 'c'], isComplete: true });
    expect(partition.committable).toBe(3);
    expect(events).toMatchObject([
      {
        type: 'skipped',
        topic: 'orders',
        partition: 0,
        offset: 1,
        nextOffset: 2,
        error: {
          code: 'RECORD_FAILED',
          cause: new Error('b failed'),
          message: 'Work on the record at orders-0 offset 1 failed, and it was skipped: b failed',
        },
      },
    ]);
  });

  test('a function takes the place of the work', async () => {
    const { clock, partition } = setUp();
    const { project } = failing(Infinity, (record) => text(record) === 'a');
    const failures: unknown[] = [];
    const seen = watch(
      from(partition.deliver('a', 'b')).pipe(
        processEach(project, {
          retry: 1,
          onError: ({ record, error, attempt }) => {
            failures.push([text(record), error, attempt]);
            return Promise.resolve(0);
          },
        }),
      ),
    );
    clock.advance(1000);
    expect(partition.committable).toBe(0);
    await settled();
    expect(seen).toMatchObject({ values: [0, 'b'], isComplete: true });
    expect(failures).toEqual([['a', new Error('a failed'), 2]]);
    expect(partition.committable).toBe(2);
  });

  test('a function may hand the origin over, as to a dead letter', () => {
    const { partition } = setUp();
    const { project } = failing(Infinity);
    const seen = watch(
      from(partition.deliver('a')).pipe(
        processEach(project, { onError: ({ record }) => [record.derive({ topic: 'dead' })] }),
      ),
    );
    expect(seen.values).toMatchObject([{ topic: 'dead' }]);
    expect(partition.committable).toBe(0);
  });

  test('a function that fails itself ends the stream, and the record goes back', async () => {
    for (const fail of [
      () => {
        throw new Error('worse');
      },
      () => Promise.reject(new Error('worse')),
    ]) {
      const { partition } = setUp();
      const { project } = failing(Infinity);
      const seen = watch(
        from(partition.deliver('a')).pipe(processEach(project, { onError: fail })),
      );
      await settled();
      expect(seen.error).toEqual(new Error('worse'));
      expect(partition.returned).toEqual([0]);
    }
  });

  test('options are checked when the operator is made', () => {
    const makeWith = (options: object) => () => processEach(() => undefined, options);
    expect(makeWith({ onError: 'ignore' })).toThrow(
      "processEach: option onError is 'ignore', but it must be one of 'fail', 'skip', 'nack', a function",
    );
    expect(makeWith({ retry: -1 })).toThrow('processEach: option retry is -1, but it must be');
    expect(makeWith({ retry: { count: 1, backoff: 1 } })).toThrow(
      'processEach: retry: there is no option backoff; did you mean backoffMs?',
    );
  });
});

describe('a nacked record comes again first in its lane', () => {
  /** Pushes records by hand, so that they can come again. */
  function started(options: ProcessEachOptions<ConsumerRecord>) {
    const { events, partition, pipeline } = setUp();
    const source = new Subject<TestRecord>();
    const did: string[] = [];
    const seen = watch(
      source.pipe(
        processEach(
          (record, { attempt }) => {
            did.push(`${text(record)}${attempt}`);
            if (text(record) === '1' && attempt === 1) throw new Error('no');
          },
          { onError: 'nack', ...options },
        ),
      ),
    );
    const push = (records: readonly TestRecord[]) => {
      for (const record of records) source.next(record);
    };
    return { did, events, partition, pipeline, push, seen, source };
  }

  test('by key: what is behind it waits, other keys go on', () => {
    const { did, partition, push } = started({ order: 'key' });
    push(partition.deliver('x=1', 'x=2', 'y=3'));
    expect(did).toEqual(['11', '31']);
    expect(partition.nacked).toEqual([{ offset: 0, reason: new Error('no') }]);
    push(partition.redeliver());
    expect(did).toEqual(['11', '31', '12', '21']);
    expect(partition.committable).toBe(3);
  });

  test('by partition: all of it waits, other partitions go on', () => {
    const { did, partition, pipeline, push } = started({ order: 'partition' });
    const other = new TestPartition({ partition: 1, pipeline });
    push([...partition.deliver('x=1', 'y=2'), ...other.deliver('z=3')]);
    expect(did).toEqual(['11', '31']);
    push(partition.redeliver());
    expect(did).toEqual(['11', '31', '12', '21']);
  });

  test('without an order nothing waits', () => {
    const { did, partition, push } = started({ order: 'none' });
    push(partition.deliver('1', '2'));
    push(partition.redeliver());
    expect(did).toEqual(['11', '21', '12']);
    expect(partition.committable).toBe(2);
  });

  test('project may nack it itself', () => {
    const { partition } = setUp();
    const source = new Subject<TestRecord>();
    const did: string[] = [];
    watch(
      source.pipe(
        processEach((record) => {
          did.push(text(record));
          if (record.attempt === 1) record.nack('not yet');
        }),
      ),
    );
    for (const record of partition.deliver('1', '2')) source.next(record);
    expect(did).toEqual(['1']);
    for (const record of partition.redeliver()) source.next(record);
    expect(did).toEqual(['1', '1', '2']);
    for (const record of partition.redeliver()) source.next(record);
    expect(did).toEqual(['1', '1', '2', '2']);
    expect(partition.committable).toBe(2);
  });

  test('when the partition is given up, what is behind it goes back', () => {
    const { did, partition, push } = started({ order: 'partition' });
    push(partition.deliver('1', '2'));
    partition.drain();
    expect(partition.returned).toEqual([1]);
    expect(partition.inHand).toBe(0);
    partition.begin(0);
    push(partition.deliver('3'));
    expect(did).toEqual(['11', '31']);
  });

  test('after the partition was lost, records of its next epoch don’t wait for it', () => {
    const { did, partition, push } = started({ order: 'partition' });
    push(partition.deliver('1', '2'));
    partition.lose();
    partition.begin(0);
    push(partition.deliver('3'));
    expect(did).toEqual(['11', '31']);
    expect(partition.committable).toBe(1);
  });

  test(
    'also where it had come again, and went back before it came here',
    kafkaMarbles((t) => {
      const definitions = { a: { key: 'x' }, b: { key: 'x' } };
      const orders = t.records('(ab)', definitions, { nackBackoffMs: 3 });
      t.lifecycle(orders, '----R-A');
      const did: string[] = [];
      const processed = orders.pipe(
        pauseWhile(t.cold('-p------f', { p: true, f: false })),
        processEach((record) => {
          did.push(text(record));
          if (did.length === 1) record.nack('not yet');
        }),
      );
      t.expectOutput(processed).toBe('');
      t.expectReturns(orders).toBe('----(ab)');
      t.expectAcks(orders).toBe('--------(ab)');
    }),
  );

  test(
    'by key it keeps no partition from being handed over, wherever it is held back',
    kafkaMarbles((t) => {
      const definitions = { a: { key: 'x' }, b: { key: 'x' }, c: { key: 'y' } };
      const orders = t.records('(abc)', definitions, { nackBackoffMs: 3, drainTimeoutMs: 100 });
      t.lifecycle(orders, '----R');
      const processed = orders.pipe(
        pauseWhile(t.cold('-p', { p: true })),
        processEach(
          (record) => {
            if (text(record) === 'c') return t.cold('-------|');
            record.nack('not yet');
            return undefined;
          },
          { concurrency: 3, order: 'key' },
        ),
      );
      t.expectOutput(processed).toBe('');
      t.expectReturns(orders).toBe('----(ab)');
      t.expectAcks(orders).toBe('-------c');
      t.expectLifecycle(orders, 'revoked').toBe('-------R');
    }),
  );

  test('nothing of a partition is listened to any more when it has, or when the stream has ended', () => {
    const { partition, push } = started({ order: 'partition' });
    const [record] = partition.deliver('1');
    const { signal } = record!;
    push([record!]);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    push(partition.redeliver());
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    const ending = started({ order: 'key' });
    const [held] = ending.partition.deliver('1');
    ending.push([held!]);
    expect(getEventListeners(held!.signal, 'abort')).toHaveLength(1);
    ending.seen.subscription.unsubscribe();
    expect(getEventListeners(held!.signal, 'abort')).toHaveLength(0);
    expect(ending.partition.inHand).toBe(0);
  });
});
