import { expect, test } from 'vitest';
import { BatchWalker, encodeRecords, readBatches } from '../../../src/core/records/index.js';
import { CorruptRecordError } from '../../../src/core/util/errors.js';

const v0 = encodeRecords([{ value: 'old' }], { magic: 0, baseOffset: 3 });
const v1 = encodeRecords([{ value: 'a' }, { value: 'b' }], {
  magic: 1,
  baseOffset: 4,
  compressionType: 'gzip',
});
const v2 = encodeRecords([{ value: 'new' }, { value: 'newer' }], { baseOffset: 6 });
const mixed = Buffer.concat([v0, v1, v2]);

test('steps through batches of all formats in one buffer', () => {
  const batches = readBatches(mixed);
  expect(batches.map(({ magic }) => magic)).toEqual([0, 1, 2]);
  expect(batches.map(({ lastOffset }) => lastOffset)).toEqual([3, 5, 7]);
  expect(batches.map(({ nextOffset }) => nextOffset)).toEqual([4, 6, 8]);
  expect(batches.map(({ sizeBytes }) => sizeBytes)).toEqual([v0, v1, v2].map((b) => b.length));
  expect(Buffer.concat(batches.map(({ bytes }) => bytes))).toEqual(mixed);
});

test('an empty buffer has no batches', () => {
  expect(readBatches(Buffer.alloc(0))).toEqual([]);
});

test('a batch cut short anywhere is left out, and what it needs is told', () => {
  for (let length = 0; length < v2.length; length++) {
    const walker = new BatchWalker(Buffer.concat([v0, v2.subarray(0, length)]));
    expect(walker.next()?.magic).toBe(0);
    expect(walker.next()).toBeUndefined();
    expect(walker.position).toBe(v0.length);
    expect(walker.partialBatchBytes).toBe(length === 0 ? 0 : length < 12 ? 12 : v2.length);
  }
});

test.each([-1, -(2 ** 31), 0, 13])('a length of %i is corruption, and ends the walk', (length) => {
  const bytes = Buffer.concat([v2, v2]);
  bytes.writeInt32BE(length, v2.length + 8);
  const walker = new BatchWalker(bytes, { topic: 'orders', partition: 3 });
  expect(walker.next()?.lastOffset).toBe(7);
  expect(() => walker.next()).toThrow(`offset 6 of orders-3`);
  expect(walker.next()).toBeUndefined();
});

test('a length too short for its magic is corruption', () => {
  const bytes = Buffer.from(v2);
  bytes.writeInt32BE(48, 8);
  expect(() => readBatches(bytes)).toThrow(CorruptRecordError);
  const message = Buffer.from(encodeRecords([{ value: null }], { magic: 1 }));
  message.writeInt32BE(21, 8);
  expect(() => readBatches(message)).toThrow('too short');
});

test('an unknown magic is corruption, after which the walk goes on', () => {
  const bytes = Buffer.concat([v2, v2]);
  bytes[16] = 3;
  const walker = new BatchWalker(bytes, { topic: 'orders', partition: 3 });
  expect(() => walker.next()).toThrow('its magic is 3');
  expect(walker.next()?.magic).toBe(2);
  expect(walker.next()).toBeUndefined();
});

test('an error carries topic, partition and offset as data', () => {
  const bytes = Buffer.from(v2);
  bytes[16] = 77;
  try {
    readBatches(bytes, { topic: 'orders', partition: 3 });
    expect.unreachable();
  } catch (error) {
    expect(error).toBeInstanceOf(CorruptRecordError);
    expect(error).toMatchObject({
      code: 'CORRUPT_RECORD',
      context: { topic: 'orders', partition: 3, offset: 6 },
    });
  }
});

test.each([
  ['negative', -1n],
  ['beyond 2^53', 2n ** 53n],
  ['the last safe one, with none after it', 2n ** 53n - 1n],
])('a base offset that is %s is corruption', (_, offset) => {
  for (const batch of [v0, v2]) {
    const bytes = Buffer.from(batch);
    bytes.writeBigInt64BE(offset, 0);
    expect(() => readBatches(bytes)).toThrow(CorruptRecordError);
  }
});

test('a negative last offset delta is corruption', () => {
  const bytes = Buffer.from(v2);
  bytes.writeInt32BE(-1, 23);
  expect(() => readBatches(bytes)).toThrow('last offset delta');
});
