import { expect, test } from 'vitest';
import { compressRawSnappy, snappy } from '../../../../src/core/records/compression/snappy.js';
import { compress } from './compress.js';

const text = Buffer.from('snappy java '.repeat(10_000));
const header = Buffer.from('82534e41505059000000000100000001', 'hex');

test('writes xerial framing with blocks of 32 KiB', () => {
  const bytes = compress(snappy, text, 0);
  expect(bytes.subarray(0, 16)).toEqual(header);
  const sizes: number[] = [];
  for (let at = 16; at < bytes.length;) {
    const length = bytes.readInt32BE(at);
    sizes.push(snappy.decompress(bytes.subarray(at + 4, at + 4 + length), 1 << 20).length);
    at += 4 + length;
  }
  expect(sizes).toEqual([32_768, 32_768, 32_768, 120_000 - 3 * 32_768]);
});

test('reads raw blocks as well', () => {
  expect(snappy.decompress(compressRawSnappy(text), 1 << 20).equals(text)).toBe(true);
});

test('reads framing with another version, or with blocks of another size', () => {
  const block = compressRawSnappy(text);
  const length = Buffer.alloc(4);
  length.writeInt32BE(block.length);
  const other = Buffer.from(header);
  other[11] = 2;
  const bytes = Buffer.concat([other, length, block, length, block]);
  expect(snappy.decompress(bytes, 1 << 20)).toHaveLength(2 * text.length);
});

test('a length that the bytes can not hold is refused before anything is allocated', () => {
  const bytes = Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0]);
  expect(() => snappy.decompress(bytes, 2 ** 40)).toThrow("can't hold the 4294967295");
});

test.each([-1, 2 ** 31 - 1, 5])('a block length of %i is corruption', (length) => {
  const bytes = Buffer.concat([header, Buffer.alloc(8)]);
  bytes.writeInt32BE(length, 16);
  expect(() => snappy.decompress(bytes, 1 << 20)).toThrow('a block claims');
});
