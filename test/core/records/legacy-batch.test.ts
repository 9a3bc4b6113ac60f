import { expect, test } from 'vitest';
import { codecs } from '../../../src/core/records/compression/codecs.js';
import {
  decodeRecords,
  encodeRecords,
  readBatches,
  storeBatches,
} from '../../../src/core/records/index.js';
import { updateMessageCrc, writeMessage } from '../../../src/core/records/legacy-message.js';
import { CorruptRecordError } from '../../../src/core/util/errors.js';
import { compress } from './compression/compress.js';

const three = [
  { key: 'a', value: '1', timestamp: 30 },
  { key: null, value: '2', timestamp: 10 },
  { key: 'c', value: null, timestamp: 20 },
];

interface Inner {
  offset: number;
  value?: string;
  magic?: 0 | 1;
  attributes?: number;
}

/** A message with whatever is wanted in it. */
function message({ offset, value = 'v', magic = 1, attributes = 0 }: Inner): Buffer {
  const bytes = Buffer.alloc(200);
  const header = { magic, offset, attributes, timestamp: 5 };
  return bytes.subarray(0, writeMessage(bytes, 0, header, null, value));
}

/** A gzip wrapper around such messages. */
function wrapper(offset: number, magic: 0 | 1, inner: Buffer[]): Buffer {
  const payload = compress(codecs[1]!, Buffer.concat(inner));
  const bytes = Buffer.alloc(payload.length + 50);
  const header = { magic, offset, attributes: 1, timestamp: 5 };
  return bytes.subarray(0, writeMessage(bytes, 0, header, null, payload));
}

test.each([0, 1] as const)('each message of magic %i is a batch of one', (magic) => {
  const bytes = encodeRecords(three, { magic, baseOffset: 8 });
  const batches = readBatches(bytes);
  expect(batches.map(({ baseOffset }) => baseOffset)).toEqual([8, 9, 10]);
  expect(batches[0]).toMatchObject({
    magic,
    lastOffset: 8,
    count: 1,
    compressionType: 'none',
    timestampType: magic === 0 ? 'NoTimestampType' : 'CreateTime',
    maxTimestamp: magic === 0 ? -1 : 30,
    producerId: -1,
    isControl: false,
    isTransactional: false,
    partitionLeaderEpoch: -1,
  });
  expect(decodeRecords(bytes).map(({ timestamp }) => timestamp)).toEqual(
    magic === 0 ? [-1, -1, -1] : [30, 10, 20],
  );
});

test.each([0, 1] as const)('a wrapper of magic %i carries the last offset', (magic) => {
  for (const compressionType of ['gzip', 'snappy', 'lz4'] as const) {
    const bytes = encodeRecords(three, { magic, compressionType, baseOffset: 8 });
    const [batch] = readBatches(bytes);
    expect(batch).toMatchObject({ lastOffset: 10, nextOffset: 11, count: -1, compressionType });
    expect(batch!.cursor().count).toBe(3);
    expect(batch!.baseOffset).toBe(8);
    expect(decodeRecords(bytes).map(({ offset }) => offset)).toEqual([8, 9, 10]);
  }
});

test('offsets in a compacted wrapper of magic 1 count back from the last one', () => {
  const inner = [2, 5, 9].map((offset) => message({ offset }));
  const records = decodeRecords(wrapper(109, 1, inner));
  expect(records.map(({ offset }) => offset)).toEqual([102, 105, 109]);
});

test('offsets in a wrapper of magic 0 are absolute', () => {
  const inner = [102, 105, 109].map((offset) => message({ offset, magic: 0 }));
  const bytes = wrapper(109, 0, inner);
  expect(decodeRecords(bytes).map(({ offset }) => offset)).toEqual([102, 105, 109]);
});

test('offsets are written relative into a wrapper of magic 1, absolute into one of magic 0', () => {
  for (const [magic, valueAt, first] of [
    [0, 26, 8n],
    [1, 34, 0n],
  ] as const) {
    const bytes = encodeRecords(three, { magic, compressionType: 'gzip', baseOffset: 8 });
    const messages = codecs[1]!.decompress(bytes.subarray(valueAt), 1000);
    expect(messages.readBigInt64BE(0)).toBe(first);
  }
});

test('only magic 0 has the wrong LZ4 header checksum that old brokers expect', () => {
  const checksum = (magic: 0 | 1, valueAt: number): number =>
    encodeRecords(three, { magic, compressionType: 'lz4' })[valueAt + 6]!;
  expect(checksum(0, 26)).toBe(0x1a);
  expect(checksum(1, 34)).toBe(0x82);
});

test('a wrapper of magic 1 at offset 0 starts at 0, as some librdkafka versions left it', () => {
  const inner = [0, 1, 2].map((offset) => message({ offset }));
  expect(decodeRecords(wrapper(0, 1, inner)).map(({ offset }) => offset)).toEqual([0, 1, 2]);
});

test('with LogAppendTime the records of a wrapper have the wrapper’s time', () => {
  for (const compressionType of ['none', 'gzip'] as const) {
    const produced = encodeRecords(three, { magic: 1, compressionType });
    const bytes = storeBatches(produced, { baseOffset: 40, logAppendTime: 999 });
    expect(readBatches(bytes)[0]!.timestampType).toBe('LogAppendTime');
    const records = decodeRecords(bytes);
    expect(records.map(({ timestamp }) => timestamp)).toEqual([999, 999, 999]);
    expect(records.map(({ offset }) => offset)).toEqual([40, 41, 42]);
  }
});

test.each([0, 1] as const)(
  'a wrong checksum in magic %i is noticed, unless not asked for',
  (magic) => {
    const bytes = encodeRecords(three, { magic });
    bytes[bytes.length - 1]! ^= 1;
    bytes[12]! ^= 1;
    expect(() => decodeRecords(bytes)).toThrow('CRC-32');
    const sound = encodeRecords(three, { magic });
    sound[12]! ^= 1;
    expect(decodeRecords(sound, { checkCrcs: false })).toHaveLength(3);
  },
);

test('a wrong checksum inside a wrapper is noticed, unless not asked for', () => {
  const spoilt = message({ offset: 1 });
  spoilt[12]! ^= 1;
  const bytes = wrapper(1, 1, [message({ offset: 0 }), spoilt]);
  expect(() => decodeRecords(bytes)).toThrow('fails its CRC-32');
  expect(decodeRecords(bytes, { checkCrcs: false })).toHaveLength(2);
});

test.each([
  ['nothing', () => wrapper(5, 1, [])],
  ['a message cut short', () => wrapper(5, 1, [message({ offset: 0 }).subarray(0, 20)])],
  ['another magic', () => wrapper(5, 1, [message({ offset: 0, magic: 0 })])],
  ['another wrapper', () => wrapper(5, 1, [message({ offset: 0, attributes: 1 })])],
  [
    'offsets that descend',
    () =>
      wrapper(
        5,
        1,
        [3, 1].map((offset) => message({ offset })),
      ),
  ],
  [
    'an offset past the last',
    () =>
      wrapper(
        5,
        1,
        [0, 9, 1].map((o) => message({ offset: o })),
      ),
  ],
  [
    'offsets before 0',
    () =>
      wrapper(
        5,
        1,
        [0, 9].map((offset) => message({ offset })),
      ),
  ],
  [
    'an absolute offset past its own',
    () => wrapper(5, 0, [message({ offset: 6, magic: 0, value: 'x' })]),
  ],
])('a wrapper that holds %s is corruption', (_, make) => {
  expect(() => decodeRecords(make())).toThrow(CorruptRecordError);
});

test.each([-12, -100, 0, 21, 24, 2 ** 31 - 1])(
  'a message in a wrapper that claims a length of %i is corruption',
  (length) => {
    const spoilt = message({ offset: 1 });
    spoilt.writeInt32BE(length, 8);
    const bytes = wrapper(1, 1, [message({ offset: 0 }), spoilt]);
    expect(() => readBatches(bytes)[0]!.cursor()).toThrow(/a message (claims|is cut short)/);
  },
);

test('a wrapper without a value, or with zstd, is corruption', () => {
  const bytes = message({ offset: 1, attributes: 1 });
  bytes.writeInt32BE(-1, bytes.length - 5);
  updateMessageCrc(bytes);
  expect(() => decodeRecords(bytes)).toThrow('its value claims -1 bytes');
  const short = wrapper(1, 1, [message({ offset: 0 })]);
  short.writeInt32BE(short.readInt32BE(30) - 1, 30);
  updateMessageCrc(short);
  expect(() => decodeRecords(short)).toThrow('its value claims');
  expect(() => decodeRecords(message({ offset: 1, attributes: 4 }))).toThrow('zstd needs magic 2');
});

test('key and value lengths that lie are corruption', () => {
  const bytes = message({ offset: 1 });
  for (const [at, length] of [
    [26, -2],
    [26, 2 ** 31 - 1],
    [26, 1],
    [30, -2],
    [30, 0],
    [30, 2],
  ] as const) {
    const copy = Buffer.from(bytes);
    copy.writeInt32BE(length, at);
    updateMessageCrc(copy);
    expect(() => decodeRecords(copy)).toThrow(CorruptRecordError);
  }
});
