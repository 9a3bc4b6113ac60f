import { describe, expect, it } from 'vitest';
import type { Kafka } from '../../../../src/index.js';
import { Simulation } from '../../../support/simulation.js';

const TOPIC = 'orders';
const start = () => Simulation.start({ topics: { [TOPIC]: 1 } });

/** For what connections were opened, and not closed since. */
function open(sim: Simulation): string[] {
  const closed = sim.eventsOf('disconnected').map(({ purpose }) => purpose);
  const purposes = sim.eventsOf('connected').map(({ purpose }) => purpose);
  for (const purpose of closed) purposes.splice(purposes.indexOf(purpose), 1);
  return purposes.filter((purpose) => purpose !== 'control').sort();
}

async function transact(kafka: Kafka, transactionalId: string) {
  const producer = kafka.producer({ transactionalId, lingerMs: 0 });
  const txn = await producer.beginTransaction();
  await txn.send({ topic: TOPIC, value: transactionalId });
  await txn.commit();
  return producer;
}

describe('the connections of transactional producers', () => {
  it('are their own, for records and coordinators, and are closed with them', async () => {
    await using sim = await start();
    const kafka = sim.kafka();
    const producers = await sim.run(Promise.all(['a', 'b'].map((id) => transact(kafka, id))));
    expect(open(sim)).toEqual(['coordinator', 'coordinator', 'produce', 'produce']);
    await sim.run(producers[0]!.close());
    expect(open(sim)).toEqual(['coordinator', 'produce']);
  });

  it('are not held up by what another waits for', async () => {
    await using sim = await start();
    const kafka = sim.kafka();
    let letGo!: () => void;
    const gate = new Promise<undefined>((resolve) => {
      letGo = () => resolve(undefined);
    });
    sim.cluster.intercept('EndTxn', ({ body }) =>
      body.transactionalId === 'slow' ? gate : undefined,
    );
    const slow = transact(kafka, 'slow');
    const startedAt = sim.clock.monotonic();
    await sim.run(transact(kafka, 'quick'));
    expect(sim.clock.monotonic() - startedAt).toBeLessThan(1000);
    expect(sim.eventsOf('transaction-committed')).toMatchObject([{ transactionalId: 'quick' }]);
    letGo();
    await sim.run(slow);
    expect(sim.eventsOf('transaction-committed')).toHaveLength(2);
  });
});
