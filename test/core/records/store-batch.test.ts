import { expect, test } from 'vitest';
import {
  decodeRecords,
  encodeRecords,
  readBatches,
  storeBatches,
  type CompressionType,
} from '../../../src/core/records/index.js';

const three = [{ value: 'a' }, { value: 'b' }, { value: 'c' }];

test.each([
  [0, 'none'],
  [0, 'lz4'],
  [1, 'none'],
  [1, 'snappy'],
  [2, 'none'],
  [2, 'gzip'],
] as [0 | 1 | 2, CompressionType][])(
  'gives the records of magic %i, %s, their offsets',
  (magic, compressionType) => {
    const produced = encodeRecords(three, { magic, compressionType });
    const bytes = storeBatches(produced, { baseOffset: 500, partitionLeaderEpoch: 4 });
    const records = decodeRecords(bytes);
    expect(records.map(({ offset }) => offset)).toEqual([500, 501, 502]);
    expect(records.map(({ value }) => value!.toString())).toEqual(['a', 'b', 'c']);
    expect(readBatches(bytes)[0]!.compressionType).toBe(compressionType);
    expect(readBatches(bytes)[0]!.partitionLeaderEpoch).toBe(magic === 2 ? 4 : -1);
  },
);

test('several batches follow each other', () => {
  const produced = Buffer.concat([encodeRecords(three), encodeRecords(three)]);
  const bytes = storeBatches(produced, { baseOffset: 10 });
  expect(decodeRecords(bytes).map(({ offset }) => offset)).toEqual([10, 11, 12, 13, 14, 15]);
});
