import type { Subscriber } from 'rxjs';
import type { AssignedPartition } from '../assigned-partition.js';
import type { ConsumerRecord } from '../record/consumer-record.js';

/**
 * Where the records of a subscription go: all to one subscriber, or to one for each partition or
 * fetch. Demand is whether a partition has an outlet that is open.
 */
export interface Outlets {
  /** A partition was assigned. */
  attach(partition: AssignedPartition): void;
  /** Nothing more of a partition is delivered: it is being given up, or gone. */
  detach(partition: AssignedPartition): void;
  /** Records of a partition are at hand, or such as come again are due. */
  fetched(partition: AssignedPartition): void;
  /** Records of a partition came out. */
  delivered(partition: AssignedPartition): void;
  /** What one fetch brought has been delivered. */
  chunkEnded(partition: AssignedPartition): void;
  /** Records are at hand that can't be delivered before others are acked. */
  heldUp(partition: AssignedPartition): void;
  /** Nothing more is delivered at all: completes, so that operators let go of what they hold. */
  complete(): void;
  /** Ends the stream with an error, after everything else. */
  fail(error: Error): void;
}

/** Everything goes to one subscriber. */
export function singleOutlet(subscriber: Subscriber<ConsumerRecord<unknown, unknown>>): Outlets {
  const nothing = () => undefined;
  return {
    attach: (partition) => (partition.outlet = subscriber),
    detach: (partition) => (partition.outlet = undefined),
    fetched: nothing,
    delivered: nothing,
    chunkEnded: nothing,
    heldUp: nothing,
    complete: () => subscriber.complete(),
    fail: (error) => subscriber.error(error),
  };
}
