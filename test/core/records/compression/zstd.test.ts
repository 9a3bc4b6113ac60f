import { expect, test } from 'vitest';
import {
  createZstd,
  firstEngine,
  napiEngine,
  nodeEngine,
  zstd,
} from '../../../../src/core/records/compression/zstd.js';
import { findZstdFrames } from '../../../../src/core/records/compression/zstd-frame.js';
import { KafkaError } from '../../../../src/core/util/errors.js';
import { compress } from './compress.js';

const MEBIBYTE = 1 << 20;
const text = Buffer.from('zstandard '.repeat(40_000));
/** `cat text | zstd -c --check`: content size unknown, checksum, several blocks. */
const streamed = Buffer.from(
  'KLUv/QRYlAAAUHpzdGFuZGFyZCABAPP/zQsSTAAACHQBAPz/ORACTAAACG4BAPz/ORACRQAACGEBAHzaAyGm1rNm',
  'base64',
);
const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);

const engines = [
  ['zstd-napi', napiEngine],
  ['node:zlib', nodeEngine],
] as const;

test.each(engines.filter(([, find]) => find() !== undefined))('%s', (_, find) => {
  const codec = createZstd(() => find()!);
  const compressed = compress(codec, text, 3);
  const both = Buffer.concat([compressed, skippable, compressed]);

  expect(codec.decompress(compressed, MEBIBYTE).equals(text)).toBe(true);
  expect(codec.decompress(both, MEBIBYTE).equals(Buffer.concat([text, text]))).toBe(true);
  expect(codec.decompress(skippable, MEBIBYTE)).toHaveLength(0);
  expect(codec.decompress(compressed, text.length)).toHaveLength(text.length);
  for (const limited of [compressed, both]) {
    expect(() => codec.decompress(limited, text.length - 1)).toThrow(
      expect.objectContaining({ code: 'DECOMPRESSED_TOO_LARGE' }) as Error,
    );
  }
});

test('reads frames of unknown content size, and concatenated ones', () => {
  expect(zstd.decompress(streamed, MEBIBYTE).equals(text)).toBe(true);
  const twice = Buffer.concat([streamed, compress(zstd, text, 1)]);
  expect(zstd.decompress(twice, MEBIBYTE).equals(Buffer.concat([text, text]))).toBe(true);
  expect(() => zstd.decompress(streamed, text.length - 1)).toThrow('more than');
});

test('writes the content size into the frame', () => {
  expect(findZstdFrames(compress(zstd, text, 3))).toMatchObject([{ maxContentBytes: text.length }]);
});

test('a content size that the blocks can not hold is refused before anything is allocated', () => {
  // Single segment, 8 bytes of content size, one empty raw block.
  const bytes = Buffer.from('28b52ffde0ffffffffffffff000000010000', 'hex');
  expect(() => zstd.decompress(bytes, 2 ** 60)).toThrow(/claims|cut short/);
});

test('the first engine there is does the work', () => {
  const engine = napiEngine() ?? nodeEngine()!;
  expect(
    firstEngine(
      () => undefined,
      () => engine,
    ),
  ).toBe(engine);
});

test('without an engine the error names both ways out, when zstd is first needed', () => {
  const codec = createZstd(() => firstEngine(() => undefined));
  expect(() => compress(codec, text, 3)).toThrow(KafkaError);
  expect(() => compress(codec, text, 3)).toThrow(/zstd-napi.*Node 22\.15/);
  expect(() => codec.decompress(streamed, MEBIBYTE)).toThrow(
    expect.objectContaining({ code: 'ZSTD_UNAVAILABLE' }) as Error,
  );
});
