import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { createKafka, TimeoutError, type LifecycleEvent } from '../../src/index.js';
import { startEmbeddedKafka } from '../../src/testing/index.js';
import { freePorts } from '../support/kafka/ports.js';

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listen(server: Server): Promise<string> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const strangers = {
  'a host name that does not resolve': {
    address: () => Promise.resolve('no-such-host.invalid:9092'),
    says: /the host name does not resolve/,
  },
  'a port nobody listens on': {
    address: async () => `127.0.0.1:${(await freePorts(1))[0]}`,
    says: /ECONNREFUSED/,
  },
  'a port that expects TLS': {
    address: () => listen(createTlsServer({})),
    says: /answers no Kafka request.*TLS/,
  },
  'a web server': {
    address: () => listen(createHttpServer((_, response) => response.end('hello'))),
    says: /answers no Kafka request/,
  },
  'a server that hangs up': {
    address: () => listen(createServer((socket) => socket.destroy())),
    says: /answers no Kafka request/,
  },
  'a server that talks first': {
    address: () =>
      listen(
        createServer((socket) => {
          socket.on('error', () => undefined);
          socket.write('SSH-2.0-OpenSSH_9.2\r\n');
        }),
      ),
    says: /answers no Kafka request/,
  },
};

describe.each(Object.entries(strangers))('%s instead of a broker', (_, { address, says }) => {
  test('fails a send once maxBlockMs are over, naming the address and the reason', async () => {
    const bootstrapServers = await address();
    await using kafka = createKafka({ bootstrapServers });
    const events: LifecycleEvent[] = [];
    kafka.lifecycle.subscribe((event) => events.push(event));
    const sent = kafka.producer({ maxBlockMs: 400 }).send({ topic: 'orders', value: 'v' });
    const error: unknown = await sent.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({ code: 'METADATA_TIMED_OUT', context: { topic: 'orders' } });
    expect((error as Error).message).toMatch(says);
    expect((error as Error).message).toContain(bootstrapServers);
    const [failed] = events.filter(({ type }) => type === 'connect-failed');
    expect(failed).toMatchObject({ broker: bootstrapServers, attempt: 1 });
    expect((failed as { reason: string }).reason).toMatch(says);
  });
});

test('a second address makes up for a first that is wrong', async () => {
  await using cluster = await startEmbeddedKafka();
  const [port] = await freePorts(1);
  const bootstrapServers = [`127.0.0.1:${port}`, cluster.bootstrapServers];
  await using kafka = createKafka({ bootstrapServers });
  const receipt = await kafka.producer().send({ topic: 'orders', value: 'v' });
  expect(receipt.offset).toBe(0);
});

test.each([
  ['localhost', /localhost.*not a host and a port/],
  ['localhost:port', /localhost:port/],
  ['localhost:99999', /localhost:99999/],
  ['', /empty/],
  [' , ', /empty/],
  [[], /empty/],
  [undefined, /bootstrapServers/],
  [9092, /bootstrapServers/],
])('bootstrapServers %j are refused at once', (bootstrapServers, says) => {
  expect(() => createKafka({ bootstrapServers: bootstrapServers as never })).toThrow(says);
});

test('a broker that dies while sending is told in an event, and ends a send in time', async () => {
  await using cluster = await startEmbeddedKafka({ topics: { orders: 1 } });
  await using kafka = createKafka({ bootstrapServers: cluster.bootstrapServers });
  const events: LifecycleEvent[] = [];
  kafka.lifecycle.subscribe((event) => events.push(event));
  const producer = kafka.producer({ deliveryTimeoutMs: 500, requestTimeoutMs: 400, lingerMs: 0 });
  await producer.send({ topic: 'orders', value: 'before' });
  await cluster.stop(1);
  const error: unknown = await producer
    .send({ topic: 'orders', value: 'after' })
    .catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(TimeoutError);
  expect(error).toMatchObject({
    code: 'DELIVERY_TIMED_OUT',
    context: { topic: 'orders', partition: 0 },
  });
  const { port } = cluster.addressOf(1);
  const told = events.filter(({ type }) => type === 'disconnected' || type === 'connect-failed');
  expect(JSON.stringify(told)).toContain(`127.0.0.1:${port}`);
  await cluster.start(1);
  // With time enough: a busy machine takes as long as it takes.
  const receipt = await kafka.producer().send({ topic: 'orders', value: 'again' });
  expect(receipt.offset).toBe(1);
});
