import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemClock } from '../../../src/core/util/clock.js';

const LONGEST_OF_NODE = 0x7fff_ffff;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test.each([1000, LONGEST_OF_NODE, LONGEST_OF_NODE + 1, 5 * LONGEST_OF_NODE])(
  'a task is run when its time has come, and not before: %i ms',
  (delayMs) => {
    const task = vi.fn();
    systemClock.schedule(delayMs, task);
    vi.advanceTimersByTime(delayMs - 1);
    expect(task).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(task).toHaveBeenCalledOnce();
    expect(vi.getTimerCount()).toBe(0);
  },
);

test('a time that never comes is waited for', () => {
  const task = vi.fn();
  const cancel = systemClock.schedule(Infinity, task);
  vi.advanceTimersByTime(3 * LONGEST_OF_NODE);
  expect(task).not.toHaveBeenCalled();
  cancel();
  expect(vi.getTimerCount()).toBe(0);
});

test('what is cancelled leaves no timer, however long it was to be', () => {
  const task = vi.fn();
  const cancel = systemClock.schedule(3 * LONGEST_OF_NODE, task);
  vi.advanceTimersByTime(2 * LONGEST_OF_NODE);
  cancel();
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(2 * LONGEST_OF_NODE);
  expect(task).not.toHaveBeenCalled();
});
