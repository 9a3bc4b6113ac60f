import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  readVarint,
  readVarlong,
  skipVarint,
  varintSize,
  varlongSize,
  writeVarint,
  writeVarlong,
} from '../../../src/core/records/varint.js';

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

test.each([
  [0, '00'],
  [-1, '01'],
  [1, '02'],
  [63, '7e'],
  [64, '8001'],
  [-64, '7f'],
  [8191, 'fe7f'],
  [8192, '808001'],
  [2 ** 31 - 1, 'feffffff0f'],
  [-(2 ** 31), 'ffffffff0f'],
])('the varint of %i is %s', (value, hex) => {
  const bytes = Buffer.alloc(5);
  const end = writeVarint(bytes, 0, value);
  expect(bytes.toString('hex', 0, end)).toBe(hex);
  expect(varintSize(value)).toBe(end);
  expect(readVarint(bytes, 0)).toBe(value);
});

test('any 32-bit integer survives, as a varint and as a varlong', () => {
  fc.assert(
    fc.property(fc.integer(), (value) => {
      const bytes = Buffer.alloc(10);
      expect(writeVarint(bytes, 0, value)).toBe(varintSize(value));
      expect(readVarint(bytes, 0)).toBe(value);
      expect(writeVarlong(bytes, 0, value)).toBe(varlongSize(value));
      expect(readVarlong(bytes, 0)).toBe(value);
    }),
  );
});

test('any 64-bit integer survives as a varlong, a number as long as that is exact', () => {
  fc.assert(
    fc.property(fc.oneof(int64, fc.maxSafeInteger().map(BigInt)), (value) => {
      const bytes = Buffer.alloc(10);
      const end = writeVarlong(bytes, 0, value);
      expect(end).toBe(varlongSize(value));
      expect(skipVarint(bytes, 0, 10)).toBe(end);
      expect(BigInt(readVarlong(bytes, 0))).toBe(value);
    }),
  );
});

test('a safe integer beyond 32 bits is written as its bigint is', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (value) => {
      const bytes = Buffer.alloc(20);
      const end = writeVarlong(bytes, 0, value);
      writeVarlong(bytes, 10, BigInt(value));
      expect(bytes.subarray(0, end)).toEqual(bytes.subarray(10, 10 + end));
    }),
  );
});

test('a varint that does not end in time is found out', () => {
  expect(skipVarint(Buffer.alloc(20, 0xff), 0, 10)).toBe(-1);
  expect(skipVarint(Buffer.alloc(3, 0xff), 0, 10)).toBe(-1);
});
