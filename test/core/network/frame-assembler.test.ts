import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { FrameAssembler } from '../../../src/core/network/frame-assembler.js';
import { ProtocolError } from '../../../src/core/util/errors.js';

afterEach(() => vi.restoreAllMocks());

describe('FrameAssembler', () => {
  test('gives the same frames however the stream is cut', () => {
    const frames = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 });
    const cuts = fc.array(fc.nat(3000), { maxLength: 20 });
    fc.assert(
      fc.property(frames, cuts, (bodies, at) => {
        const stream = Buffer.concat(bodies.map((body) => framed(body)));
        const got = assemble(cut(stream, at));
        expect(got.map((frame) => [...frame])).toEqual(bodies.map((body) => [...body]));
      }),
    );
  });

  test('reads one byte at a time', () => {
    const stream = Buffer.concat([framed('a'), framed(''), framed('longer')]);
    expect(assemble([...stream].map((byte) => Buffer.of(byte))).map(String)).toEqual([
      'a',
      '',
      'longer',
    ]);
  });

  test('gives frames without bytes, also as the last of a chunk', () => {
    expect(assemble([Buffer.concat([framed(''), framed(''), framed('x'), framed('')])])).toEqual([
      Buffer.alloc(0),
      Buffer.alloc(0),
      Buffer.from('x'),
      Buffer.alloc(0),
    ]);
  });

  test('waits for what is still to come', () => {
    expect(assemble([framed('whole'), framed('cut short').subarray(0, 7)])).toHaveLength(1);
  });

  test('keeps nothing of the chunks, which belong to the transport', () => {
    const chunk = framed('kept');
    const [frame] = assemble([chunk]);
    chunk.fill(0);
    expect(String(frame)).toBe('kept');
  });

  test('gives each frame memory of its own, of just its size', () => {
    const [first, second] = assemble([Buffer.concat([framed('first'), framed('second')])]);
    expect(first!.buffer.byteLength).toBe(5);
    expect(second!.buffer).not.toBe(first!.buffer);
  });

  test('copies every byte once, also when it comes one byte at a time', () => {
    const bytes = 20_000;
    const stream = framed(Buffer.alloc(bytes, 1));
    const chunks = [...stream].map((byte) => Buffer.of(byte));
    const copy = vi.spyOn(Buffer.prototype, 'copy');
    const concat = vi.spyOn(Buffer, 'concat');
    assemble(chunks);
    const copied = copy.mock.results.reduce((sum, { value }) => sum + (value as number), 0);
    expect(copied).toBe(bytes);
    expect(concat).not.toHaveBeenCalled();
  });

  test('takes a frame of just the limit', () => {
    expect(assemble([framed(Buffer.alloc(100))], 100)).toHaveLength(1);
  });

  test.each([
    ['one byte more than the limit', '00000065', /claims 101 bytes, the limit is 100/],
    ['a negative length', 'ffffffff', /claims -1 bytes.*it began with ff ff ff ff/],
    ['the most negative length', '80000000', /claims -2147483648 bytes/],
    ['an HTTP answer', Buffer.from('HTTP').toString('hex'), /the peer speaks HTTP, not Kafka/],
    ['a TLS alert', '15030300', /the peer speaks TLS; connect to it with TLS/],
    ['a TLS alert of version 1.0', '15030100', /speaks TLS/],
    ['some other text', Buffer.from('SSH-').toString('hex'), /it began with 53 53 48 2d/],
  ])('refuses %s and allocates nothing for it', (_, prefix, message) => {
    const allocate = vi.spyOn(Buffer, 'allocUnsafeSlow');
    const push = () => assemble([Buffer.from(prefix, 'hex')], 100);
    expect(push).toThrow(message);
    expect(push).toThrow(ProtocolError);
    expect(push).toThrow(expect.objectContaining({ code: 'INVALID_FRAME' }));
    expect(allocate).not.toHaveBeenCalled();
  });

  test('goes on refusing after a wrong length: there is no way back into the stream', () => {
    const assembler = new FrameAssembler(100, () => expect.unreachable());
    expect(() => assembler.push(Buffer.from('ffffffff', 'hex'))).toThrow(ProtocolError);
    expect(() => assembler.push(framed('fine'))).toThrow(ProtocolError);
  });

  test('gives the frames in front of a wrong length', () => {
    const frames: Buffer[] = [];
    const assembler = new FrameAssembler(100, (frame) => frames.push(frame));
    const stream = Buffer.concat([framed('fine'), Buffer.from('ffffffff', 'hex')]);
    expect(() => assembler.push(stream)).toThrow(ProtocolError);
    expect(frames.map(String)).toEqual(['fine']);
  });
});

function framed(body: string | Uint8Array): Buffer {
  const bytes = Buffer.from(body as string);
  const frame = Buffer.alloc(4 + bytes.length);
  frame.writeInt32BE(bytes.length, 0);
  frame.set(bytes, 4);
  return frame;
}

function assemble(chunks: readonly Buffer[], limit = 1_000_000): Buffer[] {
  const frames: Buffer[] = [];
  const assembler = new FrameAssembler(limit, (frame) => frames.push(frame));
  for (const chunk of chunks) assembler.push(chunk);
  return frames;
}

function cut(stream: Buffer, at: readonly number[]): Buffer[] {
  const places = [0, ...at.filter((place) => place < stream.length), stream.length];
  places.sort((a, b) => a - b);
  return places.slice(1).map((end, i) => stream.subarray(places[i], end));
}
