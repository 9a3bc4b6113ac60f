import { median } from './measure.js';
import type { Latency } from './produce-run.js';
import { table } from './report.js';
import { failuresOf, type Row } from './rows.js';

/** The rate, and rounds that are counted. */
export const RATE = 1000;
export const ROUNDS = 5;
/** Rounds before them: the broker is faster when it has run for a while. */
export const WARM_UPS = 1;
/** Before each round a client is at work for so long: the first seconds of a process are V8's, or the JVM's. */
export const WARM_UP_MS = 6000;

/** Measures all rows in turns, each round from another one on, and keeps what is counted. */
export async function inTurns(
  rows: readonly Row<Latency>[],
  measureRow: (row: Row<Latency>, round: number) => Promise<void>,
): Promise<void> {
  for (let round = 0; round < WARM_UPS + ROUNDS; round++) {
    for (let i = 0; i < rows.length; i++) {
      const row = rows[(i + round) % rows.length]!;
      await measureRow(row, round);
      if (round < WARM_UPS) row.runs.length = 0;
    }
  }
}

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
