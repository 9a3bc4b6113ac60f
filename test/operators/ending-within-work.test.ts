import { concat, from, NEVER, Observable, Subject, takeUntil, type OperatorFunction } from 'rxjs';
import { describe, expect, test } from 'vitest';
import {
  exhaustEach,
  flatMapEach,
  processEach,
  switchEach,
  type WorkResult,
} from '../../src/index.js';
import { kafkaMarbles, kafkaMarblesAsync } from '../../src/testing/index.js';
import { TestPartition, type TestRecord } from '../support/records.js';
import { watch } from '../support/watching.js';

type Operator = (work: () => WorkResult<never>) => OperatorFunction<TestRecord, unknown>;

const operators: readonly [string, Operator][] = [
  ['processEach', (work) => processEach(work)],
  ['flatMapEach', (work) => flatMapEach(work)],
  ['switchEach', (work) => switchEach(work)],
  ['exhaustEach', (work) => exhaustEach(work)],
];

describe.each(operators)('%s: when the stream ends within the callback', (name, operator) => {
  /** The stream ends as work on `a` begins. */
  const ending = (result: () => WorkResult<never>) => {
    const ended = new Subject<void>();
    const work = () => {
      ended.next();
      return result();
    };
    return (orders: Observable<TestRecord>) => orders.pipe(operator(work), takeUntil(ended));
  };

  test('a source that ends there ends the stream when the work is done', () => {
    const partition = new TestPartition();
    const ended = new Subject<void>();
    const source = concat(from(partition.deliver('a', 'b')), NEVER).pipe(takeUntil(ended));
    const seen = watch(source.pipe(operator(() => ended.next())));
    expect(seen.isComplete).toBe(true);
    expect(partition.committable).toBe(1);
    expect(partition.inHand).toBe(1);
  });

  test(
    'what returns nothing is done, and acked',
    kafkaMarbles(({ records, expectOutput, expectAcks, expectCommits, expectReturns }) => {
      const orders = records('-a-b');
      expectOutput(ending(() => undefined)(orders)).toBe('-|');
      expectAcks(orders).toBe('-a');
      expectCommits(orders).toBe('-a');
      expectReturns(orders).toBe('');
    }),
  );

  test('an Observable is not begun, and its record goes back', () => {
    let isBegun = false;
    const begin = () =>
      new Observable<never>(() => {
        isBegun = true;
      });
    kafkaMarbles(({ records, expectOutput, expectAcks, expectReturns }) => {
      const orders = records('-a-b');
      expectOutput(ending(begin)(orders)).toBe('-|');
      expectAcks(orders).toBe('');
      expectReturns(orders).toBe('-a');
    })();
    expect(isBegun).toBe(false);
  });

  const isAcked = name === 'processEach';
  test(
    isAcked
      ? 'a promise acks when it is fulfilled'
      : 'a promise is dropped, and its record goes back',
    kafkaMarblesAsync(({ records, expectOutput, expectAcks, expectReturns }) => {
      const orders = records('-a-b');
      expectOutput(ending(() => Promise.resolve() as Promise<never>)(orders)).toBe('-|');
      expectAcks(orders).toBe(isAcked ? '-a' : '');
      expectReturns(orders).toBe(isAcked ? '' : '-a');
    }),
  );

  test('a promise that fails is heard: nothing is left unhandled', async () => {
    const failing = ending(() => Promise.reject(new Error('can’t')));
    await kafkaMarblesAsync(({ records, expectOutput, expectAcks, expectReturns }) => {
      const orders = records('-a-b');
      expectOutput(failing(orders)).toBe('-|');
      expectAcks(orders).toBe('');
      expectReturns(orders).toBe('-a');
    })();
  });
});
