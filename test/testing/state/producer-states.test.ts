import { describe, expect, test } from 'vitest';
import { brokerError } from '../../../src/core/protocol/index.js';
import { ProducerStates, type Sequenced } from '../../../src/testing/state/producer-states.js';
import { orRejection } from '../../../src/testing/state/rejection.js';
import type { KafkaRelease } from '../../../src/testing/versions.js';
import { rulesOf } from './records.js';

const MAX_INT32 = 0x7fff_ffff;

const batch = (baseSequence: number, count = 1, rest: Partial<Sequenced> = {}): Sequenced => ({
  producerId: 7,
  producerEpoch: 0,
  baseSequence,
  count,
  maxTimestamp: 1000 + baseSequence,
  ...rest,
});

/** States that have seen batches of one record each, up to the given sequence. */
function statesUpTo(lastSequence: number, release: KafkaRelease = '4.3'): ProducerStates {
  const states = new ProducerStates(rulesOf(release));
  for (let i = 0; i <= lastSequence; i++) states.add(batch(i), 100 + i);
  return states;
}

/** Name of the error that a batch gets; `NONE` when it may be appended. */
function verdict(states: ProducerStates, next: Sequenced): string {
  return brokerError(orRejection(() => states.check(next))?.errorCode ?? 0).name;
}

describe('the next batch of a producer', () => {
  test('is the one whose sequence goes on', () => {
    expect(verdict(statesUpTo(4), batch(5))).toBe('NONE');
  });

  test('is out of order after a gap', () => {
    expect(verdict(statesUpTo(4), batch(6))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER');
  });

  test('is out of order when it overlaps', () => {
    expect(verdict(statesUpTo(4), batch(4, 2))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER');
  });

  test('begins at 0 again after the largest int32', () => {
    const states = new ProducerStates(rulesOf('4.3'));
    states.add(batch(MAX_INT32 - 1, 2), 0);
    expect(verdict(states, batch(0))).toBe('NONE');
  });

  test('may run over the largest int32', () => {
    const states = new ProducerStates(rulesOf('4.3'));
    states.add(batch(MAX_INT32 - 1, 4), 0);
    expect(states.snapshot[0]).toMatchObject({ lastSequence: 1, lastOffset: 3 });
    expect(verdict(states, batch(2))).toBe('NONE');
  });
});

describe('an epoch', () => {
  test('below the last one seen is refused', () => {
    const states = new ProducerStates(rulesOf('4.3'));
    states.add(batch(0, 1, { producerEpoch: 3 }), 0);
    expect(verdict(states, batch(1, 1, { producerEpoch: 2 }))).toBe('INVALID_PRODUCER_EPOCH');
  });

  test('that is new begins with sequence 0', () => {
    const states = statesUpTo(4);
    expect(verdict(states, batch(0, 1, { producerEpoch: 1 }))).toBe('NONE');
    expect(verdict(states, batch(5, 1, { producerEpoch: 1 }))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER');
  });

  test('that is new makes the batches of the old one strangers', () => {
    const states = statesUpTo(4);
    states.add(batch(0, 1, { producerEpoch: 1 }), 105);
    expect(states.findDuplicate(batch(4))).toBeUndefined();
    expect(states.findDuplicate(batch(0, 1, { producerEpoch: 1 }))?.firstOffset).toBe(105);
  });
});

describe('a duplicate', () => {
  test('is recognised among the last five batches', () => {
    const states = statesUpTo(6);
    for (const sequence of [2, 3, 4, 5, 6]) {
      expect(states.findDuplicate(batch(sequence))).toMatchObject({
        firstOffset: 100 + sequence,
        lastOffset: 100 + sequence,
        timestamp: 1000 + sequence,
      });
    }
    expect(states.findDuplicate(batch(1))).toBeUndefined();
  });

  test('has the same first and last sequence', () => {
    const states = new ProducerStates(rulesOf('4.3'));
    states.add(batch(0, 3), 50);
    expect(states.findDuplicate(batch(0, 3))?.firstOffset).toBe(50);
    expect(states.findDuplicate(batch(0, 2))).toBeUndefined();
    expect(states.findDuplicate(batch(1, 2))).toBeUndefined();
  });

  test('is one only for the same producer', () => {
    expect(statesUpTo(1).findDuplicate(batch(1, 1, { producerId: 8 }))).toBeUndefined();
  });

  test.each([
    ['4.3', 'OUT_OF_ORDER_SEQUENCE_NUMBER'],
    ['1.1', 'OUT_OF_ORDER_SEQUENCE_NUMBER'],
    ['1.0', 'DUPLICATE_SEQUENCE_NUMBER'],
    ['0.11', 'OUT_OF_ORDER_SEQUENCE_NUMBER'],
  ] as const)('that is forgotten is called by %s %s', (release, name) => {
    expect(verdict(statesUpTo(9, release), batch(0))).toBe(name);
  });

  test('is recognised by 0.11 only when it is the last batch', () => {
    const states = statesUpTo(3, '0.11');
    expect(states.findDuplicate(batch(3))).toBeDefined();
    expect(states.findDuplicate(batch(2))).toBeUndefined();
  });
});

describe('a producer that nothing is known of', () => {
  test.each([
    ['4.3', 'NONE'],
    ['2.8', 'NONE'],
    ['1.1', 'UNKNOWN_PRODUCER_ID'],
    ['0.11', 'OUT_OF_ORDER_SEQUENCE_NUMBER'],
  ] as const)('and does not begin at 0 gets from %s %s', (release, name) => {
    const states = new ProducerStates(rulesOf(release));
    expect(verdict(states, batch(5))).toBe(name);
    expect(verdict(states, batch(0))).toBe('NONE');
  });

  test('is what 1.1 makes of one whose records were all deleted', () => {
    const states = statesUpTo(4, '1.1');
    states.recordsDeletedBefore(104);
    expect(verdict(states, batch(5))).toBe('NONE');
    states.recordsDeletedBefore(105);
    expect(verdict(states, batch(5))).toBe('UNKNOWN_PRODUCER_ID');
  });

  test('is not what 4.3 makes of one whose records were all deleted', () => {
    const states = statesUpTo(4);
    states.recordsDeletedBefore(105);
    expect(states.findDuplicate(batch(4))).toBeDefined();
    expect(verdict(states, batch(6))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER');
  });
});

test('a snapshot tells the last sequence and offset of each producer', () => {
  const states = statesUpTo(2);
  states.add(batch(0, 10, { producerId: 9, producerEpoch: 4 }), 500);
  expect(states.snapshot).toEqual([
    {
      producerId: 7,
      epoch: 0,
      lastSequence: 2,
      lastOffset: 102,
      lastTimestamp: 1002,
      coordinatorEpoch: -1,
    },
    {
      producerId: 9,
      epoch: 4,
      lastSequence: 9,
      lastOffset: 509,
      lastTimestamp: 1000,
      coordinatorEpoch: -1,
    },
  ]);
  states.clear();
  expect(states.snapshot).toEqual([]);
});
