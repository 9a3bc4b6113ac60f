import { inChild, type Task } from './child.js';

/** The client that is ours: its failures end the bench. */
export const RX = 'rx-kafka';

/** A client, and a way of using it, that is measured several times. */
export interface Row<T> {
  readonly client: string;
  readonly way: string;
  readonly settings: string;
  readonly runs: T[];
  /** Why it could not be measured. */
  failure: string | undefined;
}

/** Measures a row once more in a process of its own, unless it has failed before. */
export function measure<T>(row: Row<T>, task: Task): Promise<void> {
  return measureBy(row, () => inChild<T>(task));
}

/** As {@link measure}, by whatever measures it. */
export async function measureBy<T>(row: Row<T>, run: () => Promise<T>): Promise<void> {
  if (row.failure !== undefined) return;
  try {
    row.runs.push(await run());
  } catch (error) {
    if (row.client === RX) throw error;
    row.failure = String(error).split('\n')[0]!;
    console.error(`${row.client} ${row.way}: ${String(error)}`);
  }
}

/** What clients can do, by name, and why others are missing. */
export async function offersOf<T>(
  names: readonly string[],
  module: string,
): Promise<{ offers: Map<string, T>; missing: string[] }> {
  const offers = new Map<string, T>();
  const missing: string[] = [];
  for (const name of names) {
    try {
      offers.set(name, await inChild<T>({ module, call: 'offerOf', args: [name] }));
    } catch (error) {
      missing.push(`${name} (${reasonOf(error)})`);
    }
  }
  return { offers, missing };
}

/** Without the folders of the machine that it was on. */
function reasonOf(error: unknown): string {
  const [first = ''] = String(error).split('\n');
  return first.replace(/^(Error:? |\[\w+\]: )*/, '').replace(/ imported from .*/, '');
}

/** A sentence about each row that failed. */
export function failuresOf(rows: readonly Row<unknown>[]): string[] {
  const failed = rows.filter(({ failure }) => failure !== undefined);
  return failed.flatMap(({ client, way, failure }) => [
    '',
    `${client}, ${way}, failed: ${failure!}.`,
  ]);
}
