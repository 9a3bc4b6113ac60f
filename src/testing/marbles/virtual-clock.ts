import type { TestScheduler } from 'rxjs/testing';
import type { Clock } from '../../core/util/clock.js';

/** Nothing that ends takes longer; what goes on for ever would keep a test from ending. */
export const LONGEST_TEST_MS = 24 * 3_600_000;

/**
 * The time of a TestScheduler as the clock that this library takes: RxJS's own operators and ours then
 * live in the same virtual time. It begins at 0, as RxJS's does, and its lots always fall in the
 * middle, so that a backoff is exactly as long as its options say.
 *
 * @throws Error when something is still being scheduled after a day: a record that is redelivered
 * again and again, for example.
 * @example
 * const scheduler = new TestScheduler((actual, expected) => deepStrictEqual(actual, expected));
 * scheduler.run(() => {
 *   const clock = virtualClock(scheduler);
 *   clock.schedule(1000, () => print(clock.now())); // 1000
 * });
 */
export function virtualClock(scheduler: TestScheduler): Clock {
  const schedule = (delayMs: number, task: () => void) => {
    const at = scheduler.now() + Math.max(0, delayMs);
    if (at > LONGEST_TEST_MS) throw endless();
    const action = scheduler.schedule(task, Math.max(0, delayMs));
    return () => action.unsubscribe();
  };
  return {
    now: () => scheduler.now(),
    monotonic: () => scheduler.now(),
    random: () => 0.5,
    schedule,
    yield: (task) => schedule(0, task),
  };
}

export function endless(): Error {
  return new Error(
    'A day of virtual time has passed and the test has not ended: something goes on for ever, such ' +
      'as an interval, or a record that is nacked each time. Draw an end: unsubscribe with ' +
      "expectOutput(pipeline, '^---!'), or take() what you want to see",
  );
}
