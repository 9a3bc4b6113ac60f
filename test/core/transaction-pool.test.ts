import { concat, defer, from, ignoreElements, lastValueFrom, merge, NEVER, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { ConfigError, FencedError, transactionPool } from '../../src/index.js';
import { Simulation } from '../support/simulation.js';
import { watch } from '../support/watching.js';

const options = { transactionalIdPrefix: 'pool', size: 2 };

const start = () => Simulation.start({ topics: { out: 1 } });

describe('a pool of transactional producers', () => {
  it('runs as many transactions at once as it is large, the others in their turn', async () => {
    await using sim = await start();
    const kafka = sim.kafka();
    const pool = transactionPool(kafka, options);
    let running = 0;
    let most = 0;
    const one = (i: number) =>
      pool.transaction((txn) =>
        defer(async () => {
          most = Math.max(most, ++running);
          await txn.send({ topic: 'out', partition: 0, value: `${i}` });
          running--;
          return i;
        }),
      );
    const all = lastValueFrom(merge(...[0, 1, 2, 3, 4, 5].map(one)).pipe(toArray()));
    expect((await sim.run(all)).sort()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(most).toBe(2);
    const ids = new Set(sim.eventsOf('transaction-begun').map((event) => event.transactionalId));
    expect([...ids].sort()).toEqual(['pool-0', 'pool-1']);
    await sim.run(pool.close());
  });

  it('uses a producer again when an aborted transaction of it is over', async () => {
    await using sim = await start();
    const kafka = sim.kafka();
    const pool = transactionPool(kafka, { ...options, size: 1 });
    const stuck = watch(
      pool.transaction((txn) =>
        concat(from(txn.send({ topic: 'out', partition: 0, value: 'a' })), NEVER),
      ),
    );
    await sim.until(() => stuck.values.length === 1);
    stuck.subscription.unsubscribe();
    const next = pool.transaction((txn) => from(txn.send({ topic: 'out', value: 'b' })));
    await sim.run(lastValueFrom(next));
    expect(sim.eventsOf('transaction-aborted')).toHaveLength(1);
    expect(sim.eventsOf('transaction-committed')).toHaveLength(1);
  });

  it('fails when another instance has taken over its ids, and when it is closed', async () => {
    await using sim = await start();
    const kafka = sim.kafka();
    const pool = transactionPool(kafka, { ...options, size: 1 });
    const send = () =>
      lastValueFrom(
        pool
          .transaction((txn) => from(txn.send({ topic: 'out', value: 'a' })))
          .pipe(ignoreElements()),
        { defaultValue: undefined },
      );
    await sim.run(send());
    await sim.run(kafka.producer({ transactionalId: 'pool-0' }).initTransactions());
    const fenced = await sim.run(send().catch((error: unknown) => error));
    expect(fenced).toBeInstanceOf(FencedError);
    const after = await sim.run(send().catch((error: unknown) => error));
    expect(after).toBeInstanceOf(FencedError);
    const other = transactionPool(kafka, { transactionalIdPrefix: 'other' });
    await sim.run(other.close());
    const closed = lastValueFrom(other.transaction(() => from([1])));
    expect(await sim.run(closed.catch((error: unknown) => error))).toMatchObject({
      code: 'POOL_CLOSED',
    });
  });

  it('refuses options that can’t work', async () => {
    await using sim = await start();
    const kafka = sim.kafka();
    expect(() => transactionPool(kafka, { transactionalIdPrefix: '' })).toThrow(ConfigError);
    expect(() => transactionPool(kafka, { ...options, size: 0 })).toThrow('size');
    expect(() => transactionPool(kafka, { ...options, acks: 1 })).toThrow('acks');
  });
});
