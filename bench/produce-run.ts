import { performance } from 'node:perf_hooks';
import type { Outbound, ProducerSetup, Supply } from './clients/client.js';
import { loadClient } from './clients/index.js';

/** What one process has measured. */
export interface Throughput {
  readonly recordsPerSecond: number;
  readonly cpuUsPerRecord: number;
  readonly peakRssMiB: number;
}

export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** How long a client is at work before its latency is measured, and for how long it is. */
export interface LatencyTimes {
  readonly warmUpMs: number;
  readonly ms: number;
}

export interface Offer {
  readonly ways: Readonly<Record<string, string>>;
  readonly compressions: readonly string[];
}

const WARM_UP_MS = 1200;
const POOL = 2000;
const A = 'A'.charCodeAt(0);

/** What a client can do; rejects where it is not installed. */
export async function offerOf(client: string): Promise<Offer> {
  const { waysToSend, compressions } = await loadClient(client);
  return { ways: waysToSend, compressions };
}

/** Sends for a while in one way, warmed up, and until everything is acknowledged. */
export async function throughput(
  client: string,
  way: string,
  setup: ProducerSetup,
  ms: number,
): Promise<Throughput> {
  const pool = makePool(setup.valueBytes);
  const session = await (await loadClient(client)).produce(setup);
  const send = session.ways[way]!;
  await send(new TimedSupply(pool, WARM_UP_MS));
  const supply = new TimedSupply(pool, ms);
  const start = performance.now();
  const before = process.cpuUsage();
  await send(supply);
  const { user, system } = process.cpuUsage(before);
  const seconds = (performance.now() - start) / 1000;
  const peakRssMiB = process.resourceUsage().maxRSS / 1024;
  await session.close();
  return {
    recordsPerSecond: supply.taken / seconds,
    cpuUsPerRecord: (user + system) / supply.taken,
    peakRssMiB,
  };
}

/** Time from sending to acknowledgement at a steady rate. */
export async function latency(
  client: string,
  setup: ProducerSetup,
  ratePerSecond: number,
  { warmUpMs, ms }: LatencyTimes,
): Promise<Latency> {
  const pool = makePool(setup.valueBytes);
  const session = await (await loadClient(client)).produce(setup);
  await atRate(session.sendOne, pool, ratePerSecond, warmUpMs);
  const times = await atRate(session.sendOne, pool, ratePerSecond, ms);
  await session.close();
  times.sort((a, b) => a - b);
  return { p50Ms: times[times.length >> 1]!, p99Ms: times[Math.floor(times.length * 0.99)]! };
}

/** Records with random capital letters, as Java's ProducerPerformance makes them. */
export function makePool(valueBytes: number): Outbound[] {
  return Array.from({ length: POOL }, (_, i) => {
    const key = Buffer.from(`key-${i}`.padEnd(16, '.'));
    const value = Buffer.alloc(valueBytes);
    for (let at = 0; at < valueBytes; at++) value[at] = A + Math.floor(Math.random() * 26);
    return { key, value, keyText: key.toString('latin1'), valueText: value.toString('latin1') };
  });
}

/** Gives records of a pool, over and over, until a time has passed. */
class TimedSupply implements Supply {
  taken = 0;
  private readonly end: number;

  constructor(
    private readonly pool: readonly Outbound[],
    ms: number,
  ) {
    this.end = performance.now() + ms;
  }

  next(): Outbound | undefined {
    if (this.taken % 64 === 0 && performance.now() >= this.end) return undefined;
    return this.pool[this.taken++ % POOL];
  }
}

async function atRate(
  sendOne: (record: Outbound) => Promise<unknown>,
  pool: readonly Outbound[],
  ratePerSecond: number,
  ms: number,
): Promise<number[]> {
  const times: number[] = [];
  const open: Promise<unknown>[] = [];
  const start = performance.now();
  for (;;) {
    const elapsed = performance.now() - start;
    if (elapsed >= ms) break;
    while (open.length < (elapsed * ratePerSecond) / 1000) {
      const sentAt = performance.now();
      const sent = sendOne(pool[open.length % POOL]!);
      open.push(sent.then(() => times.push(performance.now() - sentAt)));
    }
    await new Promise<void>((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(open);
  return times;
}
