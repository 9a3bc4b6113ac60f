import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Runs } from '../../../src/core/producer/runs.js';

test('a list of runs reads as the list of the values that were pushed, in any order', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 2 })), fc.array(fc.nat()), (values, looks) => {
      const runs = new Runs<number>();
      for (const value of values) runs.push(value);
      expect(values.map((_, index) => runs.at(index))).toEqual(values);
      if (values.length === 0) return;
      for (const look of looks) {
        expect(runs.at(look % values.length)).toBe(values[look % values.length]);
      }
    }),
  );
});

test('a test is asked once for each run', () => {
  const runs = new Runs<string>();
  for (const value of ['a', 'a', 'a', 'b']) runs.push(value);
  const asked: string[] = [];
  expect(runs.every((value) => asked.push(value) > 0)).toBe(true);
  expect(asked).toEqual(['a', 'b']);
  expect(runs.every((value) => value === 'a')).toBe(false);
});

test('what was cleared begins anew', () => {
  const runs = new Runs<string>();
  for (const value of ['a', 'b']) runs.push(value);
  expect(runs.at(1)).toBe('b');
  runs.clear();
  runs.push('b');
  expect(runs.at(0)).toBe('b');
});
