import { performance } from 'node:perf_hooks';
import { inChild, type Task } from './child.js';

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

const WARM_UP_MS = 600;
const ROUND_MS = 400;

/**
 * Times contenders in turn, round by round, so that what disturbs the machine hits all of them, and
 * gives the median of each. Each turn is a process of its own: in a shared one, a contender pays for
 * the garbage of those before it, and for what V8 has seen them do to shared code. CPU time is
 * taken, not time: nothing here waits, and a machine that is shared takes its own turns.
 */
export async function compare(makers: readonly Task[], rounds = 5): Promise<Result[]> {
  const turns = makers.map((): Turn[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, maker] of makers.entries()) {
      turns[i]!.push(await inChild({ module: './measure.js', call: 'takeTurn', args: [maker] }));
    }
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

/** In the process of its own: makes the contender, warms it up, and times it. */
export async function takeTurn({ module, call, args }: Task): Promise<Turn> {
  type Factory = (...args: readonly unknown[]) => Contender | Promise<Contender>;
  const exported = (await import(module)) as Record<string, Factory>;
  const contender = await exported[call]!(...args);
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
