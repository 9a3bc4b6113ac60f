import * as rxjs from 'rxjs';
import {
  bufferCount,
  combineLatestWith,
  concatMap,
  elementAt,
  EMPTY,
  find,
  groupBy,
  map,
  mergeMap,
  retry,
  share,
  take,
  takeUntil,
  takeWhile,
  tap,
  timer,
  type MonoTypeOperatorFunction,
} from 'rxjs';
import * as operators from 'rxjs/operators';
import { describe, expect, test } from 'vitest';
import * as rxKafka from '../../../src/index.js';
import { ackEach, batchEach, processEach, type ConsumerRecord } from '../../../src/index.js';
import { kafkaMarbles } from '../../../src/testing/index.js';
import { documentedTable, provenTable } from './documentation.js';
import { ack, ackAll, after, isOneOf, textOf, usualRecords } from './stock-operator.js';
import { stockOperators } from './stock-operators.js';

const rows = stockOperators.flatMap(({ operators }) => operators);

describe('under ack: manual, at worst a record is delivered again, never lost:', () => {
  test.each(rows.map((row) => [row.name, row] as const))(
    '%s',
    (_, { pipeline, records = usualRecords, acked, again }) => {
      kafkaMarbles((t) => {
        const orders = t.records(records, undefined, { drainTimeoutMs: 5 });
        const subscription = pipeline(orders, t).subscribe({ error: () => undefined });
        timer(50).subscribe(() => subscription.unsubscribe());
        t.expectAcks(orders).toBe(acked);
        t.flush();
        const committed = t.snapshot(orders).committed[0]!;
        const next: string[] = [];
        orders.pipe(ack).subscribe((record) => next.push(textOf(record)));
        t.flush();
        expect(next.join('')).toBe(again);
        const written = records.replace(/[^a-z]/g, '');
        expect(committed + next.length).toBe(written.length);
        expect(next.join('')).toBe(written.slice(committed));
      })();
    },
  );
});

test('no operator of RxJS is left out', () => {
  const exported = [
    ...Object.keys(operators),
    ...Object.keys(rxjs).filter((name) => name.endsWith('NextWith')),
  ];
  expect(rows.map(({ name }) => name).sort()).toEqual(exported.sort());
});

test('docs/operators.md says what is proven here', () => {
  expect(documentedTable(), 'npm run docs:operators writes it').toBe(provenTable());
});

test('what the table says to use instead is there', () => {
  const ours = stockOperators.flatMap(({ instead }) =>
    [
      ...instead.matchAll(/`(\w+(?:Each|Partitioned)|fanOut|deadLetter|until\w+|throttleBytes)`/g),
    ].map(([, name]) => name),
  );
  expect(ours.length).toBeGreaterThan(20);
  expect(ours.filter((name) => !Object.hasOwn(rxKafka, name!))).toEqual([]);
});

describe('what the table says of', () => {
  test(
    'buffers: one that needs more than the window is never complete',
    kafkaMarbles(({ records, expectOutput, expectDeliveries }) => {
      const orders = records('-abc------', undefined, { maxUnackedRecords: 2 });
      expectOutput(orders.pipe(bufferCount(3), ackAll)).toBe('');
      expectDeliveries(orders).toBe('-ab');
    }),
  );

  test(
    'buffers: a revoke waits for one that is not complete, where batchEach lets it go',
    kafkaMarbles((t) => {
      const buffered = t.records('-a-----', undefined, { drainTimeoutMs: 5 });
      t.lifecycle(buffered, '     --R');
      t.expectOutput(buffered.pipe(bufferCount(2), ackAll)).toBe('');
      t.expectLifecycle(buffered, 'revoked').toBe('-------R');

      const batched = t.records('-a-----', undefined, { drainTimeoutMs: 5 });
      t.lifecycle(batched, '     --R');
      const acked = batched.pipe(batchEach({ maxRecords: 2, maxWaitMs: 99 }), ackEach());
      t.expectOutput(acked.pipe(map(({ length }) => length))).toBe('--1', { 1: 1 });
      t.expectLifecycle(batched, 'revoked').toBe('--R');
    }),
  );

  test(
    'inner streams: what is in one that nobody subscribes to is never acked',
    kafkaMarbles(({ records, expectOutput, expectAcks, expectCommits }) => {
      const orders = records('-a-b-c');
      const some = orders.pipe(
        groupBy(textOf),
        mergeMap((group) => (group.key === 'b' ? EMPTY : group)),
      );
      expectOutput(some.pipe(ack)).toBe('-a---c');
      expectAcks(orders).toBe('          -a---c');
      expectCommits(orders).toBe('       -a');
    }),
  );

  test(
    'what drops the record that ends it: the consumer stays for that, as it does for no other',
    kafkaMarbles((t) => {
      const leaving = (end: MonoTypeOperatorFunction<ConsumerRecord>, left: string) => {
        const orders = t.records('-a-b-c-d-', undefined, { drainTimeoutMs: 20 });
        orders.pipe(end, ack).subscribe({ error: () => undefined });
        t.expectLifecycle(orders, 'drained').toBe(left);
      };
      const isBeforeC = (record: ConsumerRecord) => textOf(record) < 'c';
      leaving(take(2), '                    ---E');
      leaving(takeUntil(timer(4)), '        ----E');
      leaving(takeWhile(isBeforeC, true), ' -----E');
      leaving(takeWhile(isBeforeC), '       25ms E');
      leaving(elementAt(1), '               23ms E');
      leaving(find(isOneOf('b')) as typeof ack, '23ms E');
    }),
  );

  test(
    'combinations: records come once for each, from when all have emitted',
    kafkaMarbles(({ records, cold, expectOutput, expectAcks }) => {
      const orders = records('-a---b');
      const combined = orders.pipe(
        combineLatestWith(cold('--x-y')),
        tap(([record]) => record.ack()),
        map(([record, other]) => textOf(record) + other),
      );
      expectOutput(combined).toBe('--1-23', { 1: 'ax', 2: 'ay', 3: 'by' });
      expectAcks(orders).toBe('    --a--b');
    }),
  );

  test(
    'queues: a revoke waits for what is in them, where processEach gives it back',
    kafkaMarbles((t) => {
      const queued = t.records('(ab)---', undefined, { drainTimeoutMs: 100 });
      t.lifecycle(queued, '     -R');
      t.expectOutput(queued.pipe(concatMap(after(5)), ack)).toBe('-----a----b');
      t.expectLifecycle(queued, 'revoked').toBe('----------R');

      const given = t.records('(ab)---', undefined, { drainTimeoutMs: 100 });
      t.lifecycle(given, '     -R');
      t.expectOutput(given.pipe(processEach(after(5)))).toBe('-----a');
      t.expectReturns(given).toBe('-b');
      t.expectLifecycle(given, 'revoked').toBe('-----R');
    }),
  );

  test(
    'shared streams: the first ack counts, though another subscriber is not done',
    kafkaMarbles((t) => {
      const orders = t.records('-a--');
      const shared = orders.pipe(share());
      t.expectOutput(shared.pipe(ack)).toBe('             -a');
      t.expectOutput(shared.pipe(processEach(after(5)))).toBe('------a');
      t.expectCommits(orders).toBe('               -a');
    }),
  );

  test(
    'retry: a record in hand that nobody gives back is waited for, where processEach gives it back',
    kafkaMarbles((t) => {
      const failOnce = () => {
        let left = 1;
        return (record: ConsumerRecord) => {
          if (left-- > 0) throw new Error('once');
          return [record];
        };
      };
      const stuck = t.records('-a--', undefined, { drainTimeoutMs: 10 });
      t.expectOutput(stuck.pipe(map(failOnce()), retry(1))).toBe('11ms x', { x: ['a'] });
      const given = t.records('-a--', undefined, { drainTimeoutMs: 10 });
      t.expectOutput(given.pipe(processEach(failOnce()), retry(1))).toBe('-a');
    }),
  );
});
