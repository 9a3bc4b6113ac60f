import fc from 'fast-check';
import { expect, test } from 'vitest';
import { codecId, codecs } from '../../../../src/core/records/compression/codecs.js';
import { CorruptRecordError } from '../../../../src/core/util/errors.js';
import { compress } from './compress.js';

const MEBIBYTE = 1 << 20;
const real = codecs.filter(({ name }) => name !== 'none');

test('each codec stands at the number Kafka gave it', () => {
  expect(codecs.map(({ name }) => name)).toEqual(['none', 'gzip', 'snappy', 'lz4', 'zstd']);
  expect(codecId('lz4')).toBe(3);
});

test.each(codecs.map(({ name }, i) => [name, i] as const))('%s restores any bytes', (_, index) => {
  const codec = codecs[index]!;
  const chunk = fc.uint8Array({ maxLength: 100 });
  const input = fc
    .tuple(chunk, fc.nat(3000))
    .map(([bytes, times]) =>
      Buffer.concat(Array.from({ length: times }, () => Buffer.from(bytes))),
    );
  fc.assert(
    fc.property(input, (raw) => {
      const compressed = compress(codec, raw);
      expect(codec.decompress(compressed, MEBIBYTE).equals(raw)).toBe(true);
      expect(compressed.length).toBeLessThanOrEqual(codec.maxCompressedBytes(raw.length));
    }),
    { numRuns: 60 },
  );
});

test.each(codecs.map(({ name }, i) => [name, i] as const))(
  '%s keeps the limit exactly',
  (_, index) => {
    const codec = codecs[index]!;
    for (const size of [1, 1000, 65_536, 200_000]) {
      const compressed = compress(codec, Buffer.alloc(size, 'abc'));
      expect(codec.decompress(compressed, size)).toHaveLength(size);
      expect(() => codec.decompress(compressed, size - 1)).toThrow(
        expect.objectContaining({ code: 'DECOMPRESSED_TOO_LARGE' }) as Error,
      );
    }
  },
);

test.each(real.map((codec) => [codec.name, codec] as const))(
  '%s names what is cut off',
  (_, codec) => {
    const compressed = compress(codec, Buffer.from('some text '.repeat(20_000)));
    const step = Math.ceil(compressed.length / 500);
    for (let length = 0; length < compressed.length; length += step) {
      // xerial framing has no end mark: at a block's end nothing is missing.
      if (codec.name === 'snappy' && length === 16) continue;
      const cut = compressed.subarray(0, length);
      let restored: Buffer | undefined;
      try {
        restored = codec.decompress(cut, MEBIBYTE);
      } catch (error) {
        expect(error).toBeInstanceOf(CorruptRecordError);
      }
      if (codec.name !== 'snappy') expect(restored).toBeUndefined();
    }
  },
);

test.each(real.map((codec) => [codec.name, codec] as const))(
  '%s survives hostile bytes',
  (_, codec) => {
    const sound = compress(codec, Buffer.from('some text '.repeat(300)));
    const mutated = fc
      .array(fc.tuple(fc.nat(sound.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 })
      .map((mutations) => {
        const bytes = Buffer.from(sound);
        for (const [at, byte] of mutations) bytes[at] = byte;
        return bytes;
      });
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 100 })), (bytes) => {
        try {
          expect(codec.decompress(bytes, MEBIBYTE).length).toBeLessThanOrEqual(MEBIBYTE);
        } catch (error) {
          expect(error).toBeInstanceOf(CorruptRecordError);
        }
      }),
      { numRuns: 2000 },
    );
  },
);
