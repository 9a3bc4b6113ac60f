/**
 * How to test what a pipeline does when partitions go to another member and come back, here with
 * rxjs-marbles: its scheduler takes our helpers.
 *
 *     npx vitest run --project unit examples/testing/rebalance.test.ts
 */
import { map, type Observable } from 'rxjs';
import { marbles } from 'rxjs-marbles';
import { test } from 'vitest';
import { processEach, type ConsumerRecord } from '../../src/index.js';
import { kafkaMarblesOn } from '../../src/testing/index.js';

/** The pipeline under test: one at a time of each partition. */
function shipping(ship: (order: ConsumerRecord) => Observable<unknown>) {
  return processEach((order: ConsumerRecord) => ship(order).pipe(map(() => String(order.value))), {
    concurrency: 2,
  });
}

const twoPartitions = {
  a: { partition: 0 },
  b: { partition: 0 },
  x: { partition: 1 },
  y: { partition: 1 },
};

test(
  'work in hand is finished and committed before a partition goes; what was not begun is done later',
  marbles((m) => {
    const { records, lifecycle, ...t } = kafkaMarblesOn(m.scheduler);
    const orders = records('-(abxy)----------', twoPartitions);
    lifecycle(orders, '     ---R------A--', { R: { type: 'revoke', partitions: [0] } });
    const ship = () => m.cold('-----s|');

    m.expect(orders.pipe(shipping(ship))).toBeObservable('------(ax)--y--b');
    t.expectReturns(orders).toBe('  ---b');
    t.expectAcks(orders).toBe('     -------(ax)--y--b');
    t.expectCommits(orders).toBe('  -------(ax)--y--b');
    t.expectLifecycle(orders, 'draining', 'revoked').toBe('---D---R');
  }),
);

test(
  'what is done for a partition that was lost is done again by its next owner, and counts once',
  marbles((m) => {
    const { records, lifecycle, ...t } = kafkaMarblesOn(m.scheduler);
    const orders = records('-a--------', { a: { partition: 0 } });
    lifecycle(orders, '     ---L--A---');
    const ship = () => m.cold('----s|');

    m.expect(orders.pipe(shipping(ship))).toBeObservable('-----a----a');
    t.expectLateAcks(orders).toBe(' ------a');
    t.expectAcks(orders).toBe('     -----------a');
  }),
);
