import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import type { ServerLink, ServerLinkEvents } from '../../../src/testing/network/link.js';
import { TcpListener } from '../../../src/testing/network/tcp-listener.js';

const HOST = '127.0.0.1';

/** Listens, and hands the first connection's server end to the test. */
async function listening(events: (link: ServerLink) => Partial<ServerLinkEvents>) {
  let accepted!: (link: ServerLink) => void;
  const link = new Promise<ServerLink>((resolve) => (accepted = resolve));
  const listener = await TcpListener.listen(HOST, 0, (given) => {
    accepted(given);
    const noop = () => undefined;
    return { onBytes: noop, onDrain: noop, onClose: noop, ...events(given) };
  });
  return { listener, link };
}

test('bytes go both ways, chunks together', async () => {
  const { listener } = await listening((link) => ({
    onBytes: (bytes) => link.write([Buffer.from('got '), bytes]),
  }));
  const socket = connect(listener.port, HOST);
  socket.write('this');
  expect(String((await once(socket, 'data'))[0])).toBe('got this');
  socket.destroy();
  await listener.close();
});

test('closing cuts the connections and frees the port', async () => {
  let closed = 0;
  const { listener, link } = await listening(() => ({ onClose: () => closed++ }));
  const { port } = listener;
  const socket = connect(port, HOST);
  await link;
  const gone = once(socket, 'close');
  await listener.close();
  await gone;
  expect(closed).toBe(1);
  const [error] = (await once(connect(port, HOST), 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNREFUSED');
  const again = await TcpListener.listen(HOST, port, () => {
    throw new Error('nobody connects');
  });
  expect(again.port).toBe(port);
  await again.close();
});

test('a port that is taken is an error', async () => {
  const { listener } = await listening(() => ({}));
  await expect(
    TcpListener.listen(HOST, listener.port, () => {
      throw new Error('nobody connects');
    }),
  ).rejects.toThrow('EADDRINUSE');
  await listener.close();
});

test('a client that vanishes closes the link without an error', async () => {
  let close!: () => void;
  const closed = new Promise<void>((resolve) => (close = resolve));
  const { listener, link } = await listening(() => ({ onClose: () => close() }));
  const socket = connect(listener.port, HOST);
  await link;
  socket.resetAndDestroy();
  await closed;
  await listener.close();
});

test('a client that reads nothing congests the link until it reads', async () => {
  let drained!: () => void;
  const drain = new Promise<void>((resolve) => (drained = resolve));
  const { listener, link } = await listening(() => ({ onDrain: () => drained() }));
  const socket = connect(listener.port, HOST);
  socket.pause();
  const server = await link;
  for (let i = 0; i < 1000 && !server.isCongested; i++) server.write([Buffer.alloc(1_000_000)]);
  expect(server.isCongested).toBe(true);
  socket.resume();
  await drain;
  socket.destroy();
  await listener.close();
});

test('a paused link reads no further until it is resumed', async () => {
  let got = 0;
  let arrived!: () => void;
  const bytes = new Promise<void>((resolve) => (arrived = resolve));
  const { listener, link } = await listening(() => ({
    onBytes: (chunk) => {
      got += chunk.length;
      arrived();
    },
  }));
  const socket = connect(listener.port, HOST);
  const server = await link;
  server.pause();
  await new Promise<void>((resolve) => void socket.write('later', () => resolve()));
  expect(got).toBe(0);
  server.resume();
  await bytes;
  expect(got).toBe(5);
  socket.destroy();
  await listener.close();
});
