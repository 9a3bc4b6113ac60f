import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Consumer, ConsumerRecord, Metrics, Producer } from '../../../src/index.js';
import { committed, Seen } from '../../support/consuming.js';
import { rejectionOf, Simulation } from '../../support/simulation.js';
import { fill } from '../../support/watching.js';

const TOPIC = 'orders';
const GROUP = 'billing';

/** What a figure is to be after everything that it measures has happened. */
type Plausible = 'positive' | 'nothing happened';
type Names = Readonly<Record<string, Plausible>>;

/**
 * What kafka-python 2.3.2 has and this library doesn't:
 *
 * - `consumer-metrics` and `producer-metrics`: `select-rate`, `io-time-ns-avg`, `io-ratio`,
 *   `io-wait-time-ns-avg`, `io-wait-ratio`: they measure the loop around `select()` that kafka-python
 *   runs. There is none here: sockets are Node's, whose `performance.eventLoopUtilization()` tells
 *   the same of everything in the process.
 * - `kafka-metrics-count`: `count`, how many metrics are registered. There is no registry here: a
 *   snapshot is an object whose keys can be counted.
 */
const connections: Names = {
  'network-io-rate': 'positive',
  'outgoing-byte-rate': 'positive',
  'request-rate': 'positive',
  'request-size-avg': 'positive',
  'request-size-max': 'positive',
  'incoming-byte-rate': 'positive',
  'response-rate': 'positive',
  'request-latency-avg': 'positive',
  'request-latency-max': 'positive',
  'throttle-time-avg': 'positive',
  'throttle-time-max': 'positive',
  'connection-close-rate': 'positive',
  'connection-creation-rate': 'positive',
  'connection-count': 'positive',
};

const node: Names = {
  'outgoing-byte-rate': 'positive',
  'request-rate': 'positive',
  'request-size-avg': 'positive',
  'request-size-max': 'positive',
  'incoming-byte-rate': 'positive',
  'response-rate': 'positive',
  'request-latency-avg': 'positive',
  'request-latency-max': 'positive',
  'throttle-time-avg': 'positive',
  'throttle-time-max': 'positive',
};

/** kafka-python has these once more for each topic, with the topic as a tag. */
const fetchedTopic: Names = {
  'fetch-size-avg': 'positive',
  'fetch-size-max': 'positive',
  'bytes-consumed-rate': 'positive',
  'records-per-request-avg': 'positive',
  'records-consumed-rate': 'positive',
};

const consumerNames: Readonly<Record<string, Names>> = {
  'consumer-metrics': connections,
  'consumer-node-metrics.node-1': node,
  'consumer-fetch-manager-metrics': {
    ...fetchedTopic,
    'fetch-latency-avg': 'positive',
    'fetch-latency-max': 'positive',
    'fetch-rate': 'positive',
    'records-lag-max': 'positive',
  },
  [`consumer-fetch-manager-metrics.${TOPIC}`]: fetchedTopic,
  'consumer-coordinator-metrics': {
    'heartbeat-response-time-max': 'positive',
    'heartbeat-rate': 'positive',
    'last-heartbeat-seconds-ago': 'positive',
    'commit-latency-avg': 'positive',
    'commit-latency-max': 'positive',
    'commit-rate': 'positive',
    'assigned-partitions': 'positive',
    // Not kafka-python's, but Java's.
    'rebalance-latency-avg': 'positive',
    'rebalance-latency-max': 'positive',
    'rebalance-rate': 'positive',
  },
};

const joins = [
  'join-time-avg',
  'join-time-max',
  'join-rate',
  'sync-time-avg',
  'sync-time-max',
  'sync-rate',
] as const;

const producerNames: Readonly<Record<string, Names>> = {
  'producer-metrics': {
    ...connections,
    'batch-size-avg': 'positive',
    'batch-size-max': 'positive',
    'compression-rate-avg': 'positive',
    'record-queue-time-avg': 'positive',
    'record-queue-time-max': 'positive',
    'record-send-rate': 'positive',
    'records-per-request-avg': 'positive',
    'byte-rate': 'positive',
    'record-retry-rate': 'positive',
    'record-error-rate': 'positive',
    'record-size-max': 'positive',
    'record-size-avg': 'positive',
    'requests-in-flight': 'positive',
    'metadata-age': 'positive',
  },
  'producer-node-metrics.node-1': node,
  [`producer-topic-metrics.${TOPIC}`]: {
    'record-send-rate': 'positive',
    'byte-rate': 'positive',
    'compression-rate': 'positive',
    'record-retry-rate': 'positive',
    'record-error-rate': 'positive',
  },
};

function isPlausible(value: number | undefined, plausible: Plausible): boolean {
  if (value === undefined) return false;
  if (plausible === 'nothing happened') return Number.isNaN(value) || value === 0;
  return Number.isFinite(value) && value > 0;
}

/** The figures that are missing, or are not what they should be, as `group name value`. */
function oddities(metrics: Metrics, names: Readonly<Record<string, Names>>): string[] {
  return Object.entries(names).flatMap(([group, figures]) =>
    Object.entries(figures).flatMap(([name, plausible]) => {
      const value = metrics[group]?.[name];
      return isPlausible(value, plausible) ? [] : [`${group} ${name} ${value}`];
    }),
  );
}

/** On virtual time an answer takes none, unless it is held back. */
function slow(sim: Simulation, ...apis: readonly string[]): void {
  for (const api of apis) {
    sim.cluster.delay(api as 'Fetch', 5);
    sim.cluster.throttle(api as 'Fetch', 5);
  }
}

/** A consumer that has fetched, joined, beaten, committed, and fallen behind. */
async function busyConsumer(sim: Simulation, protocol: 'classic' | 'consumer'): Promise<Consumer> {
  fill(sim, TOPIC, 0, 40);
  slow(sim, 'Fetch', 'OffsetCommit', 'Heartbeat', 'ConsumerGroupHeartbeat', 'JoinGroup');
  slow(sim, 'SyncGroup');
  sim.cluster.drop('Fetch', 1);
  const consumer = sim.kafka().consumer({
    groupId: GROUP,
    groupProtocol: protocol,
    autoOffsetReset: 'earliest',
    autoCommitIntervalMs: 500,
    maxUnackedRecords: 10,
  });
  const seen = new Seen<ConsumerRecord>(consumer.records(TOPIC));
  await sim.until(() => seen.values.length === 10);
  for (const record of seen.values.slice(0, 5)) record.ack();
  await sim.until(() => committed(sim.cluster, GROUP, TOPIC) === 5);
  await sim.advance(10_000);
  return consumer;
}

/** A producer that has sent, retried, failed, and waits for an answer. */
async function busyProducer(sim: Simulation): Promise<Producer> {
  slow(sim, 'Produce');
  const producer = sim.kafka().producer({ compressionType: 'gzip' });
  const send = (value: string) => producer.send({ topic: TOPIC, partition: 0, value });
  sim.cluster.failNext('Produce', 'NOT_ENOUGH_REPLICAS');
  await sim.run(Promise.all(['one', 'two', 'three'].map(send)));
  sim.cluster.failNext('Produce', 'TOPIC_AUTHORIZATION_FAILED');
  await sim.run(rejectionOf(send('four')));
  sim.cluster.drop('Produce', 1);
  await sim.run(send('five'));
  sim.cluster.delay('Produce', 1000);
  send('six').catch(() => undefined);
  await sim.advance(100);
  return producer;
}

const start = () => Simulation.start({ topics: { [TOPIC]: 2 } });

describe('the figures of a consumer have kafka-python’s names, and are plausible', () => {
  it('in a group of the classic protocol', async () => {
    await using sim = await start();
    const metrics = (await busyConsumer(sim, 'classic')).metrics();
    const positive = Object.fromEntries(joins.map((name) => [name, 'positive' as const]));
    const names = { 'consumer-coordinator-metrics': positive };
    expect([...oddities(metrics, consumerNames), ...oddities(metrics, names)]).toEqual([]);
    expect(metrics['consumer-fetch-manager-metrics']).toMatchObject({
      'records-consumed-total': 15,
      'records-lag-max': 25,
    });
    expect(metrics['consumer-coordinator-metrics']).toMatchObject({
      'assigned-partitions': 2,
      'rebalance-total': 1,
      'join-total': 1,
      'sync-total': 1,
    });
  });

  it('in a group of the new protocol, which knows neither joins nor syncs', async () => {
    await using sim = await start();
    const metrics = (await busyConsumer(sim, 'consumer')).metrics();
    const none = Object.fromEntries(joins.map((name) => [name, 'nothing happened' as const]));
    const names = { 'consumer-coordinator-metrics': none };
    expect([...oddities(metrics, consumerNames), ...oddities(metrics, names)]).toEqual([]);
    expect(metrics['consumer-coordinator-metrics']).toMatchObject({ 'rebalance-total': 1 });
  });

  it('before anything has happened: rates and totals are 0, times unknown', async () => {
    await using sim = await start();
    const metrics = sim.kafka().consumer({ groupId: GROUP }).metrics();
    const { 'consumer-coordinator-metrics': group, 'consumer-fetch-manager-metrics': fetches } =
      metrics;
    for (const figure of [...Object.values(group!), ...Object.values(fetches!)]) {
      expect(isPlausible(figure, 'nothing happened')).toBe(true);
    }
  });
});

it('the figures of a producer have kafka-python’s names, and are plausible', async () => {
  await using sim = await start();
  const metrics = (await busyProducer(sim)).metrics();
  expect(oddities(metrics, producerNames)).toEqual([]);
  expect(metrics['producer-metrics']).toMatchObject({
    'requests-in-flight': 1,
    'record-retry-total': 4,
    'record-error-total': 1,
  });
});

it('heartbeats are counted, and said how long ago they were', async () => {
  await using sim = await start();
  const consumer = await busyConsumer(sim, 'classic');
  const beats = () => consumer.metrics()['consumer-coordinator-metrics']!;
  const { 'heartbeat-total': before } = beats();
  await sim.advance(30_000);
  expect(beats()['heartbeat-total']).toBe(before! + 10);
  expect(beats()['last-heartbeat-seconds-ago']).toBeLessThan(3);
  sim.cluster.clearFaults();
  sim.cluster.delay('Heartbeat', 20_000);
  await sim.advance(20_000);
  expect(beats()['last-heartbeat-seconds-ago']).toBeGreaterThan(15);
});

it('a rebalance lasts from when a member hears of it until it has its place again', async () => {
  await using sim = await start();
  const consumer = await busyConsumer(sim, 'classic');
  const second = sim.kafka().consumer({ groupId: GROUP, groupProtocol: 'classic', ack: 'auto' });
  new Seen(second.records(TOPIC));
  await sim.until(() => second.assignment.length === 1);
  const figures = () => consumer.metrics()['consumer-coordinator-metrics']!;
  await sim.until(() => figures()['rebalance-total'] === 2);
  // Records in hand were waited for.
  expect(figures()['rebalance-latency-max']).toBeGreaterThan(1000);
});

it('two consumers of one client count their own connections, and the client counts all', async () => {
  await using sim = await start();
  fill(sim, TOPIC, 0, 5);
  const kafka = sim.kafka();
  const [busy, idle] = [kafka.consumer({ ack: 'auto' }), kafka.consumer({ ack: 'auto' })];
  const seen = new Seen(
    busy.records({ partitions: [{ topic: TOPIC, partition: 0, start: 'beginning' }] }),
  );
  await sim.until(() => seen.values.length === 5);
  const requests = busy.metrics()['consumer-metrics']!['request-total']!;
  expect(requests).toBeGreaterThan(0);
  expect(idle.metrics()['consumer-metrics']).toMatchObject({ 'request-total': 0 });
  expect(kafka.metrics()['client-metrics']!['request-total']).toBeGreaterThan(requests);
});

describe('docs/metrics.md', () => {
  const text = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8');
  const documented = new Set(
    [...text.matchAll(/^\| ((?:`[^`]+`(?:, )?)+) +\|/gm)].flatMap(([, cell = '']) =>
      [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
    ),
  );

  it('explains every figure that there is, and none that there isn’t', async () => {
    await using sim = await start();
    const consumer = await busyConsumer(sim, 'classic');
    const producer = await busyProducer(sim);
    const given = [consumer.metrics(), producer.metrics(), sim.kafka().metrics()].flatMap(
      (metrics) => Object.values(metrics).flatMap((group) => Object.keys(group)),
    );
    expect([...documented].sort()).toEqual([...new Set(given)].sort());
  });
});
