import { KAFKA, PARTITIONS, startBroker } from './broker.js';
import { clientNames } from './clients/index.js';
import { inTurns, latencyTable, RATE, ROUNDS, WARM_UP_MS, WARM_UPS } from './latency.js';
import type { Latency, Offer } from './produce-run.js';
import { report, versionOf } from './report.js';
import { measure, offersOf, RX, type Row } from './rows.js';

const MODULE = './produce-run.js';
const TOPIC = 'latency';
const ROUND_MS = 6000;

/** From send to acknowledgement at a steady rate, beside other clients, in turns. */
export async function run(): Promise<void> {
  const { offers, missing } = await offersOf<Offer>(clientNames, MODULE);
  await using broker = await startBroker();
  const { bootstrapServers } = broker;
  await broker.createTopic(TOPIC, { partitions: PARTITIONS });
  const rows = await compare([...offers.keys()], bootstrapServers);
  const versions = [...offers.keys()].filter((name) => name !== RX);
  report('produce-latency', [
    `Kafka ${KAFKA} in a JVM of 1 GiB on the same machine; ${RATE.toLocaleString('en')} records/s of ` +
      `100 B to ${PARTITIONS} partitions, idempotent with acks=all, no linger; from send() to its ` +
      `acknowledgement. ${ROUNDS} runs of ${ROUND_MS / 1000} s each, in turns, after ${WARM_UPS} that is ` +
      `not counted: medians, and the worst p99. Each is a process of its own, which has worked for ` +
      `${WARM_UP_MS / 1000} s before. ` +
      `${versions.map((name) => `${name} ${versionOf(name)}`).join(', ')}.`,
    ...(missing.length > 0 ? ['', `Not built here: ${missing.join('; ')}.`] : []),
    '',
    ...latencyTable(rows),
    '',
  ]);
}

async function compare(
  clients: readonly string[],
  bootstrapServers: string,
): Promise<Row<Latency>[]> {
  const rows = clients.map((client): Row<Latency> => ({
    client,
    way: 'send()',
    settings: '',
    runs: [],
    failure: undefined,
  }));
  const setup = {
    bootstrapServers,
    topic: TOPIC,
    valueBytes: 100,
    compression: 'none',
    goal: 'latency',
  } as const;
  await inTurns(rows, (row) => {
    const args = [row.client, setup, RATE, { warmUpMs: WARM_UP_MS, ms: ROUND_MS }];
    return measure(row, { module: MODULE, call: 'latency', args });
  });
  return rows;
}
