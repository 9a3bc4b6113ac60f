import {
  concat,
  firstValueFrom,
  from,
  map,
  NEVER,
  Observable,
  of,
  Subject,
  take,
  takeUntil,
  throwError,
  timer,
} from 'rxjs';
import { describe, expect, test } from 'vitest';
import { originsOf } from '../../src/core/records/index.js';
import { ackEach, flatMapEach, processEach, type ConsumerRecord } from '../../src/index.js';
import { settled } from '../support/fake-clock.js';
import { kafkaMarbles } from '../../src/testing/index.js';
import { behavesLikeAnOperator, text } from '../support/operator-spec.js';
import { TestPartition, testPipeline, type TestRecord } from '../support/records.js';
import { watch } from '../support/watching.js';

/** As many copies as the record's value says, if it is a number. */
const copies = (record: TestRecord) =>
  Array.from({ length: Number(text(record)) || 0 }, (_, i) => `${text(record)}.${i}`);

describe('flatMapEach', () => {
  behavesLikeAnOperator(() => flatMapEach((record) => [text(record)]));

  test('each result is a record of its own, of the same origin', () => {
    const partition = new TestPartition();
    const { values } = watch(from(partition.deliver('k=2')).pipe(flatMapEach(copies)));
    expect(values.map(({ value, offset, key }) => [value, offset, String(key)])).toEqual([
      ['2.0', 0, 'k'],
      ['2.1', 0, 'k'],
    ]);
  });

  test('the origin is acked when all results are, in whatever order', () => {
    const partition = new TestPartition();
    const { values } = watch(from(partition.deliver('2', '1')).pipe(flatMapEach(copies)));
    values[2]!.ack();
    values[1]!.ack();
    expect(partition.committable).toBe(0);
    values[0]!.ack();
    expect(partition.committable).toBe(2);
  });

  test('zero results ack at once', () => {
    const partition = new TestPartition();
    const seen = watch(
      from(partition.deliver('0', '0', '1')).pipe(
        flatMapEach((record) => (record.offset === 1 ? undefined : copies(record))),
      ),
    );
    expect(seen.values).toHaveLength(1);
    expect(partition.committable).toBe(2);
  });

  test('the origin is not acked before its results have all come', () => {
    const partition = new TestPartition();
    const results = new Subject<string>();
    const { values } = watch(
      concat(from(partition.deliver('a')), NEVER).pipe(flatMapEach(() => results)),
    );
    results.next('1');
    values[0]!.ack();
    expect(partition.committable).toBe(0);
    results.next('2');
    results.complete();
    expect(partition.committable).toBe(0);
    values[1]!.ack();
    expect(partition.committable).toBe(1);
  });

  test('a record may be derived from as often as wanted; the origin is acked when all are written', () => {
    const partition = new TestPartition();
    const { values } = watch(
      from(partition.deliver('a')).pipe(
        flatMapEach((order) => [order.derive({ topic: 'x' }), order.derive({ topic: 'y' })]),
      ),
    );
    expect(values.map(({ topic }) => topic)).toEqual(['x', 'y']);
    expect(values.map(({ value }) => text({ value }))).toEqual(['a', 'a']);
    originsOf(values[0])[0]!.ack();
    expect(partition.committable).toBe(0);
    originsOf(values[1])[0]!.ack();
    expect(partition.committable).toBe(1);
  });

  test('when one result fails, the whole origin comes again after work on the others', () => {
    const partition = new TestPartition();
    const { values } = watch(from(partition.deliver('3')).pipe(flatMapEach(copies)));
    values[0]!.ack();
    values[1]!.nack('broken');
    expect(partition.nacked).toEqual([]);
    values[2]!.ack();
    expect(partition.nacked).toEqual([{ offset: 0, reason: 'broken' }]);
    expect(partition.redeliver().map(({ attempt }) => attempt)).toEqual([2]);
  });

  test('what comes out of it is worked on in order, and the origin waits for all', async () => {
    const partition = new TestPartition();
    const did: unknown[] = [];
    const seen = watch(
      from(partition.deliver('2', '1')).pipe(
        flatMapEach(copies),
        processEach(async ({ value }) => {
          await settled();
          did.push([value, partition.committable]);
        }),
      ),
    );
    await expect.poll(() => seen.isComplete).toBe(true);
    expect(did).toEqual([
      ['2.0', 0],
      ['2.1', 0],
      ['1.0', 1],
    ]);
    expect(partition.committable).toBe(2);
  });

  test('under ack: auto, results that nobody took over are done', () => {
    const partition = new TestPartition({ pipeline: testPipeline({ isAutoAck: true }) });
    watch(from(partition.deliver('2')).pipe(flatMapEach(copies)));
    expect(partition.committable).toBe(1);
    watch(
      from(partition.deliver('2')).pipe(
        flatMapEach(copies),
        processEach(() => NEVER),
      ),
    );
    expect(partition.committable).toBe(1);
  });

  test('unsubscribing ends what is under way, and the record goes back', () => {
    const partition = new TestPartition();
    const results = new Subject<string>();
    const seen = watch(from(partition.deliver('a', 'b')).pipe(flatMapEach(() => results)));
    results.next('1');
    seen.subscription.unsubscribe();
    expect(results.observed).toBe(false);
    expect(partition.returned).toEqual([1]);
    seen.values[0]!.ack();
    expect(partition.returned).toEqual([1, 0]);
  });

  test('a result that comes after unsubscribing goes nowhere: the record goes back', async () => {
    const partition = new TestPartition();
    let finish: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (finish = resolve));
    const seen = watch(
      from(partition.deliver('a')).pipe(flatMapEach(() => gate.then(() => 'late'))),
    );
    seen.subscription.unsubscribe();
    finish();
    await settled();
    expect(partition.returned).toEqual([0]);
  });

  test('results that were derived and have not come out go back with the record', () => {
    const partition = new TestPartition();
    const seen = watch(
      concat(from(partition.deliver('a')), NEVER).pipe(
        flatMapEach((record) => [record.derive({ topic: 'x' }), record.derive({ topic: 'y' })]),
        take(1),
      ),
    );
    expect(seen.isComplete).toBe(true);
    expect(partition.returned).toEqual([]);
    for (const origin of originsOf(seen.values[0])) origin.ack();
    expect(partition.returned).toEqual([0]);
  });

  test('a result that was derived after unsubscribing goes nowhere: the record goes back', async () => {
    const partition = new TestPartition();
    const gate = new Subject<void>();
    const seen = watch(
      from(partition.deliver('a')).pipe(
        flatMapEach((record) => firstValueFrom(gate).then(() => record.derive({ topic: 'x' }))),
      ),
    );
    seen.subscription.unsubscribe();
    gate.next();
    await settled();
    expect(partition.returned).toEqual([0]);
  });

  test('what its result emits after it has ended the stream goes nowhere: the record goes back', () => {
    const partition = new TestPartition();
    const ended = new Subject<void>();
    const endAndEmit = new Observable<string>((subscriber) => {
      ended.next();
      subscriber.next('late');
    });
    const seen = watch(
      from(partition.deliver('a')).pipe(
        flatMapEach(() => endAndEmit),
        takeUntil(ended),
      ),
    );
    expect(seen).toMatchObject({ values: [], isComplete: true });
    expect(partition.returned).toEqual([0]);
  });

  test('when its partition is given up, what was not started goes back', () => {
    const partition = new TestPartition();
    const results = new Subject<string>();
    const { values } = watch(
      concat(from(partition.deliver('a', 'b')), NEVER).pipe(flatMapEach(() => results)),
    );
    results.next('1');
    partition.drain();
    expect(partition.returned).toEqual([1]);
    results.complete();
    values[0]!.ack();
    expect(partition.committable).toBe(1);
  });

  test('after its partition was lost, acks of results are late ones', () => {
    const partition = new TestPartition();
    const { values } = watch(from(partition.deliver('1')).pipe(flatMapEach(copies)));
    partition.lose();
    values[0]!.ack();
    expect(partition.ackedLate).toBe(1);
  });

  test('what the callback throws, or its result errors with, ends the stream', () => {
    for (const fail of [
      () => {
        throw new Error('can’t');
      },
      () => throwError(() => new Error('can’t')),
    ]) {
      const partition = new TestPartition();
      const source = new Subject<TestRecord>();
      const seen = watch(source.pipe(flatMapEach(fail)));
      for (const record of partition.deliver('a', 'b')) source.next(record);
      expect(seen.error).toEqual(new Error('can’t'));
      expect(partition.returned).toEqual([0]);
      expect(source.observed).toBe(false);
    }
  });

  test('options are checked when the operator is made', () => {
    expect(() => flatMapEach(() => undefined, { retry: 1 } as object)).toThrow(
      'flatMapEach: there is no option retry',
    );
  });

  test(
    'results come as they come, lanes one after the other',
    kafkaMarbles(({ records, expectOutput }) => {
      const shown = records('(ab|)').pipe(
        flatMapEach((record) =>
          concat(of('1'), timer(5).pipe(map(() => '2'))).pipe(map((n) => text(record) + n)),
        ),
        ackEach(),
        map(({ value }) => value),
      );
      const values = { a: 'a1', b: 'a2', c: 'b1', d: 'b2' };
      expectOutput(shown).toBe('a----(bc)-(d|)', values);
    }),
  );

  test(
    'in a rebalance, a record whose results are not all acked is the next owner’s',
    kafkaMarbles(({ records, lifecycle, cold, expectOutput, expectAcks, expectCommits }) => {
      const orders = records('-(ab)');
      lifecycle(orders, '     ---R-------A');
      const results = orders.pipe(
        flatMapEach(() => ['1', '2']),
        processEach<ConsumerRecord<Buffer | null, string>, string>(({ value, attempt, offset }) =>
          cold('--(x|)', { x: `${String(offset)}:${value}:${String(attempt)}` }),
        ),
      );
      const values = { x: '0:1:1', y: '0:2:1', z: '1:1:1', w: '1:2:1' };
      // The second result of the first record was not started: the record is worked on again.
      expectOutput(results).toBe('---x---------x-y-z-w', values);
      expectAcks(orders).toBe('---------------a---b');
      expectCommits(orders).toBe('---------------a---b');
    }),
  );
});
