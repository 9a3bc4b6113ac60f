import { describe, expect, test } from 'vitest';
import { Parts } from '../../../../src/core/consumer/index.js';
import { originsOf } from '../../../../src/core/records/index.js';
import { deriveFrom } from '../../../../src/index.js';
import { TestPartition } from '../../../support/records.js';

/** A record that is divided into two, whose divider has settled its own reference. */
function divided() {
  const partition = new TestPartition();
  const parts = new Parts(partition.deliver('a')[0]!);
  const [left, right] = [parts.divide('l'), parts.divide('r')];
  parts.ack();
  return { partition, left, right };
}

describe('derive()', () => {
  test('is one to one: deriving twice is an error that names flatMapEach', () => {
    const [record] = new TestPartition().deliver('a');
    expect(originsOf(record!.derive({ value: 'first' }))).toHaveLength(1);
    const twice = () => record!.derive({ value: 'second' });
    expect(twice).toThrow(expect.objectContaining({ code: 'DERIVED_TWICE' }));
    expect(twice).toThrow(/flatMapEach\(\)/);
  });
});

describe('a record that was divided', () => {
  test('is acked when all parts are', () => {
    const { partition, left, right } = divided();
    left.ack();
    left.ack();
    expect(partition.committable).toBe(0);
    right.ack();
    expect(partition.committable).toBe(1);
  });

  test('is not acked before whoever divides it has finished', () => {
    const partition = new TestPartition();
    const parts = new Parts(partition.deliver('a')[0]!);
    parts.divide('l').ack();
    expect(partition.committable).toBe(0);
    parts.ack();
    expect(partition.committable).toBe(1);
  });

  test('comes again when one part failed, but only when work on the others is over', () => {
    const { partition, left, right } = divided();
    left.nack('broken');
    expect(partition.nacked).toEqual([]);
    right.ack();
    expect(partition.nacked).toEqual([{ offset: 0, reason: 'broken' }]);
    expect(partition.committable).toBe(0);
  });

  test('goes back when one part went back, but only when work on the others is over', () => {
    const { partition, left, right } = divided();
    left.giveBack();
    expect(partition.inHand).toBe(1);
    right.ack();
    expect(partition.returned).toEqual([0]);
  });

  test('a failure counts more than going back', () => {
    const { partition, left, right } = divided();
    left.giveBack();
    right.nack('broken');
    expect(partition.nacked).toEqual([{ offset: 0, reason: 'broken' }]);
    expect(partition.returned).toEqual([]);
  });

  test('may be derived from as often as wanted, and is acked when all results are', () => {
    const partition = new TestPartition();
    const parts = new Parts(partition.deliver('a')[0]!);
    const results = [parts.whole.derive(), parts.whole.derive()];
    parts.ack();
    originsOf(results[1])[0]!.ack();
    expect(partition.committable).toBe(0);
    originsOf(results[0])[0]!.ack();
    expect(partition.committable).toBe(1);
  });

  test('a part is derived from once, as any record', () => {
    const { left } = divided();
    left.derive();
    expect(() => left.derive()).toThrow(expect.objectContaining({ code: 'DERIVED_TWICE' }));
  });
});

describe('deriveFrom', () => {
  test('acks all the records that it was given', () => {
    const partition = new TestPartition();
    const derived = deriveFrom(partition.deliver('a', 'b'), { topic: 'pairs', value: 'ab' });
    expect(derived).toMatchObject({ topic: 'pairs', key: null, value: 'ab', headers: [] });
    for (const origin of originsOf(derived)) origin.ack();
    expect(partition.committable).toBe(2);
  });

  test('refuses a record that was derived from before, and nothing at all', () => {
    const [record] = new TestPartition().deliver('a');
    record!.derive();
    expect(() => deriveFrom([record!], { value: 1 })).toThrow(
      expect.objectContaining({ code: 'DERIVED_TWICE' }),
    );
    expect(() => deriveFrom([], { value: 1 })).toThrow(
      expect.objectContaining({ code: 'NO_ORIGIN' }),
    );
  });
});
