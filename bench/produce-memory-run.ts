import { Subject, type Observable } from 'rxjs';
import { createKafka, sendAll, toTopic, type Producer, type Receipt } from '../src/index.js';

export interface MemoryRun {
  readonly acknowledged: number;
  readonly base: Footprint;
  /** When there was most. */
  readonly peak: Footprint;
}

/** What a process takes, and of that, in MiB. */
export interface Footprint {
  readonly rss: number;
  /** V8's heap, with what it keeps for garbage to come: both halves of the young generation. */
  readonly heap: number;
  /** Outside of the heap: batches, what they are compressed into, and the source's own Buffers. */
  readonly arrayBuffers: number;
}

const SAMPLE_MS = 10;
const MIB = 1024 * 1024;

interface Made {
  readonly key: string;
  readonly value: Buffer;
}

const VALUE_BYTES = 100;
/** What a record takes of `bufferMemory`, about: itself twice, for its origin is kept, and objects. */
const HELD_BYTES = 2 * (VALUE_BYTES + 20) + 256;

/** Sends records that are made one after the other, and looks how much memory it took. */
export async function sendMany(
  bootstrapServers: string,
  topic: string,
  way: 'sendAll' | 'toTopic',
  records: number,
  bufferMemory: number,
): Promise<MemoryRun> {
  const kafka = createKafka({ bootstrapServers });
  const producer = kafka.producer({ bufferMemory, batchSize: 64 * 1024 });
  await producer.partitionsFor(topic);
  const base = footprint();
  let peak = base;
  const sampling = setInterval(() => {
    const now = footprint();
    if (now.rss > peak.rss) peak = now;
  }, SAMPLE_MS);
  const source = make(records);
  const acknowledged = await (way === 'sendAll'
    ? countAll(sendAll(producer, topic, source))
    : pushAll(producer, topic, source, Math.floor((bufferMemory * 0.9) / HELD_BYTES)));
  clearInterval(sampling);
  // What no sample has seen counts, too.
  const rss = process.resourceUsage().maxRSS / 1024;
  await producer.close();
  return { acknowledged, base, peak: { ...peak, rss } };
}

function footprint(): Footprint {
  const { rss, heapTotal, arrayBuffers } = process.memoryUsage();
  return { rss: rss / MIB, heap: heapTotal / MIB, arrayBuffers: arrayBuffers / MIB };
}

function* make(records: number): IterableIterator<Made> {
  for (let i = 0; i < records; i++) {
    yield { key: `key-${i % 10_000}`, value: Buffer.allocUnsafe(VALUE_BYTES).fill(i) };
  }
}

function countAll(receipts: Observable<Receipt<unknown>>, each?: () => void): Promise<number> {
  return new Promise((resolve, reject) => {
    let count = 0;
    receipts.subscribe({
      next: () => {
        count++;
        each?.();
      },
      error: reject,
      complete: () => resolve(count),
    });
  });
}

/** A push source that keeps as many records unacknowledged as the buffer takes. */
function pushAll(
  producer: Producer,
  topic: string,
  source: Iterator<Made>,
  limit: number,
): Promise<number> {
  const records = new Subject<Made>();
  let open = 0;
  let isPushing = false;
  const push = () => {
    isPushing = true;
    while (open < limit) {
      const { done, value } = source.next() as IteratorResult<Made, undefined>;
      if (done === true) {
        records.complete();
        return;
      }
      open++;
      records.next(value);
    }
    isPushing = false;
  };
  const acknowledged = countAll(records.pipe(toTopic(producer, topic)), () => {
    open--;
    if (!isPushing) push();
  });
  push();
  return acknowledged;
}
