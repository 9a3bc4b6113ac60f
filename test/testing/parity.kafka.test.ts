import { expect, test } from 'vitest';
import { ZERO_UUID } from '../../src/core/protocol/index.js';
import { encodeControlBatch, encodeRecords } from '../../src/core/records/index.js';
import { updateCrc } from '../../src/core/records/patch-batch.js';
import type { PromptClient } from '../../src/protocol.js';
import { errors, useBoth } from '../support/parity.js';

/**
 * The same requests to a real broker and to an embedded one. What they answer is compared as a whole
 * but for what may differ: ids, ports, messages and the like.
 */
const { ask, compare } = useBoth({ version: '4.3' });

interface TopicOptions {
  readonly numPartitions?: number;
  readonly replicationFactor?: number;
  readonly configs?: Readonly<Record<string, string | null>>;
  readonly validateOnly?: boolean;
}

async function create(client: PromptClient, name: string, options: TopicOptions = {}) {
  const { numPartitions = 1, replicationFactor = 1, configs = {}, validateOnly = false } = options;
  const { topics } = await client.request('CreateTopics', {
    topics: [
      {
        name,
        numPartitions,
        replicationFactor,
        assignments: [],
        configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
      },
    ],
    timeoutMs: 10_000,
    validateOnly,
  });
  const [topic] = topics;
  if (topic!.errorCode === 0 && !validateOnly) await ready(client, name);
  return { ...topic!, error: errors(topic!.errorCode) };
}

/** Waits until the broker itself leads what was just made. */
async function ready(client: PromptClient, name: string): Promise<void> {
  for (;;) {
    const { topics } = await client.request('ListOffsets', {
      replicaId: -1,
      topics: [{ name, partitions: [{ partitionIndex: 0, timestamp: -1n }] }],
    });
    if (topics[0]!.partitions[0]!.errorCode === 0) return;
  }
}

async function produce(
  client: PromptClient,
  name: string,
  records: Buffer | null,
  { acks = -1, index = 0, transactionalId = null as string | null, version = 12 } = {},
) {
  const { responses } = await client.request(
    'Produce',
    {
      acks,
      timeoutMs: 5000,
      transactionalId,
      topicData: [{ name, partitionData: [{ index, records }] }],
    },
    { version },
  );
  const { errorCode, baseOffset, logAppendTimeMs, logStartOffset, recordErrors } =
    responses[0]!.partitionResponses[0]!;
  return {
    error: errors(errorCode),
    baseOffset,
    hasLogAppendTime: logAppendTimeMs > 0,
    // With an error it depends on how far the broker had come.
    logStartOffset: errorCode === 0 ? logStartOffset : undefined,
    badRecords: recordErrors.map(({ batchIndex }) => batchIndex),
  };
}

const batch = (options: Parameters<typeof encodeRecords>[1] = {}, timestamp = Date.now()) =>
  encodeRecords([{ key: 'k', value: 'v', timestamp }], options);

function broken(change: (bytes: Buffer) => void): Buffer {
  const bytes = batch();
  change(bytes);
  updateCrc(bytes);
  return bytes;
}

const sequenced = (baseSequence: number, producerEpoch = 0, producerId = 123_456) =>
  batch({ producer: { producerId, producerEpoch, baseSequence } });

test.each<[string, () => Buffer | null, object?]>([
  ['a sound batch', () => batch()],
  ['a batch with lz4', () => batch({ compressionType: 'lz4' })],
  ['no bytes', () => Buffer.alloc(0)],
  ['garbage', () => Buffer.from('garbage')],
  ['longer garbage', () => Buffer.alloc(100, 7)],
  ['two batches', () => Buffer.concat([batch(), batch()])],
  ['magic 1', () => batch({ magic: 1 })],
  ['a wrong checksum', () => Buffer.from(batch()).fill(1, 70)],
  ['a base offset', () => broken((bytes) => bytes.writeBigInt64BE(4n, 0))],
  ['a count of 0', () => broken((bytes) => bytes.writeInt32BE(0, 57))],
  ['a count of 2', () => broken((bytes) => bytes.writeInt32BE(2, 57))],
  ['a delta below 0', () => broken((bytes) => bytes.writeInt32BE(-2, 23))],
  ['an unknown codec', () => broken((bytes) => bytes.writeInt16BE(7, 21))],
  ['a timestamp two hours ahead', () => batch({}, Date.now() + 7_200_000)],
  ['a timestamp long ago', () => batch({}, 1000)],
  ['no timestamp', () => batch({}, -1)],
  ['acks 2', () => batch(), { acks: 2 }],
  ['acks 1', () => batch(), { acks: 1 }],
  ['an unknown partition', () => batch(), { index: 9 }],
  ['zstd in version 6', () => batch({ compressionType: 'zstd' }), { version: 6 }],
  ['a transaction without an id', () => transactional(), {}],
  ['a producer without a sequence', () => sequenced(-1)],
  [
    'a marker',
    () =>
      encodeControlBatch({
        kind: 'commit',
        producerId: 1,
        producerEpoch: 0,
        coordinatorEpoch: 0,
        timestamp: Date.now(),
      }),
  ],
])('Produce of %s', async (what, bytes, options) => {
  const topic = `produce-${what.replaceAll(' ', '-')}`;
  await compare(async (client) => {
    await create(client, topic);
    return produce(client, topic, bytes(), options);
  });
});

const transactional = () =>
  batch({
    isTransactional: true,
    producer: { producerId: 5, producerEpoch: 0, baseSequence: 0 },
  });

test('Produce to an unknown topic', async () => {
  await compare((client) => produce(client, 'nowhere', batch()));
});

test('Produce of an idempotent producer', async () => {
  await compare(async (client) => {
    await create(client, 'sequences');
    const answers: unknown[] = [];
    const send = async (...given: Parameters<typeof sequenced>) => {
      const { error, baseOffset } = await produce(client, 'sequences', sequenced(...given));
      answers.push([given, error, baseOffset]);
    };
    for (let i = 0; i < 7; i++) await send(i);
    for (const again of [6, 5, 2, 1, 0, 8]) await send(again);
    await send(3, 1); // a new epoch that does not begin at 0
    await send(0, 1);
    await send(7, 0); // the old epoch
    await send(1, 1);
    await send(40, 0, 99); // a stranger that does not begin at 0
    await send(41, 0, 99);
    return answers;
  });
});

test('Produce to a compacted topic and to one that is short of space', async () => {
  await compare(async (client) => {
    await create(client, 'compacted', { configs: { 'cleanup.policy': 'compact' } });
    await create(client, 'narrow', { configs: { 'max.message.bytes': '60' } });
    await create(client, 'recent', { configs: { 'message.timestamp.before.max.ms': '60000' } });
    await create(client, 'stamped', { configs: { 'message.timestamp.type': 'LogAppendTime' } });
    const now = Date.now();
    const mixed = [
      { key: 'a', timestamp: now },
      { value: 'b', timestamp: now },
      { timestamp: now },
    ];
    const times = [now, 5, now, 7].map((timestamp) => ({ value: 'v', timestamp }));
    return [
      await produce(client, 'compacted', encodeRecords(mixed)),
      await produce(client, 'compacted', batch()),
      await produce(client, 'narrow', batch()),
      await produce(client, 'recent', encodeRecords(times)),
      await produce(client, 'stamped', batch({}, 5)),
    ];
  });
});

test('ListOffsets, Fetch and DeleteRecords', async () => {
  await compare(async (client) => {
    await create(client, 'reading');
    const now = Date.now();
    for (const ago of [3000, 1000, 2000]) {
      await produce(client, 'reading', batch({}, now - ago));
    }
    const offsets = async (timestamp: bigint, more: object = {}, version = 11) => {
      const { topics } = await client.request(
        'ListOffsets',
        {
          replicaId: -1,
          topics: [{ name: 'reading', partitions: [{ partitionIndex: 0, timestamp, ...more }] }],
        },
        { version },
      );
      const { errorCode, offset, leaderEpoch, timestamp: found } = topics[0]!.partitions[0]!;
      const ago = found > 0n ? now - Number(found) : Number(found);
      return [errors(errorCode), offset, leaderEpoch, ago];
    };
    const fetched = async (fetchOffset: number, more: object = {}, limits: object = {}) => {
      const { errorCode, responses } = await client.request(
        'Fetch',
        {
          maxWaitMs: 0,
          minBytes: 1,
          maxBytes: 1_000_000,
          ...limits,
          topics: [
            {
              topic: 'reading',
              partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 100_000, ...more }],
            },
          ],
        },
        { version: 12 },
      );
      const { records, errorCode: code, ...rest } = responses[0]!.partitions[0]!;
      return [errors(errorCode), errors(code), rest, records?.length];
    };
    const removed = async (offset: number, partitionIndex = 0) => {
      const { topics } = await client.request('DeleteRecords', {
        topics: [{ name: 'reading', partitions: [{ partitionIndex, offset }] }],
        timeoutMs: 5000,
      });
      const { errorCode, lowWatermark } = topics[0]!.partitions[0]!;
      return [errors(errorCode), lowWatermark];
    };
    const ended = async (leaderEpoch: number, currentLeaderEpoch = -1) => {
      const { topics } = await client.request('OffsetForLeaderEpoch', {
        replicaId: -1,
        topics: [
          { topic: 'reading', partitions: [{ partition: 0, leaderEpoch, currentLeaderEpoch }] },
        ],
      });
      const { errorCode, leaderEpoch: epoch, endOffset } = topics[0]!.partitions[0]!;
      return [errors(errorCode), epoch, endOffset];
    };
    return {
      offsets: [
        ...(await sequence([-1n, -2n, -3n, -4n, -5n, -6n, -7n], (timestamp) => offsets(timestamp))),
        await offsets(0n),
        await offsets(BigInt(now - 2500)),
        await offsets(BigInt(now - 1000)),
        await offsets(BigInt(now + 10_000)),
        await offsets(-3n, {}, 6),
        await offsets(-1n, { currentLeaderEpoch: 7 }),
        await offsets(-1n, {}, 3),
      ],
      fetched: [
        ...(await sequence([0, 1, 3, 4, -1], (offset) => fetched(offset))),
        await fetched(0, { currentLeaderEpoch: 7 }),
        await fetched(1, { lastFetchedEpoch: 0 }),
        await fetched(1, { lastFetchedEpoch: 9 }),
        await fetched(0, { partitionMaxBytes: 1 }),
        await fetched(0, { partitionMaxBytes: 100 }),
        await fetched(0, {}, { maxBytes: 1 }),
        await fetched(0, {}, { isolationLevel: 1 }),
        await fetched(0, { partition: 5 }),
        await fetched(0, {}, { minBytes: 1_000_000_000, maxWaitMs: 300 }),
      ],
      ended: await sequence([0, 1, -1, 50], (epoch) => ended(epoch)),
      fenced: await ended(0, 7),
      removed: await sequence([9, -2, 2, 1], (offset) => removed(offset)),
      removedElsewhere: await removed(0, 7),
      afterwards: [await fetched(1), await fetched(2), await offsets(-2n), await offsets(0n)],
      emptied: [await removed(-1), await offsets(-1n), await offsets(-2n)],
    };
  });
});

async function sequence<T, R>(items: readonly T[], ask: (item: T) => Promise<R>): Promise<R[]> {
  const answers: R[] = [];
  for (const item of items) answers.push(await ask(item));
  return answers;
}

test('CreateTopics', async () => {
  await compare(async (client) => {
    const attempts: readonly (readonly [string, TopicOptions])[] = [
      ['fine', { numPartitions: 2, configs: { 'retention.ms': '5' } }],
      ['fine', {}],
      ['dry', { validateOnly: true }],
      ['default', { numPartitions: -1, replicationFactor: -1 }],
      ['a.b', {}],
      ['a_b', {}],
      ['', {}],
      ['..', {}],
      ['a b', {}],
      ['x'.repeat(250), {}],
      ['none', { numPartitions: 0 }],
      ['many', { numPartitions: 2_000_000 }],
      ['wide', { replicationFactor: 2 }],
      ['narrow-0', { replicationFactor: 0 }],
      ['odd', { configs: { nonsense: '1' } }],
      ['odd', { configs: { 'retention.ms': 'long' } }],
      ['odd', { configs: { 'retention.ms': null } }],
      ['odd', { configs: { 'cleanup.policy': 'shred' } }],
      ['odd', { configs: { 'min.insync.replicas': '0' } }],
    ];
    return sequence(attempts, async ([name, options]) => {
      const { error, numPartitions, replicationFactor, configs } = await create(
        client,
        name,
        options,
      );
      const told = configs?.map(({ name: setting, value, configSource, readOnly }) =>
        [setting, value, configSource, readOnly].join(' '),
      );
      return { name, error, numPartitions, replicationFactor, configs: comparable(told ?? []) };
    });
  });
});

test('Metadata, DescribeTopicPartitions and DeleteTopics', async () => {
  await compare(async (client) => {
    await create(client, 'known', { numPartitions: 3 });
    const metadata = async (topic: object, version = 13, more: object = {}) => {
      const { topics } = await client.request(
        'Metadata',
        { topics: [topic as { name: string }], allowAutoTopicCreation: false, ...more },
        { version },
      );
      return topics.map(({ topicId, errorCode, partitions, ...rest }) => ({
        ...rest,
        hasId: topicId !== ZERO_UUID,
        error: errors(errorCode),
        partitions: [...partitions].sort((a, b) => a.partitionIndex - b.partitionIndex),
      }));
    };
    const described = async (names: readonly string[], cursor: object | null = null, limit = 2) => {
      const { topics, nextCursor } = await client.request('DescribeTopicPartitions', {
        topics: names.map((name) => ({ name })),
        responsePartitionLimit: limit,
        cursor: cursor as null,
      });
      const shown = topics.map(({ errorCode, name, partitions }) => [
        name,
        errors(errorCode),
        partitions,
      ]);
      return [shown, nextCursor];
    };
    const removed = async (name: string | null, topicId = ZERO_UUID) => {
      const { responses } = await client.request('DeleteTopics', {
        topics: [{ name, topicId }],
        timeoutMs: 10_000,
      });
      return responses.map(({ errorCode, name: told }) => [told, errors(errorCode)]);
    };
    const stranger = 'AAAAAAAAAAAAAAAAAAAAAQ';
    return {
      metadata: [
        await metadata({ name: 'known' }),
        await metadata({ name: 'known' }, 9, { includeTopicAuthorizedOperations: true }),
        await metadata({ name: 'unknown' }),
        await metadata({ name: 'a b' }),
        await metadata({ name: null, topicId: stranger }),
      ],
      described: [
        await described(['known']),
        await described(['known'], { topicName: 'known', partitionIndex: 2 }),
        await described(['known', 'unknown'], null, 10),
        await described(['a b']),
      ],
      removed: [
        await removed('unknown'),
        await removed(null, stranger),
        await removed('known'),
        await removed('known'),
      ],
    };
  });
});

/** KRaft keeps min.insync.replicas as a setting of the cluster, so that it comes from elsewhere. */
function comparable(settings: readonly string[]): string[] {
  return settings.filter((setting) => !setting.startsWith('min.insync.replicas')).sort();
}

test('settings of topics', async () => {
  await compare(async (client) => {
    await create(client, 'settled', { configs: { 'retention.ms': '77' } });
    const change = async (...configs: [string, number, string | null][]) => {
      const { responses } = await client.request('IncrementalAlterConfigs', {
        resources: [
          {
            resourceType: 2,
            resourceName: 'settled',
            configs: configs.map(([name, configOperation, value]) => ({
              name,
              configOperation,
              value,
            })),
          },
        ],
        validateOnly: false,
      });
      return errors(responses[0]!.errorCode);
    };
    const settings = async (resourceName = 'settled', resourceType = 2) => {
      const { results } = await client.request('DescribeConfigs', {
        resources: [{ resourceType, resourceName, configurationKeys: null }],
      });
      const { errorCode, configs } = results[0]!;
      const told = configs.map(({ name, value, configSource, configType, isSensitive }) =>
        [name, value, configSource, configType, isSensitive].join(' '),
      );
      return [errors(errorCode), comparable(told)];
    };
    return {
      before: await settings(),
      changes: [
        await change(['flush.ms', 0, '7']),
        await change(['flush.ms', 0, 'x']),
        await change(['flush.ms', 0, null]),
        await change(['flush.ms', 2, '8']),
        await change(['flush.ms', 9, '8']),
        await change(['unheard.of', 0, '8']),
        await change(['cleanup.policy', 2, 'compact']),
        await change(['cleanup.policy', 3, 'delete']),
        await change(['retention.ms', 1, null]),
        await change(['flush.ms', 0, '1'], ['flush.ms', 0, '2']),
      ],
      after: await settings(),
      elsewhere: [await settings('nowhere'), await settings('a b'), await settings('x', 99)],
    };
  });
});

async function versions(client: PromptClient) {
  const { apiKeys, finalizedFeatures } = await client.request('ApiVersions', {
    clientSoftwareName: 'test',
    clientSoftwareVersion: '1',
  });
  const ranges = apiKeys.map(({ apiKey, minVersion, maxVersion }) => [
    String(apiKey),
    `${minVersion}-${maxVersion}`,
  ]);
  const levels = finalizedFeatures.map(({ name, maxVersionLevel }) => [name, maxVersionLevel]);
  return { ranges: Object.fromEntries(ranges) as object, levels: levels.sort() };
}

test('ApiVersions: every API that the embedded broker tells has the range of the real one', async () => {
  const { real, embedded } = await ask(versions);
  expect(real.ranges).toMatchObject(embedded.ranges);
  expect(embedded.levels).toEqual(real.levels);
});
