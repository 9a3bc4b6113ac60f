import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { prepare } from '../test/support/java/harness.js';
import { classpathOf } from '../test/support/kafka/classpath.js';
import { findRelease } from '../test/support/kafka/releases.js';
import type { ConsumerSetup, ProducerSetup } from './clients/client.js';
import type { Intaken } from './consume-run.js';
import type { Latency, LatencyTimes, Throughput } from './produce-run.js';
import type { Copied, CopySetup } from './transactions-run.js';

export const javaSettings =
  'batch.size 64 KiB, linger.ms 5, no keys; CPU with the start of the JVM';

/** What Kafka's own ProducerPerformance measures, warmed up. It has no keys. */
export async function producerPerformance(
  version: string,
  { bootstrapServers, topic, valueBytes, compression }: ProducerSetup,
  { records, warmUp }: { records: number; warmUp: number },
): Promise<Throughput> {
  const properties = {
    'bootstrap.servers': bootstrapServers,
    acks: 'all',
    'enable.idempotence': 'true',
    'batch.size': 64 * 1024,
    'linger.ms': 5,
    'compression.type': compression,
  };
  const { output, cpuSeconds, peakRssMiB } = await runJava(version, [
    'org.apache.kafka.tools.ProducerPerformance',
    ...['--topic', topic, '--num-records', String(records), '--record-size', String(valueBytes)],
    ...['--throughput', '-1', '--warmup-records', String(warmUp), '--command-property'],
    ...Object.entries(properties).map(([name, value]) => `${name}=${value}`),
  ]);
  const steady = /^\d+ steady state records sent, ([\d.]+) records\/sec/m.exec(output);
  if (steady === null) throw new Error(`ProducerPerformance said:\n${output}`);
  return {
    recordsPerSecond: Number(steady[1]),
    cpuUsPerRecord: (cpuSeconds * 1e6) / records,
    peakRssMiB,
  };
}

/** What Kafka's own ConsumerPerformance measures, from its first fetch on. */
export async function consumerPerformance(
  version: string,
  { bootstrapServers, topic, groupId }: ConsumerSetup,
  records: number,
): Promise<Intaken> {
  const { output, cpuSeconds, peakRssMiB } = await runJava(version, [
    'org.apache.kafka.tools.ConsumerPerformance',
    ...['--bootstrap-server', bootstrapServers, '--topic', topic, '--group', groupId],
    ...['--num-records', String(records), '--hide-header', '--timeout', '30000'],
  ]);
  // Ends with: ... records, records/s, ms of rebalancing, ms of fetching, MB/s and records/s of fetching.
  const figures = output.trim().split('\n').at(-1)!.split(',').map(Number);
  const recordsPerSecond = figures.at(-1)!;
  if (!(recordsPerSecond > 0)) throw new Error(`ConsumerPerformance said:\n${output}`);
  const cpuUsPerRecord = (cpuSeconds * 1e6) / records;
  return { recordsPerSecond, cpuUsPerRecord, peakRssMiB, eventLoopDelayP99Ms: NaN };
}

/** What a Java consumer with default settings measures. */
export async function consumerLatency(
  version: string,
  { bootstrapServers, topic, groupId }: ConsumerSetup,
  { warmUpMs, ms }: LatencyTimes,
): Promise<Latency> {
  const classpath = await prepare('Latency', findRelease(version).version);
  const args = [bootstrapServers, topic, groupId, String(warmUpMs), String(ms)];
  const { output } = await runWith(classpath, ['Latency', ...args]);
  const [p50Ms = NaN, p99Ms = NaN, records = 0] = output.trim().split(' ').map(Number);
  if (records < ms / 2) throw new Error(`Java got ${records} records in ${ms} ms`);
  return { p50Ms, p99Ms };
}

interface JavaRun {
  readonly output: string;
  readonly cpuSeconds: number;
  readonly peakRssMiB: number;
}

/** Runs a class of a release of Kafka with the JVM's defaults but for its memory. */
async function runJava(version: string, args: readonly string[]): Promise<JavaRun> {
  return runWith(await classpathOf(findRelease(version)), args);
}

async function runWith(classpath: string, args: readonly string[]): Promise<JavaRun> {
  const command = ['java', '-Xmx512m', '-cp', classpath, ...args];
  // The shell knows what CPU its child has used; the child's own memory is read while it runs.
  const child = spawn('bash', ['-c', '"$@"; code=$?; times >&2; exit $code', 'run', ...command]);
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  let peakRssMiB = 0;
  const look = setInterval(() => {
    peakRssMiB = Math.max(peakRssMiB, peakRssOfChild(child.pid!));
  }, 100);
  const code = await new Promise((resolve) => child.once('close', resolve));
  clearInterval(look);
  if (code !== 0) throw new Error(`${args[0]} ended with ${String(code)}:\n${output}\n${errors}`);
  const [user = 0, system = 0] = [
    ...errors
      .trim()
      .split('\n')
      .at(-1)!
      .matchAll(/(\d+)m([\d.]+)s/g),
  ].map(([, minutes, seconds]) => Number(minutes) * 60 + Number(seconds));
  return { output, cpuSeconds: user + system, peakRssMiB };
}

/** 0 where /proc is missing or the process has gone. */
function peakRssOfChild(parent: number): number {
  try {
    const children = readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8').trim();
    const status = readFileSync(`/proc/${children.split(' ')[0]!}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

/** What Kafka's own TransactionalMessageCopier takes for so many records of one partition. */
export async function transactionalMessageCopier(
  version: string,
  { bootstrapServers, from, to, groupId, records, transactionSize }: CopySetup,
): Promise<Copied> {
  const startedAt = performance.now();
  const { cpuSeconds } = await runJava(version, [
    'org.apache.kafka.tools.TransactionalMessageCopier',
    ...['--broker-list', bootstrapServers, '--consumer-group', groupId],
    ...['--input-topic', from, '--input-partition', '0', '--output-topic', to],
    ...['--max-messages', String(records), '--transaction-size', String(transactionSize)],
    ...['--transactional-id', groupId],
  ]);
  const seconds = (performance.now() - startedAt) / 1000;
  return { recordsPerSecond: records / seconds, cpuUsPerRecord: (cpuSeconds * 1e6) / records };
}
