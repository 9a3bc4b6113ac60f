import type { Origin, RecordSource } from '../../records/index.js';
import type { ConsumerRecord } from './consumer-record.js';
import type { DeliveryOwner, RecordHome } from '../delivering/delivery.js';
import type { Ledger } from '../ledger.js';

type AnyRecord = ConsumerRecord<unknown, unknown>;

/** Who decides what becomes of a record when one that stands for it is settled. */
export interface Outcome {
  ack(): void;
  nack(reason: unknown): void;
  giveBack(): void;
  /** Whether, after a nack, that very record is delivered again. */
  readonly isNacked: boolean;
  /** What a result of the record reports to, where that is not the record itself. */
  originFor?(record: AnyRecord): Origin;
  /** Whether a record divided into parts waits for it, and for others. */
  readonly isOfParts?: boolean;
}

/** Where records lie that stand for another one: with it, but their outcome goes elsewhere. */
export class Relay implements RecordHome {
  constructor(
    private readonly origin: RecordHome,
    private readonly outcome: Outcome,
    readonly owner: DeliveryOwner,
  ) {}

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

  get isPart(): boolean {
    return this.outcome.isOfParts === true || this.origin.isPart;
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
    return this.outcome.originFor?.(record) ?? record;
  }
}

/** A record that stands for another one and is like it; its outcome goes where it is told. */
export function standIn<K, V>(
  record: ConsumerRecord<K, V>,
  outcome: Outcome,
): ConsumerRecord<K, V> {
  return takenLike(record, record.shownIn(new Relay(record.source, outcome, record.owner)));
}

/** A record that stands for another one, with a value of its own; its outcome goes where it is told. */
export function relay<K, V>(
  record: ConsumerRecord<K, unknown>,
  outcome: Outcome,
  value: V,
): ConsumerRecord<K, V> {
  return takenLike(
    record,
    record.relayedTo(new Relay(record.source, outcome, record.owner), value),
  );
}

/** Whoever sees to the ack of a record sees to that of what stands for it. */
function takenLike<R extends AnyRecord>(record: AnyRecord, other: R): R {
  if (record.isTaken) other.takeOver();
  return other;
}
