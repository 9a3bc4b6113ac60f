import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { gzip } from '../../../../src/core/records/compression/gzip.js';

test('reads several members in a row, and limits them together', () => {
  const bytes = Buffer.concat([gzipSync('one '), gzipSync('two')]);
  expect(gzip.decompress(bytes, 7).toString()).toBe('one two');
  expect(() => gzip.decompress(bytes, 6)).toThrow('more than 6 bytes');
});

test('a bomb is not inflated', () => {
  const bomb = gzipSync(Buffer.alloc(50_000_000));
  expect(bomb.length).toBeLessThan(60_000);
  expect(() => gzip.decompress(bomb, 1_000_000)).toThrow(
    expect.objectContaining({ code: 'DECOMPRESSED_TOO_LARGE' }) as Error,
  );
});
