import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { createKafka, sendAll } from '../src/index.js';
import type { Compression, ConsumerSetup, Intake } from './clients/client.js';
import { loadClient } from './clients/index.js';
import { makePool, type Latency, type LatencyTimes } from './produce-run.js';

/** What one process has measured. */
export interface Intaken {
  readonly recordsPerSecond: number;
  readonly cpuUsPerRecord: number;
  readonly peakRssMiB: number;
  readonly eventLoopDelayP99Ms: number;
}

export interface ConsumeOffer {
  readonly ways: Readonly<
    Record<string, { readonly delivers: 'records' | 'arrays'; readonly settings: string }>
  >;
  readonly decompressions: readonly string[];
}

const DELAY_RESOLUTION_MS = 5;
const WARM_UP_MS = 1200;

/** What a client can do; rejects where it is not installed. */
export async function offerOf(name: string): Promise<ConsumeOffer> {
  const { waysToConsume, decompressions } = await loadClient(name);
  const ways = Object.entries(waysToConsume).map(
    ([way, { delivers, settings }]) => [way, { delivers, settings }] as const,
  );
  return { ways: Object.fromEntries(ways), decompressions };
}

/** Fills a topic with records to be consumed. */
export async function fill(
  bootstrapServers: string,
  topic: string,
  {
    records,
    valueBytes,
    compression,
  }: { records: number; valueBytes: number; compression: Compression },
): Promise<void> {
  const pool = makePool(valueBytes);
  const kafka = createKafka({ bootstrapServers });
  const options = { compressionType: compression, batchSize: 64 * 1024, lingerMs: 20 };
  await new Promise<void>((resolve, reject) => {
    sendAll(kafka, topic, cycle(pool, records), options).subscribe({
      error: reject,
      complete: resolve,
    });
  });
  await kafka.close();
}

function* cycle<T>(pool: readonly T[], count: number): IterableIterator<T> {
  for (let i = 0; i < count; i++) yield pool[i % pool.length]!;
}

/** Consumes a topic that holds so many records: warms up, then measures until it is read or time is up. */
export async function consume(
  name: string,
  way: string,
  setup: ConsumerSetup,
  { records, ms }: { records: number; ms: number },
): Promise<Intaken> {
  const { waysToConsume } = await loadClient(name);
  const intake = new MeasuredIntake(records, ms);
  await waysToConsume[way]!.start(setup, intake);
  return intake.result;
}

class MeasuredIntake implements Intake {
  readonly result: Promise<Intaken>;
  private resolve!: (result: Intaken) => void;
  private taken = 0;
  private bytes = 0;
  private phase: 'fresh' | 'warming' | 'measuring' | 'over' = 'fresh';
  private since = 0;
  private takenBefore = 0;
  private cpuBefore: NodeJS.CpuUsage = { user: 0, system: 0 };
  private readonly delays = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });

  constructor(
    private readonly records: number,
    private readonly ms: number,
  ) {
    this.result = new Promise((resolve) => (this.resolve = resolve));
  }

  one(value: Buffer | string | null): void {
    this.bytes += value!.length;
    this.taken++;
    if (this.taken % 256 === 0) this.look(performance.now());
  }

  private look(now: number): void {
    if (this.phase === 'fresh') {
      this.phase = 'warming';
      this.since = now;
    } else if (this.phase === 'warming') {
      if (now - this.since >= WARM_UP_MS || this.taken >= this.records * 0.3) this.begin(now);
    } else if (this.phase === 'measuring') {
      // The last records come in a trickle of half-empty fetches.
      if (now - this.since >= this.ms || this.taken >= this.records * 0.95) this.finish(now);
    }
  }

  private begin(now: number): void {
    this.phase = 'measuring';
    this.since = now;
    this.takenBefore = this.taken;
    this.cpuBefore = process.cpuUsage();
    this.delays.enable();
  }

  private finish(now: number): void {
    this.phase = 'over';
    this.delays.disable();
    const { user, system } = process.cpuUsage(this.cpuBefore);
    const taken = this.taken - this.takenBefore;
    this.resolve({
      recordsPerSecond: (taken / (now - this.since)) * 1000,
      cpuUsPerRecord: (user + system) / taken,
      peakRssMiB: process.resourceUsage().maxRSS / 1024,
      eventLoopDelayP99Ms: Math.max(0, this.delays.percentile(99) / 1e6 - DELAY_RESOLUTION_MS),
    });
  }
}

/** Sends records at a rate, each with the time at which it was sent, for so long. */
export async function pace(
  bootstrapServers: string,
  topic: string,
  { ratePerSecond, ms }: { ratePerSecond: number; ms: number },
): Promise<void> {
  const kafka = createKafka({ bootstrapServers });
  const producer = kafka.producer({ lingerMs: 0 });
  const start = performance.now();
  let sent = 0;
  for (let elapsed = 0; elapsed < ms; elapsed = performance.now() - start) {
    for (; sent < (elapsed * ratePerSecond) / 1000; sent++) {
      const value = String(process.hrtime.bigint()).padEnd(100, '.');
      void producer.send({ topic, key: `key-${sent % 1000}`, value });
    }
    await new Promise<void>((resolve) => setTimeout(resolve, 1));
  }
  await kafka.close();
}

/** Time from sending to arrival, of what is sent after a warm-up. */
export async function latency(
  name: string,
  way: string,
  setup: ConsumerSetup,
  { warmUpMs, ms }: LatencyTimes,
): Promise<Latency> {
  const { waysToConsume } = await loadClient(name);
  const times: number[] = [];
  let from = Infinity;
  const intake: Intake = {
    one(value) {
      const sentAt = Number.parseInt(value!.toString().slice(0, 20), 10) / 1e6;
      if (sentAt >= from) times.push(monotonicMs() - sentAt);
    },
  };
  await waysToConsume[way]!.start(setup, intake);
  await new Promise((resolve) => setTimeout(resolve, warmUpMs));
  from = monotonicMs();
  await new Promise((resolve) => setTimeout(resolve, ms));
  if (times.length < ms / 2) throw new Error(`${name} got ${times.length} records in ${ms} ms`);
  times.sort((a, b) => a - b);
  return { p50Ms: times[times.length >> 1]!, p99Ms: times[Math.floor(times.length * 0.99)]! };
}

/** The same clock in all processes. */
function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
