import { expect, test } from 'vitest';
import { decodeRecords, encodeRecords, readBatches } from '../../../src/core/records/index.js';
import { javaWritten } from './java-written.js';

const records = Array.from({ length: 6 }, (_, i) => ({
  key: i % 3 === 0 ? null : `k${i}`,
  value: i % 5 === 0 ? null : `value ${i} é`.repeat(i % 20),
  timestamp: 1_700_000_000_000 + i * 7,
  headers:
    i % 2 === 1
      ? ([
          ['a', 'b'],
          ['é', null],
        ] as const)
      : [],
}));

test.each(Object.keys(javaWritten))('reads what the Java client wrote: %s', (name) => {
  const [magic, compressionType, timestampType] = name.split('-');
  const bytes = Buffer.from(javaWritten[name]!, 'base64');

  const batches = readBatches(bytes);
  expect(batches[0]!.magic).toBe(Number(magic));
  expect(batches[0]!.compressionType).toBe(compressionType);
  if (magic !== '0') expect(batches[0]!.timestampType).toBe(timestampType);

  const decoded = decodeRecords(bytes);
  expect(decoded.map(({ offset }) => offset)).toEqual([1000, 1001, 1002, 1003, 1004, 1005]);
  for (const [i, { key, value, timestamp, headers }] of decoded.entries()) {
    const expected = records[i]!;
    expect(key?.toString() ?? null).toBe(expected.key);
    expect(value?.toString() ?? null).toBe(expected.value);
    expect(headers.map(([k, v]) => [k, v?.toString() ?? null])).toEqual(
      magic === '2' ? expected.headers : [],
    );
    expect(timestamp).toBe(expectedTimestamp(i, Number(magic), timestampType!));
  }
});

/** The fifth record of magic 2 is more than 2^31 ms from the first. */
function expectedTimestamp(index: number, magic: number, timestampType: string): number {
  if (magic === 0) return -1;
  if (timestampType === 'LogAppendTime') return 1_234_567_890_123;
  return records[index]!.timestamp + (magic === 2 && index === 4 ? 5_000_000_000 : 0);
}

test.each(['0-none', '1-none', '2-none'])(
  'writes the same bytes as the Java client, but for the producer: %s',
  (name) => {
    const magic = Number(name[0]) as 0 | 1 | 2;
    const bytes = encodeRecords(
      records.map((record, i) => ({
        ...record,
        timestamp: expectedTimestamp(i, magic, 'CreateTime'),
        headers: magic === 2 ? record.headers : [],
      })),
      { magic, baseOffset: 1000 },
    );
    const java = Buffer.from(javaWritten[`${name}-CreateTime`]!, 'base64');
    expect(bytes.toString('hex')).toBe(java.toString('hex'));
  },
);
