// On the embedded broker: what became of a transaction, only its coordinators and readers know.

import { map, of, retry, type Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  AuthorizationError,
  fromTopics,
  transactional,
  type Kafka,
  type TransactionalOptions,
} from '../../src/index.js';
import { committed, membersOf } from '../support/consuming.js';
import { Simulation } from '../support/simulation.js';
import { fill, watch } from '../support/watching.js';

const IN = 'orders';
const OUT = 'invoices';
const GROUP = 'billing';
const ID = 'billing-1';
const RECORDS = 4;
const FOR_GOOD = 100_000;
/** Before brokers added partitions by themselves (KIP-890). */
const PROTOCOL_1 = '3.9';

type Api = Parameters<Simulation['cluster']['failNext']>[0] & string;
type Release = typeof PROTOCOL_1 | '4.3';
type What = 'TOPIC' | 'GROUP' | 'CLUSTER' | 'TRANSACTIONAL_ID';

const id = { transactionalId: ID };
const group = { groupId: GROUP, ...id };
const input = { topic: IN, partition: 0 };
const output = { topic: OUT, partition: 0 };

/** Which request is refused, and what the error is to name. */
const refusals: readonly (readonly [Api, What, Release, object])[] = [
  ['FindCoordinator', 'TRANSACTIONAL_ID', '4.3', id],
  ['InitProducerId', 'TRANSACTIONAL_ID', '4.3', id],
  ['InitProducerId', 'CLUSTER', '4.3', id],
  ['AddPartitionsToTxn', 'TOPIC', PROTOCOL_1, { ...output, ...id }],
  ['AddPartitionsToTxn', 'TRANSACTIONAL_ID', PROTOCOL_1, id],
  ['Produce', 'TOPIC', PROTOCOL_1, output],
  ['Produce', 'TOPIC', '4.3', output],
  ['Produce', 'TRANSACTIONAL_ID', '4.3', output],
  ['AddOffsetsToTxn', 'GROUP', PROTOCOL_1, group],
  ['AddOffsetsToTxn', 'TRANSACTIONAL_ID', PROTOCOL_1, id],
  ['TxnOffsetCommit', 'GROUP', PROTOCOL_1, group],
  ['TxnOffsetCommit', 'GROUP', '4.3', group],
  ['TxnOffsetCommit', 'TOPIC', '4.3', { ...input, ...group }],
  ['TxnOffsetCommit', 'TRANSACTIONAL_ID', '4.3', id],
  ['EndTxn', 'TRANSACTIONAL_ID', '4.3', id],
  ['Fetch', 'TOPIC', '4.3', input],
  ['OffsetFetch', 'GROUP', '4.3', { groupId: GROUP }],
  ['ConsumerGroupHeartbeat', 'GROUP', '4.3', { groupId: GROUP }],
];

async function start(version: Release = '4.3'): Promise<Simulation> {
  const sim = await Simulation.start({ version, topics: { [IN]: 1, [OUT]: 1 } });
  fill(sim, IN, 0, RECORDS);
  return sim;
}

function copying(kafka: Kafka, options: TransactionalOptions<Buffer | null, Buffer | null> = {}) {
  return fromTopics(kafka, IN, {
    groupId: GROUP,
    autoOffsetReset: 'earliest',
    isolationLevel: 'read_committed',
  }).pipe(
    transactional(kafka, { ...id, maxRecords: RECORDS, ...options }, (records) =>
      records.pipe(map((record) => record.derive(output))),
    ),
  );
}

const written = (sim: Simulation) =>
  sim.cluster.committedRecords(OUT).map(({ value }) => String(value));
const everything = Array.from({ length: RECORDS }, (_, i) => `0:${i}`);

function expectRefusal(error: unknown, code: string, context: object): void {
  expect(error).toBeInstanceOf(AuthorizationError);
  expect(error).toMatchObject({ code, context, isRetriable: false });
  for (const name of Object.values(context)) {
    expect((error as Error).message).toContain(String(name));
  }
}

/** The end of a stream that is refused something for good. */
async function refused(sim: Simulation, source: Observable<unknown>): Promise<unknown> {
  const seen = watch(source);
  await sim.until(() => seen.error !== undefined);
  expect(seen.values).toEqual([]);
  return seen.error;
}

describe('transactional without permission', () => {
  it.each(refusals)(
    'ends with an AuthorizationError that names what, with nothing committed and the records given back: %s %s, Kafka %s',
    async (api, what, version, context) => {
      await using sim = await start(version);
      const code = `${what}_AUTHORIZATION_FAILED`;
      sim.cluster.failNext(api, code, FOR_GOOD);
      const kafka = sim.kafka();
      expectRefusal(await refused(sim, copying(kafka)), code, context);
      expect(sim.clock.monotonic()).toBeLessThan(30_000);
      // The stream has ended when nothing is left under way.
      expect(membersOf(sim.cluster, GROUP)).toBe(0);
      const asked = sim.cluster.inspect().requests[api];
      await sim.advance(60_000);
      expect(sim.cluster.inspect().requests[api]).toBe(asked);
      expect(written(sim)).toEqual([]);
      expect(committed(sim.cluster, GROUP, IN) ?? 0).toBe(0);
      // Once it is granted, the same client goes on from there.
      sim.cluster.clearFaults();
      const seen = watch(copying(kafka));
      await sim.until(() => seen.values.length === 1 || seen.error !== undefined);
      expect(seen.error).toBeUndefined();
      expect(written(sim)).toEqual(everything);
      expect(committed(sim.cluster, GROUP, IN)).toBe(RECORDS);
    },
  );

  it.each([IN, OUT])('ends so where it may not see a topic: %s', async (topic) => {
    await using sim = await start();
    const kafka = sim.kafka();
    sim.cluster.intercept('Metadata', ({ body }) => {
      const asksForIt = body.topics?.some(({ name }) => name === topic) === true;
      if (asksForIt) sim.cluster.failNext('Metadata', 'TOPIC_AUTHORIZATION_FAILED');
      return undefined;
    });
    const error = await refused(sim, copying(kafka));
    expectRefusal(error, 'TOPIC_AUTHORIZATION_FAILED', { topic });
    expect(written(sim)).toEqual([]);
    expect(committed(sim.cluster, GROUP, IN) ?? 0).toBe(0);
  });

  it.each(['Produce', 'TxnOffsetCommit', 'EndTxn', 'InitProducerId', 'Fetch'] as const)(
    'copies everything once it is granted, after retry(): %s',
    async (api) => {
      await using sim = await start();
      const what = api === 'Fetch' || api === 'Produce' ? 'TOPIC' : 'TRANSACTIONAL_ID';
      const undo = sim.cluster.failNext(api, `${what}_AUTHORIZATION_FAILED`, FOR_GOOD);
      const errors: unknown[] = [];
      const again = (error: unknown) => {
        errors.push(error);
        if (errors.length === 3) undo();
        return of(0);
      };
      const seen = watch(copying(sim.kafka()).pipe(retry({ delay: again })));
      await sim.until(() => seen.values.length === 1);
      expect(errors).toHaveLength(3);
      expect(written(sim)).toEqual(everything);
      expect(committed(sim.cluster, GROUP, IN)).toBe(RECORDS);
    },
  );

  it('asks onAbort where only this transaction is refused, who may put the records elsewhere', async () => {
    await using sim = await start();
    sim.cluster.failNext('Produce', 'TOPIC_AUTHORIZATION_FAILED', 1);
    const errors: unknown[] = [];
    const seen = watch(
      copying(sim.kafka(), {
        onAbort: ({ error, records, isPassing }) => {
          errors.push(error);
          expect(isPassing).toBe(false);
          return records.map(({ value }) => ({ ...output, value: `elsewhere ${String(value)}` }));
        },
      }),
    );
    await sim.until(() => seen.values.length === 1);
    expect(errors).toHaveLength(1);
    expectRefusal(errors[0], 'TOPIC_AUTHORIZATION_FAILED', output);
    expect(written(sim)).toEqual(everything.map((value) => `elsewhere ${value}`));
  });
});
