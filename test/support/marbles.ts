import { TestScheduler, type RunHelpers } from 'rxjs/testing';
import { expect } from 'vitest';

/**
 * A test in virtual time, drawn as marbles: RxJS's own scheduler with vitest's assertions.
 *
 * @example
 * test('doubles', marbles(({ cold, expectObservable }) => {
 *   expectObservable(cold('-a-|', { a: 1 }).pipe(map((x) => x * 2))).toBe('-a-|', { a: 2 });
 * }));
 */
export function marbles(body: (helpers: RunHelpers) => void): () => void {
  return () =>
    new TestScheduler((actual, expected) => {
      expect(actual).toEqual(expected);
    }).run(body);
}
