import type { Clock } from '../../util/clock.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { ConsumerRecord } from '../record/consumer-record.js';
import { accept, isPromise, UndecodableRecord, type Decoder } from './decoder.js';
import type { DeliveryHooks } from './delivery-hooks.js';

/** Decodes records before they are delivered, and does with those that can't be as the policy says. */
export class RecordDecoding {
  constructor(
    private readonly clock: Clock,
    private readonly decoder: Decoder,
    private readonly hooks: DeliveryHooks,
    /** A record that took its time is decided on: its partition can go on. */
    private readonly onDecided: (partition: AssignedPartition) => void,
  ) {}

  /** Whether there is nothing to do: records are read lazily. */
  get isIdle(): boolean {
    return this.decoder.isIdle;
  }

  /** False when the record is not to be delivered, or not yet. */
  decode(partition: AssignedPartition, record: ConsumerRecord<unknown, unknown>): boolean {
    const held = partition.hold?.(record);
    if (held !== undefined) {
      this.decodeLater(
        partition,
        record,
        held.then(() => this.decoder.decode(record)),
      );
      return false;
    }
    for (;;) {
      try {
        const later = this.decoder.decode(record);
        if (later === undefined) return true;
        this.decodeLater(partition, record, later);
        return false;
      } catch (error) {
        // What was replaced is not decoded again, but the rest may not be decoded yet.
        if (!this.remedy(partition, record, error)) return false;
      }
    }
  }

  private decodeLater(
    partition: AssignedPartition,
    record: ConsumerRecord<unknown, unknown>,
    later: Promise<void>,
  ): void {
    const { open } = partition;
    partition.isDecoding = true;
    const done = (error?: unknown) => {
      // Sought, revoked or closed meanwhile: it counts for nothing.
      if (partition.open !== open || !partition.isDecoding) return;
      partition.isDecoding = false;
      const isWhole =
        error === undefined ||
        (this.remedy(partition, record, error) && this.decode(partition, record));
      if (isWhole) partition.decoded = record;
      this.onDecided(partition);
    };
    later.then(() => done(), done);
  }

  private remedy(
    partition: AssignedPartition,
    record: ConsumerRecord<unknown, unknown>,
    error: unknown,
  ): boolean {
    if (!(error instanceof UndecodableRecord)) throw error;
    const { failure } = error;
    const remedy = this.hooks.onUndecodable(partition, failure);
    if (typeof remedy === 'object') {
      const { value } = remedy;
      if (isPromise(value)) {
        this.decodeLater(partition, record, this.replaceLater(record, failure.part, value));
        return false;
      }
      accept(record, failure.part, value);
      return true;
    }
    if (remedy === 'skip') {
      const { ledger, leaderEpoch } = record.source;
      ledger.ack(ledger.deliver(record.offset, leaderEpoch, this.clock.monotonic()));
      partition.acked(ledger);
    }
    return false;
  }

  private async replaceLater(
    record: ConsumerRecord<unknown, unknown>,
    part: 'key' | 'value',
    value: PromiseLike<unknown>,
  ): Promise<void> {
    accept(record, part, await value);
    await this.decoder.decode(record);
  }
}
