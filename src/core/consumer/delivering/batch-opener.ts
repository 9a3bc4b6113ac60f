import type { OpenOptions, RecordBatch } from '../../records/index.js';
import { CorruptRecordError } from '../../util/errors.js';
import type { AssignedPartition, OpenBatch } from '../assigned-partition.js';
import type { ByteBudget } from '../fetching/byte-budget.js';
import { Delivery } from './delivery.js';
import { isDeliverable, type DeliveryHooks, type Remedy } from './delivery-hooks.js';

const VERIFIED: OpenOptions = { checkCrcs: false };

/** Verifies and decompresses batches, each when its turn has come and there are bytes for it. */
export class BatchOpener {
  /** Partitions that have stopped for want of bytes. */
  private readonly waiting = new Set<AssignedPartition>();

  constructor(
    private readonly budget: ByteBudget,
    private readonly settings: Required<Pick<OpenOptions, 'checkCrcs'>>,
    private readonly hooks: DeliveryHooks,
  ) {}

  /** Partitions wait for bytes to be given back before they open another batch. */
  get awaitsBytes(): boolean {
    return this.waiting.size > 0;
  }

  /** Those that have waited for bytes: there are some again. */
  takeWaiting(): AssignedPartition[] {
    const taken = [...this.waiting];
    this.waiting.clear();
    return taken;
  }

  /** Opens the next batch that has something to deliver, passing over what has not. */
  next(partition: AssignedPartition): OpenBatch | undefined {
    const { buffer, ledger } = partition;
    partition.awaitsBytes = false;
    this.waiting.delete(partition);
    while (isDeliverable(partition) && partition.ledger === ledger) {
      const chunk = buffer.current;
      if (chunk === undefined) return undefined;
      // A batch may become many times as large as it was fetched: one a partition always may.
      if (this.budget.isUsedUp && partition.holdsMemory) {
        partition.awaitsBytes = true;
        this.waiting.add(partition);
        return undefined;
      }
      let batch: RecordBatch | undefined;
      try {
        batch = buffer.next();
        if (batch === undefined) {
          buffer.shift();
          this.hooks.onChunkEnd(partition);
          continue;
        }
        // Before anything is believed of what its header says.
        if (this.settings.checkCrcs) batch.verifyCrc();
        if (batch.nextOffset <= ledger.position) continue;
        if (batch.baseOffset >= partition.endOffset && batch.magic === 2) {
          ledger.pass(partition.endOffset, batch.partitionLeaderEpoch);
          this.hooks.onDelivered(partition, 0);
          return undefined;
        }
        if (chunk.isHidden(batch)) {
          ledger.pass(batch.nextOffset, batch.partitionLeaderEpoch);
          this.hooks.onDelivered(partition, 0);
          continue;
        }
        // What a message of magic 0 or 1 wraps has checksums of its own.
        const cursor = batch.cursor(batch.magic === 2 ? VERIFIED : this.settings);
        const memory =
          batch.compressionType === 'none'
            ? chunk.memory.retain()
            : this.budget.hold(cursor.source.bytes.length);
        const epoch = batch.partitionLeaderEpoch;
        const delivery = new Delivery(partition, ledger, cursor.source, epoch, memory);
        return partition.openBatch(batch, cursor, delivery);
      } catch (error) {
        if (this.failed(partition, error, batch) === 'stop') return undefined;
      }
    }
    return undefined;
  }

  /** A batch, or a record of it, can't be read. */
  failed(partition: AssignedPartition, error: unknown, batch: RecordBatch | undefined): Remedy {
    if (!(error instanceof CorruptRecordError)) {
      this.hooks.onFailed(partition, error);
      return 'stop';
    }
    const remedy = this.hooks.onCorrupt(partition, error, batch);
    if (remedy === 'skip' && batch !== undefined) this.skip(partition, batch);
    return remedy;
  }

  private skip(partition: AssignedPartition, batch: RecordBatch): void {
    const { buffer, ledger } = partition;
    const before = ledger.position;
    partition.closeBatch();
    // The epoch it names may be wrong, too, and would have the leader tell of a log that was cut off.
    ledger.pass(buffer.endOf(batch), -1);
    this.hooks.onDelivered(partition, 0);
    // It may have been the marker of an aborted transaction: what follows it can't be told from what
    // was taken back. Fetched anew from there, it comes with a list of what was aborted since.
    if (buffer.current?.leavesOutAborted !== true || ledger.position === before) return;
    partition.dropUndelivered();
    this.hooks.onChunkEnd(partition);
  }
}
