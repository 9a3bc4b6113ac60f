import type { AssignedPartition } from '../../core/consumer/assigned-partition.js';
import type { Cancel, Clock } from '../../core/util/clock.js';

/** Waits for work in hand in virtual time, without promises. */
export class DrainWaits {
  private readonly waits = new Set<() => void>();

  constructor(private readonly clock: Clock) {}

  /** Calls back when nobody is at work on records of the partitions, or at the deadline. */
  done(partitions: readonly AssignedPartition[], timeoutMs: number, callback: () => void): void {
    const isDone = () => partitions.every(({ isDrained }) => isDrained);
    if (isDone()) {
      callback();
      return;
    }
    let cancel: Cancel = () => undefined;
    const finish = () => {
      this.waits.delete(check);
      cancel();
      callback();
    };
    const check = () => {
      if (isDone()) finish();
    };
    this.waits.add(check);
    cancel = this.clock.schedule(timeoutMs, finish);
  }

  /** To be called whenever a record was acked or came back, or a partition is gone. */
  check(): void {
    for (const check of [...this.waits]) check();
  }
}
