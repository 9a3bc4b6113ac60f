import { concat, from, NEVER, Subject } from 'rxjs';
import { describe, expect, test } from 'vitest';
import {
  ackEach,
  processEach,
  untilCaughtUp,
  type ConsumerEvent,
  type Kafka,
} from '../../src/index.js';
import { kafkaMarbles } from '../../src/testing/index.js';
import { committed, numbers, Seen, write } from '../support/consuming.js';
import { behavesLikeAnOperator } from '../support/operator-spec.js';
import { Simulation } from '../support/simulation.js';
import { watch } from '../support/watching.js';

const earliest = { groupId: 'billing', autoOffsetReset: 'earliest' } as const;
const consumerOf = (kafka: Kafka) => kafka.consumer(earliest);
const quiet = { lifecycle: NEVER };

describe('untilCaughtUp', () => {
  behavesLikeAnOperator(() => untilCaughtUp(quiet));

  test('listens as long as it is subscribed to', () => {
    const [source, lifecycle] = [new Subject<number>(), new Subject<ConsumerEvent>()];
    const seen = watch(source.pipe(untilCaughtUp({ lifecycle })));
    expect([source.observed, lifecycle.observed]).toEqual([true, true]);
    seen.subscription.unsubscribe();
    expect([source.observed, lifecycle.observed]).toEqual([false, false]);
  });

  test(
    'completes when every partition has been read to its end',
    kafkaMarbles(({ records, lifecycleOf, expectOutput, expectAcks }) => {
      const definitions = { a: {}, b: {}, x: { partition: 1 }, c: {} };
      const orders = records('(abx)--c', definitions);
      const consumer = { lifecycle: concat(from([assigned(0, 1)]), lifecycleOf(orders)) };
      expectOutput(orders.pipe(untilCaughtUp(consumer), ackEach())).toBe('(abx|)');
      expectAcks(orders).toBe('(abx)');
    }),
  );

  test('one that was revoked or lost is not waited for', () => {
    const lifecycle = new Subject<ConsumerEvent>();
    const seen = watch(NEVER.pipe(untilCaughtUp({ lifecycle })));
    lifecycle.next(assigned(0, 1, 2));
    lifecycle.next(caughtUp(0));
    lifecycle.next({ ...assigned(1), type: 'revoked', recordsAbandoned: 0 });
    expect(seen.isComplete).toBe(false);
    lifecycle.next({ ...assigned(2), type: 'lost', recordsAbandoned: 0 });
    expect(seen.isComplete).toBe(true);
  });

  test('without partitions it waits for some', () => {
    const lifecycle = new Subject<ConsumerEvent>();
    const seen = watch(NEVER.pipe(untilCaughtUp({ lifecycle })));
    lifecycle.next(assigned(0));
    lifecycle.next({ ...assigned(0), type: 'revoked', recordsAbandoned: 0 });
    expect(seen.isComplete).toBe(false);
  });

  test('in a group: all is delivered, acked and committed, and the member leaves', async () => {
    await using sim = await Simulation.start({ topics: { orders: 3 } });
    for (const partition of [0, 1]) write(sim.cluster, 'orders', partition, ...numbers(50));
    const consumer = consumerOf(sim.kafka());
    const seen = new Seen(
      consumer.records('orders').pipe(
        untilCaughtUp(consumer),
        processEach(({ offset }) => [offset]),
      ),
    );
    await sim.until(() => seen.isComplete);
    expect(seen.values).toHaveLength(100);
    await sim.run(consumer.close());
    expect(
      [0, 1].map((partition) => committed(sim.cluster, 'billing', 'orders', partition)),
    ).toEqual([50, 50]);
  });

  test('an empty topic is caught up with at once', async () => {
    await using sim = await Simulation.start({ topics: { orders: 1 } });
    const consumer = consumerOf(sim.kafka());
    const seen = new Seen(consumer.records('orders').pipe(untilCaughtUp(consumer)));
    await sim.until(() => seen.isComplete);
    expect(seen.values).toEqual([]);
  });
});

function assigned(...partitions: number[]) {
  return {
    type: 'assigned' as const,
    partitions: partitions.map((partition) => ({ topic: 'orders', partition })),
  };
}

function caughtUp(partition: number): ConsumerEvent {
  return { type: 'caught-up', topic: 'orders', partition, offset: 0 };
}
