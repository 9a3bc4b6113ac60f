import { describe, expect, test } from 'vitest';
import { apis } from '../../../src/core/protocol/index.js';
import { Faults } from '../../../src/testing/control/faults.js';

const { Fetch, Produce } = apis;

test('nothing is to go wrong until something is asked for, and again when that is over', () => {
  const faults = new Faults();
  expect(faults.isQuiet).toBe(true);
  faults.failNext('Fetch', 3, 1, {});
  expect(faults.isQuiet).toBe(false);
  faults.takeFailure(Fetch, 1);
  expect(faults.isQuiet).toBe(true);
});

test('failures are used up one by one, in the order in which they were asked for', () => {
  const faults = new Faults();
  faults.failNext('Fetch', 3, 2, {});
  faults.failNext(Fetch, 'NOT_LEADER_OR_FOLLOWER', 1, { broker: 2 });
  expect(faults.takeFailure(Produce, 2)).toBeUndefined();
  expect([1, 2, 1, 2, 2].map((broker) => faults.takeFailure(Fetch, broker))).toEqual([
    3,
    3,
    undefined,
    6,
    undefined,
  ]);
});

test('drops happen at their moment only', () => {
  const faults = new Faults();
  faults.drop('Produce', 1, 'after', {});
  expect(faults.takeDrop(Produce, 1, 'before')).toBe(false);
  expect(faults.takeDrop(Produce, 1, 'after')).toBe(true);
  expect(faults.takeDrop(Produce, 1, 'after')).toBe(false);
});

describe.each(['delay', 'throttle'] as const)('of several calls of %s', (kind) => {
  const msFor = (faults: Faults, broker: number) =>
    kind === 'delay' ? faults.delayFor(Fetch, broker) : faults.throttleFor(Fetch, broker);

  test('the longest counts, each can be taken back, and taking back twice does no harm', () => {
    const faults = new Faults();
    faults[kind]('Fetch', 10, {});
    const undo = faults[kind]('Fetch', 30, { broker: 2 });
    faults[kind]('Produce', 100, {});
    expect([msFor(faults, 1), msFor(faults, 2)]).toEqual([10, 30]);
    undo();
    undo();
    expect(msFor(faults, 2)).toBe(10);
  });
});

test('clearing takes everything back', () => {
  const faults = new Faults();
  faults.intercept('Fetch', () => undefined, {});
  faults.failNext('Fetch', 3, 9, {});
  faults.delay('Fetch', 9, {});
  faults.throttle('Fetch', 9, {});
  faults.drop('Fetch', 9, 'before', {});
  faults.clear();
  expect(faults.isQuiet).toBe(true);
  expect(faults.interceptorsFor(Fetch, 1)).toEqual([]);
});

test('what was taken back is no fault any more', () => {
  const faults = new Faults();
  const undos = [
    faults.intercept('Fetch', () => undefined, {}),
    faults.failNext('Fetch', 3, 9, {}),
    faults.delay('Fetch', 9, {}),
    faults.throttle('Fetch', 9, {}),
    faults.drop('Fetch', 9, 'before', {}),
  ];
  for (const undo of undos) undo();
  expect(faults.isQuiet).toBe(true);
});
