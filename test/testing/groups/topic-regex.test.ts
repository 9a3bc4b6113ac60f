import { expect, test } from 'vitest';
import { compileTopicRegex } from '../../../src/testing/state/groups/topic-regex.js';

test.each([
  ['orders', 'orders', true],
  ['orders', 'orders2', false],
  ['orders|clicks', 'clicks', true],
  ['a|b', 'ab', false],
  ['ord.*', 'orders', true],
  ['(?i)ORDERS', 'orders', true],
  ['ORDERS', 'orders', false],
  ['\\Qa.b\\E', 'a.b', true],
  ['\\Qa.b\\E', 'axb', false],
  ['\\Qa.b', 'a.b', true],
  ['\\Aorders\\z', 'orders', true],
  ['(?P<what>orders)', 'orders', true],
  ['a\\.b', 'a.b', true],
  ['a\\-b\\_c', 'a-b_c', true],
  ['\\x6frders', 'orders', true],
  ['\\x{6f}rders', 'orders', true],
  ['\\x2e', 'x', false],
  ['[a-f]+\\d{2}', 'face42', true],
])('%s matches %s: %s', (regex, name, isMatch) => {
  expect(compileTopicRegex(regex).test(name)).toBe(isMatch);
});

test.each(['(', '[', '*', 'a{2,1}', '(?=a)', '(?!a)', '(?<=a)b', '(a)\\1', '\\k', 'a\\', 'a*+'])(
  '%s is refused, as RE2 does',
  (regex) => {
    expect(() => compileTopicRegex(regex)).toThrow(
      `\`${regex}\` is not a valid regular expression`,
    );
  },
);
