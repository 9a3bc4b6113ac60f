import { describe, expect, it } from 'vitest';
import {
  FencedError,
  TransactionAbortedError,
  type KafkaError,
  type Producer,
} from '../../../../src/index.js';
import { rejectionOf, Simulation } from '../../../support/simulation.js';

async function start(): Promise<Simulation> {
  return Simulation.start({ topics: { out: 1 } });
}

describe('a commit that waits for its records', () => {
  it.each(['abort', 'close'] as const)(
    'is refused when %s() gives the transaction up meanwhile',
    async (how) => {
      await using sim = await start();
      const producer = sim.kafka().producer({ transactionalId: 'id' });
      const txn = await sim.run(producer.beginTransaction());
      sim.cluster.delay('Produce', 1000);
      sim.cluster.delay('EndTxn', 1000);
      const sent = txn.send({ topic: 'out', value: 'a' });
      await sim.until(() => (sim.cluster.inspect().requests['Produce'] ?? 0) === 1);
      const outcome = rejectionOf(txn.commit());
      const givenUp = how === 'abort' ? txn.abort() : producer.close();
      expect(await sim.run(outcome)).toBeInstanceOf(TransactionAbortedError);
      await sim.run(givenUp);
      await sim.run(sent);
      expect(sim.eventsOf('transaction-committed')).toEqual([]);
      expect(sim.eventsOf('transaction-aborted')).toHaveLength(1);
    },
  );

  it('leaves the abort that came before it to be awaited again', async () => {
    await using sim = await start();
    const producer = sim.kafka().producer({ transactionalId: 'id' });
    const txn = await sim.run(producer.beginTransaction());
    const sent = rejectionOf(txn.send({ topic: 'out', value: 'a' }));
    const outcome = rejectionOf(txn.commit());
    await sim.run(txn.abort());
    expect(await sim.run(outcome)).toBeInstanceOf(TransactionAbortedError);
    expect(await sim.run(sent)).toBeInstanceOf(TransactionAbortedError);
    await sim.run(txn.abort());
  });
});

describe.each([1, 2])('offsets that are not stored within maxBlockMs (version %i)', (version) => {
  it('spoil the transaction, and the next one goes on', async () => {
    const features = { 'transaction.version': version };
    await using sim = await Simulation.start({ topics: { out: 1 }, features });
    const producer = sim.kafka().producer({ transactionalId: 'id', maxBlockMs: 20_000 });
    const begun = sim.clock.monotonic();
    const offsets = [{ topic: 'nowhere', partition: 0, offset: 1 }];
    const txn = await sim.run(producer.beginTransaction());
    const unawaited = rejectionOf(txn.sendOffsets({ groupId: 'g' }, offsets));
    for (const error of [await sim.run(rejectionOf(txn.commit())), await unawaited]) {
      expect(error).toBeInstanceOf(TransactionAbortedError);
      expect(error).toMatchObject({ cause: { code: 'OFFSETS_TIMED_OUT' } });
      expect((error as Error).message).toMatch(/'g'.*maxBlockMs.*UNKNOWN_TOPIC_OR_PARTITION/);
    }
    expect(sim.clock.monotonic() - begun).toBeLessThan(21_000);
    await sim.run(txn.abort());
    const next = await sim.run(producer.beginTransaction());
    await sim.run(next.sendOffsets({ groupId: 'g' }, [{ topic: 'out', partition: 0, offset: 1 }]));
    await sim.run(next.commit());
    expect(sim.eventsOf('transaction-committed')).toHaveLength(1);
  });
});

describe('aborting', () => {
  it('does not wait for a topic that nobody knows any more', async () => {
    await using sim = await Simulation.start({
      topics: { out: 1 },
      features: { 'transaction.version': 1 },
    });
    const producer = sim.kafka().producer({ transactionalId: 'id', deliveryTimeoutMs: 40_000 });
    const txn = await sim.run(producer.beginTransaction());
    const known = sim.cluster.failNext('AddPartitionsToTxn', 'UNKNOWN_TOPIC_OR_PARTITION', 10_000);
    expect(await sim.run(rejectionOf(txn.send({ topic: 'out', value: 'a' })))).toBeDefined();
    await sim.run(txn.abort());
    known();
    expect(sim.eventsOf('transaction-aborted')).toHaveLength(1);
    const next = await sim.run(producer.beginTransaction());
    await sim.run(next.send({ topic: 'out', value: 'b' }));
    await sim.run(next.commit());
  });
});

describe('closing a transactional producer', () => {
  it('aborts the transaction that is open', async () => {
    await using sim = await start();
    const producer = sim.kafka().producer({ transactionalId: 'id' });
    const txn = await sim.run(producer.beginTransaction());
    await sim.run(txn.send({ topic: 'out', value: 'a' }));
    await sim.run(producer.close());
    expect(sim.eventsOf('transaction-aborted')).toHaveLength(1);
  });

  it.each(['commit', 'abort'] as const)(
    'without patience leaves no %s waiting for ever',
    async (end) => {
      await using sim = await start();
      const producer = sim.kafka().producer({ transactionalId: 'id' });
      const txn = await sim.run(producer.beginTransaction());
      await sim.run(txn.send({ topic: 'out', value: 'a' }));
      sim.cluster.failNext('EndTxn', 'CONCURRENT_TRANSACTIONS', 1000);
      const outcome = rejectionOf(txn[end]());
      await sim.advance(500);
      await sim.run(producer.close({ timeoutMs: 0 }));
      expect(((await sim.run(outcome)) as KafkaError).code).toBe('PRODUCER_CLOSED');
    },
  );

  it('leaves a commit that is not answered in doubt, and whatever is called after that says why', async () => {
    await using sim = await start();
    const producer = sim.kafka().producer({ transactionalId: 'id' });
    const txn = await sim.run(producer.beginTransaction());
    await sim.run(txn.send({ topic: 'out', value: 'a' }));
    sim.cluster.delay('EndTxn', 60_000);
    const outcome = rejectionOf(txn.commit());
    await sim.until(() => (sim.cluster.inspect().requests['EndTxn'] ?? 0) === 1);
    await sim.run(producer.close({ timeoutMs: 1000 }));
    const error = await sim.run(outcome);
    expect(error).toMatchObject({
      code: 'PRODUCER_CLOSED',
      mayBeWritten: true,
      context: { transactionalId: 'id' },
    });
    expect(String(error)).toContain('may have been committed');
    await sim.calm();
    for (const call of [
      () => txn.abort(),
      () => producer.beginTransaction(),
      () => producer.initTransactions(),
    ]) {
      expect(await sim.run(rejectionOf(call()))).toMatchObject({ code: 'PRODUCER_CLOSED' });
    }
  });

  it('leaves no doubt about a transaction whose commit was not asked for', async () => {
    await using sim = await start();
    const producer = sim.kafka().producer({ transactionalId: 'id' });
    const txn = await sim.run(producer.beginTransaction());
    await sim.run(txn.send({ topic: 'out', value: 'a' }));
    sim.cluster.delay('EndTxn', 60_000);
    const outcome = rejectionOf(txn.abort());
    await sim.run(producer.close({ timeoutMs: 1000 }));
    const error = await sim.run(outcome);
    expect(error).toMatchObject({ code: 'PRODUCER_CLOSED', mayBeWritten: false });
  });

  it('without patience leaves nobody waiting for the id', async () => {
    await using sim = await start();
    const producer = sim.kafka().producer({ transactionalId: 'id' });
    sim.cluster.failNext('InitProducerId', 'CONCURRENT_TRANSACTIONS', 1000);
    const begun = rejectionOf(producer.beginTransaction());
    await sim.advance(500);
    await sim.run(producer.close({ timeoutMs: 0 }));
    const startedAt = sim.clock.monotonic();
    expect(((await sim.run(begun)) as KafkaError).code).toBe('PRODUCER_CLOSED');
    expect(sim.clock.monotonic() - startedAt).toBe(0);
  });
});

describe('a transaction', () => {
  it('goes on after INVALID_PRODUCER_EPOCH from Produce, once it is aborted', async () => {
    await using sim = await start();
    const producer = sim.kafka().producer({ transactionalId: 'id' });
    const txn = await sim.run(producer.beginTransaction());
    sim.cluster.failNext('Produce', 'INVALID_PRODUCER_EPOCH', 1);
    const failed = await sim.run(rejectionOf(txn.send({ topic: 'out', value: 'a' })));
    expect((failed as KafkaError).code).toBe('INVALID_PRODUCER_EPOCH');
    const refused = await sim.run(rejectionOf(txn.commit()));
    expect(refused).toBeInstanceOf(TransactionAbortedError);
    await sim.run(txn.abort());
    const next = await sim.run(producer.beginTransaction());
    await sim.run(next.send({ topic: 'out', value: 'b' }));
    await sim.run(next.commit());
    expect(sim.cluster.records('out').map(({ value }) => String(value))).toEqual(['b']);
  });

  it('waits at most maxBlockMs for the id, and a later call finds what came of it', async () => {
    await using sim = await start();
    const producer = sim.kafka().producer({ transactionalId: 'id', maxBlockMs: 1000 });
    sim.cluster.failNext('InitProducerId', 'CONCURRENT_TRANSACTIONS', 8);
    const late = await sim.run(rejectionOf(producer.beginTransaction()));
    expect((late as KafkaError).code).toBe('INIT_TIMED_OUT');
    await sim.advance(10_000);
    const txn = await sim.run(producer.beginTransaction());
    await sim.run(txn.commit());
  });
});

describe('records for many brokers', () => {
  it('join the transaction one request at a time, for its coordinator takes one', async () => {
    await using sim = await Simulation.start({ brokers: 3, topics: { out: 3 } });
    const producer = sim.kafka().producer({ transactionalId: 'id' });
    const txn = await sim.run(producer.beginTransaction());
    sim.cluster.delay('Produce', 100);
    const arrivals: number[] = [];
    sim.cluster.intercept('Produce', () => {
      arrivals.push(sim.clock.monotonic());
      return undefined;
    });
    const sendAll = () =>
      sim.run(
        Promise.all(
          [0, 1, 2].map((partition) => txn.send({ topic: 'out', partition, value: 'a' })),
        ),
      );
    await sendAll();
    const [first = 0, second = 0, third = 0] = arrivals.splice(0);
    expect(second - first).toBeGreaterThanOrEqual(100);
    expect(third - second).toBeGreaterThanOrEqual(100);
    await sendAll();
    expect(new Set(arrivals).size).toBe(1);
    await sim.run(txn.commit());
  });
});

describe.each([1, 2])('an id that was idle until it was forgotten (version %i)', (version) => {
  const FORGOTTEN_MS = 3_600_000;

  const startForgetful = () =>
    Simulation.start({
      topics: { out: 1 },
      features: { 'transaction.version': version },
      transactionalIdExpirationMs: FORGOTTEN_MS,
    });

  async function write(sim: Simulation, producer: Producer, value: string): Promise<void> {
    const txn = await sim.run(producer.beginTransaction());
    try {
      await sim.run(txn.send({ topic: 'out', value }));
      await sim.run(txn.commit());
    } catch (error) {
      await sim.run(txn.abort());
      throw error;
    }
  }

  it('costs one transaction, and the next goes on with a new producer id', async () => {
    await using sim = await startForgetful();
    const producer = sim.kafka().producer({ transactionalId: 'id' });
    await write(sim, producer, 'a');
    await sim.advance(FORGOTTEN_MS - 1000);
    await write(sim, producer, 'b');
    await sim.advance(FORGOTTEN_MS + 1000);
    const error = await rejectionOf(write(sim, producer, 'c'));
    expect(String(error)).toContain('INVALID_PRODUCER_ID_MAPPING');
    await write(sim, producer, 'd');
    const { transactions } = sim.cluster.inspect();
    expect(transactions['id']).toMatchObject({ state: 'CompleteCommit', producerId: 1 });
  });

  it('is the end of its producer where another one has begun with it since', async () => {
    await using sim = await startForgetful();
    const kafka = sim.kafka();
    const older = kafka.producer({ transactionalId: 'id' });
    await write(sim, older, 'a');
    await sim.advance(FORGOTTEN_MS + 1000);
    const newer = kafka.producer({ transactionalId: 'id' });
    await write(sim, newer, 'b');
    await rejectionOf(write(sim, older, 'c'));
    expect(await sim.run(rejectionOf(older.beginTransaction()))).toBeInstanceOf(FencedError);
    await write(sim, newer, 'd');
  });
});
