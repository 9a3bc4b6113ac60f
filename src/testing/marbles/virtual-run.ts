import { dateTimestampProvider } from 'rxjs/internal/scheduler/dateTimestampProvider';
import { immediateProvider } from 'rxjs/internal/scheduler/immediateProvider';
import { intervalProvider } from 'rxjs/internal/scheduler/intervalProvider';
import { performanceTimestampProvider } from 'rxjs/internal/scheduler/performanceTimestampProvider';
import { timeoutProvider } from 'rxjs/internal/scheduler/timeoutProvider';
import { TestScheduler, type RunHelpers } from 'rxjs/testing';
import { systemClock } from '../../core/util/clock.js';
import { endless, LONGEST_TEST_MS } from './virtual-clock.js';

/** Where RxJS gets time from; in run mode a TestScheduler stands in for each. */
const providers: readonly { delegate: unknown }[] = [
  dateTimestampProvider,
  immediateProvider,
  intervalProvider,
  performanceTimestampProvider,
  timeoutProvider,
];

/* eslint-disable @typescript-eslint/no-deprecated -- internals that nothing else gives access to */
const frameWidth = {
  get: () => TestScheduler.frameTimeFactor,
  set: (frames: number) => (TestScheduler.frameTimeFactor = frames),
};
const hotObservablesOf = (scheduler: TestScheduler) => scheduler.hotObservables.splice(0);
/* eslint-enable @typescript-eslint/no-deprecated */

/** Runs a test in virtual time, all at once. */
export function runAtOnce(
  scheduler: TestScheduler,
  body: (helpers: RunHelpers) => void,
  afterFlush: () => void,
): void {
  const flush = scheduler.flush.bind(scheduler);
  scheduler.flush = () => {
    scheduler.maxFrames = LONGEST_TEST_MS;
    flush();
    if (scheduler.actions.length > 0) throw endless();
    afterFlush();
  };
  scheduler.run((helpers) => body({ ...helpers, flush: () => scheduler.flush() }));
}

/**
 * Runs a test in virtual time that stands still whenever promises have something to do: after each
 * thing that happens, all microtasks run before the next.
 */
export async function runInTurns(
  scheduler: TestScheduler,
  body: (helpers: RunHelpers) => unknown,
  afterFlush: () => void,
): Promise<void> {
  if (providers.some(({ delegate }) => delegate !== undefined)) throw alreadyRunning();
  const flush = scheduler.flush.bind(scheduler);
  // What run() sets up ends when it returns; this test goes on.
  scheduler.flush = () => undefined;
  const normalFactor = frameWidth.get();
  try {
    const { result, delegates } = scheduler.run((helpers) => ({
      delegates: providers.map(({ delegate }) => delegate),
      result: body(helpers),
    }));
    frameWidth.set(1);
    // Private, and read whenever cold() or time() is called later on.
    Reflect.set(scheduler, 'runMode', true);
    scheduler.maxFrames = LONGEST_TEST_MS;
    for (const [i, provider] of providers.entries()) provider.delegate = delegates[i];
    await inTurns(scheduler, result);
    flush();
    afterFlush();
  } finally {
    frameWidth.set(normalFactor);
    for (const provider of providers) provider.delegate = undefined;
  }
}

/** Moves time on until nothing is left to happen, by when the body has to be through. */
async function inTurns(scheduler: TestScheduler, body: unknown): Promise<void> {
  const nothing = Symbol('nothing yet');
  const through = Promise.resolve(body);
  // Told when time has ended.
  through.catch(() => undefined);
  await turns(scheduler);
  if ((await Promise.race([through, Promise.resolve(nothing)])) === nothing) throw neverEnds();
  await turns(scheduler);
}

/** One thing after the other, until nothing is left to happen. */
async function turns(scheduler: TestScheduler): Promise<void> {
  for (const hot of hotObservablesOf(scheduler)) hot.setup();
  await settled();
  for (;;) {
    const [next] = scheduler.actions;
    if (next === undefined) return;
    if (next.delay > LONGEST_TEST_MS) throw endless();
    step(scheduler);
    await settled();
  }
}

/** Runs the next action, and only that. */
function step(scheduler: TestScheduler): void {
  const action = scheduler.actions.shift()!;
  scheduler.frame = action.delay;
  const error: unknown = action.execute(action.state, action.delay);
  if (error !== undefined) throw error as Error;
}

/** Resolves when all promises that can go on have gone on. */
function settled(): Promise<void> {
  return new Promise((resolve) => systemClock.yield(resolve));
}

function alreadyRunning(): Error {
  return new Error(
    'A test in virtual time is under way already: RxJS has one time for all of a process, so such ' +
      'tests can’t run concurrently',
  );
}

function neverEnds(): Error {
  return new Error(
    'The test waits for something that virtual time can’t bring about: a real timer, I/O, or a ' +
      'promise that nobody resolves',
  );
}
