import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeRecords,
  encodeRecords,
  readBatches,
  recordsOf,
  type CompressionType,
  type RecordContent,
} from '../../../src/core/records/index.js';
import { updateMessageCrc } from '../../../src/core/records/legacy-message.js';
import { updateCrc } from '../../../src/core/records/patch-batch.js';
import { CorruptRecordError } from '../../../src/core/util/errors.js';

interface Format {
  magic: 0 | 1 | 2;
  compressionType: CompressionType;
}

const formats: Format[] = ([0, 1, 2] as const).flatMap((magic) =>
  (['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)
    .filter((type) => magic === 2 || type !== 'zstd')
    .map((compressionType) => ({ magic, compressionType })),
);

const content = fc.option(
  fc.oneof(fc.uint8Array({ maxLength: 80 }), fc.string({ unit: 'binary', maxLength: 80 })),
);
const record = fc.record({
  key: content,
  value: content,
  headers: fc.array(fc.tuple(fc.string({ unit: 'binary' }), content), { maxLength: 5 }),
  timestamp: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
});

function toBuffer(value: Uint8Array | string | null): Buffer | null {
  return value === null ? null : Buffer.from(value as string);
}

test.each(formats)('any records survive magic $magic, $compressionType', (format) => {
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 30 }), fc.nat(), (list, baseOffset) => {
      const { magic } = format;
      const records = list.map((r) => (magic === 2 ? r : { ...r, headers: [] }));
      const decoded = decodeRecords(encodeRecords(records, { ...format, baseOffset }));
      expect(decoded).toHaveLength(records.length);
      for (const [i, actual] of decoded.entries()) {
        const { key, value, headers, timestamp } = records[i]!;
        expect(actual.offset).toBe(baseOffset + i);
        expect(actual.timestampBigInt).toBe(magic === 0 ? -1n : timestamp);
        expect(actual.key).toEqual(toBuffer(key));
        expect(actual.value).toEqual(toBuffer(value));
        expect(actual.headers).toEqual(
          headers.map(([name, v]) => [Buffer.from(name).toString(), toBuffer(v)]),
        );
      }
    }),
    { numRuns: 60 },
  );
});

/** Reads all there is, in every way; only the errors meant for it may come out. */
function readHostile(bytes: Buffer): void {
  for (const checkCrcs of [true, false]) {
    try {
      const options = { checkCrcs, maxDecompressedBytes: 1 << 20 };
      for (const batch of readBatches(bytes)) JSON.stringify([batch, ...recordsOf(batch, options)]);
    } catch (error) {
      if (!(error instanceof CorruptRecordError)) throw error;
    }
  }
}

/** A header that leads deeper into the decoder than random bytes would. */
function plausible(magic: number, attributes: number, rest: Uint8Array, claimed: number): Buffer {
  const bytes = Buffer.concat([Buffer.alloc(magic === 2 ? 61 : 18), rest]);
  bytes.writeInt32BE(bytes.length - 12, 8);
  bytes[16] = magic;
  bytes[magic === 2 ? 22 : 17] = attributes;
  if (magic === 2) {
    bytes.writeInt32BE(1000, 23);
    bytes.writeInt32BE(claimed, 57);
    updateCrc(bytes);
  } else {
    updateMessageCrc(bytes);
  }
  return bytes;
}

test('random bytes crash nothing', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => readHostile(Buffer.from(bytes))),
    { numRuns: 2000 },
  );
});

test('random records under a sound header crash nothing', () => {
  const small = fc.array(fc.oneof(fc.nat(40), fc.nat(255)), { maxLength: 120 });
  fc.assert(
    fc.property(
      fc.nat(2),
      fc.nat(7),
      small,
      fc.oneof(fc.nat(10), fc.integer()),
      (magic, attributes, rest, claimed) => {
        readHostile(plausible(magic, attributes, Uint8Array.from(rest), claimed));
      },
    ),
    { numRuns: 5000 },
  );
});

const sample: RecordContent[] = Array.from({ length: 12 }, (_, i) => ({
  key: i % 3 === 0 ? null : `key ${i}`,
  value: i % 4 === 0 ? null : `value ${i} `.repeat(i),
  timestamp: 1_700_000_000_000 + i,
}));

function sampleOf(format: Format): Buffer {
  const records = sample.map((r, i) =>
    format.magic === 2 && i % 2 === 0 ? { ...r, headers: [['h', 'v'] as const] } : r,
  );
  return encodeRecords(records, format);
}

test.each(formats)('mutations crash nothing in magic $magic, $compressionType', (format) => {
  const sound = sampleOf(format);
  const mutation = fc.tuple(fc.nat(sound.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => {
      const bytes = Buffer.from(sound);
      for (const [at, byte] of mutations) bytes[at] = byte;
      readHostile(bytes);
      if (bytes[16] === 2) updateCrc(bytes);
      readHostile(bytes);
    }),
    { numRuns: 500 },
  );
});

test.each(formats)('cuts are partial batches in magic $magic, $compressionType', (format) => {
  const sound = sampleOf(format);
  for (let length = 0; length < sound.length; length++) {
    const records = decodeRecords(sound.subarray(0, length));
    if (format.magic === 2 || format.compressionType !== 'none') expect(records).toEqual([]);
  }
});

test.each(formats)('cuts under a length that covers them are corruption: %o', (format) => {
  const sound = sampleOf(format);
  if (format.magic < 2) return;
  for (let length = 61; length < sound.length; length++) {
    const bytes = Buffer.from(sound.subarray(0, length));
    bytes.writeInt32BE(length - 12, 8);
    updateCrc(bytes);
    // A gzip trailer, or the mark at the end of an LZ4 frame, may be missed by some decoders.
    expect(() => decodeRecords(bytes)).toThrow(CorruptRecordError);
  }
});

test('a record past its batch is corruption even where the buffer goes on', () => {
  const [first, second] = [encodeRecords(sample), encodeRecords(sample)];
  const bytes = Buffer.concat([first, second]);
  const [batch] = readBatches(bytes);
  bytes[61] = 0xfe;
  bytes[62] = 0x7f;
  expect(() => batch!.cursor({ checkCrcs: false }).next()).toThrow('a record claims 8191 bytes');
});

test('recordsOf gives the records of one batch', () => {
  const [batch] = readBatches(encodeRecords(sample));
  expect([...recordsOf(batch!)].map(({ offset }) => offset)).toEqual(sample.map((_, i) => i));
});
