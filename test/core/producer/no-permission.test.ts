import { describe, expect, it } from 'vitest';
import {
  AuthorizationError,
  fromOffsetRange,
  TransactionAbortedError,
  type KafkaError,
  type Producer,
  type Transaction,
} from '../../../src/index.js';
import { Seen } from '../../support/consuming.js';
import { rejectionOf, Simulation } from '../../support/simulation.js';

const TOPIC = 'orders';
const OTHER = 'invoices';
const GROUP = 'billing';
const ID = 'billing-1';
const FOR_GOOD = 100_000;
/** Before brokers added partitions by themselves (KIP-890). */
const PROTOCOL_1 = '3.9';

type Api = Parameters<Simulation['cluster']['failNext']>[0] & string;
type Release = typeof PROTOCOL_1 | '4.3';
type What = 'TOPIC' | 'GROUP' | 'CLUSTER' | 'TRANSACTIONAL_ID';

const partition = { topic: TOPIC, partition: 0 };

function start(version: Release = '4.3'): Promise<Simulation> {
  return Simulation.start({ version, topics: { [TOPIC]: 1, [OTHER]: 1 } });
}

function requestsOf(sim: Simulation, api: string): number {
  return sim.cluster.inspect().requests[api] ?? 0;
}

/** Nobody goes on asking for what was refused for good. */
async function expectNoMore(sim: Simulation, api: Api): Promise<void> {
  const asked = requestsOf(sim, api);
  await sim.advance(60_000);
  expect(requestsOf(sim, api)).toBe(asked);
}

function expectRefusal(error: unknown, code: string, context: object): void {
  expect(error).toBeInstanceOf(AuthorizationError);
  expect(error).toMatchObject({ code, context, isRetriable: false });
  for (const name of Object.values(context)) {
    expect((error as Error).message).toContain(String(name));
  }
}

describe('a producer without permission', () => {
  it.each<[Api, What, object, object]>([
    ['Metadata', 'TOPIC', { topic: TOPIC }, {}],
    ['Produce', 'TOPIC', partition, {}],
    ['Produce', 'CLUSTER', partition, {}],
    ['Produce', 'TOPIC', partition, { enableIdempotence: false, acks: 1 }],
  ])(
    'fails a record with an AuthorizationError that names where, at once: %s %s',
    async (...row) => {
      const [api, what, context, options] = row;
      await using sim = await start();
      const code = `${what}_AUTHORIZATION_FAILED`;
      sim.cluster.failNext(api, code, FOR_GOOD);
      const producer = sim.kafka().producer(options);
      const error = await sim.run(rejectionOf(producer.send({ topic: TOPIC, value: 'v' })));
      expectRefusal(error, code, context);
      expect(sim.clock.monotonic()).toBeLessThan(5000);
      await expectNoMore(sim, api);
    },
  );

  it.each(['Metadata', 'Produce'] as const)(
    'loses nothing of other topics, nor what comes after it is granted: %s',
    async (api) => {
      await using sim = await start();
      const producer = sim.kafka().producer();
      if (api === 'Produce') await sim.run(producer.send({ topic: TOPIC, value: 'warm' }));
      sim.cluster.failNext(api, 'TOPIC_AUTHORIZATION_FAILED');
      const refused = rejectionOf(producer.send({ topic: TOPIC, value: 'refused' }));
      expect(await sim.run(refused)).toBeInstanceOf(AuthorizationError);
      await sim.run(producer.send({ topic: OTHER, value: 'other' }));
      await sim.run(producer.send({ topic: TOPIC, value: 'granted' }));
      const values = (topic: string) =>
        sim.cluster.records(topic).map(({ value }) => String(value));
      expect(values(OTHER)).toEqual(['other']);
      expect(values(TOPIC).at(-1)).toBe('granted');
      expect(values(TOPIC)).not.toContain('refused');
    },
  );
});

describe('idempotence without permission', () => {
  it('is given up with an event where it is the default, and records are written all the same', async () => {
    await using sim = await start();
    sim.cluster.failNext('InitProducerId', 'CLUSTER_AUTHORIZATION_FAILED', FOR_GOOD);
    const producer = sim.kafka().producer();
    await sim.run(producer.send({ topic: TOPIC, value: 'v' }));
    const [warning, ...more] = sim.eventsOf('warning');
    expect(warning).toMatchObject({ code: 'IDEMPOTENCE_FOREGONE' });
    expect(warning!.message).toContain('CLUSTER_AUTHORIZATION_FAILED');
    expect(more).toEqual([]);
    expect(sim.cluster.records(TOPIC)).toHaveLength(1);
    await expectNoMore(sim, 'InitProducerId');
  });

  it('is an error where it was asked for, of this record and of all that follow', async () => {
    await using sim = await start();
    sim.cluster.failNext('InitProducerId', 'CLUSTER_AUTHORIZATION_FAILED', FOR_GOOD);
    const producer = sim.kafka().producer({ enableIdempotence: true });
    const send = () => sim.run(rejectionOf(producer.send({ topic: TOPIC, value: 'v' })));
    for (const error of [await send(), await send()]) {
      expectRefusal(error, 'CLUSTER_AUTHORIZATION_FAILED', {});
    }
    expect(sim.cluster.records(TOPIC)).toEqual([]);
    await expectNoMore(sim, 'InitProducerId');
  });
});

describe('a transaction without permission', () => {
  const id = { transactionalId: ID };
  const group = { groupId: GROUP, ...id };

  it.each<[Api, What]>([
    ['FindCoordinator', 'TRANSACTIONAL_ID'],
    ['InitProducerId', 'TRANSACTIONAL_ID'],
    ['InitProducerId', 'CLUSTER'],
  ])('does not begin: %s %s', async (api, what) => {
    await using sim = await start();
    const code = `${what}_AUTHORIZATION_FAILED`;
    sim.cluster.failNext(api, code, FOR_GOOD);
    const producer = sim.kafka().producer({ transactionalId: ID });
    const begun = () => sim.run(rejectionOf(producer.beginTransaction()));
    expectRefusal(await begun(), code, id);
    expectRefusal(await begun(), code, id);
    expect(sim.clock.monotonic()).toBeLessThan(10_000);
    await expectNoMore(sim, api);
  });

  type Step = (txn: Transaction, sim: Simulation) => Promise<unknown>;
  const sends: Step = (txn) => txn.send({ topic: TOPIC, value: 'v' });
  const offsets = [{ ...partition, offset: 5 }];
  const sendsOffsets: Step = (txn) => txn.sendOffsets({ groupId: GROUP }, offsets);

  /** The step that is refused, what the error names, and whether another transaction is possible. */
  const refusals: readonly (readonly [Api, What, Release, Step, object, boolean])[] = [
    ['AddPartitionsToTxn', 'TOPIC', PROTOCOL_1, sends, { ...partition, ...id }, true],
    ['AddPartitionsToTxn', 'TRANSACTIONAL_ID', PROTOCOL_1, sends, id, false],
    ['Produce', 'TOPIC', PROTOCOL_1, sends, partition, true],
    ['Produce', 'TOPIC', '4.3', sends, partition, true],
    ['Produce', 'TRANSACTIONAL_ID', '4.3', sends, partition, false],
    ['AddOffsetsToTxn', 'GROUP', PROTOCOL_1, sendsOffsets, group, true],
    ['AddOffsetsToTxn', 'TRANSACTIONAL_ID', PROTOCOL_1, sendsOffsets, id, false],
    ['FindCoordinator', 'GROUP', '4.3', sendsOffsets, { groupId: GROUP }, true],
    ['TxnOffsetCommit', 'GROUP', PROTOCOL_1, sendsOffsets, group, true],
    ['TxnOffsetCommit', 'GROUP', '4.3', sendsOffsets, group, true],
    ['TxnOffsetCommit', 'TOPIC', '4.3', sendsOffsets, { ...partition, ...group }, true],
    ['TxnOffsetCommit', 'TRANSACTIONAL_ID', '4.3', sendsOffsets, id, false],
  ];

  it.each(refusals)(
    'says what was refused, can’t be committed, and counts for nothing: %s %s, Kafka %s',
    async (api, what, version, refusedStep, context, canGoOn) => {
      await using sim = await start(version);
      const code = `${what}_AUTHORIZATION_FAILED`;
      const producer = sim.kafka().producer({ transactionalId: ID });
      const txn = await sim.run(producer.beginTransaction());
      await sim.run(txn.send({ topic: OTHER, value: 'before' }));
      sim.cluster.failNext(api, code, FOR_GOOD);
      const error = await sim.run(rejectionOf(refusedStep(txn, sim)));
      const cause = error instanceof AuthorizationError ? error : (error as KafkaError).cause;
      expectRefusal(cause, code, context);
      const uncommitted = await sim.run(rejectionOf(txn.commit()));
      if (canGoOn) expect(uncommitted).toBeInstanceOf(TransactionAbortedError);
      sim.cluster.clearFaults();
      await sim.run(txn.abort().catch(() => undefined));
      await expectNoMore(sim, api);
      await goesOn(sim, producer, canGoOn);
      expect(await committedOf(sim)).toEqual(canGoOn ? ['after'] : []);
      expect(sim.cluster.groupOffsets(GROUP)).toEqual({});
    },
  );

  /** Begins another one, or is told that there can be none. */
  async function goesOn(sim: Simulation, producer: Producer, canGoOn: boolean): Promise<void> {
    if (!canGoOn) {
      const error = await sim.run(rejectionOf(producer.beginTransaction()));
      expect(error).toBeInstanceOf(AuthorizationError);
      return;
    }
    const next = await sim.run(producer.beginTransaction());
    await sim.run(next.send({ topic: OTHER, value: 'after' }));
    await sim.run(next.commit());
  }

  async function committedOf(sim: Simulation): Promise<string[]> {
    const range = { topic: OTHER, partition: 0, from: 'beginning', to: 'end' } as const;
    const options = { isolationLevel: 'read_committed' } as const;
    const seen = new Seen(fromOffsetRange(sim.kafka(), [range], options));
    await sim.until(() => seen.isOver);
    return seen.values.map(({ value }) => String(value));
  }

  it('whose end is refused fails the commit, and the producer with it: EndTxn', async () => {
    await using sim = await start();
    const code = 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED';
    const producer = sim.kafka().producer({ transactionalId: ID });
    const txn = await sim.run(producer.beginTransaction());
    await sim.run(txn.send({ topic: TOPIC, value: 'v' }));
    sim.cluster.failNext('EndTxn', code, FOR_GOOD);
    expectRefusal(await sim.run(rejectionOf(txn.commit())), code, id);
    expectRefusal(await sim.run(rejectionOf(producer.beginTransaction())), code, id);
    await expectNoMore(sim, 'EndTxn');
    const startedAt = sim.clock.monotonic();
    await sim.run(producer.close());
    expect(sim.clock.monotonic() - startedAt).toBeLessThan(5000);
  });
});
