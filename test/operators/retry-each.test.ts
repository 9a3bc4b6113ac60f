import { lastValueFrom, Observable, of, tap, throwError, timer } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { ConfigError, retryEach, type ConsumerRecord } from '../../src/index.js';
import { kafkaMarbles, kafkaMarblesAsync } from '../../src/testing/index.js';
import { behavesLikeAnOperator, text } from '../support/operator-spec.js';

type AnyRecord = ConsumerRecord<unknown, unknown>;

/** Work that fails so often for each value, then gives it back in capitals. */
function failing(times: Readonly<Record<string, number>>) {
  const tries: string[] = [];
  const left = new Map(Object.entries(times));
  const work = (record: AnyRecord) => {
    const name = text(record);
    tries.push(name);
    const more = left.get(name) ?? 0;
    left.set(name, more - 1);
    if (more > 0) throw new Error(`${name} fails`);
    return of(name.toUpperCase());
  };
  return { tries, work };
}

describe('retryEach', () => {
  behavesLikeAnOperator(() => retryEach((record) => [record]));

  test(
    'tries again until it succeeds, after a backoff that doubles, and acks then',
    kafkaMarbles(({ records, expectOutput, expectAcks, expectLifecycle }) => {
      const orders = records('-a----------------|');
      const { work } = failing({ a: 3 });
      expectOutput(orders.pipe(retryEach(work, { backoffMs: 2 }))).toBe('---------------A--|');
      expectLifecycle(orders, 'record-retried').toBe('                    -T-T---T');
      expectAcks(orders).toBe('                                           ---------------a');
    }),
  );

  test(
    'has no limit by default, and a backoff that grows no longer than allowed',
    kafkaMarbles(({ records, expectOutput, expectAcks }) => {
      const orders = records('a-|');
      const { work } = failing({ a: 30 });
      const retried = orders.pipe(retryEach(work, { backoffMs: 100, backoffMaxMs: 1000 }));
      // 100, 200, 400 and 800 ms, then a second each.
      expectOutput(retried).toBe('27500ms (A|)');
      expectAcks(orders).toBe('   27500ms a');
    }),
  );

  test(
    'keeps the order of the key while it waits, and others go on',
    kafkaMarbles(({ records, expectOutput, expectAcks, expectCommits }) => {
      const orders = records('(abc)-----|', { a: { key: 'x' }, b: { key: 'x' }, c: { key: 'y' } });
      const { work } = failing({ a: 1 });
      const options = { order: 'key', concurrency: 3, backoffMs: 5 } as const;
      expectOutput(orders.pipe(retryEach(work, options))).toBe('C----(AB)-|');
      expectAcks(orders).toBe('                                 c----(ab)');
      expectCommits(orders).toBe('                              -----(ac)');
    }),
  );

  test(
    'fails the stream when count is used up, and the record goes back',
    kafkaMarbles(({ records, expectOutput, expectAcks, expectReturns }) => {
      const orders = records('a-b--------', { a: { key: 'x' }, b: { key: 'y' } });
      const { work } = failing({ a: 9 });
      const retried = orders.pipe(
        retryEach(work, { count: 2, backoffMs: 3, order: 'key', concurrency: 2 }),
      );
      expectOutput(retried).toBe('--B------#', {}, new Error('a fails'));
      expectReturns(orders).toBe('---------a');
      expectAcks(orders).toBe('   --b');
    }),
  );

  test(
    'asks onError when count is used up, with how often it was tried',
    kafkaMarbles(({ records, expectOutput, expectAcks }) => {
      const orders = records('(ab)---|');
      const { work } = failing({ a: 9 });
      const onError = ({ attempt }: { attempt: number }) => of(attempt);
      expectOutput(orders.pipe(retryEach(work, { count: 1, backoffMs: 3, onError }))).toBe(
        '---(2B)|',
        { 2: 2 },
      );
      expectAcks(orders).toBe('---(ab)');
    }),
  );

  test(
    'tries promises that are rejected again as well',
    kafkaMarblesAsync(({ records, expectOutput, expectAcks }) => {
      const orders = records('a--b--------|');
      const work = (record: AnyRecord, { attempt }: { attempt: number }) =>
        lastValueFrom(timer(2)).then(() => {
          if (attempt === 1) throw new Error('not yet');
          return text(record);
        });
      expectOutput(orders.pipe(retryEach(work, { backoffMs: 1 }))).toBe('-----a----b-|');
      expectAcks(orders).toBe('                                          -----a----b');
    }),
  );

  test(
    'gives a record that waits back when it is unsubscribed, and ends the wait',
    kafkaMarbles(({ records, expectOutput, expectReturns, expectLifecycle }) => {
      const orders = records('a---------');
      const { work } = failing({ a: 9 });
      expectOutput(orders.pipe(retryEach(work, { backoffMs: 500 })), '^---!').toBe('');
      expectReturns(orders).toBe('                                     ----a');
      expectLifecycle(orders, 'record-retried', 'drained').toBe('T---E');
    }),
  );

  test(
    'when its partition is given up, a record that waits goes back, and the next owner tries it',
    kafkaMarbles(({ records, lifecycle, expectOutput, expectReturns, expectCommits }) => {
      const orders = records('a----------b');
      lifecycle(orders, '     ---R-----A');
      const { work } = failing({ a: 1 });
      expectOutput(orders.pipe(retryEach(work, { backoffMs: 500 }))).toBe('---------A-B');
      expectReturns(orders).toBe('                                         ---a');
      expectCommits(orders).toBe('                                         ---------a-b');
    }),
  );

  test(
    'a try that never ends keeps its lane, and is ended with its partition',
    kafkaMarbles(({ records, lifecycle, expectOutput, expectAcks, expectLifecycle }) => {
      const orders = records('(ab)---', { a: {}, b: { partition: 1 } }, { drainTimeoutMs: 4 });
      lifecycle(orders, '     --R');
      let ended = 0;
      const endless = new Observable<string>(() => () => ended++);
      const work = (record: AnyRecord) => (text(record) === 'a' ? endless : of('B'));
      const retried = orders.pipe(retryEach(work, { concurrency: 2 }));
      expectOutput(retried.pipe(tap(() => expect(ended).toBe(0))), '^---------!').toBe('B');
      expectAcks(orders).toBe('                       b');
      expectLifecycle(orders, 'revoked').toBe('------R');
    }),
  );

  test('an error that is no Error is told as it is', () => {
    const why: unknown[] = [];
    kafkaMarbles(({ records, expectAcks }) => {
      const orders = records('a|');
      const onError = ({ error }: { error: unknown }) => void why.push(error);
      orders.pipe(retryEach(() => throwError(() => 'odd'), { count: 0, onError })).subscribe();
      expectAcks(orders).toBe('a');
    })();
    expect(why).toEqual(['odd']);
  });

  test('checks its options where it is made', () => {
    expect(() => retryEach(() => undefined, { count: -1 })).toThrow(ConfigError);
    expect(() => retryEach(() => undefined, { backoffMs: -1 })).toThrow(/backoffMs/);
    expect(() => retryEach(() => undefined, { tries: 3 } as never)).toThrow(/tries/);
  });
});
