import { expect, test } from 'vitest';
import { xxh32 } from '../../../../src/core/records/compression/xxh32.js';

test.each([
  ['', '2cc5d05'],
  ['a', '550d7456'],
  ['abc', '32d153ff'],
  ['Nobody inspects the spammish repetition', 'e2293b2f'],
])('xxh32 of %j is %s', (text, expected) => {
  expect(xxh32(Buffer.from(text)).toString(16)).toBe(expected);
});
