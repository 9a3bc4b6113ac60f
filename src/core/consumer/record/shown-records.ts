import type { ConsumerRecord } from './consumer-record.js';
import type { DeliveryOwner, RecordHome } from '../delivering/delivery.js';
import { Pipeline, type PipelineHost } from '../pipeline.js';
import { Relay, type Outcome } from './relay.js';

type AnyRecord = ConsumerRecord<unknown, unknown>;

/**
 * Shows records to a part of a pipeline that somebody else answers for: what it says of them goes to
 * one outcome, and that their partitions are being given up is kept from it.
 */
export class ShownRecords {
  private readonly pipeline: Pipeline;
  private readonly homes = new Map<RecordHome, Relay>();
  /** Records come batch by batch: most lie where the one before does. */
  private latest: { readonly source: RecordHome; readonly home: Relay } | undefined;

  constructor(
    host: PipelineHost,
    private readonly outcome: Outcome,
  ) {
    this.pipeline = new Pipeline(host);
  }

  show<K, V>(record: ConsumerRecord<K, V>): ConsumerRecord<K, V> {
    const { source } = record;
    if (source !== this.latest?.source) this.latest = { source, home: this.homeFor(source) };
    return record.shownIn(this.latest.home);
  }

  private homeFor(source: RecordHome): Relay {
    let home = this.homes.get(source);
    if (home === undefined) {
      home = new Relay(source, this.outcome, new ShownOwner(source.owner, this.pipeline));
      this.homes.set(source, home);
    }
    return home;
  }

  end(): void {
    this.pipeline.end();
  }
}

/** The partition of shown records. */
class ShownOwner implements DeliveryOwner {
  readonly isDraining = false;
  readonly isLeaving = false;

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

  get position(): number {
    return this.origin.position;
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

  onGivenUp(): () => void {
    return () => undefined;
  }

  finished(): void {
    return;
  }
}
