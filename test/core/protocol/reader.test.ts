import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Reader } from '../../../src/core/protocol/reader.js';
import type { WireError } from '../../../src/core/protocol/wire-error.js';
import { Writer } from '../../../src/core/protocol/writer.js';

const hex = (text: string) => new Reader(Buffer.from(text.replaceAll(' ', ''), 'hex'));

describe('integers', () => {
  test.each([
    ['7f', 'int8', 127],
    ['80', 'int8', -128],
    ['7fff', 'int16', 32767],
    ['8000', 'int16', -32768],
    ['ffff', 'uint16', 65535],
    ['7fffffff', 'int32', 2147483647],
    ['80000000', 'int32', -2147483648],
    ['ffffffffffffffff', 'int64', -1],
    ['001fffffffffffff', 'int64', Number.MAX_SAFE_INTEGER],
    ['ffe0000000000001', 'int64', Number.MIN_SAFE_INTEGER],
  ] as const)('%s is the %s %d', (bytes, kind, value) => {
    expect(hex(bytes)[kind]()).toBe(value);
  });

  test.each(['0020000000000000', '7fffffffffffffff', '8000000000000000'])(
    'an int64 of %s is refused, because no number holds it',
    (bytes) => {
      expect(() => hex(bytes).int64()).toThrow(/beyond 2\^53/);
    },
  );

  test('a bigint holds any int64', () => {
    expect(hex('7fffffffffffffff').bigint()).toBe(2n ** 63n - 1n);
  });
});

describe('varints', () => {
  test.each([
    ['00', 0],
    ['7f', 127],
    ['8001', 128],
    ['ffffffff0f', 4294967295],
  ])('%s is %d', (bytes, value) => {
    expect(hex(bytes).uvarint()).toBe(value);
  });

  test.each(['ffffffff1f', 'ffffffffff01', '808080808000'])('%s is refused: too long', (bytes) => {
    expect(() => hex(bytes).uvarint()).toThrow(/more than 32 bits/);
  });

  test('every unsigned 32-bit number survives writing and reading', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0x7fff_ffff }), (value) => {
        const writer = new Writer(1);
        writer.uvarint(value);
        expect(new Reader(writer.toBuffer()).uvarint()).toBe(value);
      }),
    );
  });
});

describe('lengths', () => {
  test('beyond what is left are refused before anything is allocated', () => {
    expect(() => hex('7fffffff 00').length32()).toThrow(/claims 2147483647 .* only 1 are left/);
    expect(() => hex('ffffffff0f 00').compactLength()).toThrow(/only 1 are left/);
    expect(() => hex('7fff').length16()).toThrow(/only 0 are left/);
  });

  test('of arrays count what an element takes at least', () => {
    expect(hex('00000002 0000 0000').count32(2)).toBe(2);
    expect(() => hex('00000003 0000 0000').count32(2)).toThrow(/claims 3 elements/);
  });

  test('below -1 are refused', () => {
    expect(() => hex('fffffffe').length32()).toThrow(/negative length of -2/);
    expect(() => hex('8000').length16()).toThrow(/negative/);
  });

  test('of null are -1 in both encodings', () => {
    expect(hex('ffffffff').length32()).toBe(-1);
    expect(hex('00').compactLength()).toBe(-1);
  });
});

test('bytes are slices of the buffer, not copies', () => {
  const buffer = Buffer.from('0102030405', 'hex');
  const reader = new Reader(buffer);
  reader.skip(1);
  const slice = reader.bytesOf(3);
  buffer[1] = 0xff;
  expect([...slice]).toEqual([0xff, 3, 4]);
});

test('reading past the end says what is missing and where', () => {
  const reader = hex('0000');
  reader.int8();
  expect(() => reader.int32()).toThrow(/needs 4 bytes but only 1 are left/);
  try {
    reader.int32();
  } catch (error) {
    expect((error as WireError).position).toBe(1);
  }
});
