import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeRecords,
  encodeRecords,
  readBatches,
  RecordBatchBuilder,
  type CompressionType,
  type Content,
  type HeaderContent,
} from '../../../src/core/records/index.js';
import {
  ConfigError,
  ProtocolError,
  UnsupportedVersionError,
} from '../../../src/core/util/errors.js';

const formats = [0, 1, 2] as const;
const types: CompressionType[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

const content: fc.Arbitrary<Content> = fc.oneof(
  fc.constant(null),
  fc.string({ unit: 'grapheme', maxLength: 200 }),
  fc.uint8Array({ maxLength: 200 }),
  // Around the places where a length takes a byte more.
  fc.constantFrom(63, 64, 8191, 8192).map((length) => 'é'.repeat(length >> 1)),
);
const record = fc.record({
  key: content,
  value: content,
  headers: fc.array(fc.tuple(fc.string({ unit: 'grapheme' }), content), { maxLength: 4 }),
  timestamp: fc.oneof(fc.nat(), fc.constantFrom(-1, 2 ** 31, 2 ** 45, 2n ** 62n)),
});

test('the size announced before a record is added is the size it adds', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...formats),
      fc.array(record, { minLength: 1 }),
      (magic, records) => {
        const builder = new RecordBatchBuilder({ magic });
        for (const { key, value, headers, timestamp } of records) {
          const list = magic === 2 ? headers : [];
          const before = builder.sizeBytes;
          const added = builder.sizeOf(key, value, list, timestamp);
          const total = builder.sizeWith(key, value, list, timestamp);
          expect(builder.fits(key, value, list, timestamp, total)).toBe(true);
          expect(builder.fits(key, value, list, timestamp, total - 1)).toBe(false);
          builder.append(key, value, list, timestamp);
          expect(builder.sizeBytes - before).toBe(added);
          expect(builder.sizeBytes).toBe(total);
        }
        expect(builder.close()).toHaveLength(builder.sizeBytes);
      },
    ),
  );
});

test('text survives around the lengths whose varint grows, in whatever script', () => {
  for (const unit of ['a', 'é', '語', '🦀', '\ud800']) {
    for (const bytes of [20, 63, 64, 520, 8191, 8192]) {
      for (const more of [-1, 0, 1]) {
        const text = unit.repeat(Math.ceil(bytes / Buffer.byteLength(unit)) + more);
        const expected = Buffer.from(text);
        const batch = encodeRecords([{ key: text, value: text, headers: [[text, text]] }, {}]);
        const [record] = decodeRecords(batch);
        expect(record!.key!.equals(expected)).toBe(true);
        expect(record!.value!.equals(expected)).toBe(true);
        expect(record!.headers[0]).toEqual([expected.toString(), expected]);
      }
    }
  }
});

test('a compressed batch is never larger than was announced, even of random bytes', () => {
  for (const magic of formats) {
    for (const compressionType of types) {
      if (magic < 2 && compressionType === 'zstd') continue;
      for (const size of [0, 1, 100, 5000, 32_768, 65_536, 70_000, 1_000_000]) {
        const builder = new RecordBatchBuilder({ magic, compressionType });
        const value = randomBytes(size);
        const announced = builder.sizeWith(null, value, [], 0);
        builder.append(null, value, [], 0);
        expect(builder.close().length).toBeLessThanOrEqual(announced);
      }
    }
  }
});

test('an empty v2 batch is its header', () => {
  expect(new RecordBatchBuilder().sizeBytes).toBe(61);
  expect(encodeRecords([])).toHaveLength(61);
  expect(encodeRecords([], { magic: 1, compressionType: 'gzip' })).toHaveLength(0);
});

test('append counts, and keeps the largest timestamp', () => {
  const builder = new RecordBatchBuilder();
  expect(builder.maxTimestamp).toBe(-1);
  expect(builder.append(null, 'a', [], 5)).toBe(0);
  expect(builder.append(null, 'b', [], 9)).toBe(1);
  expect(builder.append(null, 'c', [], 7)).toBe(2);
  expect(builder.count).toBe(3);
  expect(builder.maxTimestamp).toBe(9);
});

test('the largest of only negative timestamps is one of them', () => {
  const bytes = encodeRecords([{ timestamp: -500 }, { timestamp: -400 }]);
  expect(readBatches(bytes)[0]!.maxTimestamp).toBe(-400);
});

test('reset starts the next batch in the same memory', () => {
  const builder = new RecordBatchBuilder();
  builder.append('k', 'v'.repeat(10_000), [], 100);
  const first = builder.close();
  builder.reset();
  builder.append(null, 'second', [], 5);
  const second = builder.close();
  expect(second.buffer).toBe(first.buffer);
  expect(second).toEqual(encodeRecords([{ value: 'second', timestamp: 5 }]));
});

/** Memory that keeps book of what it gave and took back. */
function countedMemory() {
  const lent = new Set<Buffer>();
  const memory = {
    take(bytes: number) {
      const given = Buffer.alloc(bytes);
      lent.add(given);
      return given;
    },
    give(given: Buffer) {
      expect(lent.delete(given)).toBe(true);
    },
  };
  return { memory, lent };
}

test('memory comes from where it is said to, and goes back when more is needed', () => {
  const { memory, lent } = countedMemory();
  const builder = new RecordBatchBuilder({ memory, initialBytes: 500 });
  expect(lent.size).toBe(0);
  builder.append(null, 'x'.repeat(400), [], 0);
  builder.append(null, 'y'.repeat(4000), [], 0);
  expect([...lent].map(({ length }) => length >= 4400)).toEqual([true]);
  const batch = builder.close();
  expect(decodeRecords(batch).map((r) => r.value!.length)).toEqual([400, 4000]);
  expect([...lent][0]!.buffer).toBe(batch.buffer);
  builder.release();
  builder.release();
  expect(lent.size).toBe(0);
});

describe.each(formats)('a compressed batch of magic %i', (magic) => {
  test.each([
    ['that shrank', 'a'.repeat(5000)],
    ['that did not', randomBytes(5000)],
  ])('%s has memory of its own, at most half of it empty', (_, value) => {
    const { memory, lent } = countedMemory();
    const builder = new RecordBatchBuilder({ memory, magic, compressionType: 'gzip' });
    builder.append(null, value, [], 0);
    const batch = builder.close();
    expect([...lent].map(({ buffer }) => buffer)).toEqual([batch.buffer]);
    expect([...lent][0]!.length).toBeLessThanOrEqual(2 * batch.length);
    expect(decodeRecords(batch)[0]!.value).toEqual(Buffer.from(value));
    builder.release();
    expect(lent.size).toBe(0);
  });
});

test('a closed builder takes no more', () => {
  const builder = new RecordBatchBuilder();
  builder.append(null, 'x', [], 0);
  builder.close();
  expect(() => builder.append(null, 'y', [], 0)).toThrow();
  expect(() => builder.close()).toThrow();
});

test.each([NaN, 1.5, 2 ** 53, Infinity, 2n ** 63n, -(2n ** 63n) - 1n])(
  'a timestamp of %s is refused, and the batch stays sound',
  (timestamp) => {
    for (const magic of formats) {
      const builder = new RecordBatchBuilder({ magic });
      expect(() => builder.append(null, 'x', [], timestamp)).toThrow(ProtocolError);
      builder.append(null, 'a', [], 1);
      expect(() => builder.append(null, 'x', [], timestamp)).toThrow(ProtocolError);
      builder.append(null, 'b', [], 2);
      expect(decodeRecords(builder.close()).map((r) => r.value!.toString())).toEqual(['a', 'b']);
    }
  },
);

test('headers before magic 2 are refused by name of the version', () => {
  const headers: HeaderContent[] = [['a', 'b']];
  for (const magic of [0, 1] as const) {
    const builder = new RecordBatchBuilder({ magic });
    expect(() => builder.append(null, null, headers, 0)).toThrow(UnsupportedVersionError);
    builder.append(null, 'x', [], 0);
    expect(decodeRecords(builder.close())).toHaveLength(1);
  }
});

test.each([
  [{ compressionType: 'brotli' as CompressionType }, 'none, gzip, snappy, lz4, zstd'],
  [{ compressionType: 'gzip', compressionLevel: 10 } as const, 'from 1 to 9, or -1'],
  [{ compressionType: 'gzip', compressionLevel: 0 } as const, 'from 1 to 9'],
  [{ compressionType: 'lz4', compressionLevel: 18 } as const, 'from 1 to 17'],
  [{ compressionType: 'zstd', compressionLevel: 23 } as const, 'from -131072 to 22'],
  [{ compressionType: 'zstd', compressionLevel: 1.5 } as const, 'an integer'],
  [{ compressionType: 'snappy', compressionLevel: 1 } as const, 'has no levels'],
  [{ compressionType: 'zstd', magic: 1 } as const, 'zstd needs magic 2'],
  [{ isTransactional: true, magic: 1 } as const, 'transactions need magic 2'],
])('%o is refused with what would do', (options, text) => {
  expect(() => new RecordBatchBuilder(options)).toThrow(ConfigError);
  expect(() => new RecordBatchBuilder(options)).toThrow(text);
});

test.each([
  ['gzip', [-1, 1, 9]],
  ['lz4', [1, 9, 17]],
  ['zstd', [-131_072, -1, 3, 22]],
] as const)('all levels of %s that Java has are taken', (compressionType, levels) => {
  const value = 'some text '.repeat(1000);
  for (const compressionLevel of levels) {
    const bytes = encodeRecords([{ value }], { compressionType, compressionLevel });
    expect(decodeRecords(bytes)[0]!.value!.toString()).toBe(value);
  }
});

test('better levels compress better', () => {
  const value = Array.from({ length: 3000 }, (_, i) => `${i * 7919} lorem ${i % 17}`).join(' ');
  const size = (compressionType: CompressionType, compressionLevel: number): number =>
    encodeRecords([{ value }], { compressionType, compressionLevel }).length;
  expect(size('gzip', 9)).toBeLessThan(size('gzip', 1));
  expect(size('zstd', 19)).toBeLessThan(size('zstd', -5));
});
