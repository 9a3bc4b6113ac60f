import { fork } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';

/** One way of doing the same work. `run` does it once and returns how many items it handled. */
export interface Contender {
  readonly name: string;
  readonly run: () => number | Promise<number>;
}

export interface Result {
  readonly name: string;
  /** CPU time, garbage collection included; median over the rounds. */
  readonly nsPerItem: number;
  readonly roundsNs: readonly number[];
}

/** Where a contender is made: a function exported by a module of this folder, and its arguments. */
export interface ContenderSource {
  readonly module: string;
  readonly factory: string;
  readonly args: readonly unknown[];
}

const WARM_UP_MS = 600;
const ROUND_MS = 400;

/**
 * Times contenders in turn, round by round, so that what disturbs the machine hits all of them, and
 * gives the median of each. Each turn is a process of its own: in a shared one, a contender pays for
 * the garbage of those before it, and for what V8 has seen them do to shared code. CPU time is
 * taken, not time: nothing here waits, and a machine that is shared takes its own turns.
 */
export async function compare(sources: readonly ContenderSource[], rounds = 5): Promise<Result[]> {
  const turns = sources.map((): Turn[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, source] of sources.entries()) turns[i]!.push(await turnOf(source));
  }
  return turns.map((own) => {
    const roundsNs = own.map(({ nsPerItem }) => nsPerItem);
    return { name: own[0]!.name, nsPerItem: median(roundsNs), roundsNs };
  });
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

interface Turn {
  readonly name: string;
  readonly nsPerItem: number;
}

function turnOf(source: ContenderSource): Promise<Turn> {
  const child = fork(fileURLToPath(import.meta.url));
  return new Promise((resolve, reject) => {
    let turn: Turn | undefined;
    child.on('message', (message: Turn) => (turn = message));
    child.on('error', reject);
    child.on('exit', (code) => {
      if (turn !== undefined && code === 0) resolve(turn);
      else reject(new Error(`a contender of ${source.module} ended with code ${code}`));
    });
    child.send(source);
  });
}

async function takeTurn({ module, factory, args }: ContenderSource): Promise<Turn> {
  type Factory = (...args: readonly unknown[]) => Contender | Promise<Contender>;
  const exported = (await import(module)) as Record<string, Factory>;
  const contender = await exported[factory]!(...args);
  await timeFor(contender, WARM_UP_MS);
  return { name: contender.name, nsPerItem: await timeFor(contender, ROUND_MS) };
}

async function timeFor({ run }: Contender, ms: number): Promise<number> {
  let items = 0;
  const before = process.cpuUsage();
  const end = performance.now() + ms;
  while (performance.now() < end) {
    for (let i = 0; i < 8; i++) {
      const result = run();
      items += typeof result === 'number' ? result : await result;
    }
  }
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1000) / items;
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.send !== undefined) {
  process.once('message', (source: ContenderSource) => {
    void takeTurn(source).then((turn) => process.send!(turn, () => process.disconnect()));
  });
}
