import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameSplitter } from '../../../src/testing/network/frame-splitter.js';

function framed(payload: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(payload.length);
  return Buffer.concat([length, payload]);
}

test('frames come out as they went in, wherever the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
      (payloads, cuts) => {
        const found: string[] = [];
        const splitter = new FrameSplitter(100, (frame) => found.push(frame.toString('hex')));
        const stream = Buffer.concat(payloads.map(framed));
        for (let at = 0, i = 0; at < stream.length; i++) {
          const end = at + cuts[i % cuts.length]!;
          expect(splitter.push(stream.subarray(at, end))).toBeUndefined();
          at = end;
        }
        expect(found).toEqual(payloads.map((payload) => Buffer.from(payload).toString('hex')));
      },
    ),
  );
});

test('a frame that came in one piece is not copied', () => {
  const bytes = framed(Buffer.from('hello'));
  let found: Buffer | undefined;
  new FrameSplitter(100, (frame) => (found = frame)).push(bytes);
  bytes.write('J', 4);
  expect(String(found)).toBe('Jello');
});

test.each([-1, 101, 0x4745_5420])('a length of %i makes no sense', (length) => {
  const frames: Buffer[] = [];
  const splitter = new FrameSplitter(100, (frame) => frames.push(frame));
  const bytes = framed(Buffer.alloc(4));
  bytes.writeInt32BE(length);
  expect(splitter.push(Buffer.concat([framed(Buffer.from('good')), bytes]))).toContain(
    String(length),
  );
  expect(frames.map(String)).toEqual(['good']);
});
