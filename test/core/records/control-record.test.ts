import { expect, test } from 'vitest';
import {
  decodeRecords,
  encodeControlBatch,
  readBatches,
  readControlRecord,
} from '../../../src/core/records/index.js';
import { CorruptRecordError } from '../../../src/core/util/errors.js';

const marker = {
  producerId: 7,
  producerEpoch: 3,
  coordinatorEpoch: 11,
  timestamp: 1234,
  baseOffset: 40,
  partitionLeaderEpoch: 2,
};

test.each(['commit', 'abort'] as const)('a %s marker reads back', (kind) => {
  const bytes = encodeControlBatch({ kind, ...marker });
  expect(readBatches(bytes)[0]).toMatchObject({
    isControl: true,
    isTransactional: true,
    producerId: 7,
    producerEpoch: 3,
    baseSequence: -1,
    lastOffset: 40,
    partitionLeaderEpoch: 2,
    maxTimestamp: 1234,
  });
  const [record] = decodeRecords(bytes, { includeControl: true });
  expect(readControlRecord(record!.key, record!.value)).toEqual({ kind, coordinatorEpoch: 11 });
});

test('decodeRecords leaves control batches out unless asked', () => {
  const bytes = encodeControlBatch({ kind: 'commit', ...marker });
  expect(decodeRecords(bytes)).toEqual([]);
  expect(decodeRecords(bytes, { includeControl: true })).toHaveLength(1);
});

test('other types are told by number', () => {
  expect(readControlRecord(Buffer.from([0, 0, 0, 2]), null)).toEqual({ kind: 'other', type: 2 });
});

test('newer versions with longer keys and values are read', () => {
  const key = Buffer.from([0, 9, 0, 1, 99]);
  const value = Buffer.from([0, 9, 0, 0, 0, 5, 99]);
  expect(readControlRecord(key, value)).toEqual({ kind: 'commit', coordinatorEpoch: 5 });
});

test.each([
  [null, null],
  [Buffer.alloc(3), Buffer.alloc(6)],
  [Buffer.alloc(4), null],
  [Buffer.alloc(4), Buffer.alloc(5)],
])('a marker cut short is corruption (%#)', (key, value) => {
  expect(() => readControlRecord(key, value)).toThrow(CorruptRecordError);
});
