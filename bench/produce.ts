import { KAFKA, PARTITIONS, startBroker } from './broker.js';
import { inChild } from './child.js';
import type { Compression, ProducerSetup } from './clients/client.js';
import { clientNames } from './clients/index.js';
import { javaSettings, producerPerformance } from './java.js';
import { median } from './measure.js';
import type { Latency, Offer, Throughput } from './produce-run.js';
import { report, table, versionOf } from './report.js';

const RX = 'rx-kafka';
const TOPIC = 'bench';
const MODULE = './produce-run.js';
const ROUND_MS = 2500;
const RATE = 1000;
const LATENCY_MS = 4000;
/** The cases that there is a target for are run more often. */
const CASES: readonly { valueBytes: number; compression: Compression; rounds: number }[] = [
  { valueBytes: 100, compression: 'none', rounds: 3 },
  { valueBytes: 1000, compression: 'lz4', rounds: 3 },
  { valueBytes: 1000, compression: 'none', rounds: 1 },
  { valueBytes: 1000, compression: 'zstd', rounds: 1 },
  { valueBytes: 100, compression: 'lz4', rounds: 1 },
  { valueBytes: 100, compression: 'zstd', rounds: 1 },
];
const LATENCY_ROUNDS = 3;

interface Row<T> {
  readonly client: string;
  readonly way: string;
  readonly isOneByOne: boolean;
  readonly settings: string;
  readonly runs: T[];
}

/** Producing to a real broker, beside other clients and Java, each run in a process of its own. */
export async function run(): Promise<void> {
  const missing: string[] = [];
  const offers = new Map<string, Offer>();
  for (const name of clientNames) {
    try {
      offers.set(name, await inChild<Offer>({ module: MODULE, call: 'offerOf', args: [name] }));
    } catch (error) {
      missing.push(`${name} (${String(error).split('\n')[0]})`);
    }
  }
  await using broker = await startBroker();
  await broker.createTopic(TOPIC, { partitions: PARTITIONS });
  const { bootstrapServers } = broker;
  const setup = { bootstrapServers, topic: TOPIC };
  const lines = introduction([...offers.keys()], missing);
  for (const { valueBytes, compression, rounds } of CASES) {
    const full = { ...setup, valueBytes, compression, goal: 'throughput' } as const;
    const rows = await compareThroughput(offers, full, rounds);
    lines.push(`### ${valueBytes.toLocaleString('en')} B, ${compression}`, '');
    lines.push(...throughputTable(rows, rounds), '');
  }
  const rows = await compareLatency(offers, { ...setup, ...LATENCY_SETUP });
  lines.push(`### latency at ${RATE.toLocaleString('en')} records/s, 100 B, linger 0`, '');
  lines.push(...latencyTable(rows), '');
  report('produce', lines);
}

const LATENCY_SETUP = { valueBytes: 100, compression: 'none', goal: 'latency' } as const;

function introduction(clients: readonly string[], missing: readonly string[]): string[] {
  const versions = clients
    .filter((name) => name !== RX)
    .map((name) => `${name} ${versionOf(name)}`);
  return [
    `Kafka ${KAFKA} in a JVM of 1 GiB on the same machine, one broker, a topic of ${PARTITIONS} ` +
      `partitions, everyone idempotent with acks=all; keys of 16 B (Java's tool has none), values ` +
      `of random capital letters. Each run is a process of its own: ${ROUND_MS / 1000} s after a ` +
      `warm-up, until all is acknowledged; runs are interleaved, medians given. ${versions.join(', ')}.`,
    ...(missing.length > 0 ? ['', `Not built here: ${missing.join('; ')}.`] : []),
    '',
    '"One by one": a call a record, and, but for asStream, a confirmation of each.',
    '',
  ];
}

async function compareThroughput(
  offers: ReadonlyMap<string, Offer>,
  setup: ProducerSetup,
  rounds: number,
): Promise<Row<Throughput>[]> {
  const rows: Row<Throughput>[] = [];
  for (const [client, { ways, compressions }] of offers) {
    if (!compressions.includes(setup.compression)) continue;
    for (const [way, settings] of Object.entries(ways)) {
      rows.push({ client, way, settings, isOneByOne: !/of [\d,]{2,}$/.test(way), runs: [] });
    }
  }
  const java: Row<Throughput> = {
    client: 'Java',
    way: 'ProducerPerformance',
    isOneByOne: true,
    settings: javaSettings,
    runs: [],
  };
  for (let round = 0; round < rounds; round++) {
    for (const { client, way, runs } of rows) {
      const args = [client, way, setup, ROUND_MS];
      runs.push(await inChild<Throughput>({ module: MODULE, call: 'throughput', args }));
    }
    const records = setup.valueBytes > 500 ? 700_000 : 3_000_000;
    java.runs.push(await producerPerformance(KAFKA, setup, { records, warmUp: records / 3 }));
  }
  return [...rows, java];
}

async function compareLatency(
  offers: ReadonlyMap<string, Offer>,
  setup: ProducerSetup,
): Promise<Row<Latency>[]> {
  const rows = [...offers.keys()].map((client): Row<Latency> => ({
    client,
    way: '',
    isOneByOne: true,
    settings: '',
    runs: [],
  }));
  for (let round = 0; round < LATENCY_ROUNDS; round++) {
    for (const { client, runs } of rows) {
      const args = [client, setup, RATE, LATENCY_MS];
      runs.push(await inChild<Latency>({ module: MODULE, call: 'latency', args }));
    }
  }
  return rows;
}

function throughputTable(rows: readonly Row<Throughput>[], rounds: number): string[] {
  const rate = ({ runs }: Row<Throughput>) => median(runs.map((run) => run.recordsPerSecond));
  const cpu = ({ runs }: Row<Throughput>) => median(runs.map((run) => run.cpuUsPerRecord));
  const rss = ({ runs }: Row<Throughput>) => Math.max(...runs.map((run) => run.peakRssMiB));
  const cells = rows.map((row) => [
    row.client,
    row.way,
    row.isOneByOne ? 'one by one' : 'arrays',
    `${(rate(row) / 1000).toFixed(0)} k`,
    cpu(row).toFixed(2),
    rss(row).toFixed(0),
    row.settings,
  ]);
  const head = ['client', 'API', '', 'records/s', 'CPU us/record', 'peak RSS MiB', 'settings'];
  const peers = rows.filter(
    ({ client, isOneByOne }) => client !== RX && client !== 'Java' && isOneByOne,
  );
  const find = (client: string, way: string) =>
    rows.find((row) => row.client === client && row.way === way)!;
  const best = Math.max(...peers.map(rate));
  const leanest = Math.min(...peers.map(cpu));
  const toTopic = find(RX, 'toTopic');
  const send = find(RX, 'send()');
  const java = find('Java', 'ProducerPerformance');
  const times = (a: number, b: number) => (peers.length > 0 ? `${(a / b).toFixed(2)} x` : '-');
  return [
    ...table(head, cells),
    '',
    `Against the best Node client one by one (of ${rounds}): toTopic ${times(rate(toTopic), best)} its ` +
      `records/s and ${times(cpu(toTopic), leanest)} the leanest one's CPU; send() ` +
      `${times(rate(send), best)} its records/s. toTopic against Java: ` +
      `${(rate(toTopic) / rate(java)).toFixed(2)} x.`,
  ];
}

function latencyTable(rows: readonly Row<Latency>[]): string[] {
  const cells = rows.map(({ client, runs }) => [
    client,
    median(runs.map(({ p50Ms }) => p50Ms)).toFixed(2),
    median(runs.map(({ p99Ms }) => p99Ms)).toFixed(2),
  ]);
  return table(['client', 'p50 ms', 'p99 ms'], cells);
}
