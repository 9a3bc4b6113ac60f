import { map, Subject } from 'rxjs';
import { footprint, watchPeak, type MemoryRun } from './footprint.js';

export interface Made {
  readonly key: string;
  readonly value: Buffer;
}

export const VALUE_BYTES = 100;
/** As many as a batch of 64 KiB has. */
const BATCH_RECORDS = 560;

export function* make(records: number): IterableIterator<Made> {
  for (let i = 0; i < records; i++) {
    yield { key: `key-${i % 10_000}`, value: Buffer.allocUnsafe(VALUE_BYTES).fill(i) };
  }
}

/**
 * What any process takes that passes records on and keeps some of them for a while, in order: a source
 * as sinks have it, a receipt for each, no library but RxJS.
 */
export async function keepMany(records: number, kept: number): Promise<MemoryRun> {
  const base = footprint();
  const watched = watchPeak(base);
  const ring = new Array<Made | undefined>(kept + BATCH_RECORDS).fill(undefined);
  const pushed = new Subject<Made>();
  let taken = 0;
  let released = 0;
  let acknowledged = 0;
  pushed.pipe(map((record) => record)).subscribe((record) => {
    ring[taken++ % ring.length] = record;
  });
  const receipts = new Subject<{ offset: number; origin: Made | undefined }>();
  receipts.subscribe(({ origin }) => {
    if (origin !== undefined) acknowledged++;
  });
  for (const record of make(records)) {
    pushed.next(record);
    if (taken % BATCH_RECORDS > 0 && taken < records) continue;
    const end = taken < records ? taken - kept : taken;
    for (; released < end; released++) {
      const at = released % ring.length;
      receipts.next({ offset: released, origin: ring[at] });
      ring[at] = undefined;
    }
    if (taken % (32 * BATCH_RECORDS) === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  return { acknowledged, base, peak: watched.end() };
}
