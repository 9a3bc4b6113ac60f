import { describe, expect, it } from 'vitest';
import type { KafkaError } from '../../../src/index.js';
import { TestPartition } from '../../support/records.js';
import { rejectionOf, Simulation } from '../../support/simulation.js';

const TOPIC = 'invoices';

describe('send() of a derived record', () => {
  it('acks what it was derived from when it is acknowledged, not before', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer();
    const orders = new TestPartition();
    const [order] = orders.deliver('a');
    sim.cluster.delay('Produce', 300);
    const sent = producer.send(order!.derive({ topic: TOPIC }));
    await sim.advance(200);
    expect(orders.committable).toBe(0);
    await sim.run(sent);
    expect(orders.committable).toBe(1);
  });

  it('nacks it, with the reason, when it is refused', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer();
    const orders = new TestPartition();
    const [order] = orders.deliver('a');
    sim.cluster.failNext('Produce', 'TOPIC_AUTHORIZATION_FAILED');
    const error = await rejectionOf(sim.run(producer.send(order!.derive({ topic: TOPIC }))));
    expect(orders.committable).toBe(0);
    expect(orders.nacked).toEqual([{ offset: 0, reason: error }]);
  });

  it('nacks it when there is no room for it in time, or too many wait', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer({
      bufferMemory: 1,
      maxBlockMs: 1000,
      maxBlockedSends: 1,
    });
    sim.cluster.delay('Produce', 60_000);
    const orders = new TestPartition();
    const sends = orders
      .deliver('a', 'b', 'c')
      .map((order) => producer.send(order.derive({ topic: TOPIC })).catch((e: unknown) => e));
    await sim.advance(5000);
    expect(orders.nacked.map(({ reason }) => (reason as KafkaError).code)).toEqual([
      'TOO_MANY_BLOCKED_SENDS',
      'BUFFER_EXHAUSTED',
    ]);
    expect(await Promise.all(sends.slice(1))).toMatchObject([
      { code: 'BUFFER_EXHAUSTED' },
      { code: 'TOO_MANY_BLOCKED_SENDS' },
    ]);
  });

  it('leaves it alone within a transaction, which may still be aborted', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer({ transactionalId: 'billing' });
    const orders = new TestPartition();
    const [order] = orders.deliver('a');
    const txn = await sim.run(producer.beginTransaction());
    await sim.run(txn.send(order!.derive({ topic: TOPIC })));
    await sim.run(txn.abort());
    expect(orders.unacked).toBe(1);
    expect(orders.nacked).toEqual([]);
  });
});
