import { KAFKA, PARTITIONS, startBroker } from './broker.js';
import { inChild } from './child.js';
import { clientNames } from './clients/index.js';
import type { ConsumeOffer } from './consume-run.js';
import { consumerLatency } from './java.js';
import { inTurns, latencyTable, RATE, ROUNDS, WARM_UP_MS, WARM_UPS } from './latency.js';
import type { Latency } from './produce-run.js';
import { report, versionOf } from './report.js';
import { measure, offersOf, RX, type Row } from './rows.js';

const MODULE = './consume-run.js';
const TOPIC = 'latency';
const ROUND_MS = 5000;
/** Joining a group takes some three seconds of it. */
const CONSUMER_WARM_UP_MS = 3000 + WARM_UP_MS;
const MAX_PACE_MS = 900_000;

/** From sending to arrival at a steady rate, beside other clients and Java, in turns. */
export async function run(): Promise<void> {
  const { offers, missing } = await offersOf<ConsumeOffer>(clientNames, MODULE);
  await using broker = await startBroker();
  const { bootstrapServers } = broker;
  await broker.createTopic(TOPIC, { partitions: PARTITIONS });
  const rows = await compare(offers, bootstrapServers);
  const versions = [...offers.keys()].filter((name) => name !== RX);
  report('consume-latency', [
    `Kafka ${KAFKA} in a JVM of 1 GiB on the same machine; ${RATE.toLocaleString('en')} records/s of ` +
      `100 B to ${PARTITIONS} partitions, from one producer without linger in a process of its own; one ` +
      `member in a group of its own with the defaults of its client. ${ROUNDS} runs of ` +
      `${ROUND_MS / 1000} s each, in turns, after ${WARM_UPS} that is not counted: medians, and the worst ` +
      `p99. Each is a process of its own, which joins and works for ${CONSUMER_WARM_UP_MS / 1000} s before. ` +
      `${versions.map((name) => `${name} ${versionOf(name)}`).join(', ')}.`,
    ...(missing.length > 0 ? ['', `Not built here: ${missing.join('; ')}.`] : []),
    '',
    ...latencyTable(rows),
    '',
  ]);
}

async function compare(
  offers: ReadonlyMap<string, ConsumeOffer>,
  bootstrapServers: string,
): Promise<Row<Latency>[]> {
  const rows = [...offers].map(([client, { ways }]): Row<Latency> => {
    const [way, { settings }] = Object.entries(ways)[0]!;
    return { client, way, settings, runs: [], failure: undefined };
  });
  const java: Row<Latency> = {
    client: 'Java',
    way: 'poll()',
    settings: 'defaults',
    runs: [],
    failure: undefined,
  };
  const enough = new AbortController();
  const paceFor = { ratePerSecond: RATE, ms: MAX_PACE_MS };
  const pacer = inChild(
    { module: MODULE, call: 'pace', args: [bootstrapServers, TOPIC, paceFor] },
    { timeoutMs: MAX_PACE_MS, signal: enough.signal },
  );
  // It is ended, not awaited; were it to fail, the consumers would miss their records and say so.
  pacer.catch(() => undefined);
  const all = [...rows, java];
  await inTurns(all, async (row, round) => {
    const { client, way } = row;
    const groupId = `${client.replaceAll(/\W/g, '-')}-${round}`;
    const setup = { bootstrapServers, topic: TOPIC, groupId };
    const times = { warmUpMs: CONSUMER_WARM_UP_MS, ms: ROUND_MS };
    const args = [client, way, setup, times];
    if (row === java) row.runs.push(await consumerLatency(KAFKA, setup, times));
    else await measure(row, { module: MODULE, call: 'latency', args });
  });
  enough.abort();
  return all;
}
