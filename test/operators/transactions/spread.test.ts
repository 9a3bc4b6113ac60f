import { describe, expect, it } from 'vitest';
import type { ConsumerRecord } from '../../../src/index.js';
import { Spread } from '../../../src/operators/transactions/spread.js';

type Owner = ConsumerRecord['owner'];

/** A partition that has delivered up to a position. */
function owner({ position = 0, end = 10, isLeaving = false } = {}): Owner & { isLeaving: boolean } {
  return { position, isLeaving, endOfLog: () => end } as unknown as Owner & { isLeaving: boolean };
}

describe('lanes', () => {
  it('get as many partitions each, and keep them', () => {
    const spread = new Spread(['a', 'b', 'c']);
    const owners = Array.from({ length: 7 }, () => owner());
    const lanes = owners.map((each) => spread.laneOf(each));
    expect(lanes).toEqual(['a', 'b', 'c', 'a', 'b', 'c', 'a']);
    expect(owners.map((each) => spread.laneOf(each))).toEqual(lanes);
  });

  it('keep a partition that is given up until the transaction with its records has ended', () => {
    const spread = new Spread(['a', 'b']);
    const leaving = owner();
    expect(spread.laneOf(leaving)).toBe('a');
    leaving.isLeaving = true;
    // It doesn't count any more where a new one goes, but its offset is still its lane's to store.
    expect(spread.laneOf(owner())).toBe('a');
    expect([spread.claims('a', leaving), spread.claims('b', leaving)]).toEqual([true, false]);
    spread.release('b');
    expect(spread.claims('a', leaving)).toBe(true);
    spread.release('a');
    expect(spread.claims('a', leaving)).toBe(false);
  });

  it('take in a partition that has nothing to deliver until their transaction ends', () => {
    const spread = new Spread(['a', 'b']);
    const idle = owner({ position: 10 });
    expect([spread.claims('a', idle), spread.claims('b', idle)]).toEqual([true, false]);
    spread.release('a');
    expect([spread.claims('b', idle), spread.claims('a', idle)]).toEqual([true, false]);
    // What comes meanwhile goes where the offset is being stored.
    expect(spread.laneOf(idle)).toBe('b');
  });

  it('leave a partition alone that nothing came of though there is something', () => {
    const spread = new Spread(['a', 'b']);
    expect(spread.claims('a', owner({ position: 3 }))).toBe(false);
    expect(spread.claims('a', owner({ position: 3, end: -1 }))).toBe(false);
    expect(new Spread(['a']).claims('a', owner({ position: 3 }))).toBe(true);
  });
});
