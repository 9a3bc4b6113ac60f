import { describe, expect, test } from 'vitest';
import { brokerError } from '../../../src/core/protocol/index.js';
import {
  decodeRecords,
  encodeControlBatch,
  encodeRecords,
  readBatches,
} from '../../../src/core/records/index.js';
import type { Log } from '../../../src/testing/state/log.js';
import { orRejection, Rejection } from '../../../src/testing/state/rejection.js';
import { batchOf, newLog } from './records.js';

const NOW = 1_700_000_000_000;

function errorOf(attempt: () => unknown): string {
  const outcome = orRejection(attempt);
  return brokerError(outcome instanceof Rejection ? outcome.errorCode : 0).name;
}

const readAll = (log: Log) => decodeRecords(log.read(log.startOffset, Infinity, true).records);
const offsetsIn = (log: Log) => readAll(log).map(({ offset }) => offset);

describe('an append', () => {
  test('gives offsets one after the other', () => {
    const log = newLog();
    expect(log.append(batchOf(3), 0, NOW).baseOffset).toBe(0);
    expect(log.append(batchOf(2), 0, NOW).baseOffset).toBe(3);
    expect(log.endOffset).toBe(5);
    expect(offsetsIn(log)).toEqual([0, 1, 2, 3, 4]);
  });

  test('writes the leader’s epoch and leaves the producer’s bytes otherwise alone', () => {
    const log = newLog();
    const [batch] = batchOf(3, { compressionType: 'lz4' });
    log.append([batch!], 7, NOW);
    const [stored] = readBatches(log.read(0, Infinity, true).records);
    expect(stored).toMatchObject({
      partitionLeaderEpoch: 7,
      compressionType: 'lz4',
      baseOffset: 0,
    });
    expect(stored!.bytes.subarray(16)).toEqual(batch!.bytes.subarray(16));
    stored!.verifyCrc();
  });

  test('does not hold on to the memory it was given', () => {
    const log = newLog();
    const [batch] = batchOf(1);
    log.append([batch!], 0, NOW);
    batch!.bytes.fill(0);
    expect(String(readAll(log)[0]!.value)).toBe('v0');
  });

  test('with LogAppendTime puts the broker’s time on all records', () => {
    const log = newLog({ 'message.timestamp.type': 'LogAppendTime' });
    expect(log.append(batchOf(2), 0, NOW).logAppendTimeMs).toBe(NOW);
    expect(readAll(log).map(({ timestamp }) => timestamp)).toEqual([NOW, NOW]);
    expect(newLog().append(batchOf(2), 0, NOW).logAppendTimeMs).toBe(-1);
  });

  test.each([0, 1] as const)('of a compressed set of magic %i counts what is in it', (magic) => {
    const log = newLog();
    log.append(batchOf(4, { magic, compressionType: 'gzip' }), 0, NOW);
    log.append(batchOf(2, { magic, compressionType: 'gzip' }), 0, NOW);
    expect(offsetsIn(log)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test('of nothing is nothing', () => {
    const log = newLog();
    expect(log.append([], 0, NOW).baseOffset).toBe(-1);
    expect(log.endOffset).toBe(0);
  });

  test('beyond the size of a segment is refused', () => {
    const log = newLog({ 'segment.bytes': '100' });
    expect(errorOf(() => log.append(batchOf(10), 0, NOW))).toBe('RECORD_LIST_TOO_LARGE');
    expect(log.endOffset).toBe(0);
  });
});

describe('idempotence', () => {
  const from = (baseSequence: number, count = 2) =>
    batchOf(count, { producer: { producerId: 5, producerEpoch: 0, baseSequence } });

  test('answers a duplicate with the offset it has, and stores nothing', () => {
    const log = newLog();
    log.append(from(0), 0, NOW);
    log.append(from(2), 0, NOW);
    const again = log.append(from(0), 0, NOW);
    expect(again).toEqual({ baseOffset: 0, logAppendTimeMs: 1001, isDuplicate: true });
    expect(log.endOffset).toBe(4);
  });

  test('refuses a gap and stores nothing', () => {
    const log = newLog();
    log.append(from(0), 0, NOW);
    expect(errorOf(() => log.append(from(3), 0, NOW))).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER');
    expect(log.endOffset).toBe(2);
  });

  test('remembers after a truncation only what is left', () => {
    const log = newLog();
    log.append(from(0), 0, NOW);
    log.append(from(2), 0, NOW);
    log.truncateTo(2);
    expect(log.producers.snapshot).toMatchObject([{ lastSequence: 1, lastOffset: 1 }]);
    expect(log.append(from(2), 1, NOW)).toMatchObject({ baseOffset: 2, isDuplicate: false });
  });
});

describe('a read', () => {
  const threeBatches = () => {
    const log = newLog();
    for (let i = 0; i < 3; i++) log.append(batchOf(4), 0, NOW);
    return log;
  };
  const size = () => threeBatches().sizeBytes / 3;

  test('begins with the batch that holds the offset', () => {
    const found = readBatches(threeBatches().read(6, Infinity, true).records);
    expect(found.map(({ baseOffset }) => baseOffset)).toEqual([4, 8]);
  });

  test('ends at its limit, in the middle of a batch', () => {
    const { records, isFirstBatchCut } = threeBatches().read(0, size() + 10, false);
    expect(records).toHaveLength(size() + 10);
    expect(isFirstBatchCut).toBe(false);
    expect(readBatches(records)).toHaveLength(1);
  });

  test('says when not even the first batch is whole', () => {
    expect(threeBatches().read(0, size() - 1, false)).toMatchObject({ isFirstBatchCut: true });
    expect(threeBatches().read(0, 0, false)).toMatchObject({ isFirstBatchCut: true });
  });

  test('may be promised one whole batch whatever the limit', () => {
    const { records, isFirstBatchCut } = threeBatches().read(5, 0, true);
    expect(records).toHaveLength(size());
    expect(isFirstBatchCut).toBe(false);
  });

  test('at the end finds nothing', () => {
    const { records, isFirstBatchCut } = threeBatches().read(12, 1000, true);
    expect(records).toHaveLength(0);
    expect(isFirstBatchCut).toBe(false);
  });

  test.each([-1, 13])('at %i is out of range', (offset) => {
    expect(errorOf(() => threeBatches().read(offset, 100, true))).toBe('OFFSET_OUT_OF_RANGE');
  });

  test('goes on over the end of a segment', () => {
    const log = newLog();
    const value = 'x'.repeat(6000);
    for (let i = 0; i < 10; i++) log.append(readBatches(encodeRecords([{ value }])), 0, NOW);
    expect(log.segmentStarts.length).toBeGreaterThan(1);
    expect(offsetsIn(log)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test('shares the log’s memory, and nothing written later shows in it', () => {
    const log = threeBatches();
    const { records } = log.read(0, Infinity, true);
    const before = Buffer.from(records);
    log.append(batchOf(4), 0, NOW);
    log.truncateTo(4);
    log.append(batchOf(9), 1, NOW);
    expect(records).toEqual(before);
  });

  test('can be measured beforehand', () => {
    const log = threeBatches();
    expect(log.bytesFrom(0, Infinity)).toBe(log.sizeBytes);
    expect(log.bytesFrom(5, Infinity)).toBe(2 * size());
    expect(log.bytesFrom(5, 10)).toBe(10);
    expect(log.bytesFrom(12, Infinity)).toBe(0);
  });

  test('can be measured over the ends of segments, as far as wanted', () => {
    const log = newLog();
    const value = 'x'.repeat(6000);
    for (let i = 0; i < 10; i++) log.append(readBatches(encodeRecords([{ value }])), 0, NOW);
    const size = log.sizeBytes / 10;
    expect(log.segmentStarts.length).toBeGreaterThan(2);
    expect(log.bytesFrom(1, Infinity)).toBe(9 * size);
    expect(log.bytesFrom(1, 5 * size)).toBe(5 * size);
  });
});

describe('a search by time', () => {
  const log = newLog();
  log.append(batchOf(3, { timestamp: 100 }), 0, NOW); // 100, 101, 102
  log.append(batchOf(1, { timestamp: 500 }), 0, NOW);
  log.append(batchOf(2, { timestamp: 200, compressionType: 'gzip' }), 0, NOW); // 200, 201

  test.each([
    [0n, 0, 100n],
    [101n, 1, 101n],
    [103n, 3, 500n],
    [500n, 3, 500n],
  ])('for %i finds the first record that is not earlier', (timestamp, offset, found) => {
    expect(log.findByTime(timestamp)).toEqual({ offset, timestamp: found });
  });

  test('for a time after all records finds nothing', () => {
    expect(log.findByTime(501n)).toBeUndefined();
  });

  test('for the latest finds the first record that has the largest timestamp', () => {
    expect(log.findLatest()).toEqual({ offset: 3, timestamp: 500n });
    expect(newLog().findLatest()).toBeUndefined();
  });

  test('does not find what was deleted', () => {
    const other = newLog();
    other.append(batchOf(3, { timestamp: 100 }), 0, NOW);
    other.deleteBefore(2);
    expect(other.findByTime(0n)).toEqual({ offset: 2, timestamp: 102n });
    other.deleteBefore(3);
    expect(other.findByTime(0n)).toBeUndefined();
    expect(other.findLatest()).toBeUndefined();
  });
});

describe('deletion at the start', () => {
  test('keeps the offsets of what is left', () => {
    const log = newLog();
    log.append(batchOf(5), 0, NOW);
    log.append(batchOf(5), 0, NOW);
    log.deleteBefore(7);
    expect(log).toMatchObject({ startOffset: 7, endOffset: 10 });
    expect(errorOf(() => log.read(6, 100, true))).toBe('OFFSET_OUT_OF_RANGE');
    expect(log.append(batchOf(1), 0, NOW).baseOffset).toBe(10);
  });

  test('of everything leaves an empty log that goes on where it was', () => {
    const log = newLog();
    log.append(batchOf(5), 0, NOW);
    log.deleteBefore(5);
    expect(log).toMatchObject({ startOffset: 5, endOffset: 5, sizeBytes: 0 });
    expect(log.append(batchOf(1), 0, NOW).baseOffset).toBe(5);
  });

  test('never goes back', () => {
    const log = newLog();
    log.append(batchOf(5), 0, NOW);
    log.deleteBefore(3);
    log.deleteBefore(1);
    expect(log.startOffset).toBe(3);
  });
});

describe('retention', () => {
  test('deletes whole segments as long as the rest is large enough', () => {
    const log = newLog({ 'segment.bytes': '1000', 'retention.bytes': '3000' });
    const value = 'x'.repeat(400);
    for (let i = 0; i < 50; i++) {
      log.append(readBatches(encodeRecords([{ value }])), 0, NOW);
      expect(log.sizeBytes).toBeLessThan(3000 + 1000);
    }
    expect(log.endOffset).toBe(50);
    expect(log.startOffset).toBeGreaterThan(40);
    expect(log.sizeBytes).toBeGreaterThanOrEqual(3000);
    expect(offsetsIn(log)[0]).toBe(log.startOffset);
  });

  test('is off by default', () => {
    const log = newLog({ 'segment.bytes': '1000' });
    for (let i = 0; i < 50; i++) log.append(batchOf(5), 0, NOW);
    expect(log.startOffset).toBe(0);
  });
});

describe('truncation', () => {
  test('takes the batch that holds the offset as a whole', () => {
    const log = newLog();
    log.append(batchOf(5), 0, NOW);
    log.append(batchOf(5), 0, NOW);
    log.truncateTo(7);
    expect(log.endOffset).toBe(5);
    expect(log.append(batchOf(1), 1, NOW).baseOffset).toBe(5);
    expect(offsetsIn(log)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test('at the end or beyond changes nothing', () => {
    const log = newLog();
    log.append(batchOf(5), 0, NOW);
    log.truncateTo(5);
    log.truncateTo(9);
    expect(log.endOffset).toBe(5);
  });

  test('of everything begins the log anew', () => {
    const log = newLog();
    log.append(batchOf(5), 0, NOW);
    log.truncateTo(0);
    expect(log).toMatchObject({ startOffset: 0, endOffset: 0, sizeBytes: 0 });
    log.append(batchOf(2), 1, NOW);
    expect(offsetsIn(log)).toEqual([0, 1]);
  });

  test('below the start moves the start as well', () => {
    const log = newLog();
    log.append(batchOf(5), 0, NOW);
    log.append(batchOf(5), 0, NOW);
    log.deleteBefore(7);
    log.truncateTo(6);
    expect(log).toMatchObject({ startOffset: 5, endOffset: 5 });
  });

  test('forgets the epochs that began in what is gone', () => {
    const log = newLog();
    log.epochs.assign(0, 0);
    log.append(batchOf(5), 0, NOW);
    log.epochs.assign(1, 5);
    log.append(batchOf(5), 1, NOW);
    log.truncateTo(3);
    expect(log.epochs.all).toEqual([]);
    expect(log.endOffset).toBe(0);
  });
});

test('control batches take an offset and are no records', () => {
  const log = newLog();
  log.append(batchOf(1), 0, NOW);
  const marker = { kind: 'commit', producerId: 1, producerEpoch: 0, coordinatorEpoch: 0 } as const;
  log.append(readBatches(encodeControlBatch({ ...marker, timestamp: NOW })), 0, NOW);
  log.append(batchOf(1), 0, NOW);
  expect(offsetsIn(log)).toEqual([0, 2]);
});
