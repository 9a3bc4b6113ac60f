import { KAFKA, PARTITIONS, startBroker } from './broker.js';
import type { Compression, ProducerSetup } from './clients/client.js';
import { clientNames } from './clients/index.js';
import { javaSettings, producerPerformance } from './java.js';
import { median } from './measure.js';
import type { Offer, Throughput } from './produce-run.js';
import { report, table, versionOf } from './report.js';
import { failuresOf, measure, offersOf, RX, type Row } from './rows.js';

const JAVA = 'Java';
const TOPIC = 'bench';
const MODULE = './produce-run.js';
const ROUND_MS = 2000;
/** The cases that there is a target for are run more often. */
const CASES: readonly { valueBytes: number; compression: Compression; rounds: number }[] = [
  { valueBytes: 100, compression: 'none', rounds: 3 },
  { valueBytes: 1000, compression: 'lz4', rounds: 3 },
  { valueBytes: 1000, compression: 'none', rounds: 1 },
  { valueBytes: 1000, compression: 'zstd', rounds: 1 },
  { valueBytes: 100, compression: 'lz4', rounds: 1 },
  { valueBytes: 100, compression: 'zstd', rounds: 1 },
];

/** Producing to a real broker, beside other clients and Java, each run in a process of its own. */
export async function run(): Promise<void> {
  const { offers, missing } = await offersOf<Offer>(clientNames, MODULE);
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
    // What there is is kept, should a later part fail.
    report('produce', lines);
  }
}

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
    '"One by one": a call a record, and, but for asStream, a confirmation of each. kafkajs and ' +
      '@platformatic/kafka make a request of each send(), about a thousand a second when idempotent: ' +
      'these rows are left out.',
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
      rows.push({ client, way, settings, runs: [], failure: undefined });
    }
  }
  const java: Row<Throughput> = {
    client: JAVA,
    way: 'ProducerPerformance',
    settings: javaSettings,
    runs: [],
    failure: undefined,
  };
  for (let round = 0; round < rounds; round++) {
    for (const row of rows) {
      const args = [row.client, row.way, setup, ROUND_MS];
      await measure(row, { module: MODULE, call: 'throughput', args });
    }
    const records = setup.valueBytes > 500 ? 600_000 : 3_000_000;
    java.runs.push(await producerPerformance(KAFKA, setup, { records, warmUp: records / 3 }));
  }
  return [...rows, java];
}

function throughputTable(rows: readonly Row<Throughput>[], rounds: number): string[] {
  const rate = ({ runs }: Row<Throughput>) => median(runs.map((run) => run.recordsPerSecond));
  const cpu = ({ runs }: Row<Throughput>) => median(runs.map((run) => run.cpuUsPerRecord));
  const rss = ({ runs }: Row<Throughput>) => Math.max(...runs.map((run) => run.peakRssMiB));
  const measured = rows.filter(({ failure }) => failure === undefined);
  const cells = measured.map((row) => [
    row.client,
    row.way,
    isOneByOne(row) ? 'one by one' : 'arrays',
    `${(rate(row) / 1000).toFixed(0)} k`,
    cpu(row).toFixed(2),
    rss(row).toFixed(0),
    row.settings,
  ]);
  const head = ['client', 'API', '', 'records/s', 'CPU us/record', 'peak RSS MiB', 'settings'];
  const peers = measured.filter((row) => ![RX, JAVA].includes(row.client) && isOneByOne(row));
  const find = (client: string, way: string) =>
    rows.find((row) => row.client === client && row.way === way)!;
  const best = Math.max(...peers.map(rate));
  const bestOfAll = Math.max(
    ...measured.filter(({ client }) => ![RX, JAVA].includes(client)).map(rate),
  );
  const leanest = Math.min(...peers.map(cpu));
  const toTopic = find(RX, 'toTopic');
  const send = find(RX, 'send()');
  const java = find(JAVA, 'ProducerPerformance');
  const times = (a: number, b: number) => (peers.length > 0 ? `${(a / b).toFixed(2)} x` : '-');
  return [
    ...table(head, cells),
    '',
    `Against the best Node client one by one (of ${rounds}): toTopic ${times(rate(toTopic), best)} its ` +
      `records/s and ${times(cpu(toTopic), leanest)} the leanest one's CPU; send() ` +
      `${times(rate(send), best)} its records/s. toTopic against the best with arrays or without: ` +
      `${times(rate(toTopic), bestOfAll)}; against Java: ` +
      `${(rate(toTopic) / rate(java)).toFixed(2)} x.`,
    ...failuresOf(rows),
  ];
}

/** The others take arrays. */
function isOneByOne({ way }: Row<Throughput>): boolean {
  return !/ of [\d,]+$/.test(way);
}
