import { describe, expect, test } from 'vitest';
import { decodeRecords, encodeRecords, readBatches } from '../../../src/core/records/index.js';
import { downConvert, recompress, upConvert } from '../../../src/testing/state/convert.js';
import { orRejection } from '../../../src/testing/state/rejection.js';
import { Errors } from '../../../src/testing/error-codes.js';
import { batchOf } from './records.js';

const plain = (bytes: Buffer) =>
  decodeRecords(bytes).map(({ offset, key, value, timestamp }) => ({
    offset,
    key: String(key),
    value: String(value),
    timestamp,
  }));

const bytesOf = (batches: readonly { bytes: Buffer }[]) =>
  Buffer.concat(batches.map(({ bytes }) => bytes));

describe('converting what old producers sent', () => {
  test.each(['none', 'gzip', 'lz4'] as const)('keeps records and codec (%s)', (compressionType) => {
    const old = batchOf(3, { magic: 1, compressionType });
    const converted = upConvert(old, 2);
    expect(converted).toHaveLength(1);
    expect(converted[0]).toMatchObject({ magic: 2, count: 3, compressionType });
    expect(plain(bytesOf(converted))).toEqual(plain(bytesOf(old)));
  });

  test('of magic 0 gives records without a timestamp', () => {
    const converted = upConvert(batchOf(2, { magic: 0 }), 2);
    expect(plain(bytesOf(converted)).map(({ timestamp }) => timestamp)).toEqual([-1, -1]);
  });

  test('leaves alone what is new enough, and nothing', () => {
    const batches = batchOf(2);
    expect(upConvert(batches, 2)).toEqual(batches);
    expect(upConvert([], 2)).toEqual([]);
  });
});

describe('converting for old consumers', () => {
  test.each([
    [1, 'none'],
    [1, 'gzip'],
    [0, 'none'],
    [0, 'snappy'],
  ] as const)('to magic %i with %s keeps offsets, keys and values', (magic, compressionType) => {
    const stored = Buffer.concat([
      encodeRecords(
        [
          { key: 'a', value: '1', timestamp: 5 },
          { key: 'b', value: '2', timestamp: 6 },
        ],
        {
          compressionType,
          baseOffset: 10,
        },
      ),
      encodeRecords([{ key: 'c', value: '3', timestamp: 7 }], { compressionType, baseOffset: 12 }),
    ]);
    const converted = downConvert(stored, magic, 10);
    expect(readBatches(converted).every((batch) => batch.magic === magic)).toBe(true);
    const expected = plain(stored).map((record) => ({
      ...record,
      timestamp: magic === 0 ? -1 : record.timestamp,
    }));
    expect(plain(converted)).toEqual(expected);
  });

  test('leaves out messages below the offset that was asked for', () => {
    const stored = encodeRecords([{ value: 'a' }, { value: 'b' }, { value: 'c' }], {
      baseOffset: 10,
    });
    expect(plain(downConvert(stored, 1, 12)).map(({ offset }) => offset)).toEqual([12]);
  });

  test('drops headers, which old formats lack', () => {
    const stored = encodeRecords([{ value: 'a', headers: [['h', Buffer.from('x')]] }]);
    expect(decodeRecords(downConvert(stored, 1, 0))[0]!.headers).toEqual([]);
  });

  test('refuses zstd, which old formats lack', () => {
    const stored = encodeRecords([{ value: 'a' }], { compressionType: 'zstd' });
    expect(orRejection(() => downConvert(stored, 1, 0))).toMatchObject({
      errorCode: Errors.UNSUPPORTED_COMPRESSION_TYPE,
    });
  });

  test('passes on what is old already', () => {
    const stored = encodeRecords([{ value: 'a' }], { magic: 0 });
    expect(downConvert(stored, 1, 0)).toBe(stored);
  });
});

describe('a topic’s own codec', () => {
  test('replaces the producer’s and leaves the rest of the batch as it was', () => {
    const producer = { producerId: 5, producerEpoch: 1, baseSequence: 40 };
    const batches = batchOf(3, { compressionType: 'gzip', producer });
    const [converted] = recompress(batches, 'lz4');
    expect(converted).toMatchObject({ compressionType: 'lz4', ...producer, count: 3 });
    expect(plain(converted!.bytes)).toEqual(plain(bytesOf(batches)));
  });

  test('changes nothing where it is the producer’s', () => {
    const batches = batchOf(3, { compressionType: 'gzip' });
    expect(recompress(batches, 'gzip')).toEqual(batches);
  });

  test('can’t be zstd for old formats', () => {
    expect(orRejection(() => recompress(batchOf(1, { magic: 1 }), 'zstd'))).toMatchObject({
      errorCode: Errors.UNSUPPORTED_COMPRESSION_TYPE,
    });
  });
});
