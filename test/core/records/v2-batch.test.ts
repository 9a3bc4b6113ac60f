import { expect, test } from 'vitest';
import {
  decodeRecords,
  encodeRecords,
  readBatches,
  setPartitionLeaderEpoch,
  setProducerState,
  storeBatches,
} from '../../../src/core/records/index.js';
import { crc32c } from '../../../src/core/records/crc32c.js';
import { updateCrc } from '../../../src/core/records/patch-batch.js';
import { CorruptRecordError } from '../../../src/core/util/errors.js';

const producer = { producerId: 2 ** 40, producerEpoch: 5, baseSequence: 77 };
const three = [
  { key: 'a', value: '1', timestamp: 30 },
  { key: 'b', value: '2', timestamp: 10 },
  { key: 'c', value: '3', timestamp: 20 },
];

/** A copy with one thing changed, and a checksum that covers for it. */
function tampered(batch: Buffer, change: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(batch);
  change(bytes);
  updateCrc(bytes);
  return bytes;
}

test('tells all header fields without opening the batch', () => {
  const bytes = encodeRecords(three, {
    baseOffset: 100,
    isTransactional: true,
    compressionType: 'lz4',
    producer,
  });
  setPartitionLeaderEpoch(bytes, 9);
  expect(readBatches(bytes)[0]).toMatchObject({
    magic: 2,
    baseOffset: 100,
    lastOffset: 102,
    nextOffset: 103,
    sizeBytes: bytes.length,
    partitionLeaderEpoch: 9,
    crc: crc32c(bytes.subarray(21)),
    attributes: 3 | 0x10,
    compressionType: 'lz4',
    isTransactional: true,
    isControl: false,
    timestampType: 'CreateTime',
    baseTimestamp: 30,
    maxTimestamp: 30,
    deleteHorizonMs: undefined,
    count: 3,
    ...producer,
  });
});

test('a batch without a producer says -1', () => {
  expect(readBatches(encodeRecords(three))[0]).toMatchObject({
    producerId: -1,
    producerEpoch: -1,
    baseSequence: -1,
    partitionLeaderEpoch: -1,
    isTransactional: false,
  });
});

test('any flipped bit after the checksum is noticed when the batch is opened, not before', () => {
  const sound = encodeRecords(three);
  for (let at = 21; at < sound.length; at++) {
    const bytes = Buffer.from(sound);
    bytes[at]! ^= 0x10;
    if (at >= 23 && at < 27) continue; // The last offset delta: corrupt for itself, perhaps.
    const [batch] = readBatches(bytes);
    expect(() => batch!.cursor()).toThrow('CRC-32C');
    expect(() => batch!.verifyCrc()).toThrow(CorruptRecordError);
  }
});

test('checkCrcs: false reads on in spite of a wrong checksum', () => {
  const bytes = encodeRecords(three);
  bytes[17]! ^= 1;
  expect(() => decodeRecords(bytes)).toThrow('CRC-32C');
  expect(decodeRecords(bytes, { checkCrcs: false })).toHaveLength(3);
});

test.each([
  ['negative', -1],
  ['more than the bytes can hold', 2 ** 31 - 1],
  ['one too many', 4],
  ['one too few', 2],
])('a record count that is %s is corruption', (_, count) => {
  for (const compressionType of ['none', 'zstd'] as const) {
    const bytes = tampered(encodeRecords(three, { compressionType }), (b) =>
      b.writeInt32BE(count, 57),
    );
    expect(() => decodeRecords(bytes)).toThrow(CorruptRecordError);
    if (count < 0) expect(() => readBatches(bytes)[0]!.cursor()).toThrow('it claims -1 records');
  }
});

test('an unknown codec is corruption, only when asked for', () => {
  const bytes = tampered(encodeRecords(three), (b) => (b[22] = 6));
  const [batch] = readBatches(bytes);
  expect(batch!.count).toBe(3);
  expect(() => batch!.compressionType).toThrow('no codec has number 6');
  expect(() => batch!.cursor()).toThrow(CorruptRecordError);
});

test('a compacted batch keeps its offsets: fewer records than offsets', () => {
  const bytes = tampered(encodeRecords(three, { baseOffset: 50 }), (b) => b.writeInt32BE(9, 23));
  const [batch] = readBatches(bytes);
  expect(batch!.nextOffset).toBe(60);
  expect(decodeRecords(bytes).map(({ offset }) => offset)).toEqual([50, 51, 52]);
});

test('an empty batch that compaction left is passed by its offsets, whatever codec it names', () => {
  const bytes = tampered(encodeRecords([], { baseOffset: 7 }), (b) => {
    b[22] = 4;
    b.writeInt32BE(3, 23);
  });
  expect(decodeRecords(bytes)).toEqual([]);
  expect(readBatches(bytes)[0]!.nextOffset).toBe(11);
});

test('an offset delta beyond the last one is corruption', () => {
  const bytes = tampered(encodeRecords(three), (b) => b.writeInt32BE(1, 23));
  expect(() => decodeRecords(bytes)).toThrow("a record's offset delta is 2");
});

test('with LogAppendTime all records have the broker’s time', () => {
  const bytes = storeBatches(encodeRecords(three), { baseOffset: 0, logAppendTime: 999 });
  expect(readBatches(bytes)[0]).toMatchObject({
    timestampType: 'LogAppendTime',
    maxTimestamp: 999,
  });
  expect(decodeRecords(bytes).map(({ timestamp }) => timestamp)).toEqual([999, 999, 999]);
});

test('with a delete horizon the base timestamp is that', () => {
  const bytes = tampered(encodeRecords(three), (b) => (b[22]! |= 0x40));
  expect(readBatches(bytes)[0]!.deleteHorizonMs).toBe(30);
});

test('the producer can be changed again and again, and the checksum follows', () => {
  const bytes = encodeRecords(three, { compressionType: 'gzip', producer });
  const next = { producerId: 8, producerEpoch: 6, baseSequence: 2 ** 31 - 1 };
  setProducerState(bytes, next);
  expect(readBatches(bytes)[0]).toMatchObject(next);
  expect(decodeRecords(bytes)).toHaveLength(3);
});

test('a producer id beyond 2^53 is corruption when asked for, and spoils no records', () => {
  const bytes = tampered(encodeRecords(three), (b) => b.writeBigInt64BE(2n ** 60n, 43));
  expect(() => readBatches(bytes)[0]!.producerId).toThrow(CorruptRecordError);
  expect(decodeRecords(bytes)).toHaveLength(3);
});

test('records that decompress to more than the limit are refused with a code of its own', () => {
  const value = Buffer.alloc(1_000_000);
  for (const compressionType of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
    const bytes = encodeRecords([{ value }], { compressionType });
    expect(decodeRecords(bytes)).toHaveLength(1);
    expect(() => decodeRecords(bytes, { maxDecompressedBytes: 500_000 })).toThrow(
      expect.objectContaining({ code: 'DECOMPRESSED_TOO_LARGE', context: { offset: 0 } }) as Error,
    );
  }
});
