import { describe, expect, test } from 'vitest';
import { LeaderEpochs } from '../../../src/testing/state/leader-epochs.js';

/** Epoch 0 wrote 0 to 9, epoch 2 wrote 10 to 19, epoch 5 writes from 20 on. */
function reigns(): LeaderEpochs {
  const epochs = new LeaderEpochs();
  epochs.assign(0, 0);
  epochs.assign(2, 10);
  epochs.assign(5, 20);
  return epochs;
}

test('a log without a leader has no epoch', () => {
  const epochs = new LeaderEpochs();
  expect(epochs.latest).toBe(-1);
  expect(epochs.at(0)).toBe(-1);
  expect(epochs.endOf(0, 0)).toEqual({ epoch: -1, endOffset: -1 });
});

test('an epoch that is not newer is not assigned', () => {
  const epochs = reigns();
  epochs.assign(5, 30);
  epochs.assign(4, 30);
  expect(epochs.all).toEqual(reigns().all);
});

test('a leader that wrote nothing leaves no trace', () => {
  const epochs = reigns();
  epochs.assign(6, 20);
  expect(epochs.all.map(({ epoch }) => epoch)).toEqual([0, 2, 6]);
});

test.each([
  [0, 0],
  [9, 0],
  [10, 2],
  [19, 2],
  [20, 5],
  [1000, 5],
])('offset %i was written in epoch %i', (offset, epoch) => {
  expect(reigns().at(offset)).toBe(epoch);
});

describe('the end of an epoch', () => {
  test.each([
    ['the latest is the end of the log', 5, { epoch: 5, endOffset: 25 }],
    ['an earlier one is where the next began', 0, { epoch: 0, endOffset: 10 }],
    ['one that wrote nothing is that of the one below', 3, { epoch: 2, endOffset: 20 }],
    ['one that is yet to come is not known', 6, { epoch: -1, endOffset: -1 }],
    ['a negative one is not known', -1, { epoch: -1, endOffset: -1 }],
  ])('of %s', (_, epoch, end) => {
    expect(reigns().endOf(epoch, 25)).toEqual(end);
  });

  test('of one before all that are known is where the first known began', () => {
    const epochs = new LeaderEpochs();
    epochs.assign(3, 10);
    expect(epochs.endOf(1, 25)).toEqual({ epoch: 1, endOffset: 10 });
  });
});

test('truncation forgets the epochs that are cut off', () => {
  const epochs = reigns();
  epochs.truncateTo(20);
  expect(epochs.latest).toBe(2);
  epochs.truncateTo(10);
  expect(epochs.latest).toBe(0);
});

test('deletion at the start moves the oldest epoch to what is left', () => {
  const epochs = reigns();
  epochs.deleteBefore(15);
  expect(epochs.all).toEqual([
    { epoch: 2, startOffset: 15 },
    { epoch: 5, startOffset: 20 },
  ]);
  epochs.deleteBefore(20);
  expect(epochs.all).toEqual([{ epoch: 5, startOffset: 20 }]);
});

test('deletion before all epochs changes nothing', () => {
  const epochs = new LeaderEpochs();
  epochs.assign(1, 10);
  epochs.deleteBefore(5);
  expect(epochs.all).toEqual([{ epoch: 1, startOffset: 10 }]);
});
