import { BehaviorSubject, concat, delay, from, NEVER, of, Subject, take, throwError } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { ackEach, batchEach, pauseWhile, processEach } from '../../src/index.js';
import { kafkaMarbles } from '../../src/testing/index.js';
import { behavesLikeAnOperator, text } from '../support/operator-spec.js';
import { TestPartition, testPipeline, type TestRecord } from '../support/records.js';
import { watch } from '../support/watching.js';

describe('pauseWhile', () => {
  describe('without a pause', () => behavesLikeAnOperator(() => pauseWhile(NEVER)));

  test(
    'holds records back while it is paused, and lets them through in order',
    kafkaMarbles(({ records, cold, expectOutput, expectAcks }) => {
      const orders = records('-a-b-c-d------e-');
      const isPaused = cold('----t-----f-----', { t: true, f: false });
      expectOutput(orders.pipe(pauseWhile(isPaused), ackEach())).toBe('-a-b------(cd)e');
      expectAcks(orders).toBe('                                        -a-b------(cd)e');
    }),
  );

  test(
    'waits with completing until what waits was let through',
    kafkaMarbles(({ records, cold, expectOutput }) => {
      const orders = records('  (ab|)');
      const isPaused = cold('   t-------f', { t: true, f: false });
      expectOutput(orders.pipe(pauseWhile(isPaused), ackEach())).toBe('--------(ab|)');
    }),
  );

  test('a pause that never ends by itself ends when its stream completes', () => {
    const seen = watch(from(new TestPartition().deliver('a')).pipe(pauseWhile(of(true))));
    expect(seen).toMatchObject({ isComplete: true });
    expect(seen.values.map(text)).toEqual(['a']);
  });

  test('a pause that begins while it lets through holds the rest', () => {
    const isPaused = new BehaviorSubject(true);
    const seen: string[] = [];
    concat(from(new TestPartition().deliver('a', 'b')), NEVER)
      .pipe(pauseWhile(isPaused))
      .subscribe((record) => {
        seen.push(text(record));
        isPaused.next(true);
      });
    isPaused.next(false);
    expect(seen).toEqual(['a']);
    isPaused.next(false);
    expect(seen).toEqual(['a', 'b']);
  });

  test('what waits goes back when its partition is given up, and what does not stays', () => {
    const pipeline = testPipeline();
    const [going, staying] = [0, 1].map((partition) => new TestPartition({ partition, pipeline }));
    const isPaused = new BehaviorSubject(true);
    const records = [...going!.deliver('a'), ...staying!.deliver('b')];
    const seen = watch(concat(from(records), NEVER).pipe(pauseWhile(isPaused)));
    going!.drain();
    expect(going!.returned).toEqual([0]);
    isPaused.next(false);
    expect(seen.values.map(text)).toEqual(['b']);
  });

  test(
    'in a rebalance, the next owner begins with what was waiting',
    kafkaMarbles(({ records, lifecycle, cold, expectOutput, expectCommits, expectReturns }) => {
      const orders = records('-a-bc---------');
      lifecycle(orders, '     -----R---A----');
      const isPaused = cold('  --t----f', { t: true, f: false });
      expectOutput(orders.pipe(pauseWhile(isPaused), ackEach())).toBe('-a-------(bc)');
      expectReturns(orders).toBe('-----(bc)');
      expectCommits(orders).toBe('-a-------(bc)');
    }),
  );

  test(
    'what comes when its partition was given up already goes back, if it has to wait',
    kafkaMarbles(({ records, lifecycle, cold, expectOutput, expectReturns }) => {
      const orders = records('(ab)------');
      lifecycle(orders, '     --R');
      const isPaused = cold('  t---------', { t: true });
      expectOutput(orders.pipe(delay(5), pauseWhile(isPaused))).toBe('');
      expectReturns(orders).toBe('-----(ab)');
    }),
  );

  test(
    'what was delivered before the source has had enough is kept, however late it comes',
    kafkaMarbles(({ records, cold, expectOutput }) => {
      const orders = records('(abc)-----');
      const isPaused = cold('  t--------f', { t: true, f: false });
      const late = orders.pipe(take(2), delay(5), pauseWhile(isPaused), ackEach());
      expectOutput(late).toBe('---------(ab|)');
    }),
  );

  test(
    'when its partition is lost, what waits is let go, and nothing of it comes any more',
    kafkaMarbles(({ records, lifecycle, cold, expectOutput }) => {
      const orders = records('(ax)-----', { a: {}, x: { partition: 1 } });
      lifecycle(orders, '     ---L', { L: { type: 'lose', partitions: [0] } });
      const isPaused = cold('  t----f', { t: true, f: false });
      expectOutput(orders.pipe(pauseWhile(isPaused))).toBe('-----x');
    }),
  );

  test('unsubscribing gives back what waits, and ends both streams', () => {
    const partition = new TestPartition();
    const [source, isPaused] = [new Subject<TestRecord>(), new BehaviorSubject(true)];
    const seen = watch(source.pipe(pauseWhile(isPaused)));
    for (const record of partition.deliver('a', 'b')) source.next(record);
    seen.subscription.unsubscribe();
    expect(partition.returned).toEqual([0, 1]);
    expect([source.observed, isPaused.observed]).toEqual([false, false]);
  });

  test('who has enough while it lets through gets no more, and the rest goes back', () => {
    const partition = new TestPartition();
    const isPaused = new BehaviorSubject(true);
    const source = concat(from(partition.deliver('a', 'b')), NEVER);
    const seen = watch(source.pipe(pauseWhile(isPaused), take(1)));
    isPaused.next(false);
    expect(seen.isComplete).toBe(true);
    expect(partition.returned).toEqual([1]);
  });

  test('an error of what pauses it ends the stream, and what waits goes back', () => {
    const partition = new TestPartition();
    const isPaused = new BehaviorSubject(true);
    const seen = watch(concat(from(partition.deliver('a')), NEVER).pipe(pauseWhile(isPaused)));
    isPaused.error(new Error('gone'));
    expect(seen.error).toEqual(new Error('gone'));
    expect(partition.returned).toEqual([0]);
    expect(watch(NEVER.pipe(pauseWhile(throwError(() => 'x')))).error).toBe('x');
  });

  test('under ack: auto, what was held back is done when it was delivered, unless taken over', () => {
    const partition = new TestPartition({ pipeline: testPipeline({ isAutoAck: true }) });
    const isPaused = new BehaviorSubject(true);
    watch(concat(from(partition.deliver('a')), NEVER).pipe(pauseWhile(isPaused)));
    expect(partition.committable).toBe(0);
    isPaused.next(false);
    expect(partition.committable).toBe(1);
    isPaused.next(true);
    const later = concat(from(partition.deliver('b')), NEVER);
    watch(
      later.pipe(
        pauseWhile(isPaused),
        processEach(() => NEVER),
      ),
    );
    isPaused.next(false);
    expect(partition.committable).toBe(1);
  });

  test('batches are held back as records are', () => {
    const partition = new TestPartition();
    const isPaused = new BehaviorSubject(true);
    const source = concat(from(partition.deliver('a', 'b')), NEVER);
    const seen = watch(source.pipe(batchEach({ maxRecords: 2 }), pauseWhile(isPaused)));
    isPaused.next(false);
    expect(seen.values.map(({ length }) => length)).toEqual([2]);
  });
});
