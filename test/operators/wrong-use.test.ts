import { describe, expect, test } from 'vitest';
import {
  batchEach,
  deadLetter,
  exhaustEach,
  filterEach,
  flatMapEach,
  mapEach,
  processEach,
  retryEach,
  switchEach,
} from '../../src/index.js';
import { Simulation } from '../support/simulation.js';

type Unchecked = (...given: unknown[]) => unknown;

describe('what JavaScript lets pass is refused at once', () => {
  test.each([
    ['processEach', processEach, 'project'],
    ['retryEach', retryEach, 'project'],
    ['flatMapEach', flatMapEach, 'project'],
    ['mapEach', mapEach, 'project'],
    ['filterEach', filterEach, 'predicate'],
    ['switchEach', switchEach, 'project'],
    ['exhaustEach', exhaustEach, 'project'],
  ])('%s without a function', (name, operator, what) => {
    expect(() => (operator as Unchecked)()).toThrow(
      `${name}: option ${what} is undefined, but it must be a function`,
    );
  });

  test.each([
    ['batchEach', () => (batchEach as Unchecked)(5)],
    ['processEach', () => (processEach as Unchecked)(() => undefined, 5)],
    ['retryEach', () => (retryEach as Unchecked)(() => undefined, 5)],
    ['flatMapEach', () => (flatMapEach as Unchecked)(() => undefined, 5)],
    ['switchEach', () => (switchEach as Unchecked)(() => undefined, 5)],
    ['exhaustEach', () => (exhaustEach as Unchecked)(() => undefined, 5)],
  ])('%s with a number in place of options', (name, make) => {
    expect(make).toThrow(`${name}: the options are 5, but they must be an object`);
  });

  test('deadLetter without a topic', async () => {
    await using sim = await Simulation.start();
    const kafka = sim.kafka();
    expect(() => (deadLetter as Unchecked)(kafka)).toThrow('deadLetter: the options are undefined');
  });
});
