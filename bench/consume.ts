import { KAFKA, PARTITIONS, startBroker } from './broker.js';
import { inChild } from './child.js';
import type { Compression } from './clients/client.js';
import { clientNames } from './clients/index.js';
import type { ConsumeOffer, Intaken } from './consume-run.js';
import { consumerPerformance } from './java.js';
import { median } from './measure.js';
import { report, table, versionOf } from './report.js';
import { failuresOf, measure, offersOf, RX, type Row } from './rows.js';

const MODULE = './consume-run.js';
const ROUND_MS = 2500;
/** The cases that there is a target for are run more often. */
const CASES: readonly Case[] = [
  { valueBytes: 100, compression: 'none', records: 5_000_000, rounds: 3 },
  { valueBytes: 1000, compression: 'lz4', records: 1_000_000, rounds: 3 },
  { valueBytes: 1000, compression: 'zstd', records: 1_000_000, rounds: 1 },
];

interface Case {
  readonly valueBytes: number;
  readonly compression: Compression;
  readonly records: number;
  readonly rounds: number;
}

interface ConsumeRow<T> extends Row<T> {
  readonly delivers: 'records' | 'arrays';
}

/** Consuming from a real broker, beside other clients and Java, each run in a process of its own. */
export async function run(): Promise<void> {
  const { offers, missing } = await offersOf<ConsumeOffer>(clientNames, MODULE);
  await using broker = await startBroker();
  const { bootstrapServers } = broker;
  const lines = introduction([...offers.keys()], missing);
  for (const what of CASES) {
    const topic = `bench-${what.valueBytes}-${what.compression}`;
    // Nothing of it may be forgotten before it is read.
    const config = { 'retention.bytes': -1 };
    await broker.createTopic(topic, { partitions: PARTITIONS, config });
    await inChild({ module: MODULE, call: 'fill', args: [bootstrapServers, topic, what] });
    const rows = await compareConsuming(offers, bootstrapServers, topic, what);
    lines.push(`### ${what.valueBytes.toLocaleString('en')} B, ${what.compression}`, '');
    lines.push(...consumingTable(rows, what.rounds), '');
    // What there is is kept, should a later part fail.
    report('consume', lines);
  }
}

function introduction(clients: readonly string[], missing: readonly string[]): string[] {
  const versions = clients
    .filter((name) => name !== RX)
    .map((name) => `${name} ${versionOf(name)}`);
  return [
    `Kafka ${KAFKA} in a JVM of 1 GiB on the same machine, one broker, a topic of ${PARTITIONS} ` +
      'partitions that is full beforehand, one member in a group of its own with automatic commits; ' +
      'keys of 16 B, values of random capital letters, every value looked at. Each run is a process of ' +
      `its own: up to ${ROUND_MS / 1000} s after a warm-up; runs are interleaved, medians given. ` +
      `rx-kafka and the librdkafka clients have checked CRCs as they do by default. ${versions.join(', ')}.`,
    ...(missing.length > 0 ? ['', `Not built here: ${missing.join('; ')}.`] : []),
    '',
  ];
}

let groups = 0;
const setupOf = (bootstrapServers: string, topic: string) => ({
  bootstrapServers,
  topic,
  groupId: `bench-${++groups}`,
});

async function compareConsuming(
  offers: ReadonlyMap<string, ConsumeOffer>,
  bootstrapServers: string,
  topic: string,
  { compression, records, rounds }: Case,
): Promise<ConsumeRow<Intaken>[]> {
  const rows = [...offers]
    .filter(([, { decompressions }]) => decompressions.includes(compression))
    .flatMap(([client, { ways }]) =>
      Object.entries(ways).map(([way, about]): ConsumeRow<Intaken> => ({
        client,
        way,
        ...about,
        runs: [],
        failure: undefined,
      })),
    );
  const settings = 'defaults; CPU with the start of the JVM';
  const java: ConsumeRow<Intaken> = {
    client: 'Java',
    way: 'ConsumerPerformance',
    delivers: 'records',
    settings,
    runs: [],
    failure: undefined,
  };
  for (let round = 0; round < rounds; round++) {
    for (const row of rows) {
      const setup = setupOf(bootstrapServers, topic);
      const args = [row.client, row.way, setup, { records, ms: ROUND_MS }];
      await measure(row, { module: MODULE, call: 'consume', args });
    }
    java.runs.push(await consumerPerformance(KAFKA, setupOf(bootstrapServers, topic), records));
  }
  return [...rows, java];
}

function consumingTable(rows: readonly ConsumeRow<Intaken>[], rounds: number): string[] {
  const rate = ({ runs }: ConsumeRow<Intaken>) => median(runs.map((run) => run.recordsPerSecond));
  const cpu = ({ runs }: ConsumeRow<Intaken>) => median(runs.map((run) => run.cpuUsPerRecord));
  const measured = rows.filter(({ failure }) => failure === undefined);
  const cells = measured.map((row) => [
    row.client,
    row.way,
    row.delivers === 'records' ? 'one by one' : 'arrays',
    `${(rate(row) / 1000).toFixed(0)} k`,
    cpu(row).toFixed(2),
    Math.max(...row.runs.map((run) => run.peakRssMiB)).toFixed(0),
    row.client === 'Java' ? '' : median(row.runs.map((run) => run.eventLoopDelayP99Ms)).toFixed(1),
    row.settings,
  ]);
  const head = [
    ...['client', 'API', '', 'records/s', 'CPU us/record', 'peak RSS MiB'],
    ...['event loop p99 ms', 'settings'],
  ];
  const peers = (delivers: string) =>
    rows.filter(
      ({ client, ...row }) => row.delivers === delivers && !['Java', RX].includes(client),
    );
  const ours = (way: string) => rows.find((row) => row.client === RX && row.way === way)!;
  const best = Math.max(...peers('records').map(rate));
  const bestArrays = Math.max(...peers('arrays').map(rate));
  const leanest = Math.min(...peers('records').map(cpu));
  const operators = ours('three operators');
  return [
    ...table(head, cells),
    '',
    `Against the best Node client (of ${rounds}): three operators ${ratio(rate(operators), best)} its ` +
      `records/s one by one and ${ratio(cpu(operators), leanest)} the leanest one's CPU; arrays ` +
      `${ratio(rate(ours('fromFetches')), bestArrays)}. Three operators against Java: ` +
      `${ratio(rate(operators), rate(rows.at(-1)!))}.`,
    ...failuresOf(rows),
  ];
}

function ratio(a: number, b: number): string {
  return Number.isFinite(b) ? `${(a / b).toFixed(2)} x` : '(nobody to compare with)';
}
