import { describe, expect, test } from 'vitest';
import { nameOf, parseName, violations, type Evidence, type FoundRecord } from './verify.js';

const log = (...entries: [lane: string, n: number, partition?: number][]): FoundRecord[] => {
  const ends = new Map<number, number>();
  return entries.map(([lane, n, partition = 0]) => {
    const offset = ends.get(partition) ?? 0;
    ends.set(partition, offset + 1);
    return { lane, n, partition, offset };
  });
};

const judge = (evidence: Partial<Evidence>) =>
  violations({
    sent: new Map([
      ['a', 3],
      ['b', 3],
    ]),
    acked: [],
    found: [],
    ...evidence,
  });

describe('the judge of chaos runs', () => {
  test('has nothing to say of a log that holds everything once and in order', () => {
    const found = log(['a', 0], ['b', 0], ['a', 1], ['a', 2], ['b', 1]);
    expect(judge({ found, acked: found })).toEqual([]);
  });

  test('lets unacknowledged records be missing', () => {
    expect(judge({ found: log(['a', 0], ['a', 2]) })).toEqual([]);
  });

  test('misses an acknowledged record', () => {
    const acked = [{ lane: 'a', n: 1, partition: 0, offset: 1 }];
    expect(judge({ found: log(['a', 0]), acked })).toEqual([
      'a #1 was acknowledged at 0/1 and is missing',
    ]);
  });

  test('sees a record that is not where its receipt says', () => {
    const acked = [{ lane: 'a', n: 0, partition: 0, offset: 7 }];
    expect(judge({ found: log(['a', 0]), acked })).toEqual([
      'a #0 was acknowledged at 0/7 and is at 0/0',
    ]);
  });

  test('accepts a receipt that knows no offset', () => {
    const acked = [{ lane: 'a', n: 0, partition: 0, offset: -1 }];
    expect(judge({ found: log(['a', 0]), acked })).toEqual([]);
  });

  test('sees a duplicate', () => {
    expect(judge({ found: log(['a', 0], ['b', 0], ['a', 0]) })).toEqual([
      'a #0 is there twice: at 0/0 and at 0/2',
    ]);
  });

  test('sees a changed order', () => {
    expect(judge({ found: log(['a', 1], ['a', 0]) })).toEqual([
      'a #0 at 0/1 comes after a #1 at 0/0',
    ]);
  });

  test('sees a lane that is spread over partitions', () => {
    expect(judge({ found: log(['a', 0, 0], ['a', 1, 1]) })).toEqual([
      'a is spread: a #0 at 0/0, a #1 at 1/0',
    ]);
  });

  test('sees what was never sent', () => {
    expect(judge({ found: log(['a', 3], ['c', 0]) })).toEqual([
      'a #3 at 0/0 was never sent',
      'c #0 at 0/1 was never sent',
    ]);
  });

  test('tells a few of many violations', () => {
    const found = log(...Array.from({ length: 50 }, (_, i): [string, number] => ['z', i]));
    const told = judge({ found });
    expect(told).toHaveLength(21);
    expect(told.at(-1)).toBe('and 30 more');
  });

  test('reads the names it writes', () => {
    const record = { lane: 'send 3 #x', n: 12 };
    expect(parseName(nameOf(record))).toEqual(record);
  });
});
