/** Cancels what a {@link Clock} was asked to do; a second call does nothing. */
export type Cancel = () => void;

/**
 * The only owner of time and chance. All code that waits, measures or draws lots takes one, so that
 * a whole cluster with its clients can run on virtual time.
 */
export interface Clock {
  /** Milliseconds since 1970, for timestamps that others will read. */
  now(): number;
  /** Milliseconds that never go backwards, for measuring and deadlines. */
  monotonic(): number;
  /** At least 0, below 1. */
  random(): number;
  /** Calls `task` once after `delayMs`. Keeps the process alive until then: cancel on close. */
  schedule(delayMs: number, task: () => void): Cancel;
  /** Calls `task` once the event loop has served what is waiting. */
  yield(task: () => void): Cancel;
}

/** Node fires timers that are to take longer at once. */
const LONGEST_TIMER_MS = 0x7fff_ffff;

/** The clock of the machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  random: () => Math.random(),
  schedule(delayMs, task) {
    if (delayMs > LONGEST_TIMER_MS) return scheduleLong(delayMs, task);
    const timer = setTimeout(task, delayMs);
    return () => clearTimeout(timer);
  },
  yield(task) {
    const immediate = setImmediate(task);
    return () => clearImmediate(immediate);
  },
};

function scheduleLong(delayMs: number, task: () => void): Cancel {
  let cancel = systemClock.schedule(LONGEST_TIMER_MS, () => {
    cancel = systemClock.schedule(delayMs - LONGEST_TIMER_MS, task);
  });
  return () => cancel();
}
