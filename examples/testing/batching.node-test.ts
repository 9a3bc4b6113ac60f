/**
 * How to test a pipeline that collects records, here with Node's own test runner: promises resolve in
 * virtual time.
 *
 *     node --import tsx --test examples/testing/batching.node-test.ts
 */
import { test } from 'node:test';
import { lastValueFrom, timer, type Observable } from 'rxjs';
import { batchEach, processEach, type Batch, type ConsumerRecord } from '../../src/index.js';
import { kafkaMarblesAsync } from '../../src/testing/index.js';

/** The pipeline under test: stores up to three orders at once, none later than 20 ms after it came. */
function storing(store: (orders: Batch) => Promise<void>) {
  return (orders: Observable<ConsumerRecord>) =>
    orders.pipe(
      batchEach({ maxRecords: 3, maxWaitMs: 20 }),
      processEach((batch: Batch) => store(batch).then(() => batch)),
    );
}

/** A database that takes 5 ms. */
const store = async () => {
  await lastValueFrom(timer(5));
};

void test(
  'orders are stored three at a time, or when they have waited long enough',
  kafkaMarblesAsync(({ records, expectOutput, expectAcks }) => {
    const orders = records('-a-b-c 14ms d-----------');
    const stored = { x: ['a', 'b', 'c'], y: ['d'] };
    expectOutput(orders.pipe(storing(store))).toBe('10ms x 34ms y', stored);
    expectAcks(orders).toBe('                         10ms (abc) 30ms d');
  }),
);

void test(
  'a window that is smaller than a batch keeps nothing waiting',
  kafkaMarblesAsync(({ records, expectOutput, expectLifecycle }) => {
    const orders = records('-(abcd)', undefined, { maxUnackedRecords: 2 });
    const stored = { x: ['a', 'b'], y: ['c', 'd'] };
    expectOutput(orders.pipe(storing(store))).toBe('------x----y', stored);
    expectLifecycle(orders, 'starved').toBe('         -S----S');
  }),
);

void test(
  'what was collected is stored before its partition goes to another member',
  kafkaMarblesAsync(({ records, lifecycle, expectOutput, expectCommits, expectLifecycle }) => {
    const orders = records('-a-b--------');
    lifecycle(orders, '     -----R------');
    expectOutput(orders.pipe(storing(store))).toBe('10ms x', { x: ['a', 'b'] });
    expectCommits(orders).toBe('                    10ms (ab)');
    expectLifecycle(orders, 'draining', 'revoked').toBe('-----D----R');
  }),
);
