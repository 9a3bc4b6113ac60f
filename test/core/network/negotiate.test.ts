import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  clientSoftware,
  openSession,
  type ConnectionOptions,
} from '../../../src/core/network/index.js';
import { apis } from '../../../src/core/protocol/index.js';
import {
  ConnectionError,
  TimeoutError,
  UnsupportedVersionError,
} from '../../../src/core/util/errors.js';
import {
  apiVersions,
  httpServer,
  old,
  ranges43,
  unsupportedVersion,
} from '../../support/broker-scripts.js';
import { FakeClock, settled } from '../../support/fake-clock.js';
import { MemoryTransport } from '../../support/memory-transport.js';
import type { Script } from '../../support/scripted-broker.js';

test('asks in the newest version, and says who asks', async () => {
  const bodies: object[] = [];
  const { session, asked } = await negotiated(({ body }) => {
    bodies.push(body);
    return apiVersions(ranges43, {
      finalizedFeatures: [{ name: 'transaction.version', maxVersionLevel: 2, minVersionLevel: 0 }],
    });
  });
  expect(asked).toEqual([['ApiVersions@4']]);
  expect(bodies).toEqual([
    { clientSoftwareName: 'rx-kafka', clientSoftwareVersion: clientSoftware.version },
  ]);
  expect(session.capabilities.apis.get(3)).toEqual({ min: 0, max: 13 });
  expect(session.capabilities.features).toEqual(new Map([['transaction.version', 2]]));
  expect(session.connection.isOpen).toBe(true);
});

test('steps down on the same connection to the version that the broker names', async () => {
  const { asked } = await negotiated(({ version }) =>
    version > 2 ? unsupportedVersion([[18, 0, 2]]) : apiVersions(ranges43),
  );
  expect(asked).toEqual([['ApiVersions@4', 'ApiVersions@2']]);
});

test('goes on in version 0 with a broker that names none', async () => {
  const { asked } = await negotiated(({ version }) =>
    version > 0 ? unsupportedVersion([]) : apiVersions([[3, 0, 2]]),
  );
  expect(asked).toEqual([['ApiVersions@4', 'ApiVersions@0']]);
});

test('steps down further with a broker that names more than it can do', async () => {
  const { asked } = await negotiated(({ version }) =>
    version > 2 ? unsupportedVersion([[18, 0, 9]]) : apiVersions(ranges43),
  );
  expect(asked).toEqual([['ApiVersions@4', 'ApiVersions@3', 'ApiVersions@2']]);
});

test('gives up on a broker that refuses version 0 too', async () => {
  const { transport, clock, opening } = begin(() => unsupportedVersion([]));
  await expect(opening).rejects.toThrow(UnsupportedVersionError);
  expect(transport.last.isClosed).toBe(true);
  expect(clock.pending).toBe(0);
});

test('reports another error by its name', async () => {
  const { opening } = begin(() => apiVersions([], { errorCode: 58 }));
  await expect(opening).rejects.toThrow(/ApiVersions@4 with SASL_AUTHENTICATION_FAILED/);
});

test('connects again, and asks in version 0, when the broker hangs up', async () => {
  const { asked, transport } = await negotiated(({ version }) =>
    version > 0 ? 'hang up' : apiVersions([[3, 0, 2]]),
  );
  expect(asked).toEqual([['ApiVersions@4'], ['ApiVersions@0']]);
  expect(transport.links[0]!.isClosed).toBe(true);
});

test('asks anew in the newest version where the broker had another reason to hang up', async () => {
  let requests = 0;
  const { asked, session } = await negotiated(({ version }) => {
    if (requests++ === 0) return 'hang up';
    const features = [{ name: 'group.version', maxVersionLevel: 1, minVersionLevel: 1 }];
    return apiVersions(ranges43, version < 3 ? {} : { finalizedFeatures: features });
  });
  expect(asked).toEqual([['ApiVersions@4'], ['ApiVersions@0', 'ApiVersions@4']]);
  expect(session.capabilities.features).toEqual(new Map([['group.version', 1]]));
});

test('rejects when the broker hangs up on version 0 as well', async () => {
  const { opening, transport } = begin(old['0.8.2']);
  await expect(opening).rejects.toMatchObject({ code: 'DISCONNECTED' });
  expect(transport.links).toHaveLength(2);
});

test('rejects with a TimeoutError when no answer comes, and does not try again', async () => {
  const { opening, transport, clock } = begin(old['0.9']);
  const failed = expect(opening).rejects.toThrow(TimeoutError);
  await settled();
  clock.advance(1000);
  await failed;
  expect(transport.links).toHaveLength(1);
});

test('does not take a peer that speaks something else for an old broker', async () => {
  const { opening, transport } = begin(httpServer);
  await expect(opening).rejects.toThrow(/the peer speaks HTTP/);
  expect(transport.links).toHaveLength(1);
});

test('keeps what a broker advertises beyond what is known here', async () => {
  const { session } = await negotiated(() =>
    apiVersions([
      [3, 0, 99],
      [1234, 0, 1],
    ]),
  );
  expect(session.capabilities.apis).toEqual(
    new Map([
      [3, { min: 0, max: 99 }],
      [1234, { min: 0, max: 1 }],
    ]),
  );
});

test('can be aborted while the answer is awaited', async () => {
  const abort = new AbortController();
  const { opening, transport, clock } = begin(() => 'say nothing', abort.signal);
  await settled();
  expect(transport.last.asked).toEqual(['ApiVersions@4']);
  abort.abort();
  const failed = expect(opening).rejects;
  await failed.toThrow(ConnectionError);
  expect(transport.links).toHaveLength(1);
  expect(transport.last.isClosed).toBe(true);
  expect(clock.pending).toBe(0);
});

test('can be aborted in the moment in which the connection opens', async () => {
  const abort = new AbortController();
  const inner = new MemoryTransport(() => 'say nothing');
  const clock = new FakeClock();
  const opening = openSession(
    {
      ...optionsWith(inner, clock),
      transport: {
        open: (address, events) =>
          inner.open(address, {
            ...events,
            onOpen() {
              events.onOpen();
              abort.abort();
            },
            onBytes: (bytes) => events.onBytes(bytes),
            onClose: (error) => events.onClose(error),
          }),
      },
    },
    abort.signal,
  );
  await expect(opening).rejects.toThrow(ConnectionError);
  expect(inner.last.isClosed).toBe(true);
  expect(clock.pending).toBe(0);
});

test('outlives the signal once it is there', async () => {
  const abort = new AbortController();
  const { opening } = begin(() => apiVersions(ranges43), abort.signal);
  const { connection } = await opening;
  abort.abort();
  expect(connection.isOpen).toBe(true);
});

test('names the version of this package', () => {
  const url = new URL('../../../package.json', import.meta.url);
  const { name, version } = JSON.parse(readFileSync(url, 'utf8')) as typeof clientSoftware;
  expect(clientSoftware).toEqual({ name, version });
});

test('never asks in a version that is still in development', () => {
  expect(apis.ApiVersions.maxStableVersion).toBe(apis.ApiVersions.maxVersion);
});

function begin(script: Script, signal?: AbortSignal) {
  const transport = new MemoryTransport(script);
  const clock = new FakeClock();
  return { transport, clock, opening: openSession(optionsWith(transport, clock), signal) };
}

function optionsWith(transport: MemoryTransport, clock: FakeClock): ConnectionOptions {
  return {
    address: { host: 'b1', port: 9092 },
    transport,
    clock,
    clientId: null,
    requestTimeoutMs: 1000,
    setupTimeoutMs: 1000,
    maxResponseBytes: 1_000_000,
  };
}

async function negotiated(script: Script) {
  const { transport, opening } = begin(script);
  const session = await opening;
  return { session, transport, asked: transport.links.map(({ asked }) => asked) };
}
