import { describe, expect, it } from 'vitest';
import { resolveTopics, startPosition } from '../../../src/core/consumer/topics.js';
import { ConfigError } from '../../../src/core/util/errors.js';

const NOW = 1_000_000;

describe('what to consume', () => {
  it('is topics by name, each once', () => {
    expect(resolveTopics(['a', 'b', 'a'], NOW)).toEqual({ type: 'topics', topics: ['a', 'b'] });
    expect(resolveTopics('a', NOW)).toEqual({ type: 'topics', topics: ['a'] });
  });

  it('is certain partitions, from where the group stopped unless it is said', () => {
    const partitions = [
      { topic: 'a', partition: 0 },
      { topic: 'a', partition: 1, start: 'beginning' as const, endOffset: 5 },
    ];
    expect(resolveTopics({ partitions }, NOW)).toEqual({
      type: 'partitions',
      ranges: [
        { topic: 'a', partition: 0, start: { from: 'committed' } },
        { topic: 'a', partition: 1, start: { from: 'earliest' }, endOffset: 5 },
      ],
    });
  });

  it.each([
    ['no topic', []],
    ['an empty name', ''],
    ['a name with blanks', 'my topic'],
    ['a dot', '.'],
    ['two dots', ['..']],
    ['a name of 250 characters', 'a'.repeat(250)],
    ['no partition', { partitions: [] }],
    ['a negative partition', { partitions: [{ topic: 'a', partition: -1 }] }],
    ['a broken partition', { partitions: [{ topic: 'a', partition: 0.5 }] }],
    [
      'the same partition twice',
      {
        partitions: [
          { topic: 'a', partition: 0 },
          { topic: 'a', partition: 0 },
        ],
      },
    ],
    ['an end that is no offset', { partitions: [{ topic: 'a', partition: 0, endOffset: NaN }] }],
    ['a negative start', { partitions: [{ topic: 'a', partition: 0, start: { offset: -1 } }] }],
    [
      'a start at no time',
      { partitions: [{ topic: 'a', partition: 0, start: { timestamp: NaN } }] },
    ],
    ['a negative age', { partitions: [{ topic: 'a', partition: 0, start: { durationMs: -1 } }] }],
    ['a broken time', { partitions: [{ topic: 'a', partition: 0, start: { timestamp: 1.5 } }] }],
  ])('is refused when it is %s', (_title, topics) => {
    expect(() => resolveTopics(topics, NOW)).toThrow(ConfigError);
  });

  it('takes an age back from now, but not beyond the beginning of time', () => {
    const ago = (durationMs: number) => startPosition({ durationMs }, NOW);
    expect(ago(400)).toEqual({ from: 'timestamp', timestamp: 999_600 });
    expect(ago(NOW * 2)).toEqual({ from: 'timestamp', timestamp: 0 });
  });

  it('takes a Date as its milliseconds', () => {
    expect(startPosition({ timestamp: new Date(77) }, NOW)).toEqual({
      from: 'timestamp',
      timestamp: 77,
    });
  });
});
