import { describe, expect, test } from 'vitest';
import { brokerError } from '../../../src/core/protocol/index.js';
import {
  encodeControlBatch,
  encodeRecords,
  recordsOf,
  setProducerState,
  type CompressionType,
} from '../../../src/core/records/index.js';
import { updateCrc } from '../../../src/core/records/patch-batch.js';
import { orRejection, Rejection } from '../../../src/testing/state/rejection.js';
import { TopicConfig } from '../../../src/testing/state/topic-config.js';
import { readProduced, validateBatches } from '../../../src/testing/state/validate.js';

const NOW = 1_700_000_000_000;
const BASE_OFFSET_AT = 0;
const ATTRIBUTES_AT = 21;
const LAST_OFFSET_DELTA_AT = 23;
const COUNT_AT = 57;

/** Name of the error that produced bytes get; `NONE` when they are fine. */
function verdict(
  bytes: Buffer | null,
  {
    version = 12,
    maxMagic = 2,
    configs = {},
    isDeep = false,
  }: {
    version?: number;
    maxMagic?: number;
    configs?: Readonly<Record<string, string>>;
    isDeep?: boolean;
  } = {},
): string {
  const outcome = judge(bytes, version, maxMagic, configs, isDeep);
  return brokerError(outcome?.errorCode ?? 0).name;
}

function judge(
  bytes: Buffer | null,
  version: number,
  maxMagic: number,
  configs: Readonly<Record<string, string>>,
  isDeep: boolean,
): Rejection | undefined {
  const config = new TopicConfig(new Map(), configs);
  const rules = { topic: 'orders', partition: 3, config, isDeep, nowMs: NOW };
  const outcome = orRejection(() => validateBatches(readProduced(bytes, version, maxMagic), rules));
  return outcome instanceof Rejection ? outcome : undefined;
}

function batch(
  timestamps: readonly number[] = [NOW],
  compressionType: CompressionType = 'none',
): Buffer {
  const records = timestamps.map((timestamp, i) => ({ key: `k${i}`, value: 'v', timestamp }));
  return encodeRecords(records, { compressionType });
}

/** Changes a batch as only a broken client would, with its checksum in order. */
function broken(change: (bytes: Buffer) => void, bytes = batch()): Buffer {
  change(bytes);
  updateCrc(bytes);
  return bytes;
}

test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)(
  'a sound batch with %s is taken',
  (codec) => {
    expect(verdict(batch([NOW, NOW + 1], codec), { isDeep: true })).toBe('NONE');
  },
);

describe('the form of produced bytes', () => {
  test.each([
    ['nothing', null],
    ['no byte', Buffer.alloc(0)],
    ['less than a header', Buffer.alloc(10)],
    ['two batches', Buffer.concat([batch(), batch()])],
    ['a message set of magic 1', encodeRecords([{ value: 'v' }], { magic: 1 })],
  ])('of %s is invalid since version 3', (_, bytes) => {
    expect(verdict(bytes)).toBe('INVALID_RECORD');
  });

  test('of several messages is what old versions carry', () => {
    const two = encodeRecords([{ value: 'a' }, { value: 'b' }], { magic: 1 });
    expect(verdict(two, { version: 2 })).toBe('NONE');
    expect(verdict(null, { version: 2 })).toBe('NONE');
  });

  test('with a length that can’t be is corrupt', () => {
    const bytes = batch();
    bytes.writeInt32BE(-5, 8);
    expect(verdict(bytes)).toBe('CORRUPT_MESSAGE');
  });

  test('of a magic that there is not is corrupt', () => {
    expect(verdict(Buffer.alloc(100, 7))).toBe('CORRUPT_MESSAGE');
  });

  test('of a format that the broker does not know is refused', () => {
    const message = encodeRecords([{ value: 'v' }], { magic: 1 });
    expect(verdict(message, { version: 2, maxMagic: 0 })).toBe('UNSUPPORTED_FOR_MESSAGE_FORMAT');
  });

  test('with zstd needs version 7', () => {
    expect(verdict(batch([NOW], 'zstd'), { version: 6 })).toBe('UNSUPPORTED_COMPRESSION_TYPE');
    expect(verdict(batch([NOW], 'zstd'), { version: 7 })).toBe('NONE');
  });

  test('with a codec that nobody knows is more than the broker can say', () => {
    expect(verdict(broken((bytes) => bytes.writeInt16BE(7, ATTRIBUTES_AT)))).toBe(
      'UNKNOWN_SERVER_ERROR',
    );
  });
});

describe('a header is refused', () => {
  test.each<[string, string, (bytes: Buffer) => void]>([
    ['whose base offset is not 0', 'INVALID_RECORD', (b) => b.writeBigInt64BE(4n, BASE_OFFSET_AT)],
    ['that counts no record', 'INVALID_RECORD', (b) => b.writeInt32BE(0, COUNT_AT)],
    ['that counts less than none', 'INVALID_RECORD', (b) => b.writeInt32BE(-1, COUNT_AT)],
    [
      'whose offsets don’t fit its count',
      'INVALID_RECORD',
      (b) => b.writeInt32BE(5, LAST_OFFSET_DELTA_AT),
    ],
    [
      'whose last offset is below its first',
      'INVALID_RECORD',
      (b) => b.writeInt32BE(-2, LAST_OFFSET_DELTA_AT),
    ],
    ['that says LogAppendTime', 'INVALID_TIMESTAMP', (b) => b.writeInt16BE(8, ATTRIBUTES_AT)],
    ['of a control batch', 'INVALID_RECORD', (b) => b.writeInt16BE(0x20, ATTRIBUTES_AT)],
    [
      'of a producer without a sequence',
      'INVALID_RECORD',
      (b) => setProducerState(b, { producerId: 4, producerEpoch: 0, baseSequence: -1 }),
    ],
  ])('%s', (_, name, change) => {
    expect(verdict(broken(change))).toBe(name);
  });

  test('of a marker that a broker would write', () => {
    const marker = encodeControlBatch({
      kind: 'commit',
      producerId: 1,
      producerEpoch: 0,
      coordinatorEpoch: 0,
      timestamp: NOW,
    });
    expect(verdict(marker)).toBe('INVALID_RECORD');
  });
});

test.each([30, 61, 65])('a byte that was changed on the way (%i) fails the checksum', (at) => {
  const bytes = batch();
  bytes[at]! ^= 0x40;
  expect(verdict(bytes)).toBe('CORRUPT_MESSAGE');
});

test('a message of magic 1 with a wrong checksum is corrupt', () => {
  const bytes = encodeRecords([{ value: 'hello' }], { magic: 1 });
  bytes[bytes.length - 1]! ^= 1;
  expect(verdict(bytes, { version: 2 })).toBe('CORRUPT_MESSAGE');
});

test('a batch may be as large as max.message.bytes and no larger', () => {
  const bytes = batch();
  const limit = (bytes: number) => ({ configs: { 'max.message.bytes': String(bytes) } });
  expect(verdict(bytes, limit(bytes.length))).toBe('NONE');
  expect(verdict(bytes, limit(bytes.length - 1))).toBe('MESSAGE_TOO_LARGE');
});

describe('records', () => {
  const compacted = { 'cleanup.policy': 'compact' };

  test('of a compacted topic need keys, and those without are named', () => {
    const records = [{ key: 'a' }, { value: 'b' }, { key: 'c' }, { key: null }];
    const outcome = judge(encodeRecords(records), 12, 2, compacted, false)!;
    expect(brokerError(outcome.errorCode).name).toBe('INVALID_RECORD');
    expect(outcome.recordFaults.map(({ index }) => index)).toEqual([1, 3]);
    expect(outcome.recordFaults[0]!.message).toContain('orders-3');
  });

  test('may be an hour ahead of the broker’s clock', () => {
    expect(verdict(batch([NOW + 3_600_000]))).toBe('NONE');
    expect(verdict(batch([NOW + 3_600_001]))).toBe('INVALID_TIMESTAMP');
  });

  test('may be no older than wanted, and those that are are named', () => {
    const configs = { 'message.timestamp.before.max.ms': '1000' };
    const outcome = judge(batch([NOW, NOW - 1001, NOW - 1000]), 12, 2, configs, false)!;
    expect(brokerError(outcome.errorCode).name).toBe('INVALID_TIMESTAMP');
    expect(outcome.recordFaults.map(({ index }) => index)).toEqual([1]);
  });

  test('without a timestamp are never too old', () => {
    const configs = { 'message.timestamp.before.max.ms': '1000' };
    expect(verdict(encodeRecords([{ value: 'v' }]), { configs })).toBe('NONE');
  });

  test('of a topic with LogAppendTime may say what time they like', () => {
    const configs = {
      'message.timestamp.type': 'LogAppendTime',
      'message.timestamp.before.max.ms': '1000',
    };
    expect(verdict(batch([5, NOW + 1e9]), { configs })).toBe('NONE');
  });

  test('that can’t be decompressed are found out only by reading each', () => {
    const bytes = batch([NOW], 'gzip');
    const cut = broken((b) => b.fill(0xff, 61), bytes);
    expect(verdict(cut)).toBe('NONE');
    expect(verdict(cut, { isDeep: true })).toBe('INVALID_RECORD');
  });

  test('fewer than the header counts are found out only by reading each', () => {
    const bytes = broken(
      (b) => {
        b.writeInt32BE(2, COUNT_AT);
        b.writeInt32BE(1, LAST_OFFSET_DELTA_AT);
      },
      encodeRecords([{ value: 'long enough for two' }]),
    );
    expect(verdict(bytes)).toBe('NONE');
    expect(verdict(bytes, { isDeep: true })).toBe('INVALID_RECORD');
  });
});

test('a compressed set of magic 0 may be numbered as its client likes', () => {
  const set = encodeRecords([{ value: 'a' }, { value: 'b' }], {
    magic: 0,
    compressionType: 'gzip',
  });
  set.writeBigInt64BE(0n, BASE_OFFSET_AT);
  const [read] = readProduced(set, 0, 0);
  const values = [...recordsOf(read!, { checkCrcs: false })].map(({ value }) => String(value));
  expect(values).toEqual(['a', 'b']);
  expect(verdict(set, { version: 0, maxMagic: 0 })).toBe('NONE');
});
