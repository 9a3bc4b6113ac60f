import { PARTITIONS, startBroker } from './broker.js';
import { inChild } from './child.js';
import type { MemoryRun } from './footprint.js';
import { mostOpen } from './produce-memory-run.js';
import { report, table } from './report.js';

const TOPIC = 'bench';
const RECORDS = 5_000_000;
const MIB = 1024 * 1024;
const BUFFERS_MIB = [8, 32, 64];
const ALLOWED_MIB = 80;
/** Next to nothing: what a process takes that only passes records on. */
const FEW = 1000;
/** As it comes, and told to keep memory small. */
const SETTINGS: readonly (readonly string[])[] = [[], ['--optimize-for-size']];

/** Peak memory for any amount of input, pulled by sendAll and pushed through toTopic. */
export async function run(): Promise<void> {
  await using broker = await startBroker();
  await broker.createTopic(TOPIC, { partitions: PARTITIONS });
  const rows: string[][] = [];
  for (const flags of SETTINGS) {
    for (const way of ['sendAll', 'toTopic'] as const) {
      for (const bufferMiB of BUFFERS_MIB) {
        const args = [broker.bootstrapServers, TOPIC, way, RECORDS, bufferMiB * MIB];
        const kept = way === 'sendAll' ? undefined : mostOpen(bufferMiB * MIB);
        const sending = await measured('./produce-memory-run.js', 'sendMany', args, flags);
        rows.push(rowOf({ way, flags, kept, bufferMiB }, sending));
      }
    }
    for (const kept of [FEW, ...BUFFERS_MIB.map((bufferMiB) => mostOpen(bufferMiB * MIB))]) {
      const keeping = await measured('./keep-run.js', 'keepMany', [RECORDS, kept], flags);
      rows.push(rowOf({ way: 'no Kafka', flags, kept }, keeping));
    }
  }
  report('produce-memory', [...explanation(), '', ...table(head, rows), '']);
}

async function measured(
  module: string,
  call: string,
  args: readonly unknown[],
  flags: readonly string[],
): Promise<MemoryRun> {
  const task = { module, call, args, flags };
  const run = await inChild<MemoryRun>(task, { timeoutMs: 300_000 });
  if (run.acknowledged !== RECORDS) throw new Error(`${run.acknowledged} were acknowledged`);
  return run;
}

const head = [
  'node',
  'way',
  'bufferMemory MiB',
  'records kept',
  'RSS before',
  'of it heap',
  'peak RSS',
  'of it heap',
  'ArrayBuffers',
  'more than before',
  'allowed',
  'within',
];

interface Case {
  readonly way: string;
  readonly flags: readonly string[];
  readonly kept: number | undefined;
  readonly bufferMiB?: number;
}

function rowOf({ way, flags, kept, bufferMiB }: Case, { base, peak }: MemoryRun): string[] {
  const mib = (value: number) => value.toFixed(0);
  const added = peak.rss - base.rss;
  return [
    flags.join(' '),
    way,
    bufferMiB?.toString() ?? '',
    kept?.toLocaleString('en') ?? '',
    ...[base.rss, base.heap, peak.rss, peak.heap, peak.arrayBuffers, added].map(mib),
    ...(bufferMiB === undefined ? ['', ''] : verdict(peak.rss, added, bufferMiB + ALLOWED_MIB)),
  ];
}

function verdict(peak: number, added: number, allowed: number): string[] {
  const within = peak <= allowed ? 'all of it' : added <= allowed ? 'what is added' : 'no';
  return [`${allowed}`, within];
}

function explanation(): string[] {
  return [
    `${RECORDS.toLocaleString('en')} records of 100 B, made as they are sent. Heap and ArrayBuffers are ` +
      'parts of the RSS, before anything is sent and at its peak; the rest is Node itself. Of the heap, ' +
      "32 MiB are V8's young generation once it has grown, which no buffer is small enough to avoid, " +
      'unless Node is told to optimize for size: then V8 collects sooner, for more CPU time. ' +
      'toTopic is pushed until bufferMemory is nearly full, so that the ' +
      "source's own objects wait with it: those that outlive two collections of the young generation " +
      'are moved to the old one, where they and the Buffers that they refer to stay for a while as ' +
      'garbage. sendAll pulls no more than keeps the broker busy. "no Kafka" is a process of RxJS alone ' +
      'that passes the same records on and keeps so many of them, in order, before it lets go of them.',
  ];
}
