import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import type { ServerLink } from '../../../src/testing/network/link.js';
import { MemoryNetwork } from '../../../src/testing/network/memory-network.js';
import { settled } from '../../support/fake-clock.js';

/** A listener that says in capitals what it is told. */
function shouting() {
  const network = new MemoryNetwork();
  const server = { links: [] as ServerLink[], received: [] as string[], closed: 0 };
  const stop = network.listen('host', 1, (link) => {
    server.links.push(link);
    return {
      onBytes: (bytes) => {
        server.received.push(String(bytes));
        link.write([Buffer.from(String(bytes).toUpperCase())]);
      },
      onDrain: () => undefined,
      onClose: () => server.closed++,
    };
  });
  return { network, server, stop };
}

function open(network: MemoryNetwork, host = 'host') {
  const client = { log: [] as string[] };
  const link = network.open(
    { host, port: 1 },
    {
      onOpen: () => client.log.push('open'),
      onBytes: (bytes) => client.log.push(String(bytes)),
      onClose: (error) => client.log.push(error === undefined ? 'closed' : error.message),
    },
  );
  return { client, link };
}

describe('a link', () => {
  test('opens, carries bytes both ways in order, and closes for both', async () => {
    const { network, server } = shouting();
    const { client, link } = open(network);
    expect(client.log).toEqual([]);
    await settled();
    link.write([Buffer.from('a'), Buffer.from('b')]);
    link.write([Buffer.from('c')]);
    await settled();
    link.destroy();
    await settled();
    expect(client.log).toEqual(['open', 'AB', 'C', 'closed']);
    expect(server.closed).toBe(1);
  });

  test('copies what is sent, for the sender may use its memory again', async () => {
    const { network, server } = shouting();
    const { link } = open(network);
    await settled();
    const bytes = Buffer.from('a');
    link.write([bytes]);
    bytes.write('z');
    await settled();
    expect(server.received).toEqual(['a']);
  });

  test('to nobody is refused', async () => {
    const { client } = open(new MemoryNetwork());
    await settled();
    expect(client.log).toEqual(['connect ECONNREFUSED host:1']);
  });

  test('is refused once nobody listens any more, and open ones end', async () => {
    const { network, server, stop } = shouting();
    const { client } = open(network);
    await settled();
    stop();
    await settled();
    expect(client.log).toEqual(['open', 'closed']);
    expect(server.closed).toBe(1);
    const late = open(network);
    await settled();
    expect(late.client.log).toEqual(['connect ECONNREFUSED host:1']);
  });

  test('given up before it opens never opens', async () => {
    const { network, server } = shouting();
    const { client, link } = open(network);
    link.destroy(new Error('changed my mind'));
    await settled();
    expect(client.log).toEqual(['changed my mind']);
    expect(server.links).toHaveLength(0);
  });

  test('carries nothing after its end', async () => {
    const { network, server } = shouting();
    const { client, link } = open(network);
    await settled();
    link.destroy();
    link.write([Buffer.from('late')]);
    server.links[0]!.write([Buffer.from('late')]);
    await settled();
    expect(server.received).toEqual([]);
    expect(client.log).toEqual(['open', 'closed']);
  });

  test('that the server paused delivers everything, in order, when it goes on', async () => {
    const { network, server } = shouting();
    const { link } = open(network);
    await settled();
    server.links[0]!.pause();
    link.write([Buffer.from('a')]);
    link.write([Buffer.from('b')]);
    await settled();
    expect(server.received).toEqual([]);
    server.links[0]!.resume();
    link.write([Buffer.from('c')]);
    await settled();
    expect(server.received).toEqual(['a', 'b', 'c']);
  });
});

describe('a stream', () => {
  test('connects, carries bytes and ends', async () => {
    const { network, server } = shouting();
    const stream = network.connect({ host: 'host', port: 1 });
    await once(stream, 'connect');
    stream.write('hello');
    expect(String((await once(stream, 'data'))[0])).toBe('HELLO');
    stream.end();
    await settled();
    expect(server.closed).toBe(1);
  });

  test('errors when nobody listens', async () => {
    const stream = new MemoryNetwork().connect({ host: 'host', port: 1 });
    const [error] = (await once(stream, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
  });

  test('ends when the server hangs up', async () => {
    const { network, server } = shouting();
    const stream = network.connect({ host: 'host', port: 1 });
    await once(stream, 'connect');
    const ended = once(stream, 'end');
    stream.resume();
    server.links[0]!.destroy();
    await ended;
  });
});
