import { Observable, type Subscriber } from 'rxjs';
import type { Clock } from '../../util/clock.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { ConsumerRecord } from '../record/consumer-record.js';
import type { Outlets } from './outlets.js';

/** What one fetch brought of one partition, not yet delivered. */
export interface FetchHandle<K = Buffer | null, V = Buffer | null> {
  readonly topic: string;
  readonly partition: number;
  /** The offset of the first record that it can deliver. */
  readonly position: number;
  /** Where the log ended when it was fetched. */
  readonly highWatermark: number;
  /** Size as fetched; 0 where only records come that were delivered before. */
  readonly sizeBytes: number;
  /**
   * Delivers the records and completes; the partition's next handle comes after that. It completes
   * before the fetch is used up when no more can be delivered until records of it are acked, so that
   * operators that take it whole, as `toArray`, are given what the window holds. What is left then,
   * or when it is unsubscribed early, comes with the next handle.
   */
  readonly records: Observable<ConsumerRecord<K, V>>;
}

type AnyHandle = FetchHandle<unknown, unknown>;

interface Offer {
  subscriber: Subscriber<ConsumerRecord<unknown, unknown>> | undefined;
  /** When it was subscribed to, on the monotonic clock. */
  since: number;
  /** What {@link AssignedPartition.moves} was then. */
  moves: number;
}

/** A handle for each fetch of a partition, one at a time. */
export class FetchOutlets implements Outlets {
  private readonly offers = new Map<AssignedPartition, Offer>();

  constructor(
    private readonly subscriber: Subscriber<AnyHandle>,
    private readonly clock: Clock,
    private readonly wake: (partition: AssignedPartition) => void,
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
    if (this.offers.has(partition) || partition.isDraining) return;
    const again = this.dueAgain(partition);
    if (again === undefined && !partition.hasRecords) return;
    const offer: Offer = { subscriber: undefined, since: 0, moves: 0 };
    this.offers.set(partition, offer);
    const { topic, partition: index, highWatermark, buffer } = partition;
    const position = again?.offset ?? partition.position;
    const sizeBytes = buffer.current?.sizeBytes ?? 0;
    const records = this.recordsOf(partition, offer);
    this.subscriber.next({ topic, partition: index, position, highWatermark, sizeBytes, records });
  }

  delivered(partition: AssignedPartition): void {
    // The end of a fetch ends its handle; one that was made for records that come again has none.
    if (!partition.hasRecords) this.ended(partition);
  }

  chunkEnded(partition: AssignedPartition): void {
    this.ended(partition);
  }

  heldUp(partition: AssignedPartition): void {
    const offer = this.offers.get(partition);
    // One that has delivered nothing waits for acks of those before it.
    if (offer === undefined || partition.moves === offer.moves) return;
    const oldest = partition.ledger.oldestUnacked;
    if (oldest?.isInHand === true && oldest.deliveredAt >= offer.since) this.end(partition, offer);
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

  /** The first record that comes again now: also where nothing new does. */
  private dueAgain({ redeliveries }: AssignedPartition) {
    const [first] = redeliveries;
    return first !== undefined && first.dueAt <= this.clock.monotonic() ? first.record : undefined;
  }

  private ended(partition: AssignedPartition): void {
    const offer = this.offers.get(partition);
    if (offer !== undefined) this.end(partition, offer);
  }

  private end(partition: AssignedPartition, { subscriber }: Offer): void {
    if (subscriber === undefined) return;
    this.offers.delete(partition);
    partition.outlet = undefined;
    subscriber.complete();
    this.fetched(partition);
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
      offer.since = this.clock.monotonic();
      offer.moves = partition.moves;
      partition.outlet = subscriber;
      this.wake(partition);
      return () => {
        if (this.offers.get(partition) !== offer) return;
        this.offers.delete(partition);
        partition.outlet = undefined;
        this.fetched(partition);
      };
    });
  }
}
