import type { Subscriber } from 'rxjs';
import type { Clock } from '../../util/clock.js';
import type { ConsumerRecord } from '../record/consumer-record.js';
import { HeldRecords } from './held-records.js';
import { singleOutlet, type Outlets } from './outlets.js';

type AnyRecord = ConsumerRecord<unknown, unknown>;

/**
 * Everything goes to one subscriber, each record not before its time.
 *
 * @param dueAt in ms since 1970.
 */
export function heldOutlet(
  subscriber: Subscriber<AnyRecord>,
  clock: Clock,
  dueAt: (record: AnyRecord) => number,
): Outlets {
  const held = new HeldRecords(clock, dueAt);
  const single = singleOutlet(subscriber);
  subscriber.add(() => held.detachAll());
  return {
    ...single,
    attach(partition) {
      single.attach(partition);
      partition.fetchesAhead = false;
      held.attach(partition);
    },
    detach(partition) {
      held.detach(partition);
      single.detach(partition);
    },
  };
}
