import type { Cancel, Clock } from '../../util/clock.js';
import type { AssignedPartition } from '../assigned-partition.js';

interface Wait {
  readonly isOver: () => boolean;
  readonly finish: () => void;
  deadline: number;
  cancel: Cancel;
}

/** Waits for work in hand and for callbacks of the user's, up to deadlines. */
export class Drains {
  private readonly waits = new Set<Wait>();

  constructor(private readonly clock: Clock) {}

  /** Resolves when nobody is at work on records of the partitions, or at the deadline. */
  done(partitions: readonly AssignedPartition[], deadline: number): Promise<void> {
    const isOver = () => partitions.every(isDone);
    if (isOver()) return Promise.resolve();
    return new Promise((resolve) => void this.begin(isOver, deadline, resolve));
  }

  /** Resolves with what a callback does, or at the deadline. */
  called(task: Promise<unknown>, deadline: number): Promise<void> {
    return new Promise((resolve) => {
      const { finish } = this.begin(() => false, deadline, resolve);
      void task.then(finish);
    });
  }

  /** Lets nothing wait beyond a deadline. */
  hasten(deadline: number): void {
    for (const wait of this.waits) {
      if (wait.deadline <= deadline) continue;
      wait.cancel();
      wait.deadline = deadline;
      wait.cancel = this.at(deadline, wait.finish);
    }
  }

  /** To be called whenever a record was acked, or a partition is gone. */
  check(): void {
    for (const wait of [...this.waits]) if (wait.isOver()) wait.finish();
  }

  /** Ends every wait. */
  stop(): void {
    for (const wait of [...this.waits]) wait.finish();
  }

  /** Resolves with the task, or when the time is up. */
  async within(task: Promise<unknown>, timeoutMs: number): Promise<void> {
    let cancel: () => void = () => undefined;
    const timedOut = new Promise<void>((resolve) => {
      cancel = this.clock.schedule(Math.max(0, timeoutMs), resolve);
    });
    await Promise.race([task, timedOut]);
    cancel();
  }

  private begin(isOver: () => boolean, deadline: number, tell: () => void): Wait {
    const finish = () => {
      wait.cancel();
      this.waits.delete(wait);
      tell();
    };
    const wait: Wait = { isOver, finish, deadline, cancel: this.at(deadline, finish) };
    this.waits.add(wait);
    return wait;
  }

  private at(deadline: number, task: () => void): Cancel {
    return this.clock.schedule(Math.max(0, deadline - this.clock.monotonic()), task);
  }
}

function isDone({ isDrained }: AssignedPartition): boolean {
  return isDrained;
}
