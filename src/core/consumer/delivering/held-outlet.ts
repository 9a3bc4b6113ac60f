import type { Subscriber } from 'rxjs';
import type { Cancel, Clock } from '../../util/clock.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { ConsumerRecord } from '../record/consumer-record.js';
import { singleOutlet, type Outlets } from './outlets.js';

type AnyRecord = ConsumerRecord<unknown, unknown>;

/** Timers can't wait longer. */
const LONGEST_WAIT_MS = 2 ** 31 - 1;

/**
 * Everything goes to one subscriber, each record not before its time, with one timer a partition. A
 * record that waits is not delivered yet, so that it counts neither as work in hand nor for the window.
 *
 * @param dueAt in ms since 1970.
 */
export function heldOutlet(
  subscriber: Subscriber<AnyRecord>,
  clock: Clock,
  dueAt: (record: AnyRecord) => number,
): Outlets {
  const timers = new Map<AssignedPartition, Cancel>();
  const stop = (partition: AssignedPartition) => {
    timers.get(partition)?.();
    timers.delete(partition);
  };
  const stopAll = () => {
    for (const partition of [...timers.keys()]) stop(partition);
  };
  const wait = (partition: AssignedPartition, until: number) =>
    new Promise<void>((resolve) => {
      const look = () => {
        stop(partition);
        const leftMs = until - clock.now();
        if (leftMs > 0) {
          timers.set(partition, clock.schedule(Math.min(leftMs, LONGEST_WAIT_MS), look));
        } else {
          resolve();
        }
      };
      look();
    });
  const single = singleOutlet(subscriber);
  subscriber.add(stopAll);
  return {
    ...single,
    attach(partition) {
      single.attach(partition);
      partition.fetchesAhead = false;
      partition.hold = (record) => {
        const at = dueAt(record);
        return at > clock.now() ? wait(partition, at) : undefined;
      };
    },
    detach(partition) {
      stop(partition);
      single.detach(partition);
    },
  };
}
