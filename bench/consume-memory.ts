import type { ConsumerOptions } from '../src/index.js';
import { PARTITIONS, startBroker } from './broker.js';
import { inChild } from './child.js';
import type { Pipeline, StalledRun } from './consume-memory-run.js';
import { report, table } from './report.js';

const MODULE = './consume-memory-run.js';
const TOPIC = 'bench';
const MIB = 1024 * 1024;
const GIGABYTES = 5;
const VALUE_BYTES = 10_000;
const RECORDS = (GIGABYTES * 1e9) / VALUE_BYTES;
const STALL_MS = 20_000;
const FILL_TIMEOUT_MS = 600_000;
const ALLOWED_MIB = 100;

interface Case {
  readonly pipeline: Pipeline;
  readonly bufferMiB: number;
  readonly options: ConsumerOptions;
}

/** A window that never fills, so that nothing but bytes sets a limit. */
const noWindow = { maxUnackedRecords: 1_000_000 };
const cases: readonly Case[] = [
  { pipeline: 'processEach, 16 at a time', bufferMiB: 64, options: {} },
  { pipeline: 'mergeMap of RxJS', bufferMiB: 64, options: {} },
  ...[16, 64, 256].map((bufferMiB): Case => ({
    pipeline: 'mergeMap of RxJS',
    bufferMiB,
    options: noWindow,
  })),
];

/** Peak memory of pipelines that hang on a topic much larger than memory allows for. */
export async function run(): Promise<void> {
  await using broker = await startBroker();
  const { bootstrapServers } = broker;
  const config = { 'retention.bytes': -1 };
  await broker.createTopic(TOPIC, { partitions: PARTITIONS, config });
  const filling = [bootstrapServers, TOPIC, RECORDS, VALUE_BYTES];
  const stored = await inChild<number>(
    { module: MODULE, call: 'fillWithNoise', args: filling },
    { timeoutMs: FILL_TIMEOUT_MS },
  );
  const rows: string[][] = [];
  for (const [i, { pipeline, bufferMiB, options }] of cases.entries()) {
    const all = {
      groupId: `stalled-${i}`,
      ...options,
      maxBufferedBytes: bufferMiB * MIB,
    };
    const args = [bootstrapServers, TOPIC, pipeline, all, STALL_MS];
    const run = await inChild<StalledRun>({ module: MODULE, call: 'stall', args });
    rows.push(rowOf({ pipeline, bufferMiB, options }, run));
  }
  report('consume-memory', [
    `Pipelines that never finish a record, for ${STALL_MS / 1000} s each, on ${PARTITIONS} partitions ` +
      `with ${(stored / 1e9).toFixed(1)} GB of random values of ${VALUE_BYTES.toLocaleString('en')} B, ` +
      'stored as they are. RSS before subscribing, half-way and at the end, and its peak; allowed are ' +
      `maxBufferedBytes + ${ALLOWED_MIB} MiB.`,
    '',
    ...table(
      [
        ...['pipeline', 'window', 'maxBufferedBytes MiB', 'delivered', 'buffered MiB'],
        ...['RSS before', 'half-way', 'at the end', 'peak MiB', 'allowed MiB', 'within'],
      ],
      rows,
    ),
    '',
  ]);
}

function rowOf({ pipeline, bufferMiB, options }: Case, run: StalledRun): string[] {
  const allowed = bufferMiB + ALLOWED_MIB;
  return [
    pipeline,
    options.maxUnackedRecords?.toLocaleString('en') ?? 'default',
    `${bufferMiB}`,
    run.delivered.toLocaleString('en'),
    run.bufferedMiB.toFixed(1),
    ...[run.baseRssMiB, run.earlyRssMiB, run.lateRssMiB, run.peakRssMiB].map((mib) =>
      mib.toFixed(0),
    ),
    `${allowed}`,
    run.peakRssMiB <= allowed ? 'yes' : 'no',
  ];
}
