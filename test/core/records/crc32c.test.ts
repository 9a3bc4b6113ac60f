import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc32, crc32c } from '../../../src/core/records/crc32c.js';

test.each([
  ['', '0'],
  ['a', 'c1d04330'],
  ['123456789', 'e3069283'],
])('crc32c of %j is %s', (text, expected) => {
  expect(crc32c(Buffer.from(text)).toString(16)).toBe(expected);
});

test('crc32 of 123456789 is cbf43926', () => {
  expect(crc32(Buffer.from('123456789')).toString(16)).toBe('cbf43926');
});

test.each([
  ['crc32', crc32],
  ['crc32c', crc32c],
])('%s of chunks, each begun with the last result, is that of the whole', (_, sum) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (bytes, at) => {
      const head = sum(bytes.subarray(0, at));
      expect(sum(bytes.subarray(at), head)).toBe(sum(bytes));
    }),
  );
});
