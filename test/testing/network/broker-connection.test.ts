import { describe, expect, test } from 'vitest';
import { BrokerConnection, type Reply } from '../../../src/testing/network/broker-connection.js';
import type { ServerLink } from '../../../src/testing/network/link.js';
import { FakeClock, settled } from '../../support/fake-clock.js';

type Answer = (frame: string, signal: AbortSignal) => Reply | Promise<Reply>;

const send = (text: string, muteMs = 0): Reply => ({
  kind: 'send',
  chunks: [Buffer.from(text)],
  muteMs,
});

function framed(text: string | Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(text.length);
  return Buffer.concat([length, Buffer.from(text)]);
}

type Flags = Record<'isCongested' | 'isPaused' | 'isDestroyed' | 'isClosed', boolean>;

/** A connection whose other end is the test. */
function connected(answer: Answer) {
  const clock = new FakeClock();
  const sent: string[] = [];
  const seen: string[] = [];
  const garbage: string[] = [];
  const link: Omit<ServerLink, 'isCongested'> & Flags = {
    isCongested: false,
    isPaused: false,
    isDestroyed: false,
    isClosed: false,
    write: (chunks: readonly Uint8Array[]) => void sent.push(Buffer.concat(chunks).toString()),
    pause: () => void (link.isPaused = true),
    resume: () => void (link.isPaused = false),
    destroy: () => void (link.isDestroyed = true),
  };
  const connection = new BrokerConnection(link, {
    clock,
    maxFrameBytes: 10_000_000,
    answer: (frame, signal) => {
      seen.push(frame.length > 20 ? `${frame.length} bytes` : String(frame));
      return answer(String(frame), signal);
    },
    onGarbage: (complaint) => garbage.push(complaint),
    onClose: () => void (link.isClosed = true),
  });
  return { connection, link, sent, seen, garbage, clock };
}

/** An answer that the test gives when it likes. */
function later() {
  let give!: (reply: Reply) => void;
  const reply = new Promise<Reply>((resolve) => (give = resolve));
  return { reply, give };
}

describe('answers', () => {
  test('come in the order of the requests, also when the first has to wait', async () => {
    const first = later();
    const { connection, sent, seen } = connected((frame) =>
      frame === 'a' ? first.reply : send(frame.toUpperCase()),
    );
    connection.onBytes(Buffer.concat([framed('a'), framed('b'), framed('c')]));
    await settled();
    expect(seen).toEqual(['a']);
    first.give(send('A'));
    await settled();
    expect(sent).toEqual(['A', 'B', 'C']);
  });

  test('may be left out where none is wanted', () => {
    const { connection, sent } = connected((frame) =>
      frame === 'quiet' ? { kind: 'silence', muteMs: 0 } : send(frame),
    );
    connection.onBytes(Buffer.concat([framed('quiet'), framed('loud')]));
    expect(sent).toEqual(['loud']);
  });

  test('stop for good behind a request that the broker is stuck on', () => {
    const { connection, sent, link } = connected(() => ({ kind: 'stuck' }));
    connection.onBytes(Buffer.concat([framed('a'), framed('b')]));
    expect(sent).toEqual([]);
    expect(link.isDestroyed).toBe(false);
  });

  test('end with a request that the broker hangs up on', () => {
    const { connection, seen, link } = connected(() => ({ kind: 'close' }));
    connection.onBytes(Buffer.concat([framed('a'), framed('b')]));
    expect(seen).toEqual(['a']);
    expect(link.isDestroyed).toBe(true);
  });

  test('wait while the other side takes no more bytes', () => {
    const { connection, sent, link } = connected((frame) => send(frame));
    link.isCongested = true;
    connection.onBytes(framed('a'));
    expect(sent).toEqual([]);
    link.isCongested = false;
    connection.onDrain();
    expect(sent).toEqual(['a']);
  });
});

describe('throttling', () => {
  test.each(['send', 'silence'] as const)('mutes the connection after the answer (%s)', (kind) => {
    const { connection, sent, seen, clock } = connected((frame) => {
      if (frame !== 'a') return send(frame);
      return kind === 'send' ? send('a', 100) : { kind, muteMs: 100 };
    });
    connection.onBytes(Buffer.concat([framed('a'), framed('b')]));
    expect(sent).toEqual(kind === 'send' ? ['a'] : []);
    clock.advance(99);
    expect(seen).toEqual(['a']);
    clock.advance(1);
    expect(seen).toEqual(['a', 'b']);
  });

  test('leaves no timer behind when the client goes', () => {
    const { connection, clock } = connected((frame) => send(frame, 100));
    connection.onBytes(framed('a'));
    expect(clock.pending).toBe(1);
    connection.onClose();
    expect(clock.pending).toBe(0);
  });
});

test('reading ahead is bounded while a request is worked on', async () => {
  const first = later();
  const { connection, link, seen } = connected((frame) =>
    frame === 'a' ? first.reply : send('.'),
  );
  connection.onBytes(framed('a'));
  for (let i = 0; i < 4; i++) connection.onBytes(framed(Buffer.alloc(1_000_000)));
  expect(link.isPaused).toBe(false);
  connection.onBytes(framed(Buffer.alloc(1_000_000)));
  expect(link.isPaused).toBe(true);
  first.give(send('A'));
  await settled();
  expect(seen).toHaveLength(6);
  expect(link.isPaused).toBe(false);
});

test('a client that goes aborts what is worked on, and its answer is not sent', async () => {
  const first = later();
  let signal!: AbortSignal;
  const { connection, link, sent } = connected((_, given) => {
    signal = given;
    return first.reply;
  });
  connection.onBytes(Buffer.concat([framed('a'), framed('b')]));
  connection.onClose();
  expect(signal.aborted).toBe(true);
  expect(link.isClosed).toBe(true);
  first.give(send('A'));
  await settled();
  expect(sent).toEqual([]);
});

test('bytes that are no request are told and end the connection', () => {
  const { connection, link, garbage, seen } = connected((frame) => send(frame));
  connection.onBytes(Buffer.from('GET / HTTP/1.1\r\n'));
  connection.onBytes(framed('a'));
  expect(link.isDestroyed).toBe(true);
  expect(garbage).toHaveLength(1);
  expect(garbage[0]).toContain('1195725856 bytes');
  expect(seen).toEqual([]);
});
