import { describe, expect, it } from 'vitest';
import {
  leastOf,
  partitionBytesOf,
  shareOf,
  waitOf,
} from '../../../../src/core/consumer/fetching/fetch-plan.js';

const limits = { maxPartitionFetchBytes: 1000, fetchMaxBytes: 5000, fetchMinBytes: 1 };

describe('the bytes of a fetch', () => {
  it.each([
    ['what its partitions may bring', 100_000, 1, 3, 3000],
    ['fetchMaxBytes at most', 100_000, 1, 30, 5000],
    ['a fair share of what is free', 3000, 3, 3, 1000],
    ['nothing when more is held than may be', -500, 1, 1, -500],
  ])('are %s', (_title, free, brokers, partitions, expected) => {
    expect(shareOf(free, brokers, partitions, limits)).toBe(expected);
  });
});

describe('the least that is fetched', () => {
  const MIB = 1024 * 1024;
  const usual = { maxPartitionFetchBytes: MIB, fetchMaxBytes: 50 * MIB, fetchMinBytes: 1 };

  it('is a few records of the usual budget, and an eighth of a small one', () => {
    expect(leastOf(64 * MIB, usual)).toBe(16 * 1024);
    expect(leastOf(4000, usual)).toBe(500);
  });

  it('is never more than a partition may bring', () => {
    expect(leastOf(64 * MIB, { ...usual, maxPartitionFetchBytes: 100 })).toBe(100);
  });
});

describe('the bytes of one partition', () => {
  const MIB = 1024 * 1024;
  const usual = { maxPartitionFetchBytes: MIB, fetchMaxBytes: 50 * MIB, fetchMinBytes: 1 };

  it.each([
    ['what it may bring where it is alone', 1, usual, MIB],
    ['its part of what is fetched ahead of a broker', 8, usual, MIB / 4],
    ['not less than makes sense', 1000, usual, 64 * 1024],
    [
      'its part of what the broker is to wait for',
      8,
      { ...usual, fetchMinBytes: 4 * MIB },
      MIB / 2,
    ],
  ])('are %s', (_title, partitions, given, expected) => {
    expect(partitionBytesOf(16 * MIB, partitions, given)).toBe(expected);
  });
});

describe('the time that a broker may wait for data', () => {
  it('is the whole when it was asked for everything', () => {
    expect(waitOf({ leavesOut: false, isMoving: true }, 0, 500)).toBe(500);
  });

  it('is short while what was left out may want more at any moment', () => {
    expect(waitOf({ leavesOut: true, isMoving: true }, 9, 500)).toBe(25);
  });

  it('doubles up to the whole while nothing moves', () => {
    const waits = [1, 2, 3, 4, 5, 1000].map((fetches) =>
      waitOf({ leavesOut: true, isMoving: false }, fetches, 500),
    );
    expect(waits).toEqual([50, 100, 200, 400, 500, 500]);
  });

  it('is never longer than the user allows', () => {
    expect(waitOf({ leavesOut: true, isMoving: true }, 0, 10)).toBe(10);
  });
});
