import { performance } from 'node:perf_hooks';

/** One way of doing the same work. `run` does it once and returns how many items it handled. */
export interface Contender {
  readonly name: string;
  readonly run: () => number | Promise<number>;
}

export interface Result {
  readonly name: string;
  /** Median over the rounds. */
  readonly nsPerItem: number;
  readonly roundsNs: readonly number[];
}

const ROUND_MS = 400;

/**
 * Times contenders in turn, round by round, so that what disturbs the machine hits all of them, and
 * gives the median of each.
 */
export async function compare(contenders: readonly Contender[], rounds = 5): Promise<Result[]> {
  for (const contender of contenders) await timeFor(contender, ROUND_MS);
  const times = contenders.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, contender] of contenders.entries()) {
      times[i]!.push(await timeFor(contender, ROUND_MS));
    }
  }
  return contenders.map(({ name }, i) => ({
    name,
    nsPerItem: median(times[i]!),
    roundsNs: times[i]!,
  }));
}

async function timeFor({ run }: Contender, ms: number): Promise<number> {
  let items = 0;
  const start = performance.now();
  let elapsed = 0;
  while (elapsed < ms) {
    for (let i = 0; i < 8; i++) {
      const result = run();
      items += typeof result === 'number' ? result : await result;
    }
    elapsed = performance.now() - start;
  }
  return (elapsed * 1e6) / items;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
