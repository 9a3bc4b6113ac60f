import { expect, test } from 'vitest';
import {
  readLz4Header,
  useOldLz4Checksum,
} from '../../../../src/core/records/compression/lz4-frame.js';
import { lz4 } from '../../../../src/core/records/compression/lz4.js';
import { CorruptRecordError } from '../../../../src/core/util/errors.js';
import { compress } from './compress.js';

const MEBIBYTE = 1 << 20;
const cubes = Array.from({ length: 60 }, (_, i) => String(i ** 3)).join(' ');
const text = Buffer.from(cubes.repeat(400)).subarray(0, 80_000);

/** Written by the lz4 command 1.9.4 with the options named. */
const frames = {
  '-9 -B4, independent blocks':
    'BCJNGGRAp1ACAADwRDAgMSA4IDI3IDY0IDEyNSAyMTYgMzQzIDUxMiA3MjkgMTAwMCAxMzMxIDE3MjggMjE5NyAyNzQ0IDMzNzUgNDA5NiA0OTEzIDU4MzIgNjg1OSA4MgDwGTkyNjEgMTA2NDggMTIxNjcgMTM4MjQgMTU2MjUgMTc1NzYgMTk2ODNRALA1MiAyNDM4OSAyNzsA8AwyOTc5MSAzMjc2OCAzNTkzNyAzOTMwNCA0MjhyAPAKNjY1NiA1MDY1MyA1NDg3MiA1OTMxOSA2NDwA8As2ODkyMSA3NDA4OCA3OTUwNyA4NTE4NCA5MdwA8As5NzMzNiAxMDM4MjMgMTEwNTkyIDExNzY0OfsAAukA8AgyNjUxIDE0MDYwOCAxNDg4NzcgMTU3NB4BQTY2Mze9AP8JNjE2IDE4NTE5MyAxOTUxMTIgMjA1Mzc5TAH///////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////+bUCAyMTk1iQEAAPA3MiAyNDM4OSAyNzAwMCAyOTc5MSAzMjc2OCAzNTkzNyAzOTMwNCA0Mjg3NSA0NjY1NiA1MDY1MyA1NDg3MiA1OTMxOSA2NDwA8C02ODkyMSA3NDA4OCA3OTUwNyA4NTE4NCA5MTEyNSA5NzMzNiAxMDM4MjMgMTEwNTkyIDExNzY0OSAxMjVAAPA4MTMyNjUxIDE0MDYwOCAxNDg4NzcgMTU3NDY0IDE2NjM3NSAxNzU2MTYgMTg1MTkzIDE5NTExMiAyMDUzNzkwIDEgOCAyNyAuAPIFMjUgMjE2IDM0MyA1MTIgNzI5IDFjAPAEMzEgMTcyOCAyMTk3IDI3NDQgM1kA8AY0MDk2IDQ5MTMgNTgzMiA2ODU5IDgyAPEMOTI2MSAxMDY0OCAxMjE2NyAxMzgyNCAxNTYyjwCANzYgMTk2ODNRAB81TAH/////////////////////////////////////////////////////////////////////////U1AxOTMgMQAAAACtg7Pv',
  '-9 -B4 -BD -BX, linked blocks with checksums':
    'BCJNGFRArlACAADwRDAgMSA4IDI3IDY0IDEyNSAyMTYgMzQzIDUxMiA3MjkgMTAwMCAxMzMxIDE3MjggMjE5NyAyNzQ0IDMzNzUgNDA5NiA0OTEzIDU4MzIgNjg1OSA4MgDwGTkyNjEgMTA2NDggMTIxNjcgMTM4MjQgMTU2MjUgMTc1NzYgMTk2ODNRALA1MiAyNDM4OSAyNzsA8AwyOTc5MSAzMjc2OCAzNTkzNyAzOTMwNCA0MjhyAPAKNjY1NiA1MDY1MyA1NDg3MiA1OTMxOSA2NDwA8As2ODkyMSA3NDA4OCA3OTUwNyA4NTE4NCA5MdwA8As5NzMzNiAxMDM4MjMgMTEwNTkyIDExNzY0OfsAAukA8AgyNjUxIDE0MDYwOCAxNDg4NzcgMTU3NB4BQTY2Mze9AP8JNjE2IDE4NTE5MyAxOTUxMTIgMjA1Mzc5TAH///////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////+bUCAyMTk1tag8JkIAAAAPTAH//////////////////////////////////////////////////////////////////////////6BQMTkzIDES5JMNAAAAAK2Ds+8=',
  '-9 -B5 --content-size, one large block':
    'BCJNGGxQgDgBAAAAAAA1iQIAAPBEMCAxIDggMjcgNjQgMTI1IDIxNiAzNDMgNTEyIDcyOSAxMDAwIDEzMzEgMTcyOCAyMTk3IDI3NDQgMzM3NSA0MDk2IDQ5MTMgNTgzMiA2ODU5IDgyAPAZOTI2MSAxMDY0OCAxMjE2NyAxMzgyNCAxNTYyNSAxNzU3NiAxOTY4M1EAsDUyIDI0Mzg5IDI3OwDwDDI5NzkxIDMyNzY4IDM1OTM3IDM5MzA0IDQyOHIA8Ao2NjU2IDUwNjUzIDU0ODcyIDU5MzE5IDY0PADwCzY4OTIxIDc0MDg4IDc5NTA3IDg1MTg0IDkx3ADwCzk3MzM2IDEwMzgyMyAxMTA1OTIgMTE3NjQ5+wAC6QDwCDI2NTEgMTQwNjA4IDE0ODg3NyAxNTc0HgFBNjYzN70A/wk2MTYgMTg1MTkzIDE5NTExMiAyMDUzNzlMAf///////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////////1RQMTkzIDEAAAAArYOz7w==',
};
const all = Object.entries(frames).map(
  ([name, base64]) => [name, Buffer.from(base64, 'base64')] as const,
);
const skippable = Buffer.from([0x5f, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);

test.each(all)('reads what the lz4 command writes: %s', (_, frame) => {
  expect(lz4.decompress(frame, MEBIBYTE).equals(text)).toBe(true);
});

test.each(all)('reads several frames, skippable ones between them: %s', (_, frame) => {
  const bytes = Buffer.concat([skippable, frame, skippable, frame, skippable]);
  expect(lz4.decompress(bytes, MEBIBYTE).equals(Buffer.concat([text, text]))).toBe(true);
  expect(() => lz4.decompress(bytes, 2 * text.length - 1)).toThrow('more than');
});

test('linked blocks do not refer to the frame before', () => {
  const [, linked] = all[1]!;
  const first = compress(lz4, Buffer.from('unrelated'), 1);
  const bytes = Buffer.concat([first, linked]);
  expect(lz4.decompress(bytes, MEBIBYTE).subarray(9).equals(text)).toBe(true);
});

test('a first block that refers to the frame before is corruption', () => {
  const [, linked] = all[1]!;
  const size = linked.readUInt32LE(7);
  const second = linked.subarray(7 + 4 + size + 4);
  const block = second.subarray(0, 4 + second.readUInt32LE(0));
  const header = Buffer.from('04224d184040c0', 'hex');
  const alone = Buffer.concat([header, block, Buffer.alloc(4)]);
  const before = compress(lz4, text.subarray(0, 65_536), 9);
  expect(() => lz4.decompress(Buffer.concat([before, alone]), MEBIBYTE)).toThrow(
    CorruptRecordError,
  );
});

test('a stored block larger than the header announces is corruption', () => {
  const bytes = Buffer.alloc(7 + 4 + 65_537 + 4);
  Buffer.from('04224d18604082', 'hex').copy(bytes);
  bytes.writeUInt32LE(0x8000_0000 + 65_537, 7);
  expect(() => lz4.decompress(bytes, MEBIBYTE)).toThrow('larger than announced');
});

test.each(all)('finds every kind of damage that a checksum covers: %s', (_, frame) => {
  const { hasBlockChecksums, hasContentChecksum } = readLz4Header(frame, 0);
  expect(hasContentChecksum).toBe(true);
  for (let at = 4; at < frame.length; at += hasBlockChecksums ? 7 : 13) {
    const bytes = Buffer.from(frame);
    bytes[at]! ^= 4;
    expect(() => lz4.decompress(bytes, MEBIBYTE)).toThrow(CorruptRecordError);
  }
});

test('writes frames of independent blocks of 64 KiB, as the Java client reads them', () => {
  const bytes = compress(lz4, text, 9);
  expect(bytes.toString('hex', 0, 7)).toBe('04224d18604082');
  expect(readLz4Header(bytes, 0)).toMatchObject({
    areBlocksIndependent: true,
    hasBlockChecksums: false,
    hasContentChecksum: false,
    contentBytes: undefined,
    maxBlockBytes: 65_536,
  });
});

test('a block that can not be compressed is stored', () => {
  const raw = Buffer.from(Array.from({ length: 70 }, (_, i) => (i * 97) & 0xff));
  const bytes = compress(lz4, raw, 9);
  expect(bytes).toHaveLength(7 + 4 + 70 + 4);
  expect(lz4.decompress(bytes, 70).equals(raw)).toBe(true);
});

test('reads and writes the wrong header checksum of magic 0', () => {
  const right = compress(lz4, text, 9);
  const old = useOldLz4Checksum(Buffer.from(right));
  expect(old[6]).not.toBe(right[6]);
  expect(old[6]).toBe(0x1a);
  expect(lz4.decompress(old, MEBIBYTE).equals(text)).toBe(true);
  old[6] = 0x33;
  expect(() => lz4.decompress(old, MEBIBYTE)).toThrow('header fails its checksum');
});

test('many tiny linked blocks take time in proportion', () => {
  // 60,000 stored blocks of one byte each, linked: each could ask for the 64 KiB before it.
  const block = Buffer.from([1, 0, 0, 0x80, 0x41]);
  const [, linked] = all[1]!;
  const header = Buffer.from(linked.subarray(0, 7));
  header[4] = 0x40;
  header[6] = 0xc0;
  const bytes = Buffer.concat([header, ...new Array<Buffer>(60_000).fill(block), Buffer.alloc(4)]);
  expect(lz4.decompress(bytes, MEBIBYTE)).toHaveLength(60_000);
});

test.each([
  ['nothing', ''],
  ['another magic', '00224d18604082'],
  ['another version', '04224d18a04082'],
  ['a dictionary', '04224d18614082'],
  ['a block size that does not exist', '04224d186010'],
  ['no end mark', '04224d18604082'],
  ['a block longer than the payload', '04224d18604082ffffff7f'],
])('%s is corruption', (_, hex) => {
  expect(() => lz4.decompress(Buffer.from(hex, 'hex'), MEBIBYTE)).toThrow(CorruptRecordError);
});

test('a content size that lies is corruption', () => {
  const bytes = Buffer.from(all[2]![1]);
  bytes[6]! ^= 1;
  expect(() => lz4.decompress(bytes, MEBIBYTE)).toThrow(CorruptRecordError);
});
