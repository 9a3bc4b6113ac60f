import { Observable, type Subscriber } from 'rxjs';
import type { AssignedPartition } from './assigned-partition.js';
import type { ConsumerRecord } from './consumer-record.js';
import type { Outlets } from './outlets.js';

/** What one fetch brought of one partition, not yet delivered. */
export interface FetchHandle<K = Buffer | null, V = Buffer | null> {
  readonly topic: string;
  readonly partition: number;
  /** The offset of the first record that it can deliver. */
  readonly position: number;
  /** Where the log ended when it was fetched. */
  readonly highWatermark: number;
  /** Size as fetched. */
  readonly sizeBytes: number;
  /**
   * Delivers the records and completes; the partition's next handle comes after that. What is left
   * when it is unsubscribed early comes with the next handle.
   */
  readonly records: Observable<ConsumerRecord<K, V>>;
}

type AnyHandle = FetchHandle<unknown, unknown>;

interface Offer {
  subscriber: Subscriber<ConsumerRecord<unknown, unknown>> | undefined;
}

/** A handle for each fetch of a partition, one at a time. */
export class FetchOutlets implements Outlets {
  private readonly offers = new Map<AssignedPartition, Offer>();

  constructor(
    private readonly subscriber: Subscriber<AnyHandle>,
    private readonly wake: () => void,
  ) {}

  attach(): void {
    // There is nothing to offer before something was fetched.
  }

  detach(partition: AssignedPartition): void {
    const offer = this.offers.get(partition);
    this.offers.delete(partition);
    partition.outlet = undefined;
    offer?.subscriber?.complete();
  }

  fetched(partition: AssignedPartition): void {
    if (this.offers.has(partition) || !partition.hasRecords || partition.isDraining) return;
    const offer: Offer = { subscriber: undefined };
    this.offers.set(partition, offer);
    const { topic, partition: index, position, highWatermark, buffer } = partition;
    const sizeBytes = buffer.current?.sizeBytes ?? 0;
    const records = this.recordsOf(partition, offer);
    this.subscriber.next({ topic, partition: index, position, highWatermark, sizeBytes, records });
  }

  chunkEnded(partition: AssignedPartition): void {
    const offer = this.offers.get(partition);
    if (offer?.subscriber === undefined) return;
    this.offers.delete(partition);
    partition.outlet = undefined;
    offer.subscriber.complete();
    this.fetched(partition);
  }

  complete(): void {
    for (const partition of [...this.offers.keys()]) this.detach(partition);
    this.subscriber.complete();
  }

  fail(error: Error): void {
    for (const { subscriber } of this.offers.values()) subscriber?.error(error);
    this.offers.clear();
    this.subscriber.error(error);
  }

  private recordsOf(
    partition: AssignedPartition,
    offer: Offer,
  ): Observable<ConsumerRecord<unknown, unknown>> {
    return new Observable((subscriber) => {
      if (this.offers.get(partition) !== offer || offer.subscriber !== undefined) {
        subscriber.complete();
        return;
      }
      offer.subscriber = subscriber;
      partition.outlet = subscriber;
      this.wake();
      return () => {
        if (this.offers.get(partition) !== offer) return;
        this.offers.delete(partition);
        partition.outlet = undefined;
        this.fetched(partition);
      };
    });
  }
}
