import { Observable, type Subscriber } from 'rxjs';
import { KafkaError } from '../../util/errors.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { ConsumerRecord } from '../record/consumer-record.js';
import type { Outlets } from './outlets.js';

/** The records of one partition, from its assignment until it is given up. */
export interface PartitionStream<K = Buffer | null, V = Buffer | null> {
  readonly topic: string;
  readonly partition: number;
  /**
   * Delivers while somebody subscribes, once: what is not subscribed to delivers nothing and keeps
   * nobody else waiting. Completes when the partition is given up or lost.
   */
  readonly records: Observable<ConsumerRecord<K, V>>;
}

type AnyStream = PartitionStream<unknown, unknown>;

/** A stream for each partition. */
export class PartitionOutlets implements Outlets {
  private readonly inner = new Map<
    AssignedPartition,
    Subscriber<ConsumerRecord<unknown, unknown>>
  >();
  private readonly gone = new WeakSet<AssignedPartition>();

  constructor(
    private readonly subscriber: Subscriber<AnyStream>,
    private readonly wake: (partition: AssignedPartition) => void,
  ) {}

  attach(partition: AssignedPartition): void {
    let isTaken = false;
    partition.isWanted = false;
    const records = new Observable<ConsumerRecord<unknown, unknown>>((subscriber) => {
      if (this.gone.has(partition)) {
        subscriber.complete();
        return;
      }
      if (isTaken) {
        subscriber.error(subscribedTwice(partition));
        return;
      }
      isTaken = true;
      this.inner.set(partition, subscriber);
      partition.outlet = subscriber;
      partition.isWanted = true;
      this.wake(partition);
      return () => {
        this.inner.delete(partition);
        if (partition.outlet !== subscriber) return;
        partition.outlet = undefined;
        partition.isWanted = false;
        // It would keep memory from the others for as long as the partition is assigned.
        if (partition.hasPosition) partition.dropUndelivered();
      };
    });
    this.subscriber.next({ topic: partition.topic, partition: partition.partition, records });
  }

  detach(partition: AssignedPartition): void {
    this.gone.add(partition);
    this.inner.get(partition)?.complete();
  }

  fetched(): void {
    // Whoever subscribed gets them.
  }

  delivered(): void {
    // Its stream goes on.
  }

  chunkEnded(): void {
    // A partition's stream goes on over fetches.
  }

  heldUp(): void {
    // Acks let it go on.
  }

  complete(): void {
    for (const inner of [...this.inner.values()]) inner.complete();
    this.subscriber.complete();
  }

  fail(error: Error): void {
    for (const inner of [...this.inner.values()]) inner.error(error);
    this.subscriber.error(error);
  }
}

function subscribedTwice({ key }: AssignedPartition): KafkaError {
  return new KafkaError(
    `The records of ${key} can be subscribed to once for each assignment; use share() where ` +
      `several want them`,
    { code: 'SUBSCRIBED_TWICE' },
  );
}
