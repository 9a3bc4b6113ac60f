import { describe, expect, test } from 'vitest';
import { encodeRecords } from '../../../src/core/records/index.js';
import { startEmbeddedKafka, type KafkaRelease } from '../../../src/testing/index.js';
import { runProgram } from '../../support/kafka/tools.js';

const lines = (text: string) => text.trimEnd().split('\n');
const numbered = (count: number) => Array.from({ length: count }, (_, i) => `k${i}:value ${i}`);

/** Writes lines of `key:value`. */
const produce = (servers: string, input: readonly string[], options: readonly string[] = []) =>
  runProgram('kcat', ['-b', servers, '-P', '-t', 'orders', '-K', ':', ...options], {
    stdin: `${input.join('\n')}\n`,
  });

/** Reads `partition/offset key:value` from the beginning to the end. */
const consume = async (servers: string, options: readonly string[] = []) =>
  lines(
    await runProgram('kcat', [
      ...[
        '-b',
        servers,
        '-C',
        '-t',
        'orders',
        '-o',
        'beginning',
        '-e',
        '-q',
        '-f',
        '%p/%o %k:%s\\n',
      ],
      ...options,
    ]),
  );

test('kcat lists brokers, topics and leaders', async () => {
  await using cluster = await startEmbeddedKafka({ brokers: 3, topics: { orders: 2 } });
  const listed = await runProgram('kcat', ['-b', cluster.bootstrapServers, '-L']);
  expect(listed).toContain('3 brokers');
  expect(listed).toContain('topic "orders" with 2 partitions');
  expect(listed).toMatch(/partition 1, leader 2, replicas: 2,3,1, isrs: 2,3,1/);
});

test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])(
  'kcat writes and reads with %s',
  async (codec) => {
    await using cluster = await startEmbeddedKafka({ topics: { orders: 1 } });
    const servers = cluster.bootstrapServers;
    const input = numbered(500);
    await produce(servers, input, ['-z', codec, '-X', 'enable.idempotence=true']);
    expect(await consume(servers)).toEqual(input.map((line, i) => `0/${i} ${line}`));
    const stored = cluster
      .records('orders')
      .map(({ key, value }) => `${String(key)}:${String(value)}`);
    expect(stored).toEqual(input);
    expect(cluster.inspect().complaints).toEqual([]);
  },
);

test('kcat reads one partition from an offset on', async () => {
  await using cluster = await startEmbeddedKafka({ brokers: 2, topics: { orders: 3 } });
  for (const partition of [0, 1, 2]) {
    for (let i = 0; i < 5; i++) {
      cluster.append(
        'orders',
        partition,
        encodeRecords([{ key: 'k', value: `${partition}-${i}` }]),
      );
    }
  }
  const read = await consume(cluster.bootstrapServers, ['-p', '2', '-o', '3']);
  expect(read).toEqual(['2/3 k:2-3', '2/4 k:2-4']);
});

test('kcat finds offsets by time', async () => {
  await using cluster = await startEmbeddedKafka({ topics: { orders: 1 } });
  for (const timestamp of [1000, 2000, 3000]) {
    cluster.append('orders', 0, encodeRecords([{ value: 'v', timestamp }]));
  }
  const answer = await runProgram('kcat', [
    '-b',
    cluster.bootstrapServers,
    '-Q',
    '-t',
    'orders:0:1500',
  ]);
  expect(answer).toContain('orders [0] offset 1');
});

test('kcat goes on over a moved leader, a lost answer and a broker that stops', async () => {
  await using cluster = await startEmbeddedKafka({ brokers: 3, topics: {} });
  cluster.createTopic('orders', { assignments: [[1, 2, 3]] });
  cluster.drop('Produce', 1, { when: 'after' });
  cluster.failNext('Produce', 'NOT_LEADER_OR_FOLLOWER', 1);
  const input = numbered(2000);
  const written = produce(cluster.bootstrapServers, input, [
    ...['-X', 'enable.idempotence=true', '-X', 'batch.num.messages=100'],
    ...['-X', 'topic.metadata.refresh.interval.ms=500'],
  ]);
  await cluster.whenRequested('Produce', 3);
  cluster.moveLeader('orders', 0, 2);
  await cluster.stop(1);
  await written;
  expect(await consume(cluster.bootstrapServers)).toEqual(input.map((line, i) => `0/${i} ${line}`));
});

describe('an old profile', () => {
  test.each<[KafkaRelease, readonly string[]]>([
    ['0.8.2', ['-X', 'api.version.request=false', '-X', 'broker.version.fallback=0.8.2']],
    ['0.9', ['-X', 'api.version.request=false', '-X', 'broker.version.fallback=0.9.0']],
    ['0.10.2', []],
    ['1.1', []],
    ['2.8', []],
  ])('of %s serves kcat', async (version, options) => {
    await using cluster = await startEmbeddedKafka({ version, topics: { orders: 1 } });
    const servers = cluster.bootstrapServers;
    const input = numbered(100);
    await produce(servers, input, ['-z', 'gzip', ...options]);
    expect(await consume(servers, options)).toEqual(input.map((line, i) => `0/${i} ${line}`));
    expect(cluster.inspect().complaints).toEqual([]);
  });
});

test('kcat reads as a member of a group, commits, and goes on where it was', async () => {
  await using cluster = await startEmbeddedKafka({ topics: { orders: 2 } });
  const servers = cluster.bootstrapServers;
  const read = async () =>
    lines(
      await runProgram('kcat', [
        ...['-b', servers, '-G', 'billing', '-e', '-q', '-f', '%k:%s\\n'],
        ...['-X', 'auto.offset.reset=earliest', 'orders'],
      ]),
    );
  await produce(servers, numbered(100));
  expect((await read()).sort()).toEqual(numbered(100).sort());
  await produce(servers, ['late:value']);
  expect(await read()).toEqual(['late:value']);
});
