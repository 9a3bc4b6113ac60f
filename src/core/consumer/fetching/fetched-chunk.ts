import { BatchWalker, type RecordBatch, type RecordContext } from '../../records/index.js';
import { AbortedTransactions, type AbortedTransaction } from './aborted-transactions.js';
import type { MemoryLease } from './byte-budget.js';

/** What a first look at a partition's fetched bytes tells, without decoding a record. */
export interface ChunkScan {
  /** Where to fetch from next; the fetch offset itself when there is no whole batch. */
  readonly nextOffset: number;
  /** Epoch of the leader that wrote the last batch; -1 where unknown. */
  readonly lastLeaderEpoch: number;
  /** Bytes that a batch needs which is cut short, with nothing whole before it; else 0. */
  readonly missingBytes: number;
}

/** Looks at the headers of the batches, so that the next fetch can leave before any is opened. */
export function scanChunk(records: Buffer, fetchOffset: number): ChunkScan {
  const walker = new BatchWalker(records);
  let nextOffset = fetchOffset;
  let lastLeaderEpoch = -1;
  let isEmpty = true;
  try {
    for (let batch = walker.next(); batch !== undefined; batch = walker.next()) {
      isEmpty = false;
      // The last one's, not the largest: a header may be corrupt, and claim what follows it.
      nextOffset = Math.max(fetchOffset, batch.nextOffset);
      lastLeaderEpoch = batch.partitionLeaderEpoch;
    }
  } catch {
    // Told when the batches before it are delivered and its turn has come.
    isEmpty = false;
  }
  const missingBytes = isEmpty ? walker.partialBatchBytes : 0;
  return { nextOffset, lastLeaderEpoch, missingBytes };
}

/** What one fetch brought for a partition, not yet opened. Holds the frame until it is used up. */
export class FetchedChunk {
  private readonly walker: BatchWalker;
  private readonly aborted: AbortedTransactions | undefined;

  constructor(
    private readonly records: Buffer,
    /** Where the fetch asked to begin. */
    readonly fetchOffset: number,
    /** `undefined` when uncommitted records are wanted too. */
    abortedTransactions: readonly AbortedTransaction[] | undefined,
    readonly memory: MemoryLease,
    context: RecordContext,
  ) {
    this.sizeBytes = records.length;
    this.walker = new BatchWalker(records, context);
    this.aborted =
      abortedTransactions === undefined ? undefined : new AbortedTransactions(abortedTransactions);
  }

  readonly sizeBytes: number;

  /** Bytes that have not been opened. */
  get remainingBytes(): number {
    return this.sizeBytes - this.walker.position;
  }

  /**
   * The next batch; `undefined` at the end.
   *
   * @throws CorruptRecordError on a header that can't be.
   */
  next(): RecordBatch | undefined {
    return this.walker.next();
  }

  /** The offset that the next batch begins with; Infinity where that can't be told. */
  get nextBaseOffset(): number {
    try {
      const rest = new BatchWalker(this.records.subarray(this.walker.position));
      return rest.next()?.baseOffset ?? Infinity;
    } catch {
      return Infinity;
    }
  }

  /** Whether what aborted transactions wrote is passed over, as batches in order tell. */
  get leavesOutAborted(): boolean {
    return this.aborted !== undefined;
  }

  /** Whether a batch has nothing to deliver: markers, and what transactions have taken back. */
  isHidden(batch: RecordBatch): boolean {
    const isAborted = this.aborted?.isAborted(batch) === true;
    return batch.isControl || isAborted;
  }
}
