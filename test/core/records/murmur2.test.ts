import { expect, test } from 'vitest';
import { murmur2, partitionForKey, toPositive } from '../../../src/core/records/murmur2.js';

test.each([
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
])('murmur2 of %j is that of the Java client', (text, expected) => {
  expect(murmur2(Buffer.from(text))).toBe(expected);
});

test.each([
  ['', 681],
  ['a', 524],
  ['ab', 434],
  ['abc', 107],
  ['123456789', 566],
  [Buffer.from([0, 0x20]), 742],
])('the key %j goes to partition %i of 1000', (key, expected) => {
  expect(partitionForKey(key, 1000)).toBe(expected);
  expect(partitionForKey(Buffer.from(key as string), 1000)).toBe(expected);
});

test.each([
  ['of characters of several bytes', '€ und 😀'],
  ['too long to be encoded in the memory at hand', 'aé'.repeat(5000)],
])('a key of text %s goes where its UTF-8 does', (_, key) => {
  // A longer key before it leaves nothing behind.
  partitionForKey('x'.repeat(1000), 1000);
  expect(partitionForKey(key, 1000)).toBe(partitionForKey(Buffer.from(key), 1000));
});

test('toPositive drops the sign bit instead of negating', () => {
  expect(toPositive(-1)).toBe(0x7fffffff);
  expect(toPositive(-0x80000000)).toBe(0);
  expect(toPositive(7)).toBe(7);
});
