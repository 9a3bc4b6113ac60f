import type { Cancel, Clock } from '../../src/core/util/clock.js';

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly task: () => void;
}

/**
 * Time that stands still until the test moves it. What is due runs inside {@link FakeClock.advance},
 * in the order of its time.
 *
 * @example
 * const clock = new FakeClock();
 * clock.schedule(1000, () => console.log('late'));
 * clock.advance(1000); // late
 */
export class FakeClock implements Clock {
  private elapsed = 0;
  private order = 0;
  private readonly timers = new Set<Timer>();
  private state: number;

  /** @param seed what the lots are drawn from. */
  constructor(
    private startMs = 1_700_000_000_000,
    seed = 1,
  ) {
    this.state = seed >>> 0;
  }

  now(): number {
    return Math.floor(this.startMs + this.elapsed);
  }

  monotonic(): number {
    return this.elapsed;
  }

  random(): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return this.state / 0x1_0000_0000;
  }

  schedule(delayMs: number, task: () => void): Cancel {
    const timer = { at: this.elapsed + Math.max(0, delayMs), order: this.order++, task };
    this.timers.add(timer);
    return () => void this.timers.delete(timer);
  }

  yield(task: () => void): Cancel {
    return this.schedule(0, task);
  }

  /** How many tasks are waiting: 0 once everything has cleaned up after itself. */
  get pending(): number {
    return this.timers.size;
  }

  /** Milliseconds until the next task; `undefined` when none waits. */
  get nextInMs(): number | undefined {
    const next = this.next();
    return next === undefined ? undefined : Math.max(0, next.at - this.elapsed);
  }

  /** Moves time on and runs all that is due by then, also what becomes due on the way. */
  advance(ms: number): void {
    const end = this.elapsed + ms;
    for (let timer = this.next(); timer !== undefined && timer.at <= end; timer = this.next()) {
      this.timers.delete(timer);
      this.elapsed = Math.max(this.elapsed, timer.at);
      timer.task();
    }
    this.elapsed = end;
  }

  /** Lets time pass while nothing gets its turn, as a long computation does. */
  block(ms: number): void {
    this.elapsed += ms;
  }

  /** The time of day is corrected, which timers don't feel. */
  setBack(ms: number): void {
    this.startMs -= ms;
  }

  private next(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.timers) {
      if (first === undefined || timer.at < first.at) first = timer;
      else if (timer.at === first.at && timer.order < first.order) first = timer;
    }
    return first;
  }
}

/** Resolves when all promises that can go on have gone on: one turn of the event loop. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
