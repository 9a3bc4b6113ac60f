import { describe, expect, it } from 'vitest';
import { AssignedPartition } from '../../../../src/core/consumer/assigned-partition.js';
import { starvationOf } from '../../../../src/core/consumer/run/starvation.js';
import { testPipeline } from '../../../support/records.js';

interface State {
  /** Delivered and not acked, of a window of 3. */
  readonly out?: number;
  /** Whether all of the log was fetched. */
  readonly isAtEnd?: boolean;
  readonly awaitsBytes?: boolean;
  readonly isPaused?: boolean;
  readonly isWanted?: boolean;
}

function partitionIn({ out = 0, isAtEnd = false, isPaused = false, isWanted = true }: State) {
  const partition = new AssignedPartition('orders', 0, 3, {
    pipeline: testPipeline(),
    onAcked: () => undefined,
    onAckedLate: () => undefined,
    onNacked: () => undefined,
    onReturned: () => undefined,
    onFailedUnheard: () => undefined,
  });
  partition.begin(0, -1);
  for (let i = 0; i < out; i++) partition.ledger.deliver(i, -1, 0);
  partition.fetchOffset = out;
  partition.highWatermark = isAtEnd ? out : 100;
  partition.isPaused = isPaused;
  partition.isWanted = isWanted;
  return partition;
}

const starved = (isOutOfBytes: boolean, ...states: readonly State[]) =>
  starvationOf(states.map(partitionIn), isOutOfBytes, false);

describe('a consumer is starved', () => {
  it('when the windows of all its partitions are full', () => {
    expect(starved(false, { out: 3 }, { out: 3 })).toBe('exhausted');
  });

  it('when the bytes are used up and nothing waits to be delivered', () => {
    expect(starved(true, { out: 1 }, { out: 2 })).toBe('exhausted');
  });

  it('not while one partition can bring more', () => {
    expect(starved(false, { out: 3 }, { out: 1 })).toBeUndefined();
  });

  it('not while nobody holds a record back', () => {
    expect(starved(false, { out: 0, isAtEnd: true })).toBeUndefined();
    expect(starved(true, { out: 0 })).toBeUndefined();
  });

  it('only for operators that can’t wait where what is not full is at the end of its log', () => {
    expect(starved(false, { out: 3 }, { out: 1, isAtEnd: true })).toBe('idle');
    expect(starved(false, { out: 2, isAtEnd: true })).toBe('idle');
  });

  it('whatever partitions could bring that are paused, or that nobody takes', () => {
    expect(starved(false, { out: 3 }, { out: 0, isPaused: true })).toBe('exhausted');
    expect(starved(false, { out: 3 }, { out: 0, isWanted: false })).toBe('exhausted');
  });
});
