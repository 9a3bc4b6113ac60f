import { median } from './measure.js';
import type { Latency } from './produce-run.js';
import { table } from './report.js';
import { failuresOf, type Row } from './rows.js';

/** Medians of the rounds of each client, and the worst of its p99s. */
export function latencyTable(rows: readonly Row<Latency>[]): string[] {
  const measured = rows.filter(({ failure }) => failure === undefined);
  const cells = measured.map(({ client, way, runs }) => [
    client,
    way,
    median(runs.map(({ p50Ms }) => p50Ms)).toFixed(2),
    median(runs.map(({ p99Ms }) => p99Ms)).toFixed(2),
    Math.max(...runs.map(({ p99Ms }) => p99Ms)).toFixed(2),
  ]);
  const head = ['client', 'API', 'p50 ms', 'p99 ms', 'worst p99 ms'];
  return [...table(head, cells), ...failuresOf(rows)];
}
