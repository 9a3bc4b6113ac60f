import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { decodeRecords, encodeRecords } from '../../../src/core/records/index.js';

const headers = [
  ['trace', 'first'],
  ['ünï', null],
  ['trace', 'last'],
  ['', Buffer.alloc(0)],
] as const;
const bytes = encodeRecords(
  [
    { key: 'k', value: 'v', headers, timestamp: 1000 },
    { key: null, value: null, timestamp: 999 },
    { key: '', value: '', timestamp: 5 },
  ],
  { baseOffset: 2 ** 50 },
);
const [full, none, empty] = decodeRecords(bytes);

test('gives offset, timestamp, key and value', () => {
  expect(full!.offset).toBe(2 ** 50);
  expect(full!.timestamp).toBe(1000);
  expect(full!.timestampBigInt).toBe(1000n);
  expect(full!.key).toEqual(Buffer.from('k'));
  expect(full!.value).toEqual(Buffer.from('v'));
  expect(full!.sizeBytes).toBe(2);
});

test('tells null from empty', () => {
  expect([none!.key, none!.value]).toEqual([null, null]);
  expect([empty!.key, empty!.value]).toEqual([Buffer.alloc(0), Buffer.alloc(0)]);
  expect(none!.headers).toEqual([]);
});

test('gives headers in order, names repeated, values null or empty', () => {
  expect(full!.headers).toEqual([
    ['trace', Buffer.from('first')],
    ['ünï', null],
    ['trace', Buffer.from('last')],
    ['', Buffer.alloc(0)],
  ]);
});

test('header gives the last value of that name', () => {
  expect(full!.header('trace')).toEqual(Buffer.from('last'));
  expect(full!.header('ünï')).toBeNull();
  expect(full!.header('none')).toBeUndefined();
  expect(none!.header('trace')).toBeUndefined();
});

test('header names of one record are never taken for those of the next', () => {
  const names = ['aa', 'ab', 'é', 'ab', 'aab', 'aa', '\u00c3\u00a9', 'é'];
  const decoded = decodeRecords(encodeRecords(names.map((name) => ({ headers: [[name, null]] }))));
  expect(decoded.map((record) => record.headers[0]![0])).toEqual(names);
});

test('key and value are Buffers on the memory of the batch', () => {
  expect(Buffer.isBuffer(full!.key)).toBe(true);
  expect(full!.value!.buffer).toBe(bytes.buffer);
  expect(full!.value!.toString('latin1')).toBe('v');
});

test('a slice of a larger buffer is read at its own place', () => {
  const larger = Buffer.concat([Buffer.alloc(100, 1), bytes, Buffer.alloc(3)]);
  const decoded = decodeRecords(larger.subarray(100));
  expect(decoded[0]!.value).toEqual(Buffer.from('v'));
  expect(decoded[0]!.headers).toEqual(full!.headers);
});

test.each([0, 1, 2] as const)('a copy of magic %i is equal, and lets go of the batch', (magic) => {
  const source = [
    { key: 'k', value: 'v', timestamp: 1000, headers: magic === 2 ? headers : [] },
    { key: null, value: null, timestamp: 2 ** 40 },
    { value: 'x'.repeat(9000), timestamp: 7 },
  ];
  for (const compressionType of ['none', 'gzip'] as const) {
    const encoded = encodeRecords(source, { magic, compressionType, baseOffset: 70 });
    for (const record of decodeRecords(encoded)) {
      const before = JSON.stringify(record);
      const copy = record.copy();
      expect(JSON.stringify(copy)).toBe(before);
      expect(copy.timestampBigInt).toBe(record.timestampBigInt);
      if (record.value) expect(copy.value!.buffer).not.toBe(record.value.buffer);
      expect(JSON.stringify(copy.copy())).toBe(before);
    }
  }
});

test.each([
  ['nanoseconds', [1_700_000_000_000_000_001n, 1_700_000_000_000_000_002n]],
  ['the extremes', [-(2n ** 63n), 2n ** 63n - 1n, 0n]],
  ['a base just beyond 2^53', [2n ** 53n + 1n, 2n ** 53n - 9n]],
  ['a delta beyond 2^53', [1n, 2n ** 53n + 1n, -(2n ** 53n) - 1n]],
  ['deltas beyond 2^31 ms', [0n, 2n ** 31n, -(2n ** 31n) - 1n, 2n ** 40n]],
  ['-1, which means none', [-1n, -1n]],
])('a timestamp is given exactly and as the nearest number: %s', (_, timestamps) => {
  for (const magic of [1, 2] as const) {
    const records = timestamps.map((timestamp) => ({ timestamp }));
    const decoded = decodeRecords(encodeRecords(records, { magic }));
    expect(decoded.map((record) => record.timestampBigInt)).toEqual(timestamps);
    expect(decoded.map((record) => record.timestamp)).toEqual(timestamps.map(Number));
  }
});

test('is shown by its fields', () => {
  expect(inspect(empty)).toBe(inspect(empty!.toJSON()));
  expect(inspect({ record: empty }, { breakLength: Infinity })).toContain(
    'record: { offset: 1125899906842626, timestamp: 5, key: <Buffer >, value: <Buffer >, headers: [] }',
  );
});
