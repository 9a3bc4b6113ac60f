import { expect, test } from 'vitest';
import { encodeRecords, readBatches } from '../../../src/core/records/index.js';
import { updateCrc } from '../../../src/core/records/patch-batch.js';
import { varintSize, writeVarint } from '../../../src/core/records/varint.js';

/** A batch around the bytes of one record's body. */
function batchOf(body: number[], length = body.length): Buffer {
  const prefix = Buffer.alloc(varintSize(length));
  writeVarint(prefix, 0, length);
  const bytes = Buffer.concat([encodeRecords([{}]).subarray(0, 61), prefix, Buffer.from(body)]);
  bytes.writeInt32BE(bytes.length - 12, 8);
  updateCrc(bytes);
  return bytes;
}

const attributes = 0;
const timestamp = 0;
const offset = 0;
const empty = 1; // null
const none = 0; // headers
const endless = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];

test.each([
  ['a length that is negative', batchOf([0, 0, 0, 1, 1, 0], -1), 'claims -1 bytes'],
  ['a length below the least', batchOf([0, 0, 0, 1, 1, 0, 0], 5), 'claims 5 bytes'],
  ['a length past the batch', batchOf([0, 0, 0, 1, 1, 0], 7), 'claims 7 bytes, 6 are left'],
  ['an endless timestamp', batchOf([attributes, ...endless, 0, 1, 1, 0]), 'timestamp'],
  ['an endless offset', batchOf([attributes, timestamp, ...endless, 1, 1, 0]), 'varint'],
  ['an endless key length', batchOf([attributes, timestamp, offset, ...endless, 0]), 'varint'],
  ['a key of -2', batchOf([attributes, timestamp, offset, 3, empty, none]), 'a key claims -2'],
  ['a value of -2', batchOf([attributes, timestamp, offset, empty, 3, none]), 'a value claims -2'],
  ['a key too long', batchOf([attributes, timestamp, offset, 6, empty, none]), 'a key is longer'],
  [
    'a value too long',
    batchOf([attributes, timestamp, offset, empty, 2, none]),
    'a value is longer',
  ],
  [
    'an offset of -1',
    batchOf([attributes, timestamp, 1, empty, empty, none]),
    'offset delta is -1',
  ],
  ['headers of -1', batchOf([attributes, timestamp, offset, empty, empty, 1]), '-1 headers'],
  [
    'more headers than bytes',
    batchOf([0, 0, 0, empty, empty, 4, 0, 1]),
    'claims 2 headers, it holds 1',
  ],
  [
    '2^31 - 1 headers',
    batchOf([0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f]),
    'claims 2147483647 headers',
  ],
  ['a header key too long', batchOf([0, 0, 0, empty, empty, 2, 20, 1]), 'header is longer'],
  ['a header key of -1', batchOf([0, 0, 0, empty, empty, 2, 1, 1]), 'header claims -1'],
  ['a header value of -2', batchOf([0, 0, 0, empty, empty, 2, 0, 3]), 'header claims -2'],
  ['a header value too long', batchOf([0, 0, 0, empty, empty, 2, 0, 4, 0]), 'header is longer'],
  ['bytes to spare', batchOf([0, 0, 0, empty, empty, none, 9]), 'parts of a record'],
])('%s is corruption, named', (_, bytes, text) => {
  const cursor = readBatches(bytes)[0]!.cursor();
  expect(() => cursor.next()).toThrow(text);
});

test('varints longer than they need to be are read', () => {
  const [key, value] = [
    [0x82, 0x80, 0x00, 0x41],
    [0x82, 0x00, 0x42],
  ];
  const body = [0, 0x80, 0x80, 0x00, 0x80, 0x80, 0x00, ...key, ...value, 0x82, 0x00, 0x00, 0x01];
  const cursor = readBatches(batchOf(body))[0]!.cursor();
  expect(cursor.next()).toBe(true);
  expect(cursor.record().key!.toString()).toBe('A');
  expect(cursor.record().value!.toString()).toBe('B');
  expect(cursor.record().headers).toEqual([['', null]]);
  expect(cursor.record().timestamp).toBe(-1);
  expect(cursor.next()).toBe(false);
});

test('positions tell all that a record object would', () => {
  const headers = [['h', 'x']] as const;
  const [batch] = readBatches(
    encodeRecords([{ key: 'k', value: null, headers, timestamp: 12 }], { baseOffset: 9 }),
  );
  const cursor = batch!.cursor();
  expect(cursor.count).toBe(1);
  expect(cursor.next()).toBe(true);
  const { source } = cursor;
  expect(cursor.offset).toBe(9);
  expect(source.baseOffset + cursor.offsetDelta).toBe(9);
  expect(source.slice(cursor.keyStart, cursor.keyLength)!.toString()).toBe('k');
  expect(source.slice(cursor.valueStart, cursor.valueLength)).toBeNull();
  expect(source.timestamp(cursor.start)).toBe(12);
  expect(source.headers(cursor.headersStart)[0]![1]!.toString()).toBe('x');
  expect(source.header(cursor.headersStart, 'h')!.toString()).toBe('x');
  expect(cursor.next()).toBe(false);
  expect(cursor.next()).toBe(false);
});
