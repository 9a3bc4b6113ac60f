import { map } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { ackEach, fromTopics, withLag } from '../../src/index.js';
import { kafkaMarbles } from '../../src/testing/index.js';
import { numbers, Seen, write } from '../support/consuming.js';
import { behavesLikeAnOperator } from '../support/operator-spec.js';
import { Simulation } from '../support/simulation.js';

describe('withLag', () => {
  behavesLikeAnOperator(() => withLag());

  test(
    'tells how far each record is from the end of its partition',
    kafkaMarbles(({ records, expectOutput, expectAcks }) => {
      const definitions = { a: {}, b: {}, c: {}, x: { partition: 1 } };
      const orders = records('(abcx)-a', definitions);
      const lags = orders.pipe(
        withLag(),
        ackEach(),
        map(({ lag }) => lag),
      );
      expectOutput(lags).toBe('(2100)-0', { 0: 0, 1: 1, 2: 2 });
      expectAcks(orders).toBe('(abcx)-a');
    }),
  );

  test('as the broker told it with the fetch', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    write(sim.cluster, 'orders', 0, ...numbers(5));
    const options = { autoOffsetReset: 'earliest' } as const;
    const seen = new Seen(fromTopics(sim.kafka(), 'orders', options).pipe(withLag()));
    await sim.until(() => seen.values.length === 5);
    expect(seen.values.map(({ lag }) => lag)).toEqual([4, 3, 2, 1, 0]);
    seen.subscription.unsubscribe();
  });
});
