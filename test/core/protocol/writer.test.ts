import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Reader } from '../../../src/core/protocol/reader.js';
import { Writer } from '../../../src/core/protocol/writer.js';

describe('limits', () => {
  test.each([
    ['int8', 128],
    ['int8', -129],
    ['int8', 1.5],
    ['int16', 32768],
    ['uint16', -1],
    ['uint16', 65536],
    ['int32', 2147483648],
    ['int32', NaN],
    ['int64', 2 ** 53],
    ['int64', 2n ** 63n],
    ['int64', '1'],
    ['bigint', -(2n ** 63n) - 1n],
    ['float64', '1'],
    ['bool', 1],
    ['uuid', 'too short'],
    ['uuid', 'AAAAAAAAAAAAAAAAAAAAAB'],
    ['string', 5],
    ['string', null],
    ['bytes', 'text'],
    ['count', 'text'],
  ] as const)('%s refuses %s', (kind, value) => {
    expect(() => new Writer()[kind](value)).toThrow(/must be .* but is/);
  });

  test('a string may have 32,767 bytes and no more', () => {
    expect(() => new Writer().string('é'.repeat(16_383))).not.toThrow();
    expect(() => new Writer().compactString('é'.repeat(16_384))).toThrow(/has 32768 bytes/);
  });
});

test('what is written before, at and after a growth step is all there', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 6 }), { maxLength: 200 }), (kinds) => {
      const writer = new Writer(1);
      for (const kind of kinds) writers[kind]!(writer);
      const reader = new Reader(writer.toBuffer());
      for (const kind of kinds) readers[kind]!(reader);
      expect(reader.remaining).toBe(0);
      expect(writer.length).toBe(reader.position);
    }),
  );
});

const uuid = Buffer.alloc(16, 7).toString('base64url');
const writers: readonly ((writer: Writer) => void)[] = [
  (writer) => writer.int8(-5),
  (writer) => writer.int32(123456789),
  (writer) => writer.int64(-(2 ** 40)),
  (writer) => writer.uuid(uuid),
  (writer) => writer.compactString('grüße'),
  (writer) => writer.bytes(Buffer.alloc(1500, 3)),
  (writer) => writer.float64(0.25),
];
const readers: readonly ((reader: Reader) => void)[] = [
  (reader) => expect(reader.int8()).toBe(-5),
  (reader) => expect(reader.int32()).toBe(123456789),
  (reader) => expect(reader.int64()).toBe(-(2 ** 40)),
  (reader) => expect(reader.uuid()).toBe(uuid),
  (reader) => expect(reader.stringOf(reader.compactLength())).toBe('grüße'),
  (reader) => expect(reader.bytesOf(reader.length32()).equals(Buffer.alloc(1500, 3))).toBe(true),
  (reader) => expect(reader.float64()).toBe(0.25),
];

test('large bytes are passed on, small ones copied', () => {
  const large = Buffer.alloc(4096, 1);
  const small = Buffer.alloc(16, 2);
  const writer = new Writer();
  writer.bytes(small);
  writer.bytes(large);
  writer.int8(3);
  const chunks = writer.finish();
  expect(chunks).toHaveLength(3);
  expect(chunks[1]).toBe(large);
  small.fill(9);
  expect(Buffer.concat(chunks).subarray(4, 20)).toEqual(Buffer.alloc(16, 2));
});

test('a sized section has its size in front, however large it is', () => {
  for (const bytes of [0, 1, 127, 128, 5000]) {
    const writer = new Writer(8);
    writer.int8(1);
    const start = writer.beginSized();
    writer.compactBytes(Buffer.alloc(bytes, 5));
    writer.endSized(start);
    writer.int8(2);
    const reader = new Reader(writer.toBuffer());
    reader.int8();
    const size = reader.uvarint();
    const before = reader.position;
    expect(reader.bytesOf(reader.compactLength())).toEqual(Buffer.alloc(bytes, 5));
    expect(reader.position - before).toBe(size);
    expect(reader.int8()).toBe(2);
  }
});
