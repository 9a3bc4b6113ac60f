import { describe, expect, test } from 'vitest';
import { audit, type Fate, type MemberStory, type Place } from './audit.js';

const places = (...offsets: number[]): Place[] =>
  offsets.map((offset) => ({ partition: 0, offset }));

const member = (
  name: string,
  fate: Fate,
  started: number[],
  { finished = started, committed = 0 } = {},
): MemberStory => ({
  name,
  fate,
  started: places(...started),
  finished: places(...finished),
  committed: new Map([[0, committed]]),
});

describe('the audit of a group', () => {
  test('has nothing to say where each record was worked on once', () => {
    const members = [member('a', 'left', [0, 1]), member('b', 'left', [2])];
    expect(audit(places(0, 1, 2), members)).toEqual({ complaints: [], repeated: 0 });
  });

  test('misses a record that nobody finished, even if it was started', () => {
    const members = [member('a', 'killed', [0, 1], { finished: [0] })];
    expect(audit(places(0, 1, 2), members).complaints).toEqual(['0/1 was lost', '0/2 was lost']);
  });

  test('excuses what a killed member had not committed', () => {
    const members = [
      member('a', 'killed', [0, 1, 2], { finished: [0, 1], committed: 1 }),
      member('b', 'left', [1, 2]),
    ];
    expect(audit(places(0, 1, 2), members)).toEqual({ complaints: [], repeated: 2 });
  });

  test('sees a record again that a killed member had committed', () => {
    const members = [member('a', 'killed', [0], { committed: 1 }), member('b', 'left', [0])];
    expect(audit(places(0), members).complaints).toEqual(['0/0 was started by a and b']);
  });

  test('sees a record again that a member had which left in order', () => {
    const members = [member('a', 'left', [0], { finished: [] }), member('b', 'left', [0])];
    expect(audit(places(0), members).complaints).toEqual(['0/0 was started by a and b']);
  });

  test('sees a record that one member was given twice', () => {
    expect(audit(places(0), [member('a', 'left', [0, 0])]).complaints).toEqual([
      '0/0 was started by a and a',
    ]);
  });

  test('excuses several killed members, but not two others', () => {
    const killed = [member('a', 'killed', [0]), member('b', 'killed', [0])];
    const left = [member('c', 'left', [0]), member('d', 'left', [0])];
    expect(audit(places(0), [...killed, left[0]!]).complaints).toEqual([]);
    expect(audit(places(0), [...killed, ...left]).complaints).toHaveLength(1);
  });

  test('tells a few of many complaints', () => {
    const { complaints } = audit(places(...Array.from({ length: 50 }, (_, i) => i)), []);
    expect(complaints).toHaveLength(21);
    expect(complaints.at(-1)).toBe('and 30 more');
  });
});
