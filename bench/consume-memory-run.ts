import { randomBytes } from 'node:crypto';
import { mergeMap, NEVER, type OperatorFunction } from 'rxjs';
import {
  createKafka,
  fromTopics,
  processEach,
  sendAll,
  type ConsumerOptions,
  type ConsumerRecord,
} from '../src/index.js';

const MIB = 1024 * 1024;
const POOL = 1000;
const BATCH_BYTES = 512 * 1024;

/** Pipelines that never get done with any record. */
const pipelines = {
  'processEach, 16 at a time': processEach(() => NEVER, { concurrency: 16 }),
  'mergeMap of RxJS': mergeMap(() => NEVER),
} satisfies Record<string, OperatorFunction<ConsumerRecord, never>>;

export type Pipeline = keyof typeof pipelines;

export interface StalledRun {
  readonly delivered: number;
  /** The most that counted against `maxBufferedBytes`. */
  readonly bufferedMiB: number;
  /** Before it was subscribed. */
  readonly baseRssMiB: number;
  /** Half-way. */
  readonly earlyRssMiB: number;
  readonly lateRssMiB: number;
  readonly peakRssMiB: number;
}

/** Fills a topic with values that can't be compressed; returns how many bytes they have. */
export async function fillWithNoise(
  bootstrapServers: string,
  topic: string,
  records: number,
  valueBytes: number,
): Promise<number> {
  const pool = Array.from({ length: POOL }, () => randomBytes(valueBytes));
  const kafka = createKafka({ bootstrapServers });
  const options = { batchSize: BATCH_BYTES, lingerMs: 20 };
  await new Promise<void>((resolve, reject) => {
    sendAll(kafka, topic, cycle(pool, records), options).subscribe({
      error: reject,
      complete: resolve,
    });
  });
  await kafka.close();
  return records * valueBytes;
}

function* cycle(pool: readonly Buffer[], count: number): IterableIterator<{ value: Buffer }> {
  for (let i = 0; i < count; i++) yield { value: pool[i % pool.length]! };
}

/** Subscribes a pipeline that hangs, and looks how much memory it takes meanwhile. */
export async function stall(
  bootstrapServers: string,
  topic: string,
  pipeline: Pipeline,
  options: ConsumerOptions,
  ms: number,
): Promise<StalledRun> {
  const baseRssMiB = process.memoryUsage.rss() / MIB;
  const kafka = createKafka({ bootstrapServers });
  const consumer = kafka.consumer({ autoOffsetReset: 'earliest', ...options });
  fromTopics(consumer, topic).pipe(pipelines[pipeline]).subscribe();
  await passed(ms / 2);
  const earlyRssMiB = process.memoryUsage.rss() / MIB;
  await passed(ms / 2);
  const figures = consumer.metrics()['consumer-fetch-manager-metrics']!;
  return {
    delivered: figures['records-consumed-total']!,
    bufferedMiB: figures['buffered-bytes-max']! / MIB,
    baseRssMiB,
    earlyRssMiB,
    lateRssMiB: process.memoryUsage.rss() / MIB,
    peakRssMiB: process.resourceUsage().maxRSS / 1024,
  };
}

function passed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
