import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  countOf,
  each,
  NO_PARTITIONS,
  type Partitions,
} from '../../../src/testing/state/groups/partitions.js';
import {
  serverAssignors,
  type Assignee,
} from '../../../src/testing/state/groups/server-assignors.js';

const topicIds = ['a', 'b', 'c', 'd'];

const clusters = fc.record({
  sizes: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 4, maxLength: 4 }),
  readers: fc.array(fc.subarray(topicIds), { minLength: 1, maxLength: 7 }),
});

const memberOf = (id: string, topics: readonly string[], current = NO_PARTITIONS): Assignee => ({
  id,
  instanceId: null,
  topicIds: new Set(topics),
  current,
});

const listOf = (partitions: Partitions) => [...each(partitions)].map(([id, i]) => `${id}-${i}`);

describe.each([...serverAssignors])('%s', (_name, assign) => {
  test('gives each partition that is read to one member that reads it', () => {
    fc.assert(
      fc.property(clusters, ({ sizes, readers }) => {
        const topics = new Map(topicIds.map((id, i) => [id, sizes[i]!]));
        const read = new Map([...topics].filter(([id]) => readers.some((r) => r.includes(id))));
        const members = readers.map((topics, i) => memberOf(`m${i}`, topics));
        const assignment = assign(members, read);
        const given = [...assignment.values()].flatMap(listOf).sort();
        const wanted = [...read]
          .flatMap(([id, size]) => Array.from({ length: size }, (_, i) => `${id}-${i}`))
          .sort();
        expect(given).toEqual(wanted);
        for (const { id, topicIds: own } of members) {
          for (const topicId of assignment.get(id)!.keys()) expect(own.has(topicId)).toBe(true);
        }
      }),
    );
  });
});

describe('uniform', () => {
  const uniform = serverAssignors.get('uniform')!;

  test('gives members who read the same as many partitions as each other, at most one more', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 40 }),
        (count, size) => {
          const members = Array.from({ length: count }, (_, i) => memberOf(`m${i}`, ['a']));
          const counts = [...uniform(members, new Map([['a', size]])).values()].map(countOf);
          expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        },
      ),
    );
  });

  test('moves no more than it has to when a member comes', () => {
    const sizes = new Map([['a', 12]]);
    const before = uniform([memberOf('x', ['a']), memberOf('y', ['a'])], sizes);
    const after = uniform(
      [
        memberOf('x', ['a'], before.get('x')),
        memberOf('y', ['a'], before.get('y')),
        memberOf('z', ['a']),
      ],
      sizes,
    );
    for (const id of ['x', 'y']) {
      expect(listOf(before.get(id)!)).toEqual(expect.arrayContaining(listOf(after.get(id)!)));
    }
    expect([...after.values()].map(countOf)).toEqual([4, 4, 4]);
  });

  test('leaves everything where it is when nothing has changed', () => {
    const sizes = new Map([
      ['a', 5],
      ['b', 3],
    ]);
    const before = uniform([memberOf('x', ['a', 'b']), memberOf('y', ['a'])], sizes);
    const after = uniform(
      [memberOf('x', ['a', 'b'], before.get('x')), memberOf('y', ['a'], before.get('y'))],
      sizes,
    );
    expect(after).toEqual(before);
  });
});

describe('range', () => {
  test('puts static members first, in the order of their instances', () => {
    const range = serverAssignors.get('range')!;
    const members = [
      memberOf('a', ['a']),
      { ...memberOf('z', ['a']), instanceId: 'two' },
      { ...memberOf('y', ['a']), instanceId: 'one' },
    ];
    const assignment = range(members, new Map([['a', 4]]));
    expect(listOf(assignment.get('y')!)).toEqual(['a-0', 'a-1']);
    expect(listOf(assignment.get('z')!)).toEqual(['a-2']);
    expect(listOf(assignment.get('a')!)).toEqual(['a-3']);
  });
});
