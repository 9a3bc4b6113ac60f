import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeRecords, encodeRecords } from '../../../src/core/records/index.js';
import {
  startEmbeddedKafka,
  type EmbeddedKafka,
  type EmbeddedKafkaOptions,
} from '../../../src/testing/index.js';
import { EmbeddedClient, errorName } from '../../support/embedded-client.js';
import { FakeClock, settled } from '../../support/fake-clock.js';

let clock: FakeClock;
let cluster: EmbeddedKafka;
let client: EmbeddedClient;

beforeEach(() => restart());

afterEach(() => cluster.close());

async function restart(options: EmbeddedKafkaOptions = {}): Promise<void> {
  await (cluster as EmbeddedKafka | undefined)?.close();
  clock = new FakeClock();
  const topics = { orders: 3, clicks: 1 };
  cluster = await startEmbeddedKafka({ listen: 'memory', clock, topics, ...options });
  client = new EmbeddedClient(cluster);
}

const append = (partition: number, value = 'x', topic = 'orders') =>
  cluster.append(topic, partition, encodeRecords([{ value }]));

interface Wanted {
  readonly session?: number;
  readonly epoch?: number;
  /** Offsets to fetch from by partition, as in `{ 'orders-0': 0 }`. */
  readonly from?: Readonly<Record<string, number>>;
  readonly forget?: readonly string[];
  readonly maxWaitMs?: number;
  readonly maxBytes?: number;
  readonly version?: number;
}

/** One fetch; what the answer holds, by partition in the order of the answer. */
async function fetch(wanted: Wanted) {
  const { session = 0, epoch = 0, from = {}, forget = [], version = 12 } = wanted;
  const answer = await client.request('Fetch', version, {
    maxWaitMs: wanted.maxWaitMs ?? 0,
    minBytes: 1,
    maxBytes: wanted.maxBytes ?? 1_000_000,
    sessionId: session,
    sessionEpoch: epoch,
    topics: Object.entries(from).map(([place, fetchOffset]) => {
      const { topic, partition } = parse(place, version);
      const query = { partition, fetchOffset, partitionMaxBytes: 100_000 };
      return { ...topic, partitions: [query] };
    }),
    forgottenTopicsData: forget.map((place) => {
      const { topic, partition } = parse(place, version);
      return { ...topic, partitions: [partition] };
    }),
  });
  const told = answer.responses.flatMap(({ topic, topicId, partitions }) =>
    partitions.map((partition) => ({
      place: `${topic === '' ? nameOf(topicId) : topic}-${partition.partitionIndex}`,
      error: errorName(partition.errorCode),
      values: decodeRecords(partition.records!).map(({ value }) => String(value)),
    })),
  );
  return { error: errorName(answer.errorCode), session: answer.sessionId, told };
}

function parse(place: string, version: number) {
  const [name, partition] = place.split('-') as [string, string];
  const topic =
    version >= 13 ? { topicId: cluster.inspect().topics[name]!.topicId } : { topic: name };
  return { topic, partition: Number(partition) };
}

function nameOf(id: string): string {
  const topics = Object.entries(cluster.inspect().topics);
  return topics.find(([, { topicId }]) => topicId === id)?.[0] ?? '?';
}

const places = ({ told }: Awaited<ReturnType<typeof fetch>>) => told.map(({ place }) => place);

describe('a session', () => {
  test.each([7, 11, 12, 13, 16, 18])('begins with a full fetch in version %i', async (version) => {
    append(1, 'a');
    const full = await fetch({ from: { 'orders-0': 0, 'orders-1': 0 }, version });
    expect(full).toMatchObject({ error: 'NONE', told: [{ values: [] }, { values: ['a'] }] });
    expect(full.session).toBeGreaterThan(0);
    append(0, 'b');
    const { session } = full;
    const next = await fetch({ session, epoch: 1, from: { 'orders-1': 1 }, version });
    expect(next).toEqual({
      error: 'NONE',
      session,
      told: [{ place: 'orders-0', error: 'NONE', values: ['b'] }],
    });
  });

  test('tells only what is new', async () => {
    append(0);
    const { session } = await fetch({ from: { 'orders-0': 0, 'orders-1': 0, 'orders-2': 0 } });
    const quiet = await fetch({ session, epoch: 1, from: { 'orders-0': 1 } });
    expect(quiet).toEqual({ error: 'NONE', session, told: [] });
    append(2);
    // Beyond what is asked for, yet the high watermark is news.
    const news = await fetch({ session, epoch: 2, from: { 'orders-2': 1 } });
    expect(news.told).toEqual([{ place: 'orders-2', error: 'NONE', values: [] }]);
    expect((await fetch({ session, epoch: 3 })).told).toEqual([]);
  });

  test('tells that the log begins later', async () => {
    for (let i = 0; i < 3; i++) append(0);
    const { session } = await fetch({ from: { 'orders-0': 3 } });
    await client.request('DeleteRecords', 2, {
      timeoutMs: 0,
      topics: [{ name: 'orders', partitions: [{ partitionIndex: 0, offset: 2 }] }],
    });
    expect(places(await fetch({ session, epoch: 1 }))).toEqual(['orders-0']);
    expect(places(await fetch({ session, epoch: 2 }))).toEqual([]);
  });

  test('tells an error every time, and once more when it is over', async () => {
    const { session } = await fetch({ from: { 'orders-0': 5, 'orders-1': 0 } });
    const failed = { place: 'orders-0', error: 'OFFSET_OUT_OF_RANGE', values: [] };
    expect((await fetch({ session, epoch: 1 })).told).toEqual([failed]);
    expect((await fetch({ session, epoch: 2 })).told).toEqual([failed]);
    const over = await fetch({ session, epoch: 3, from: { 'orders-0': 0 } });
    expect(over.told).toEqual([{ ...failed, error: 'NONE' }]);
    expect((await fetch({ session, epoch: 4 })).told).toEqual([]);
  });

  test('takes partitions in and forgets others', async () => {
    const { session } = await fetch({ from: { 'orders-0': 0 } });
    const added = await fetch({ session, epoch: 1, from: { 'clicks-0': 0 } });
    expect(places(added)).toEqual(['clicks-0']);
    append(0);
    append(0, 'y', 'clicks');
    const left = await fetch({ session, epoch: 2, forget: ['orders-0'] });
    expect(places(left)).toEqual(['clicks-0']);
  });

  test('ends when nothing is left in it', async () => {
    const { session } = await fetch({ from: { 'orders-0': 0 } });
    expect(await fetch({ session, epoch: 1, forget: ['orders-0'] })).toMatchObject({ session: 0 });
    expect((await fetch({ session, epoch: 2 })).error).toBe('FETCH_SESSION_ID_NOT_FOUND');
  });

  test('ends with a full fetch that names it, which begins another or none', async () => {
    const from = { 'orders-0': 0 };
    const first = await fetch({ from });
    const second = await fetch({ session: first.session, epoch: 0, from });
    expect(second.session).not.toBe(first.session);
    expect((await fetch({ session: first.session, epoch: 1 })).error).toBe(
      'FETCH_SESSION_ID_NOT_FOUND',
    );
    const last = await fetch({ session: second.session, epoch: -1, from });
    expect(last).toMatchObject({ error: 'NONE', session: 0, told: [{ place: 'orders-0' }] });
    expect((await fetch({ session: second.session, epoch: 1 })).error).toBe(
      'FETCH_SESSION_ID_NOT_FOUND',
    );
  });

  test('refuses fetches out of turn, and goes on', async () => {
    const { session } = await fetch({ from: { 'orders-0': 0 } });
    for (const epoch of [2, 7]) {
      expect(await fetch({ session, epoch })).toEqual({
        error: 'INVALID_FETCH_SESSION_EPOCH',
        session: 0,
        told: [],
      });
    }
    expect((await fetch({ session, epoch: 1 })).error).toBe('NONE');
    expect((await fetch({ session, epoch: 1 })).error).toBe('INVALID_FETCH_SESSION_EPOCH');
  });

  test('keeps to names or to ids of topics', async () => {
    const named = await fetch({ from: { 'orders-0': 0 }, version: 12 });
    const mixed = await fetch({ session: named.session, epoch: 1, version: 13 });
    expect(mixed.error).toBe('FETCH_SESSION_TOPIC_ID_ERROR');
  });

  test('is read in turns: what was told comes last the next time', async () => {
    const from = { 'orders-0': 0, 'orders-1': 0, 'orders-2': 0 };
    for (const partition of [0, 1, 2])
      for (let i = 0; i < 3; i++) append(partition, 'x'.repeat(500));
    const full = await fetch({ from, maxBytes: 1 });
    const { session } = full;
    const filled = (answer: typeof full) =>
      answer.told.filter(({ values }) => values.length > 0).map(({ place }) => place);
    expect(filled(full)).toEqual(['orders-0']);
    // A full fetch leaves the order as it was asked for.
    const turns = [];
    for (let epoch = 1; epoch <= 4; epoch++) {
      turns.push(...filled(await fetch({ session, epoch, maxBytes: 1 })));
    }
    expect(turns).toEqual(['orders-0', 'orders-1', 'orders-2', 'orders-0']);
  });

  test('waits for records of any of its partitions', async () => {
    const { session } = await fetch({ from: { 'orders-0': 0, 'orders-1': 0 } });
    const waiting = fetch({ session, epoch: 1, maxWaitMs: 500 });
    await settled();
    expect(client.pending).toBe(1);
    append(1, 'late');
    expect((await waiting).told).toEqual([{ place: 'orders-1', error: 'NONE', values: ['late'] }]);
    const idle = fetch({ session, epoch: 2, from: { 'orders-1': 1 }, maxWaitMs: 500 });
    await settled();
    clock.advance(500);
    expect((await idle).told).toEqual([]);
  });

  test('has no answer for a fetch that another one has overtaken meanwhile', async () => {
    const { session } = await fetch({ from: { 'orders-0': 0 } });
    const waiting = fetch({ session, epoch: 1, maxWaitMs: 500 });
    await settled();
    client = new EmbeddedClient(cluster);
    expect((await fetch({ session, epoch: 2 })).error).toBe('NONE');
    append(0);
    expect((await waiting).error).toBe('INVALID_FETCH_SESSION_EPOCH');
  });

  test('does not outlive its broker', async () => {
    const { session } = await fetch({ from: { 'orders-0': 0 } });
    await cluster.stop(1);
    await cluster.start(1);
    client = new EmbeddedClient(cluster);
    expect((await fetch({ session, epoch: 1 })).error).toBe('FETCH_SESSION_ID_NOT_FOUND');
  });

  test('can be made to fail', async () => {
    const { session } = await fetch({ from: { 'orders-0': 0 } });
    cluster.failNext('Fetch', 'FETCH_SESSION_ID_NOT_FOUND');
    expect(await fetch({ session, epoch: 1 })).toEqual({
      error: 'FETCH_SESSION_ID_NOT_FOUND',
      session: 0,
      told: [],
    });
  });
});

describe('the cache of sessions', () => {
  const open = (...partitions: string[]) =>
    fetch({ from: Object.fromEntries(partitions.map((partition) => [partition, 0])) });
  const isThere = async (session: number, epoch: number) =>
    (await fetch({ session, epoch })).error === 'NONE';

  beforeEach(() => restart({ maxIncrementalFetchSessionCacheSlots: 2 }));

  test('gives no session when it is full, and answers all the same', async () => {
    await open('orders-0');
    await open('orders-0');
    expect(await open('orders-0', 'orders-1')).toMatchObject({
      error: 'NONE',
      session: 0,
      told: [{ place: 'orders-0' }, { place: 'orders-1' }],
    });
  });

  test('lets go of a session that was not used for two minutes', async () => {
    const first = await open('orders-0');
    clock.advance(60_000);
    const second = await open('orders-0');
    clock.advance(60_001);
    expect((await open('orders-0')).session).toBeGreaterThan(0);
    expect(await isThere(first.session, 1)).toBe(false);
    expect(await isThere(second.session, 1)).toBe(true);
  });

  test('lets a larger session take the place of a smaller one that is old enough', async () => {
    const small = await open('orders-0');
    const large = await open('orders-0', 'orders-1', 'orders-2');
    clock.advance(120_000);
    for (const { session } of [small, large]) await fetch({ session, epoch: 1 });
    expect((await open('orders-0', 'orders-1')).session).toBe(0);
    clock.advance(1);
    for (const { session } of [small, large]) await fetch({ session, epoch: 2 });
    expect((await open('orders-1')).session).toBe(0);
    expect((await open('orders-0', 'orders-1')).session).toBeGreaterThan(0);
    expect(await isThere(small.session, 3)).toBe(false);
    expect(await isThere(large.session, 3)).toBe(true);
  });
});

test('versions before 7 have no sessions', async () => {
  const { responses, sessionId } = await client.request('Fetch', 6, {
    maxWaitMs: 0,
    minBytes: 1,
    topics: [
      { topic: 'orders', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 10 }] },
    ],
  });
  expect([responses.length, sessionId]).toEqual([1, 0]);
});
