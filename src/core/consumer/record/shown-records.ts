import type { Origin, RecordSource } from '../../records/index.js';
import type { ConsumerRecord } from './consumer-record.js';
import type { DeliveryOwner, RecordHome } from '../delivering/delivery.js';
import type { Ledger } from '../ledger.js';
import { Pipeline, type PipelineHost } from '../pipeline.js';
import type { Outcome } from './relay.js';

type AnyRecord = ConsumerRecord<unknown, unknown>;

/**
 * Shows records to a part of a pipeline that somebody else answers for: what it says of them goes to
 * one outcome, and that their partitions are being given up is kept from it.
 */
export class ShownRecords {
  private readonly pipeline: Pipeline;
  private readonly homes = new Map<RecordHome, ShownHome>();

  constructor(
    host: PipelineHost,
    private readonly outcome: Outcome,
  ) {
    this.pipeline = new Pipeline(host);
  }

  show<K, V>(record: ConsumerRecord<K, V>): ConsumerRecord<K, V> {
    const { source } = record;
    let home = this.homes.get(source);
    if (home === undefined) {
      home = new ShownHome(source, this.outcome, this.pipeline);
      this.homes.set(source, home);
    }
    return record.shownIn(home);
  }

  end(): void {
    this.pipeline.end();
  }
}

class ShownHome implements RecordHome {
  readonly owner: DeliveryOwner;

  constructor(
    private readonly origin: RecordHome,
    private readonly outcome: Outcome,
    pipeline: Pipeline,
  ) {
    this.owner = new ShownOwner(origin.owner, pipeline);
  }

  get topic(): string {
    return this.origin.topic;
  }

  get partition(): number {
    return this.origin.partition;
  }

  get ledger(): Ledger {
    return this.origin.ledger;
  }

  get source(): RecordSource {
    return this.origin.source;
  }

  get leaderEpoch(): number {
    return this.origin.leaderEpoch;
  }

  get signal(): AbortSignal {
    return this.origin.signal;
  }

  ack(): void {
    this.outcome.ack();
  }

  nack(_record: AnyRecord, _sequence: number, reason: unknown): boolean {
    this.outcome.nack(reason);
    return this.outcome.isNacked;
  }

  return(): void {
    this.outcome.giveBack();
  }

  originFor(record: AnyRecord): Origin {
    return record;
  }
}

/** The partition of shown records. */
class ShownOwner implements DeliveryOwner {
  readonly isDraining = false;

  constructor(
    private readonly origin: DeliveryOwner,
    readonly pipeline: Pipeline,
  ) {}

  get topic(): string {
    return this.origin.topic;
  }

  get partition(): number {
    return this.origin.partition;
  }

  get signal(): AbortSignal {
    return this.origin.signal;
  }

  endOfLog(isCommittedOnly: boolean): number {
    return this.origin.endOfLog(isCommittedOnly);
  }

  failedUnheard(record: AnyRecord, reason: unknown): void {
    this.origin.failedUnheard(record, reason);
  }

  isAwaited(): boolean {
    return false;
  }

  // What happens to shown records goes to their outcome: the partition hears nothing of it.

  acked(): void {
    return;
  }

  ackedLate(): void {
    return;
  }

  nacked(): void {
    return;
  }

  returned(): void {
    return;
  }

  onGivenUp(): void {
    return;
  }

  finished(): void {
    return;
  }
}
