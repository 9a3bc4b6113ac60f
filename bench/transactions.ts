import type { KafkaCluster } from '../test/support/kafka/cluster.js';
import { brokerCpuUs } from './broker-cpu.js';
import { KAFKA, PARTITIONS, startBroker } from './broker.js';
import { inChild } from './child.js';
import { transactionalMessageCopier } from './java.js';
import { median } from './measure.js';
import { report, table, versionOf } from './report.js';
import { failuresOf, measureBy, RX, type Row } from './rows.js';
import type { Copied, CopySetup } from './transactions-run.js';

const MODULE = './transactions-run.js';
const VALUE_BYTES = 100;
const ROUNDS = 3;
/** A lane for each partition. */
const CONCURRENCY = PARTITIONS;
/** Enough transactions for code to be as fast as it gets; fewer of those that take as long. */
const CASES = [
  { transactionSize: 100, records: 150_000 },
  { transactionSize: 1000, records: 2_000_000 },
  { transactionSize: 10_000, records: 2_000_000 },
] as const;

/** What one run has cost, on both sides. */
interface CopiedWithBroker extends Copied {
  readonly brokerCpuUsPerRecord: number;
}

interface CopyRow extends Row<CopiedWithBroker> {
  readonly call: 'rxTransactional' | 'rxPlain' | 'kafkajs' | 'java';
  readonly concurrency: number;
  /** Of the records, for those that would take minutes. */
  readonly part: number;
}

/** Copying by transactions of several sizes, beside a copy without, kafkajs and Java. */
export async function run(): Promise<void> {
  await using broker = await startBroker();
  const { bootstrapServers } = broker;
  const lines = [
    `Kafka ${KAFKA} (transaction.version 2) in a JVM of 1 GiB on the same machine, one broker; a topic ` +
      `of ${PARTITIONS} partitions with values of ${VALUE_BYTES} B is copied to another by one member. ` +
      'Each run is a process and a group of its own; its first tenth warms up. Runs are interleaved, ' +
      `medians of ${ROUNDS} given. rx-kafka: maxUnackedRecords for two transactions, batchSize 256 KiB; ` +
      `kafkajs ${versionOf('kafkajs')}: a transaction for so many records of a batch, so of one ` +
      'partition; Java: TransactionalMessageCopier, of one partition, with the start of the JVM. kafkajs ' +
      'and Java copy a part of the records only. The CPU of the broker is that of the whole run.',
    '',
  ];
  const config = { 'retention.bytes': -1 };
  for (const { transactionSize, records } of CASES) {
    const from = `from-${transactionSize}`;
    const to = `to-${transactionSize}`;
    await broker.createTopic(from, { partitions: PARTITIONS, config });
    await broker.createTopic(to, { partitions: PARTITIONS });
    const fill = { records, valueBytes: VALUE_BYTES, compression: 'none' };
    const args = [bootstrapServers, from, fill];
    await inChild({ module: './consume-run.js', call: 'fill', args });
    const setup = { bootstrapServers, from, to, records, transactionSize };
    const rows = await compare(broker, setup);
    lines.push(`### ${transactionSize.toLocaleString('en')} records a transaction`, '');
    lines.push(...summary(rows), '');
    report('transactions', lines);
  }
}

let groups = 0;

async function compare(
  broker: KafkaCluster,
  setup: Omit<CopySetup, 'groupId'>,
): Promise<CopyRow[]> {
  const row = (
    client: string,
    way: string,
    call: CopyRow['call'],
    { concurrency = 1, part = 1 } = {},
  ): CopyRow => {
    const rest = { settings: '', runs: [], failure: undefined };
    return { client, way, call, concurrency, part, ...rest };
  };
  const rows = [
    row(RX, `transactional, concurrency ${CONCURRENCY}`, 'rxTransactional', {
      concurrency: CONCURRENCY,
    }),
    row(RX, 'transactional', 'rxTransactional'),
    row(RX, 'toTopic, no transactions', 'rxPlain'),
    row('kafkajs', 'eachBatch', 'kafkajs', { part: 0.2 }),
    // It has one partition, a sixth of them.
    row('Java', 'TransactionalMessageCopier', 'java', { part: 0.05 }),
  ];
  for (let round = 0; round < ROUNDS; round++) {
    for (const each of rows) {
      const { concurrency, part } = each;
      const records = setup.records * part;
      const before = brokerCpuUs(broker);
      await measureBy(each, async () => {
        const groupId = `bench-${++groups}`;
        const copied = await copy(each, { ...setup, records, concurrency, groupId });
        return { ...copied, brokerCpuUsPerRecord: (brokerCpuUs(broker) - before) / records };
      });
    }
  }
  return rows;
}

function copy({ call }: CopyRow, setup: CopySetup): Promise<Copied> {
  if (call === 'java') return transactionalMessageCopier(KAFKA, setup);
  return inChild({ module: MODULE, call, args: [setup] });
}

function summary(rows: readonly CopyRow[]): string[] {
  const rate = ({ runs }: CopyRow) => median(runs.map((run) => run.recordsPerSecond));
  const cpu = ({ runs }: CopyRow) => median(runs.map((run) => run.cpuUsPerRecord));
  const brokers = ({ runs }: CopyRow) => median(runs.map((run) => run.brokerCpuUsPerRecord));
  const cells = rows
    .filter(({ failure }) => failure === undefined)
    .map((row) => [
      row.client,
      row.way,
      `${(rate(row) / 1000).toFixed(1)} k`,
      cpu(row).toFixed(1),
      brokers(row).toFixed(1),
    ]);
  const [concurrent, single, plain, kafkajs] = rows;
  const ratio = (ours: CopyRow | undefined, other: CopyRow | undefined) =>
    ours === undefined || other === undefined || other.runs.length === 0
      ? '(not measured)'
      : `${(rate(ours) / rate(other)).toFixed(2)} x`;
  return [
    ...table(['client', 'way', 'records/s', 'CPU us/record', 'broker CPU us/record'], cells),
    '',
    `transactional: ${ratio(single, kafkajs)} kafkajs, ${ratio(single, plain)} the copy without ` +
      `transactions; with concurrency ${CONCURRENCY}: ${ratio(concurrent, kafkajs)} and ` +
      `${ratio(concurrent, plain)}.`,
    ...failuresOf(rows),
  ];
}
