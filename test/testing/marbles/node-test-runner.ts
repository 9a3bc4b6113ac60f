import { test } from 'node:test';
import { lastValueFrom, timer } from 'rxjs';
import { processEach } from '../../../src/index.js';
import { kafkaMarbles, kafkaMarblesAsync } from '../../../src/testing/index.js';

void test(
  'a test at once',
  kafkaMarbles(({ records, expectAcks }) => {
    const orders = records('-a-b');
    orders.pipe(processEach(() => timer(1))).subscribe();
    expectAcks(orders).toBe('--a-b');
  }),
);

void test(
  'a test with promises',
  kafkaMarblesAsync(({ records, expectAcks }) => {
    const orders = records('-a-b');
    orders.pipe(processEach(() => lastValueFrom(timer(1)))).subscribe();
    expectAcks(orders).toBe('--a-b');
  }),
);
