import { Subject, type Observable } from 'rxjs';
import { createKafka, sendAll, toTopic, type Producer, type Receipt } from '../src/index.js';
import { footprint, watchPeak, type MemoryRun } from './footprint.js';
import { make, VALUE_BYTES, type Made } from './keep-run.js';

/** What a record takes of `bufferMemory`, about: itself twice, for its origin is kept, and objects. */
const HELD_BYTES = 2 * (VALUE_BYTES + 20) + 896;

/** How many records a source may have unacknowledged in a buffer. */
export function mostOpen(bufferMemory: number): number {
  return Math.floor((bufferMemory * 0.9) / HELD_BYTES);
}

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
  const watched = watchPeak(base);
  const source = make(records);
  const acknowledged = await (way === 'sendAll'
    ? countAll(sendAll(producer, topic, source))
    : pushAll(producer, topic, source, mostOpen(bufferMemory)));
  const peak = watched.end();
  await producer.close();
  return { acknowledged, base, peak };
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
