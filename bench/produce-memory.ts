import { PARTITIONS, startBroker } from './broker.js';
import { inChild } from './child.js';
import type { MemoryRun } from './produce-memory-run.js';
import { report, table } from './report.js';

const TOPIC = 'bench';
const RECORDS = 5_000_000;
const MIB = 1024 * 1024;
const BUFFERS_MIB = [8, 32, 64];
const ALLOWED_MIB = 80;

/** Peak memory for any amount of input, pulled by sendAll and pushed through toTopic. */
export async function run(): Promise<void> {
  await using broker = await startBroker();
  await broker.createTopic(TOPIC, { partitions: PARTITIONS });
  const rows: string[][] = [];
  for (const way of ['sendAll', 'toTopic'] as const) {
    for (const bufferMiB of BUFFERS_MIB) {
      const args = [broker.bootstrapServers, TOPIC, way, RECORDS, bufferMiB * MIB];
      const task = { module: './produce-memory-run.js', call: 'sendMany', args };
      const { acknowledged, base, peak } = await inChild<MemoryRun>(task, { timeoutMs: 300_000 });
      if (acknowledged !== RECORDS) throw new Error(`${acknowledged} records were acknowledged`);
      rows.push([
        way,
        `${bufferMiB}`,
        ...[base.rss, base.heap, peak.rss, peak.heap, peak.arrayBuffers].map((mib) =>
          mib.toFixed(0),
        ),
        `${bufferMiB + ALLOWED_MIB}`,
        peak.rss <= bufferMiB + ALLOWED_MIB ? 'yes' : 'no',
      ]);
    }
  }
  report('produce-memory', [
    `${RECORDS.toLocaleString('en')} records of 100 B, made as they are sent. Heap and ArrayBuffers are ` +
      'parts of the RSS, before anything is sent and at its peak; the rest is Node itself. Of the heap, ' +
      "32 MiB are V8's young generation once it has grown, which no buffer is small enough to avoid. " +
      'toTopic is pushed until bufferMemory is nearly full, so that the ' +
      "source's own objects wait with it: those that outlive two collections of the young generation " +
      'are moved to the old one, where they and the Buffers that they refer to stay for a while as ' +
      'garbage. sendAll pulls no more than keeps the broker busy.',
    '',
    ...table(
      [
        'way',
        'bufferMemory MiB',
        'RSS before',
        'of it heap',
        'peak RSS',
        'of it heap',
        'ArrayBuffers',
        'allowed',
        'within',
      ],
      rows,
    ),
    '',
  ]);
}
