import type { Cancel, Clock } from '../../util/clock.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { ConsumerRecord } from '../record/consumer-record.js';

type AnyRecord = ConsumerRecord<unknown, unknown>;

/** Timers can't wait longer. */
const LONGEST_WAIT_MS = 2 ** 31 - 1;

/**
 * Holds each record of partitions until its time, with one timer a partition. A record that waits is
 * not delivered yet, so that it counts neither as work in hand nor for the window.
 */
export class HeldRecords {
  private readonly timers = new Map<AssignedPartition, Cancel>();

  constructor(
    private readonly clock: Clock,
    /** When a record is due, in ms since 1970. */
    private readonly dueAt: (record: AnyRecord) => number,
  ) {}

  attach(partition: AssignedPartition): void {
    partition.hold = (record) => {
      const at = this.dueAt(record);
      return at > this.clock.now() ? this.wait(partition, at) : undefined;
    };
  }

  detach(partition: AssignedPartition): void {
    this.timers.get(partition)?.();
    this.timers.delete(partition);
  }

  detachAll(): void {
    for (const partition of [...this.timers.keys()]) this.detach(partition);
  }

  private wait(partition: AssignedPartition, until: number): Promise<void> {
    const { clock, timers } = this;
    return new Promise((resolve) => {
      const look = () => {
        this.detach(partition);
        const leftMs = until - clock.now();
        if (leftMs > 0) {
          timers.set(partition, clock.schedule(Math.min(leftMs, LONGEST_WAIT_MS), look));
        } else {
          resolve();
        }
      };
      look();
    });
  }
}
