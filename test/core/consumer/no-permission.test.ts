import { retry, tap, type Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import {
  ackEach,
  AuthorizationError,
  fromPartitions,
  fromTopics,
  type Consumer,
  type ConsumerOptions,
} from '../../../src/index.js';
import { limitVersions } from '../../support/api-limits.js';
import { committed, membersOf, Seen } from '../../support/consuming.js';
import { rejectionOf, Simulation } from '../../support/simulation.js';
import { fill, upTo } from '../../support/watching.js';

const TOPIC = 'orders';
const GROUP = 'billing';
const FOR_GOOD = 100_000;

const noGroup: ConsumerOptions = { autoOffsetReset: 'earliest', ack: 'manual' };
const latest: ConsumerOptions = { ...noGroup, autoOffsetReset: 'latest' };
const classic: ConsumerOptions = { ...noGroup, groupId: GROUP, groupProtocol: 'classic' };
const modern: ConsumerOptions = { ...noGroup, groupId: GROUP, groupProtocol: 'consumer' };
const either: ConsumerOptions = { ...noGroup, groupId: GROUP };

type Api = Parameters<Simulation['cluster']['failNext']>[0] & string;
type Call = (consumer: Consumer) => Promise<unknown>;
type What = 'TOPIC' | 'GROUP' | 'CLUSTER';

const topic = { topic: TOPIC };
const partition = { topic: TOPIC, partition: 0 };
const group = { groupId: GROUP };

/** Which request is refused, of what kind of consumer, and what the error is to name. */
const refusals: readonly (readonly [Api, What, string, ConsumerOptions, object])[] = [
  ['Metadata', 'TOPIC', 'without a group', noGroup, topic],
  ['Metadata', 'TOPIC', 'classic', classic, topic],
  ['Metadata', 'TOPIC', 'consumer', modern, topic],
  ['FindCoordinator', 'GROUP', 'classic', classic, group],
  ['FindCoordinator', 'GROUP', 'consumer', modern, group],
  ['FindCoordinator', 'GROUP', 'auto', either, group],
  ['JoinGroup', 'GROUP', 'classic', classic, group],
  ['SyncGroup', 'GROUP', 'classic', classic, group],
  ['Heartbeat', 'GROUP', 'classic', classic, group],
  ['ConsumerGroupHeartbeat', 'GROUP', 'consumer', modern, group],
  ['ConsumerGroupHeartbeat', 'GROUP', 'auto', either, group],
  ['ConsumerGroupHeartbeat', 'TOPIC', 'consumer', modern, group],
  ['OffsetFetch', 'GROUP', 'classic', classic, group],
  ['OffsetFetch', 'TOPIC', 'consumer', modern, group],
  ['ListOffsets', 'TOPIC', 'without a group', noGroup, partition],
  ['ListOffsets', 'TOPIC', 'classic', classic, partition],
  ['Fetch', 'TOPIC', 'without a group', noGroup, partition],
  ['Fetch', 'TOPIC', 'consumer', modern, partition],
  ['OffsetCommit', 'GROUP', 'classic', classic, group],
  ['OffsetCommit', 'GROUP', 'consumer', modern, group],
  ['OffsetCommit', 'TOPIC', 'consumer', modern, partition],
];

async function start(partitions = 1): Promise<Simulation> {
  const sim = await Simulation.start({ topics: { [TOPIC]: partitions } });
  for (const each of upTo(partitions)) fill(sim, TOPIC, each, 10);
  return sim;
}

function requestsOf(sim: Simulation, api: string): number {
  return sim.cluster.inspect().requests[api] ?? 0;
}

describe('a consumer without permission', () => {
  it.each(refusals)(
    'ends with an AuthorizationError that names what, and asks no more: %s %s, %s',
    async (api, what, _, options, context) => {
      await using sim = await start();
      const code = `${what}_AUTHORIZATION_FAILED`;
      sim.cluster.failNext(api, code, FOR_GOOD);
      const seen = new Seen(fromTopics(sim.kafka(), TOPIC, options).pipe(ackEach()));
      await sim.until(() => seen.isOver);
      expect(seen.error).toBeInstanceOf(AuthorizationError);
      expect(seen.error).toMatchObject({ code, context, isRetriable: false });
      for (const name of Object.values(context)) {
        expect((seen.error as Error).message).toContain(String(name));
      }
      expect(sim.clock.monotonic()).toBeLessThan(30_000);
      const asked = requestsOf(sim, api);
      await sim.advance(600_000);
      // What is known of topics that were in use lately is kept up to date.
      const more = api === 'Metadata' ? 3 : 0;
      expect(requestsOf(sim, api)).toBeLessThanOrEqual(asked + more);
      expect(committed(sim.cluster, GROUP, TOPIC) ?? 0).toBeLessThanOrEqual(seen.values.length);
    },
  );

  it.each([
    ['OffsetFetch', group],
    ['OffsetCommit', group],
    ['ListOffsets', partition],
    ['Fetch', partition],
  ] as const)('ends so with fixed partitions, too: %s', async (api, context) => {
    await using sim = await start();
    const code = `${api.startsWith('Offset') ? 'GROUP' : 'TOPIC'}_AUTHORIZATION_FAILED`;
    sim.cluster.failNext(api, code, FOR_GOOD);
    const seen = new Seen(fromPartitions(sim.kafka(), [partition], either).pipe(ackEach()));
    await sim.until(() => seen.isOver);
    expect(seen.error).toBeInstanceOf(AuthorizationError);
    expect(seen.error).toMatchObject({ code, context });
  });

  it.each<[Api, string, ConsumerOptions]>([
    ['Metadata', 'without a group', noGroup],
    ['Metadata', 'classic', classic],
    ['Metadata', 'consumer', modern],
    ['Fetch', 'without a group', noGroup],
    ['Fetch', 'consumer', modern],
  ])('reads on once it is granted, after retry(): %s, %s', async (api, _, options) => {
    await using sim = await start();
    sim.cluster.failNext(api, 'TOPIC_AUTHORIZATION_FAILED');
    const source = fromTopics(sim.kafka(), TOPIC, options).pipe(ackEach(), retry(1));
    const seen = new Seen(source);
    await sim.until(() => seen.isOver || seen.values.length === 10);
    expect(seen.error).toBeUndefined();
    // Another subscription of the same client does not believe what it was told before.
    const again = new Seen(fromTopics(sim.kafka(), TOPIC, { ...noGroup }));
    await sim.until(() => again.isOver || again.values.length === 10);
    expect(again.error).toBeUndefined();
  });

  it('commits what is acked of all topics before the stream ends', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1, secret: 1 } });
    fill(sim, TOPIC, 0, 10);
    fill(sim, 'secret', 0, 10);
    limitVersions(sim, { Fetch: 12 });
    const options = { ...modern, enableIncrementalFetchSessions: false };
    const seen = new Seen(fromTopics(sim.kafka(), [TOPIC, 'secret'], options).pipe(ackEach()));
    let isDenied = false;
    sim.cluster.intercept('Fetch', ({ body: { topics } }) => {
      if (!isDenied || topics.every((asked) => asked.topic !== 'secret')) return undefined;
      const refused = { partitionIndex: 0, errorCode: 29, highWatermark: -1, records: null };
      const partitions = [{ ...refused, abortedTransactions: null }];
      return { responses: [{ topic: 'secret', partitions }] };
    });
    await sim.until(() => seen.values.length === 20);
    isDenied = true;
    fill(sim, TOPIC, 0, 5);
    await sim.until(() => seen.isOver);
    expect(seen.error).toMatchObject({ context: { topic: 'secret', partition: 0 } });
    const of = (topic: string) => seen.values.filter((record) => record.topic === topic).length;
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(of(TOPIC));
    expect(committed(sim.cluster, GROUP, 'secret')).toBe(10);
    expect(membersOf(sim.cluster, GROUP)).toBe(0);
  });

  it.each<[string, (sim: Simulation) => Observable<unknown>]>([
    ['topics', (sim) => fromTopics(sim.kafka(), TOPIC, latest)],
    ['partitions', (sim) => fromPartitions(sim.kafka(), [partition], latest)],
  ])('begins where it would have begun without having been refused: %s', async (_, source) => {
    await using sim = await start();
    sim.cluster.failNext('Metadata', 'TOPIC_AUTHORIZATION_FAILED');
    const refused: unknown[] = [];
    const stream = source(sim).pipe(tap({ error: (error) => refused.push(error) }), retry(1));
    const seen = new Seen(stream);
    await sim.advance(1000);
    expect(refused).toHaveLength(1);
    fill(sim, TOPIC, 0, 3);
    await sim.until(() => seen.isOver || seen.values.length > 0);
    await sim.advance(1000);
    expect(seen.error).toBeUndefined();
    expect(seen.values).toHaveLength(3);
  });

  it('is told of, again and again, when it may not know the name of what it was assigned', async () => {
    await using sim = await start();
    sim.cluster.intercept('Metadata', ({ body }) => {
      const [asked] = body.topics ?? [];
      if (asked?.name !== null) return undefined;
      const unknown = { errorCode: 100, name: null, topicId: asked.topicId, partitions: [] };
      return { brokers: [], topics: [unknown] };
    });
    new Seen(fromTopics(sim.kafka(), /ord.+/, modern));
    await sim.advance(30_000);
    const told = sim.eventsOf('group-retried').filter(({ api }) => api === 'Metadata');
    expect(told.length).toBeGreaterThan(10);
    expect(told[0]!.reason).toContain('assigned topics');
  });

  it('leaves all the same when it may not even leave', async () => {
    await using sim = await start();
    const kafka = sim.kafka();
    sim.cluster.failNext('LeaveGroup', 'GROUP_AUTHORIZATION_FAILED', FOR_GOOD);
    const seen = new Seen(fromTopics(kafka, TOPIC, classic).pipe(ackEach()));
    await sim.until(() => seen.values.length === 10);
    const startedAt = sim.clock.monotonic();
    await sim.run(kafka.drain());
    expect(sim.clock.monotonic() - startedAt).toBeLessThan(5000);
    expect(seen).toMatchObject({ isComplete: true, error: undefined });
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(10);
  });

  it.each(['TOPIC', 'CLUSTER'] as const)(
    'reads on where only the check for lost records is refused (%s)',
    async (what) => {
      await using sim = await Simulation.start({ brokers: 2, topics: { [TOPIC]: 1 } });
      fill(sim, TOPIC, 0, 10);
      const seen = new Seen(fromTopics(sim.kafka(), TOPIC, modern).pipe(ackEach()));
      await sim.until(() => seen.values.length === 10);
      sim.cluster.failNext('OffsetForLeaderEpoch', `${what}_AUTHORIZATION_FAILED`, FOR_GOOD);
      const { leader } = sim.cluster.inspect().topics[TOPIC]!.partitions[0]!;
      sim.cluster.moveLeader(TOPIC, 0, 3 - leader);
      fill(sim, TOPIC, 0, 5);
      await sim.until(() => seen.values.length === 15);
      expect(requestsOf(sim, 'OffsetForLeaderEpoch')).toBe(1);
      expect(seen.error).toBeUndefined();
    },
  );
});

describe('what a handle is asked for without permission is rejected, named', () => {
  const handleCalls: readonly (readonly [string, Api, What, object, Call])[] = [
    ['committed', 'OffsetFetch', 'GROUP', group, (handle) => handle.committed([partition])],
    ['committed', 'FindCoordinator', 'GROUP', group, (handle) => handle.committed([partition])],
    ['committed', 'OffsetFetch', 'TOPIC', partition, (handle) => handle.committed([partition])],
    ['endOffsets', 'ListOffsets', 'TOPIC', partition, (handle) => handle.endOffsets([partition])],
    ['endOffsets', 'Metadata', 'TOPIC', topic, (handle) => handle.endOffsets([partition])],
    [
      'beginningOffsets',
      'ListOffsets',
      'TOPIC',
      partition,
      (handle) => handle.beginningOffsets([partition]),
    ],
    [
      'offsetsForTimes',
      'ListOffsets',
      'TOPIC',
      partition,
      (handle) => handle.offsetsForTimes([{ ...partition, timestamp: 5 }]),
    ],
  ];

  it.each(handleCalls)('%s: %s %s', async (_, api, what, context, call) => {
    await using sim = await start();
    const code = `${what}_AUTHORIZATION_FAILED`;
    sim.cluster.failNext(api, code, FOR_GOOD);
    const error = await sim.run(rejectionOf(call(sim.kafka().consumer(either))));
    expect(error).toBeInstanceOf(AuthorizationError);
    expect(error).toMatchObject({ code, context });
    expect(sim.clock.monotonic()).toBeLessThan(5000);
  });

  it('commit: OffsetCommit, and the stream ends, too', async () => {
    await using sim = await start();
    const consumer = sim.kafka().consumer(modern);
    const seen = new Seen(consumer.records(TOPIC));
    await sim.until(() => seen.values.length === 10);
    sim.cluster.failNext('OffsetCommit', 'TOPIC_AUTHORIZATION_FAILED', FOR_GOOD);
    const offsets = [{ ...partition, offset: 3 }];
    const error = await sim.run(rejectionOf(consumer.commit(offsets)));
    expect(error).toMatchObject({ context: { ...partition, ...group, offset: 3 } });
    await sim.until(() => seen.isOver);
    expect(seen.error).toBe(error);
  });
});
