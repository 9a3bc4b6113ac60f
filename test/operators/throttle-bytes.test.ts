import { concat, from, NEVER, take } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { ackEach, throttleBytes } from '../../src/index.js';
import { kafkaMarbles } from '../../src/testing/index.js';
import { FakeClock } from '../support/fake-clock.js';
import { behavesLikeAnOperator, text } from '../support/operator-spec.js';
import { TestPartition, testPipeline } from '../support/records.js';
import { watch } from '../support/watching.js';

function started(
  values: readonly string[],
  bytesPerSecond: number,
  options: Parameters<typeof throttleBytes>[1] = {},
) {
  const clock = new FakeClock();
  const partition = new TestPartition({ pipeline: testPipeline({ clock }) });
  const source = concat(from(partition.deliver(...values)), NEVER);
  const seen = watch(source.pipe(throttleBytes(bytesPerSecond, options)));
  return { clock, partition, seen, got: () => seen.values.map(text).join('') };
}

describe('throttleBytes', () => {
  describe('with room enough', () => behavesLikeAnOperator(() => throttleBytes(1_000_000)));

  test(
    'lets so much through in a second, in order',
    kafkaMarbles(({ records, expectOutput, expectAcks }) => {
      const orders = records('(abcd|)');
      const throttled = orders.pipe(throttleBytes(500, { burstBytes: 1 }), ackEach());
      expectOutput(throttled).toBe('a-b-c-(d|)');
      expectAcks(orders).toBe('     a-b-c-d');
    }),
  );

  test('at once as much as a burst may have, and after a pause again', () => {
    const { clock, got } = started(['a', 'b', 'c', 'd', 'e', 'f'], 10, { burstBytes: 3 });
    expect(got()).toBe('abc');
    clock.advance(100);
    expect(got()).toBe('abcd');
    clock.advance(99);
    expect(got()).toBe('abcd');
    clock.advance(1);
    expect(got()).toBe('abcde');
    clock.advance(10_000);
    expect(got()).toBe('abcdef');
    expect(clock.pending).toBe(0);
  });

  test('a burst is a second’s worth where nothing else is said', () => {
    const { clock, got } = started(['aaaa', 'bbbb', 'cccc'], 8);
    expect(got()).toBe('aaaabbbb');
    clock.advance(500);
    expect(got()).toBe('aaaabbbbcccc');
  });

  test('a record that is larger than a burst passes, and is paid for', () => {
    const { clock, got } = started(['aaaaaa', 'b'], 2, { burstBytes: 2 });
    expect(got()).toBe('aaaaaa');
    clock.advance(2499);
    expect(got()).toBe('aaaaaa');
    clock.advance(1);
    expect(got()).toBe('aaaaaab');
  });

  test('what waits goes back when its partition is given up, and no timer is left', () => {
    const { clock, partition } = started(['a', 'b', 'c'], 1);
    partition.drain();
    expect(partition.returned).toEqual([1, 2]);
    expect(clock.pending).toBe(0);
  });

  test('unsubscribing gives back what waits, and ends the timer', () => {
    const { clock, partition, seen } = started(['a', 'b'], 1);
    seen.subscription.unsubscribe();
    expect(partition.returned).toEqual([1]);
    expect(clock.pending).toBe(0);
  });

  test('who has enough while it waits leaves no timer', () => {
    const clock = new FakeClock();
    const partition = new TestPartition({ pipeline: testPipeline({ clock }) });
    const source = concat(from(partition.deliver('a', 'b', 'c')), NEVER);
    const seen = watch(source.pipe(throttleBytes(1), take(2)));
    clock.advance(1000);
    expect(seen.isComplete).toBe(true);
    expect(partition.returned).toEqual([2]);
    expect(clock.pending).toBe(0);
  });

  test('options are checked when the operator is made', () => {
    expect(() => throttleBytes(0)).toThrow('throttleBytes: option bytesPerSecond is 0');
    expect(() => throttleBytes(5, { burstBytes: 0.5 })).toThrow(
      'throttleBytes: option burstBytes is 0.5',
    );
  });
});
