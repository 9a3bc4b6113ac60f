import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { apis, encodeRequestWithHeader, findApi } from '../../src/core/protocol/index.js';
import { encodeRecords } from '../../src/core/records/index.js';
import {
  startEmbeddedKafka,
  type EmbeddedKafka,
  type EmbeddedKafkaOptions,
} from '../../src/testing/index.js';
import { handlers } from '../../src/testing/handlers/index.js';
import { profileOf } from '../../src/testing/versions.js';
import { EmbeddedClient, produceTo } from '../support/embedded-client.js';
import { settled } from '../support/fake-clock.js';
import { lottery, sampleOf, type Filling } from '../support/messages.js';

const start = (options: EmbeddedKafkaOptions = {}) =>
  startEmbeddedKafka({ listen: 'memory', topics: { orders: 1 }, ...options });

function framed(payload: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(payload.length);
  return Buffer.concat([length, payload]);
}

/** A request of any key and version, with an empty body. */
function bare(apiKey: number, version: number): Buffer {
  const bytes = Buffer.alloc(14);
  bytes.writeInt16BE(apiKey, 0);
  bytes.writeInt16BE(version, 2);
  bytes.writeInt32BE(1, 4);
  bytes.writeInt16BE(-1, 8);
  return framed(bytes);
}

/** The broker serves others as if nothing had happened. */
async function expectAlive(cluster: EmbeddedKafka): Promise<void> {
  const { topics } = await new EmbeddedClient(cluster).request('Metadata', 1, { topics: [] });
  expect(topics).toEqual([]);
}

describe('bytes that make no sense', () => {
  test.each([
    ['no Kafka at all', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'bytes'],
    ['a length below 0', Buffer.from([0xff, 0xff, 0xff, 0xff]), '-1 bytes'],
    ['an empty request', framed(Buffer.alloc(0)), 'no room for a header'],
    ['half a header', framed(Buffer.alloc(5)), 'no room for a header'],
    ['an unknown API', bare(999, 0), 'API 999 version 0'],
    ['a negative API', bare(-1, 0), 'API -1 version 0'],
    ['a version that is too new', bare(apis.Metadata.key, 99), 'API 3 version 99'],
    ['a negative version', bare(apis.Metadata.key, -1), 'API 3 version -1'],
    ['a version that 4.x gave up', bare(apis.Fetch.key, 3), 'API 1 version 3'],
    [
      'a body that is cut short',
      framed(Buffer.from('00030001000000010000', 'hex')),
      'MetadataRequest@1',
    ],
    [
      'a list longer than the request',
      framed(Buffer.from('000300010000000100007fffffff', 'hex')),
      'MetadataRequest@1',
    ],
  ])('(%s) are hung up on, and complained about', async (_, bytes, complaint) => {
    await using cluster = await start();
    const client = new EmbeddedClient(cluster);
    expect(await client.exchange(bytes)).toBe('hung up');
    expect(cluster.inspect().complaints).toHaveLength(1);
    expect(cluster.inspect().complaints[0]).toContain(complaint);
    expect(cluster.inspect().brokers[0]!.connections).toBe(0);
    await expectAlive(cluster);
  });

  test('whatever they are, end the connection or get an answer, and never the broker', async () => {
    await using cluster = await start();
    const soundRequests = [
      encodeRequestWithHeader(
        'Metadata',
        12,
        { correlationId: 1, clientId: 'c' },
        { topics: null },
      ),
      encodeRequestWithHeader(
        'Produce',
        9,
        { correlationId: 1, clientId: 'c' },
        {
          acks: 1,
          timeoutMs: 0,
          topicData: [
            {
              name: 'orders',
              partitionData: [{ index: 0, records: encodeRecords([{ key: 'k', value: 'v' }]) }],
            },
          ],
        },
      ),
      encodeRequestWithHeader(
        'Fetch',
        12,
        { correlationId: 1, clientId: 'c' },
        {
          maxWaitMs: 0,
          minBytes: 0,
          topics: [
            {
              topic: 'orders',
              partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 9 }],
            },
          ],
        },
      ),
      encodeRequestWithHeader(
        'CreateTopics',
        5,
        { correlationId: 1, clientId: 'c' },
        {
          topics: [
            { name: 'x', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] },
          ],
          timeoutMs: 0,
        },
      ),
    ].map((chunks) => Buffer.concat(chunks));

    const anyBytes = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes));
    const damaged = fc
      .record({
        request: fc.constantFrom(...soundRequests),
        changes: fc.array(fc.tuple(fc.nat(300), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        length: fc.nat(300),
      })
      .map(({ request, changes, length }) => {
        const bytes = Buffer.from(request.subarray(0, Math.max(1, length)));
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        return bytes;
      });

    await fc.assert(
      fc.asyncProperty(fc.oneof(anyBytes, damaged), async (payload) => {
        const client = new EmbeddedClient(cluster);
        client.exchange(framed(payload)).catch(() => undefined);
        await settled();
        client.close();
      }),
      { numRuns: 500 },
    );
    await expectAlive(cluster);
    const { brokers } = cluster.inspect();
    await settled();
    expect(brokers[0]!.connections).toBeLessThanOrEqual(1);
    expect(ownFaults(cluster)).toEqual([]);
  });

  test('longer than socketRequestMaxBytes are hung up on before they come', async () => {
    await using cluster = await start({ socketRequestMaxBytes: 1000 });
    const client = new EmbeddedClient(cluster);
    const length = Buffer.alloc(4);
    length.writeInt32BE(1001);
    expect(await client.exchange(length)).toBe('hung up');
    expect((await produceTo(new EmbeddedClient(cluster), 'orders', [{}])).error).toBe('NONE');
  });
});

test('bytes behind a request’s end are ignored, as Java does', async () => {
  await using cluster = await start();
  const client = new EmbeddedClient(cluster);
  const frame = client.frame('Metadata', 1, { topics: [] });
  const longer = framed(Buffer.concat([frame.subarray(4), Buffer.from('more')]));
  expect(await client.exchange(longer)).not.toBe('hung up');
});

test('answers carry the number of their request', async () => {
  await using cluster = await start();
  const client = new EmbeddedClient(cluster);
  const frames = Array.from({ length: 5 }, () => client.frame('Metadata', 1, { topics: [] }));
  const answers = await Promise.all(frames.map((frame) => client.exchange(frame)));
  expect(answers.map((answer) => (answer as Buffer).readInt32BE(0))).toEqual([0, 1, 2, 3, 4]);
});

describe('a request that an old broker does not know', () => {
  test.each(['0.8.2', '0.10.2', '1.1', '4.3'] as const)(
    'ends the connection to %s',
    async (version) => {
      await using cluster = await start({ version });
      expect(await new EmbeddedClient(cluster).exchange(bare(999, 0))).toBe('hung up');
    },
  );

  test('gets silence from 0.9, and so does everything after it', async () => {
    await using cluster = await start({ version: '0.9' });
    const client = new EmbeddedClient(cluster);
    void client.exchange(bare(apis.ApiVersions.key, 0));
    void client.exchange(client.frame('Metadata', 0, { topics: [] }));
    await settled();
    expect(client.pending).toBe(2);
    expect(client.isClosed).toBe(false);
    await expectFresh(cluster);
  });
});

async function expectFresh(cluster: EmbeddedKafka): Promise<void> {
  const { topics } = await new EmbeddedClient(cluster).request('Metadata', 0, { topics: [] });
  expect(topics.map(({ name }) => name)).toEqual(['orders']);
}

test('a handler that fails for a reason of its own ends the connection and warns', async () => {
  await using cluster = await start();
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
  // An answer that can't be encoded.
  cluster.intercept('Metadata', () => ({ nonsense: true }) as never);
  const request = new EmbeddedClient(cluster).request('Metadata', 1, { topics: null });
  await expect(request).rejects.toThrow('hung up');
  expect(String(await warned)).toContain('Metadata');
  cluster.clearFaults();
  await expectAlive(cluster);
});

const fillings: readonly Filling[] = [
  { how: 'defaults' },
  { how: 'nulls' },
  { how: 'full' },
  ...[1, 2, 3, 4, 5].map((seed): Filling => ({ how: 'random', draw: lottery(seed) })),
];

describe.each(['4.3', '2.8', '1.1', '0.8.2'] as const)(
  'every version that %s serves',
  (release) => {
    const served = [...profileOf(release, new Set(handlers.keys())).served].flatMap(
      ([key, { min, max }]) =>
        Array.from({ length: max - min + 1 }, (_, i) => ({ api: findApi(key)!, version: min + i })),
    );

    test('is answered, or hung up on, whatever the request says', async () => {
      await using cluster = await start({ version: release });
      for (const { api, version } of served) {
        for (const filling of fillings) {
          const body = sampleOf(api.request, version, filling);
          const client = new EmbeddedClient(cluster);
          void client.exchange(client.frame(api, version, body));
          await settled();
          client.close();
        }
        expect(ownFaults(cluster), `${api.name}@${version}`).toEqual([]);
      }
    });

    test('has room for the error of failNext', async () => {
      await using cluster = await start({ version: release });
      for (const { api, version } of served) {
        const body = sampleOf(api.request, version, { how: 'full' });
        cluster.failNext(api, 'UNKNOWN_SERVER_ERROR');
        const answer = await new EmbeddedClient(cluster).request(api, version, body);
        expect(errorCodesIn(answer), `${api.name}@${version}`).toContain(-1);
      }
      expect(ownFaults(cluster)).toEqual([]);
    });
  },
);

/** Complaints about the broker itself, not about its clients. */
function ownFaults(cluster: EmbeddedKafka): string[] {
  return cluster
    .inspect()
    .complaints.filter((complaint) => /^Broker \d+: \w*Error: /.test(complaint));
}

function errorCodesIn(value: unknown): number[] {
  if (typeof value !== 'object' || value === null || Buffer.isBuffer(value)) return [];
  return Object.entries(value).flatMap(([name, field]) =>
    /errorCode$/i.test(name) ? [field as number] : errorCodesIn(field),
  );
}
