import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ackSequences,
  addSequence,
  disturb,
  isNextSequence,
  isSettled,
  repair,
  startSequences,
  subtractSequence,
  takeSequences,
  type Disorder,
  type NumberedBatch,
  type PartitionSequences,
} from '../../../src/core/producer/sequences.js';

const MAX = 0x7fff_ffff;
const identity = { producerId: 7, epoch: 0 };

function state(next: number, lastAcked: number, disorder: Disorder = 'none'): PartitionSequences {
  return { identity, next, lastAcked, disorder };
}

function batch(firstSequence: number, recordCount: number, mayBeWritten = false): NumberedBatch {
  return { firstSequence, recordCount, mayBeWritten };
}

describe('numbers of batches', () => {
  it('go on at 0 after 2^31 - 1', () => {
    expect(addSequence(MAX, 1)).toBe(0);
    expect(addSequence(MAX - 2, 5)).toBe(2);
    expect(subtractSequence(2, 5)).toBe(MAX - 2);
  });

  it('come back to where they were', () => {
    fc.assert(
      fc.property(fc.nat(MAX), fc.nat(1_000_000), (sequence, count) => {
        const sum = addSequence(sequence, count);
        expect(sum).toBeGreaterThanOrEqual(0);
        expect(sum).toBeLessThanOrEqual(MAX);
        expect(subtractSequence(sum, count)).toBe(sequence);
      }),
    );
  });

  it('start at 0 under each identity', () => {
    const first = startSequences(identity);
    expect(first.next).toBe(0);
    expect(isNextSequence(first, 0)).toBe(true);
    expect(takeSequences(first, 3).next).toBe(3);
  });

  it('are settled when everything that was numbered is acknowledged', () => {
    const taken = takeSequences(takeSequences(startSequences(identity), 3), 2);
    const half = ackSequences(taken, 0, 3);
    expect(isSettled(half)).toBe(false);
    expect(isNextSequence(half, 3)).toBe(true);
    expect(isSettled(ackSequences(half, 3, 2))).toBe(true);
  });

  it('do not go back when a batch is acknowledged after a later one', () => {
    const later = ackSequences(state(10, -1), 5, 5);
    expect(ackSequences(later, 0, 5)).toMatchObject({ lastAcked: 9 });
    const wrapped = ackSequences(state(3, MAX - 1), MAX, 4);
    expect(wrapped.lastAcked).toBe(2);
    expect(ackSequences(wrapped, MAX - 5, 3).lastAcked).toBe(2);
  });
});

describe('putting the numbering right', () => {
  it('leaves it alone where nothing is wrong', () => {
    expect(repair(state(9, 3), [batch(4, 2), batch(6, 3)])).toMatchObject({
      type: 'renumber',
      firsts: [4, 6],
      state: { next: 9 },
    });
  });

  it('moves up what follows refused records', () => {
    const broken = disturb(state(20, 4), 'gap');
    expect(repair(broken, [batch(10, 5), batch(15, 5)])).toEqual({
      type: 'renumber',
      firsts: [5, 10],
      state: { ...state(15, 4), disorder: 'none' },
    });
  });

  it('starts from 0 where the very first batch was refused', () => {
    expect(repair(disturb(state(8, -1), 'gap'), [batch(5, 3)])).toMatchObject({
      firsts: [0],
      state: { next: 3 },
    });
  });

  it('moves up over the wrap-around', () => {
    const broken = disturb(state(5, MAX - 3), 'gap');
    expect(repair(broken, [batch(2, 3)])).toMatchObject({ firsts: [MAX - 2], state: { next: 0 } });
  });

  it('keeps the number of a batch that was acknowledged past and may be written', () => {
    const broken = disturb(state(20, 14), 'gap');
    expect(repair(broken, [batch(5, 5, true), batch(17, 3)])).toMatchObject({
      firsts: [5, 15],
      state: { next: 18 },
    });
  });

  it('keeps the number of a batch that others have overtaken: it must not come behind them', () => {
    const broken = disturb(state(20, 14), 'gap');
    expect(repair(broken, [batch(5, 5), batch(17, 3)])).toMatchObject({
      firsts: [5, 15],
      state: { next: 18 },
    });
  });

  it('keeps numbers while the outcome of a given-up batch can still show', () => {
    const doubtful = disturb(state(20, 4), 'unresolved');
    expect(repair(doubtful, [batch(10, 10)])).toMatchObject({
      firsts: [10],
      state: { next: 20, disorder: 'unresolved' },
    });
  });

  it('is done once what followed a given-up batch was acknowledged', () => {
    expect(repair(disturb(state(20, 19), 'unresolved'), [])).toMatchObject({
      type: 'renumber',
      state: { next: 20, disorder: 'none' },
    });
  });

  it('needs a new epoch when nothing can show any more what became of a given-up batch', () => {
    expect(repair(disturb(state(20, 9), 'unresolved'), []).type).toBe('restart');
  });

  it('needs a new epoch when two kinds of disorder meet', () => {
    const both = disturb(disturb(state(20, 9), 'gap'), 'unresolved');
    expect(repair(both, [batch(15, 5)]).type).toBe('restart');
    expect(disturb(both, 'gap').disorder).toBe('restart');
  });

  it('never gives two batches the same numbers, nor leaves a gap between them', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 100 }), { maxLength: 10 });
    fc.assert(
      fc.property(
        fc.integer({ min: -1, max: MAX }),
        sizes,
        fc.nat(1000),
        (lastAcked, counts, gap) => {
          const start = addSequence(lastAcked < 0 ? 0 : addSequence(lastAcked, 1), gap);
          let next = start;
          const pending = counts.map((count) => {
            const each = batch(next, count);
            next = addSequence(next, count);
            return each;
          });
          const decision = repair(disturb(state(next, lastAcked), 'gap'), pending);
          if (decision.type !== 'renumber') throw new Error('expected to renumber');
          let expected = lastAcked < 0 ? 0 : addSequence(lastAcked, 1);
          for (const [i, first] of decision.firsts.entries()) {
            expect(first).toBe(expected);
            expected = addSequence(expected, counts[i]!);
          }
          expect(decision.state.next).toBe(expected);
        },
      ),
    );
  });
});
