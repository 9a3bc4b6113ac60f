import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import {
  Connection,
  tcpTransport,
  type ConnectionOptions,
} from '../../../src/core/network/index.js';
import { systemClock } from '../../../src/core/util/clock.js';
import { ConnectionError } from '../../../src/core/util/errors.js';
import { modernBroker, ranges43 } from '../../support/broker-scripts.js';
import { FakeClock } from '../../support/fake-clock.js';
import { startScriptedBroker } from '../../support/scripted-broker.js';

const servers: Server[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => new Promise((done) => server.close(done))));
});

function optionsFor(host: string, port: number): ConnectionOptions {
  return {
    address: { host, port },
    transport: tcpTransport({ clock: systemClock }),
    clock: systemClock,
    clientId: 'test',
    requestTimeoutMs: 5000,
    setupTimeoutMs: 5000,
    maxResponseBytes: 1_000_000,
  };
}

async function serve(
  onSocket: (socket: Socket) => void,
  { host, port } = { host: '127.0.0.1', port: 0 },
): Promise<number> {
  const server = createServer(onSocket);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  return (server.address() as AddressInfo).port;
}

/** A port that was free a moment ago: connecting to it is refused. */
async function closedPort(): Promise<number> {
  const port = await serve(() => undefined);
  await new Promise((done) => servers.pop()!.close(done));
  return port;
}

test('a request is answered over a socket, also one of many chunks', async () => {
  await using broker = await startScriptedBroker(modernBroker(ranges43));
  const connection = await Connection.open(optionsFor(broker.host, broker.port));
  const answer = await connection.request('ApiVersions', 3, {});
  expect(answer.apiKeys).toHaveLength(ranges43.length);
  connection.close();
  expect(connection.isOpen).toBe(false);
});

test('nobody listening is a ConnectionError that names the address', async () => {
  const port = await closedPort();
  const opening = Connection.open(optionsFor('127.0.0.1', port));
  await expect(opening).rejects.toThrow(ConnectionError);
  await expect(opening).rejects.toThrow(new RegExp(`127.0.0.1:${port}.*ECONNREFUSED`));
});

test('a name that does not resolve is a ConnectionError that says so', async () => {
  const opening = Connection.open(optionsFor('no-such-host.invalid', 9092));
  await expect(opening).rejects.toThrow(
    /no-such-host\.invalid:9092: the host name does not resolve/,
  );
});

test('a name that is looked up for ever is given up on with the setup timeout', async () => {
  const clock = new FakeClock();
  const transport = tcpTransport({ clock, lookup: () => undefined });
  const opening = Connection.open({ ...optionsFor('broker.test', 9092), clock, transport });
  const failed = expect(opening).rejects.toThrow(
    /broker\.test:9092: the host name did not resolve/,
  );
  clock.advance(5000);
  await failed;
  expect(clock.pending).toBe(0);
});

test('nothing is waited for any more where the look-up is called off', async () => {
  const clock = new FakeClock();
  const transport = tcpTransport({ clock, lookup: () => undefined });
  const abort = new AbortController();
  const options = { ...optionsFor('broker.test', 9092), clock, transport };
  const opening = Connection.open(options, abort.signal);
  abort.abort();
  await expect(opening).rejects.toMatchObject({ code: 'ABORTED' });
  expect(clock.pending).toBe(0);
});

test('every address of a name is tried until one answers', async () => {
  await using broker = await startScriptedBroker(modernBroker(ranges43));
  // Only the second address has a listener on the port.
  const transport = tcpTransport({
    clock: systemClock,
    lookup: (_host, _options, done) =>
      done(null, [{ address: '127.0.0.2' }, { address: '127.0.0.1' }]),
  });
  const connection = await Connection.open({
    ...optionsFor('broker.test', broker.port),
    transport,
  });
  expect((await connection.request('ApiVersions', 0, {})).errorCode).toBe(0);
  connection.close();
});

test('an address of a name whose connections break gives way to the next one', async () => {
  await using broker = await startScriptedBroker(modernBroker(ranges43));
  // Accepts connections, but is no broker, or none that works.
  await serve((socket) => socket.destroy(), { host: '127.0.0.2', port: broker.port });
  const transport = tcpTransport({
    clock: systemClock,
    lookup: (_host, _options, done) =>
      done(null, [{ address: '127.0.0.2' }, { address: '127.0.0.1' }]),
  });
  const options = { ...optionsFor('broker.test', broker.port), transport };
  const first = await Connection.open(options);
  await expect(first.request('ApiVersions', 0, {})).rejects.toMatchObject({ code: 'DISCONNECTED' });
  const second = await Connection.open(options);
  expect((await second.request('ApiVersions', 0, {})).errorCode).toBe(0);
  second.close();
  const third = await Connection.open(options);
  expect((await third.request('ApiVersions', 0, {})).errorCode).toBe(0);
  third.close();
});

test('what is pending is rejected when the peer ends its side', async () => {
  const port = await serve((socket) => socket.once('data', () => socket.end()));
  const connection = await Connection.open(optionsFor('127.0.0.1', port));
  await expect(connection.request('ApiVersions', 0, {})).rejects.toMatchObject({
    code: 'DISCONNECTED',
  });
  expect(connection.isOpen).toBe(false);
});

test('a peer that resets the connection is told apart from one that closes it', async () => {
  const port = await serve((socket) => socket.once('data', () => socket.resetAndDestroy()));
  const connection = await Connection.open(optionsFor('127.0.0.1', port));
  await expect(connection.request('ApiVersions', 0, {})).rejects.toThrow(/ECONNRESET/);
});
