import { expect, test } from 'vitest';
import { firstIndex, Segment } from '../../../src/testing/state/segment.js';

const meta = (baseOffset: number, count: number, maxTimestamp = baseOffset) => ({
  baseOffset,
  lastOffset: baseOffset + count - 1,
  count,
  maxTimestamp,
  magic: 2,
  producerId: -1,
  producerEpoch: -1,
  baseSequence: -1,
});

function filled(): Segment {
  const segment = new Segment(100, Buffer.alloc(64));
  segment.append(Buffer.from('aaaa'), meta(100, 10, 7));
  segment.append(Buffer.from('bb'), meta(110, 1, 9));
  segment.append(Buffer.from('cccccc'), meta(111, 5, 8));
  return segment;
}

test('a new segment ends where it begins', () => {
  const segment = new Segment(100, Buffer.alloc(8));
  expect(segment).toMatchObject({ baseOffset: 100, endOffset: 100, sizeBytes: 0, capacity: 8 });
  expect(segment.maxTimestamp).toBe(-1);
});

test('a segment lays batches end to end and knows where each lies', () => {
  const segment = filled();
  expect(segment).toMatchObject({ endOffset: 116, sizeBytes: 12, maxTimestamp: 9 });
  expect(segment.batches.map((batch) => String(segment.bytesOf(batch)))).toEqual([
    'aaaa',
    'bb',
    'cccccc',
  ]);
});

test.each([
  [99, 0],
  [100, 0],
  [109, 0],
  [110, 1],
  [111, 2],
  [115, 2],
  [116, 3],
])('a segment finds the batch that reaches offset %i at index %i', (offset, index) => {
  expect(filled().indexOf(offset)).toBe(index);
});

test('a segment has room up to the last byte of its memory', () => {
  const segment = new Segment(0, Buffer.alloc(4));
  expect(segment.hasRoomFor(4)).toBe(true);
  expect(segment.hasRoomFor(5)).toBe(false);
  segment.append(Buffer.from('abc'), meta(0, 1));
  expect(segment.hasRoomFor(1)).toBe(true);
  expect(segment.hasRoomFor(2)).toBe(false);
});

test('a truncated segment takes nothing more, so that slices given away never change', () => {
  const segment = filled();
  const given = segment.slice(0, 12);
  segment.truncateAt(1);
  expect(segment).toMatchObject({ endOffset: 110, sizeBytes: 4, maxTimestamp: 7 });
  expect(segment.hasRoomFor(1)).toBe(false);
  expect(String(given)).toBe('aaaabbcccccc');
});

test('truncating behind the last batch changes nothing', () => {
  const segment = filled();
  segment.truncateAt(3);
  expect(segment).toMatchObject({ endOffset: 116, sizeBytes: 12 });
  expect(segment.hasRoomFor(1)).toBe(true);
});

test('firstIndex finds the first item of those that hold to the end', () => {
  for (let length = 0; length < 6; length++) {
    const items = Array.from({ length }, (_, i) => i);
    for (let from = 0; from <= length; from++) {
      expect(firstIndex(items, (item) => item >= from)).toBe(from);
    }
  }
});
