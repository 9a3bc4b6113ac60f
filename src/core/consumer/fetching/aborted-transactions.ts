import { readControlRecord, type RecordBatch } from '../../records/index.js';

/** An aborted transaction as a fetch lists it. */
export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

/**
 * Tells which batches of one fetched partition belong to aborted transactions (KIP-98). Batches must
 * be asked for in order. A producer may have several aborted transactions in one fetch, and the
 * marker that ends one may lie beyond it.
 */
export class AbortedTransactions {
  private readonly upcoming: AbortedTransaction[];
  private next = 0;
  private readonly aborting = new Set<number>();

  constructor(listed: readonly AbortedTransaction[]) {
    this.upcoming = [...listed].sort((a, b) => a.firstOffset - b.firstOffset);
  }

  /** Whether the batch is to be passed over. Control batches move the filter on. */
  isAborted(batch: RecordBatch): boolean {
    this.beginUpTo(batch.lastOffset);
    if (batch.isControl) {
      if (this.aborting.has(batch.producerId) && isAbortMarker(batch)) {
        this.aborting.delete(batch.producerId);
      }
      return false;
    }
    return batch.isTransactional && this.aborting.has(batch.producerId);
  }

  private beginUpTo(offset: number): void {
    for (; this.next < this.upcoming.length; this.next++) {
      const { producerId, firstOffset } = this.upcoming[this.next]!;
      if (firstOffset > offset) return;
      this.aborting.add(producerId);
    }
  }
}

function isAbortMarker(batch: RecordBatch): boolean {
  const cursor = batch.cursor();
  if (!cursor.next()) return false;
  const { key, value } = cursor.record();
  return readControlRecord(key, value).kind === 'abort';
}
