import { getEventListeners } from 'node:events';
import { concat, concatMap, delay, from, map, mergeMap, NEVER, Subject, take, tap } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { originsOf } from '../../src/core/records/index.js';
import {
  ackEach,
  batchEach,
  fromTopics,
  processEach,
  type Batch,
  type BatchEachOptions,
} from '../../src/index.js';
import { kafkaMarbles } from '../../src/testing/index.js';
import { numbers, Seen, write } from '../support/consuming.js';
import { FakeClock, settled } from '../support/fake-clock.js';
import { behavesLikeAnOperator, text } from '../support/operator-spec.js';
import { TestPartition, testPipeline, type TestRecord } from '../support/records.js';
import { Simulation } from '../support/simulation.js';
import { watch } from '../support/watching.js';

const texts = (batch: Batch<unknown, unknown>) => batch.records.map(text).join('');

/** Pushes records by hand through a batching pipeline. */
function started(options: BatchEachOptions, clock = new FakeClock()) {
  const pipeline = testPipeline({ clock });
  const partition = new TestPartition({ pipeline });
  const source = new Subject<TestRecord>();
  const seen = watch(source.pipe(batchEach(options)));
  const push = (records: readonly TestRecord[]) => {
    for (const record of records) source.next(record);
  };
  return { clock, pipeline, partition, push, source, seen, got: () => seen.values.map(texts) };
}

describe('batchEach', () => {
  behavesLikeAnOperator(() => batchEach({ maxRecords: 2 }));

  test('what it has of a partition that is lost is let go, and the rest is not', () => {
    const { clock, pipeline, partition, push, got } = started({ maxWaitMs: 10, by: 'partition' });
    const kept = new TestPartition({ partition: 1, pipeline });
    push([...partition.deliver('a', 'b'), ...kept.deliver('x')]);
    partition.lose();
    clock.advance(10);
    expect(got()).toEqual(['x']);
  });

  describe('a batch is let go', () => {
    test('when it has as many records as allowed', () => {
      const { partition, push, got } = started({ maxRecords: 2 });
      push(partition.deliver('a', 'b', 'c', 'd', 'e'));
      expect(got()).toEqual(['ab', 'cd']);
    });

    test('before it has more bytes than allowed, but for one record that has', () => {
      const { partition, push, got, seen } = started({ maxBytes: 5 });
      push(partition.deliver('aa', 'bb', 'cc', 'ddddddd', 'ee', 'ff', 'g'));
      expect(got()).toEqual(['aabb', 'cc', 'ddddddd', 'eeffg']);
      expect(seen.values.map(({ sizeBytes }) => sizeBytes)).toEqual([4, 2, 7, 5]);
    });

    test(
      'when its first record has waited long enough',
      kafkaMarbles(({ records, expectOutput, expectAcks }) => {
        const orders = records('-a-b-----c--');
        const batches = orders.pipe(
          batchEach({ maxWaitMs: 5 }),
          ackEach(),
          map((batch) => batch.records),
        );
        expectOutput(batches).toBe('------x-------y', { x: ['a', 'b'], y: ['c'] });
        expectAcks(orders).toBe('------(ab)----c');
      }),
    );

    test('each of several after its own time', () => {
      const { clock, partition, push, got } = started({ maxWaitMs: 10, by: 'key' });
      push(partition.deliver('x=a'));
      clock.advance(4);
      push(partition.deliver('y=b', 'x=c'));
      clock.advance(6);
      expect(got()).toEqual(['ac']);
      clock.advance(4);
      expect(got()).toEqual(['ac', 'b']);
      clock.advance(100);
      expect(clock.pending).toBe(0);
    });

    test(
      'when the window is full, long before it is complete',
      kafkaMarbles(({ records, expectOutput, expectLifecycle }) => {
        const orders = records('(abcde)|', undefined, { maxUnackedRecords: 2 });
        const batches = orders.pipe(
          batchEach({ maxRecords: 1000, maxWaitMs: 60_000 }),
          ackEach(),
          map((batch) => batch.records),
        );
        expectOutput(batches).toBe('(xy)---(z|)', {
          x: ['a', 'b'],
          y: ['c', 'd'],
          z: ['e'],
        });
        expectLifecycle(orders, 'starved').toBe('(SS)');
      }),
    );

    test(
      'at the end of the topic, where there is no time to wait',
      kafkaMarbles(({ records, expectOutput }) => {
        const batches = records('(ab)-c').pipe(
          batchEach(),
          ackEach(),
          map((batch) => batch.records),
        );
        expectOutput(batches).toBe('x----y', { x: ['a', 'b'], y: ['c'] });
      }),
    );

    test('when the source completes', () => {
      const { partition, push, got, seen, source } = started({ by: 'key' });
      push(partition.deliver('x=a', 'y=b'));
      source.complete();
      expect(got()).toEqual(['a', 'b']);
      expect(seen.isComplete).toBe(true);
    });

    test(
      'when its partition is being given up, and what is acked then is committed',
      kafkaMarbles(({ records, lifecycle, expectOutput, expectCommits, expectReturns }) => {
        const orders = records('-ab---');
        lifecycle(orders, '     ----R-');
        const batches = orders.pipe(
          batchEach({ maxWaitMs: 100 }),
          ackEach(),
          map((batch) => batch.records),
        );
        expectOutput(batches).toBe('----x', { x: ['a', 'b'] });
        expectCommits(orders).toBe('----(ab)');
        expectReturns(orders).toBe('');
      }),
    );

    test(
      'when its records come so late that nothing more can come by then',
      kafkaMarbles(({ records, expectOutput, expectLifecycle }) => {
        const orders = records('(abc)', undefined, { maxUnackedRecords: 2 });
        const batches = orders.pipe(
          delay(5),
          batchEach({ maxRecords: 3, maxWaitMs: 100 }),
          ackEach(),
          map((batch) => batch.records),
        );
        expectOutput(batches).toBe('-----x 104ms y', { x: ['a', 'b'], y: ['c'] });
        expectLifecycle(orders, 'starved').toBe('-----S');
      }),
    );

    test(
      'when its records come so late that its partition is being given up by then',
      kafkaMarbles(({ records, lifecycle, expectOutput, expectLifecycle }) => {
        const orders = records('a');
        lifecycle(orders, '     --R');
        const batches = orders.pipe(
          delay(5),
          batchEach({ maxWaitMs: 100 }),
          ackEach(),
          map((batch) => batch.records),
        );
        expectOutput(batches).toBe('-----x', { x: ['a'] });
        expectLifecycle(orders, 'revoked').toBe('-----R');
      }),
    );

    test('not when another partition is being given up, unless it has records of both', () => {
      for (const [by, expected] of [
        ['partition', ['a']],
        ['all', ['ab']],
      ] as const) {
        const { pipeline, partition, push, got } = started({ by });
        const other = new TestPartition({ partition: 1, pipeline });
        push([...partition.deliver('a'), ...other.deliver('b')]);
        partition.drain();
        expect(got()).toEqual(expected);
      }
    });
  });

  test('by partition, by key, or as a function says', () => {
    const grouped = (by: BatchEachOptions['by']) => {
      const { pipeline, partition, push, got, source } = started({ by: by! });
      const other = new TestPartition({ partition: 1, pipeline });
      push([...partition.deliver('x=a', 'y=b', 'x=c', 'd'), ...other.deliver('x=e', 'f')]);
      source.complete();
      return got();
    };
    expect(grouped('all')).toEqual(['abcdef']);
    expect(grouped('partition')).toEqual(['abcd', 'ef']);
    expect(grouped('key')).toEqual(['ac', 'b', 'd', 'e', 'f']);
    expect(grouped(({ value }) => text({ value }) < 'd')).toEqual(['abc', 'def']);
  });

  test('records of consumers that were merged are never in one batch', () => {
    const { partition, push, got, source } = started({});
    push([...partition.deliver('a'), ...new TestPartition({ topic: 'other' }).deliver('b')]);
    source.complete();
    expect(got()).toEqual(['a', 'b']);
  });

  test('is acked as one, or record by record', () => {
    const { partition, push, seen } = started({ maxRecords: 2 });
    push(partition.deliver('a', 'b', 'c', 'd'));
    const [first, second] = seen.values;
    second!.records[1]!.ack();
    expect(partition.committable).toBe(0);
    first!.ack();
    expect(partition.committable).toBe(2);
    second!.ack();
    expect(partition.committable).toBe(4);
  });

  test('a nacked batch comes again record by record, but for those that were acked', () => {
    const { partition, push, seen } = started({ maxRecords: 3 });
    push(partition.deliver('a', 'b', 'c'));
    seen.values[0]!.records[1]!.ack();
    seen.values[0]!.nack('busy');
    expect(partition.redeliver().map(({ offset, attempt }) => [offset, attempt])).toEqual([
      [0, 2],
      [2, 2],
    ]);
  });

  test('what is derived from a batch acks all of it', () => {
    const { partition, push, seen } = started({ maxRecords: 2 });
    push(partition.deliver('a', 'b'));
    const derived = seen.values[0]!.derive({ topic: 'sums', value: 2 });
    expect(derived).toMatchObject({ topic: 'sums', key: null, value: 2 });
    for (const origin of originsOf(derived)) origin.ack();
    expect(partition.committable).toBe(2);
    expect(() => seen.values[0]!.derive({ value: 3 })).toThrow(
      expect.objectContaining({ code: 'DERIVED_TWICE' }),
    );
  });

  test('says what it is of', () => {
    const { partition, push, seen } = started({ maxRecords: 2, by: 'key' });
    push(partition.deliver('x=a', 'x=b'));
    expect(seen.values[0]).toMatchObject({
      topic: 'orders',
      partition: 0,
      offset: 0,
      length: 2,
      attempt: 1,
      value: undefined,
    });
    expect(String(seen.values[0]!.rawKey)).toBe('x');
    expect([...seen.values[0]!].map(text)).toEqual(['a', 'b']);
  });

  test('its signal listens to those of its records until work on it is over', async () => {
    const pipeline = testPipeline();
    const partitions = [0, 1].map((partition) => new TestPartition({ partition, pipeline }));
    const records = partitions.flatMap((partition) => partition.deliver('a', 'b'));
    const listeners = () =>
      [records[0]!, records[2]!].map(({ signal }) => getEventListeners(signal, 'abort').length);
    const seen: number[][] = [];
    const working = processEach((_: Batch, { signal }) => {
      const { aborted } = signal;
      seen.push(listeners());
      return Promise.resolve(aborted);
    });
    watch(from(records).pipe(batchEach(), working));
    await settled();
    expect(seen).toEqual([[1, 1]]);
    expect(listeners()).toEqual([0, 0]);
  });

  test('its signal aborts when the work has become pointless for all of it', () => {
    const { pipeline, partition, push, seen } = started({ maxRecords: 2 });
    const other = new TestPartition({ partition: 1, pipeline });
    push([...partition.deliver('a'), ...other.deliver('b')]);
    const { signal } = seen.values[0]!;
    partition.lose();
    expect(signal.aborted).toBe(false);
    other.lose();
    expect(signal.aborted).toBe(true);
  });

  test('unsubscribing gives back what was not let go, and ends the timer', () => {
    const { clock, partition, push, seen } = started({ maxRecords: 2, maxWaitMs: 10 });
    push(partition.deliver('a', 'b', 'c'));
    seen.subscription.unsubscribe();
    expect(partition.returned).toEqual([2]);
    expect(clock.pending).toBe(0);
  });

  test('who has enough in the middle of a flush gets no further ones', () => {
    const partition = new TestPartition();
    const seen = watch(
      from(partition.deliver('x=a', 'y=b')).pipe(batchEach({ by: 'key' }), take(1)),
    );
    expect(seen.values).toHaveLength(1);
    expect(partition.returned).toEqual([1]);
  });

  test('what by throws ends the stream, and all goes back', () => {
    const { partition, push, seen, source } = started({
      by: ({ offset }) => {
        if (offset === 1) throw new Error('can’t');
        return 0;
      },
    });
    push(partition.deliver('a', 'b'));
    expect(seen.error).toEqual(new Error('can’t'));
    expect(source.observed).toBe(false);
    expect(partition.returned.sort()).toEqual([0, 1]);
  });

  test('under ack: auto, a batch is done when its delivery returns, unless it was taken over', () => {
    const partition = new TestPartition({ pipeline: testPipeline({ isAutoAck: true }) });
    watch(from(partition.deliver('a', 'b', 'c')).pipe(batchEach({ maxRecords: 2 })));
    expect(partition.committable).toBe(3);
    watch(
      from(partition.deliver('d', 'e')).pipe(
        batchEach(),
        processEach(() => NEVER),
      ),
    );
    watch(
      from(partition.deliver('f')).pipe(
        batchEach(),
        mergeMap(({ records }) => records),
        processEach(() => NEVER),
      ),
    );
    expect(partition.committable).toBe(3);
    expect(partition.unacked).toBe(3);
  });

  test('options are checked when the operator is made', () => {
    expect(() => batchEach({ maxRecords: 0 })).toThrow('batchEach: option maxRecords is 0');
    expect(() => batchEach({ by: 'topic' as 'key' })).toThrow(
      "batchEach: option by is 'topic', but it must be one of 'all', 'partition', 'key', a function",
    );
    expect(() => batchEach({ maxWait: 5 } as object)).toThrow('did you mean maxWaitMs?');
  });
});

describe('a batch in processEach', () => {
  test('is acked when its work is done', async () => {
    const partition = new TestPartition();
    const done: string[] = [];
    const seen = watch(
      from(partition.deliver('a', 'b', 'c')).pipe(
        batchEach({ maxRecords: 2 }),
        processEach(async (batch) => {
          await settled();
          done.push(`${texts(batch)} ${partition.committable}`);
        }),
      ),
    );
    await expect.poll(() => seen.isComplete).toBe(true);
    expect(done).toEqual(['ab 0', 'c 2']);
    expect(partition.committable).toBe(3);
  });

  test('records of it that were derived are left to whoever writes them', () => {
    const partition = new TestPartition();
    watch(
      from(partition.deliver('a', 'b')).pipe(
        batchEach(),
        processEach((batch) => [batch.records[0]!.derive()]),
      ),
    );
    expect(partition.unacked).toBe(1);
    expect(partition.committable).toBe(0);
  });

  test('keeps its lane: batches of a key one after the other, others beside it', async () => {
    const partition = new TestPartition();
    const started: string[] = [];
    watch(
      concat(from(partition.deliver('x=a', 'x=b', 'y=c')), NEVER).pipe(
        batchEach({ maxRecords: 1, by: 'key' }),
        processEach(
          (batch) => {
            started.push(texts(batch));
            return NEVER;
          },
          { order: 'key', concurrency: 3 },
        ),
      ),
    );
    await settled();
    expect(started).toEqual(['a', 'c']);
  });

  test('fails, is tried again, and is skipped as one', () => {
    const clock = new FakeClock();
    const events: { type: string; offset?: number }[] = [];
    const pipeline = testPipeline({ clock, events: events as never });
    const partition = new TestPartition({ pipeline });
    const seen = watch(
      from(partition.deliver('a', 'b')).pipe(
        batchEach(),
        processEach(
          () => {
            throw new Error('no');
          },
          { retry: 1, onError: 'skip' },
        ),
      ),
    );
    clock.advance(1000);
    expect(seen.isComplete).toBe(true);
    expect(partition.committable).toBe(2);
    expect(events.map(({ type, offset }) => [type, offset])).toEqual([
      ['record-retried', 0],
      ['record-retried', 1],
      ['skipped', 0],
      ['skipped', 1],
    ]);
  });

  test('that was not started goes back when its partition is given up', () => {
    const partition = new TestPartition();
    const source = new Subject<TestRecord>();
    watch(
      source.pipe(
        batchEach({ maxRecords: 2 }),
        processEach(() => NEVER),
      ),
    );
    for (const record of partition.deliver('a', 'b', 'c', 'd', 'e')) source.next(record);
    partition.drain();
    expect(partition.returned).toEqual([2, 3, 4]);
    expect(partition.inHand).toBe(2);
  });
});

describe('in a consumer', () => {
  test('batches that are larger than the window don’t hang', async () => {
    await using sim = await Simulation.start({ topics: { orders: 2 } });
    for (const partition of [0, 1]) write(sim.cluster, 'orders', partition, ...numbers(50));
    const sizes: number[] = [];
    const seen = new Seen(
      fromTopics(sim.kafka(), 'orders', {
        groupId: 'billing',
        autoOffsetReset: 'earliest',
        maxUnackedRecords: 10,
      }).pipe(
        batchEach({ maxRecords: 1000 }),
        tap(({ length }) => sizes.push(length)),
        concatMap((batch) => settled().then(() => batch)),
        ackEach(),
      ),
    );
    await sim.until(() => sizes.reduce((sum, size) => sum + size, 0) === 100);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(20);
    seen.subscription.unsubscribe();
  });
});
