/**
 * How to test a retry policy with marbles, here with vitest: an order that can't be charged is tried
 * twice more while the orders behind it of the same customer wait, and those of others go on.
 *
 *     npx vitest run --project unit examples/testing/retry-policy.test.ts
 */
import type { ObservableInput } from 'rxjs';
import { test } from 'vitest';
import { processEach, type ConsumerRecord } from '../../src/index.js';
import { kafkaMarbles } from '../../src/testing/index.js';

/** The pipeline under test. */
function charging(charge: (order: ConsumerRecord, attempt: number) => ObservableInput<unknown>) {
  return processEach((order: ConsumerRecord, { attempt }) => charge(order, attempt), {
    concurrency: 4,
    order: 'key',
    retry: { count: 2, backoffMs: 10 },
    onError: 'skip',
  });
}

const customers = {
  a: { key: 'ann' },
  b: { key: 'ann' },
  x: { key: 'bob' },
};

test(
  'an order is tried three times; its customer’s others wait, those of other customers don’t',
  kafkaMarbles(({ records, cold, expectOutput, expectAcks, expectCommits, expectLifecycle }) => {
    const orders = records('-(abx)-', customers);
    const succeeds = '-|';
    const fails = '-#';
    const charge = (order: ConsumerRecord, attempt: number) =>
      cold(String(order.value) === 'a' && attempt < 3 ? fails : succeeds);

    expectOutput(orders.pipe(charging(charge))).toBe('');
    expectLifecycle(orders, 'record-retried').toBe('--T 10ms T');
    expectAcks(orders).toBe('   --x 31ms ab');
    expectCommits(orders).toBe('34ms ax');
  }),
);

test(
  'an order that fails three times is passed over',
  kafkaMarbles(({ records, cold, expectOutput, expectAcks, expectLifecycle }) => {
    const orders = records('-a-', customers);
    expectOutput(orders.pipe(charging(() => cold('-#')))).toBe('');
    expectLifecycle(orders, 'record-retried', 'skipped').toBe('--T 10ms T 20ms K');
    expectAcks(orders).toBe('34ms a');
  }),
);
