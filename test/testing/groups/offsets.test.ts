import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { apis } from '../../../src/core/protocol/index.js';
import { type RequestInput } from '../../../src/core/protocol/index.js';
import {
  startEmbeddedKafka,
  type EmbeddedKafka,
  type KafkaRelease,
} from '../../../src/testing/index.js';
import { EmbeddedClient, errorName } from '../../support/embedded-client.js';
import { FakeClock } from '../../support/fake-clock.js';
import { ClassicMember } from './classic-member.js';
import { ConsumerMember } from './consumer-member.js';

const GROUP = 'billing';

let clock: FakeClock;
let cluster: EmbeddedKafka;
let client: EmbeddedClient;

beforeEach(() => restart('4.3'));

afterEach(() => cluster.close());

async function restart(version: KafkaRelease): Promise<void> {
  await (cluster as EmbeddedKafka | undefined)?.close();
  clock = new FakeClock();
  const topics = { orders: 2, clicks: 1 };
  cluster = await startEmbeddedKafka({ listen: 'memory', clock, version, topics });
  client = new EmbeddedClient(cluster);
}

type Commit = Partial<RequestInput<typeof apis.OffsetCommit>> & {
  readonly topic?: string;
  readonly partition?: number;
  readonly offset?: number;
  readonly metadata?: string | null;
};

/** Commits one offset; the error by name. */
async function commit(version: number, options: Commit = {}): Promise<string> {
  const { topic = 'orders', partition = 0, offset = 42, metadata = null, ...rest } = options;
  const committed = {
    partitionIndex: partition,
    committedOffset: offset,
    committedMetadata: metadata,
    ...(version >= 6 && { committedLeaderEpoch: 3 }),
  };
  const topicId = cluster.inspect().topics[topic]?.topicId ?? 'AAAAAAAAAAAAAAAAAAAAAQ';
  const { topics } = await client.request('OffsetCommit', version, {
    groupId: GROUP,
    topics: [
      { ...(version >= 10 ? { topicId } : { name: topic }), partitions: [committed] },
    ] as RequestInput<typeof apis.OffsetCommit>['topics'],
    ...rest,
  });
  return errorName(topics[0]!.partitions[0]!.errorCode);
}

/** Fetches by the request of one group or of several, whatever the version has. */
async function fetch(version: number, topics: readonly string[] | null = ['orders'], rest = {}) {
  const idOf = (name: string) =>
    cluster.inspect().topics[name]?.topicId ?? 'AAAAAAAAAAAAAAAAAAAAAQ';
  const asked =
    topics?.map((name) => ({
      ...(version >= 10 ? { topicId: idOf(name) } : { name }),
      partitionIndexes: [0, 1],
    })) ?? null;
  const body =
    version >= 8
      ? { groups: [{ groupId: GROUP, topics: asked, ...rest }] }
      : { groupId: GROUP, topics: asked, ...rest };
  const answer = await client.request('OffsetFetch', version, body);
  const { errorCode, topics: found } = version >= 8 ? answer.groups[0]! : answer;
  const partitions = found.flatMap((topic) =>
    topic.partitions.map(({ partitionIndex, committedOffset, errorCode: code, ...more }) => ({
      partition: `${topic.name === '' && 'topicId' in topic ? topic.topicId : topic.name}-${partitionIndex}`,
      offset: committedOffset,
      error: errorName(code),
      ...more,
    })),
  );
  return { error: errorName(errorCode), partitions };
}

describe('a consumer that is no member', () => {
  test.each([2, 3, 5, 6, 7, 8, 9])('commits and fetches in version %i', async (version) => {
    expect(await commit(version, { metadata: 'hi' })).toBe('NONE');
    const { error, partitions } = await fetch(version);
    expect(error).toBe('NONE');
    expect(partitions[0]).toMatchObject({ partition: 'orders-0', offset: 42, metadata: 'hi' });
    expect(partitions[1]).toMatchObject({ offset: -1, metadata: '', error: 'NONE' });
    expect(partitions[0]!.committedLeaderEpoch).toBe(version >= 6 ? 3 : -1);
  });

  test('uses topic ids in version 10', async () => {
    const { topicId } = cluster.inspect().topics['orders']!;
    expect(await commit(10)).toBe('NONE');
    expect((await fetch(10)).partitions[0]).toMatchObject({
      partition: `${topicId}-0`,
      offset: 42,
    });
    expect((await fetch(10, null)).partitions).toHaveLength(1);
    expect(await commit(10, { topic: 'nowhere' })).toBe('UNKNOWN_TOPIC_ID');
    expect((await fetch(10, ['nowhere'])).partitions[0]).toMatchObject({
      offset: -1,
      error: 'UNKNOWN_TOPIC_ID',
    });
  });

  test('founds a group that only keeps offsets', async () => {
    await commit(9);
    expect(cluster.inspect().groups[GROUP]).toMatchObject({
      state: 'Empty',
      protocolType: '',
      offsets: {
        orders: {
          0: { offset: 42, leaderEpoch: 3, metadata: '', commitTimestampMs: clock.now() },
        },
      },
    });
    expect(cluster.groupOffsets(GROUP)['orders']![0]!.offset).toBe(42);
    expect(cluster.groupOffsets('nowhere')).toEqual({});
  });

  test('may not commit while the group has members', async () => {
    await new ClassicMember(cluster, GROUP).enter();
    expect(await commit(9)).toBe('UNKNOWN_MEMBER_ID');
  });

  test('is told of partitions that there are not, and of metadata that is too long', async () => {
    expect(await commit(9, { topic: 'nowhere' })).toBe('UNKNOWN_TOPIC_OR_PARTITION');
    expect(await commit(9, { partition: 7 })).toBe('UNKNOWN_TOPIC_OR_PARTITION');
    expect(await commit(9, { metadata: 'x'.repeat(4097) })).toBe('OFFSET_METADATA_TOO_LARGE');
    expect(await commit(9, { metadata: 'x'.repeat(4096) })).toBe('NONE');
  });

  test('claims no generation of a group that there is not', async () => {
    const claim = { generationIdOrMemberEpoch: 3, memberId: 'm' };
    expect(await commit(8, claim)).toBe('ILLEGAL_GENERATION');
    expect(await commit(9, claim)).toBe('GROUP_ID_NOT_FOUND');
    expect(cluster.inspect().groups).toEqual({});
  });
});

describe('a member of a classic group', () => {
  const identityOf = (member: ClassicMember) => ({
    memberId: member.memberId,
    generationIdOrMemberEpoch: member.generationId,
  });

  test('commits with its generation only', async () => {
    const member = new ClassicMember(cluster, GROUP);
    await member.enter();
    // It may not have seen the assignment that its offsets are for.
    expect(await commit(9, identityOf(member))).toBe('REBALANCE_IN_PROGRESS');
    await member.sync();
    expect(await commit(9, identityOf(member))).toBe('NONE');
    expect(await commit(9, { ...identityOf(member), generationIdOrMemberEpoch: 7 })).toBe(
      'ILLEGAL_GENERATION',
    );
    expect(await commit(9, { ...identityOf(member), memberId: 'x' })).toBe('UNKNOWN_MEMBER_ID');
    cluster.rebalance(GROUP);
    expect(await commit(9, identityOf(member))).toBe('NONE');
  });

  test('lives as long as it commits', async () => {
    const member = new ClassicMember(cluster, GROUP);
    await member.enter();
    await member.sync();
    for (let i = 0; i < 3; i++) {
      clock.advance(9000);
      expect(await commit(9, identityOf(member))).toBe('NONE');
    }
  });

  test('is fenced when another process runs its instance', async () => {
    const member = new ClassicMember(cluster, GROUP, 'one');
    await member.join();
    await member.sync();
    const heir = new ClassicMember(cluster, GROUP, 'one');
    await heir.join();
    expect(await commit(9, { ...identityOf(member), groupInstanceId: 'one' })).toBe(
      'FENCED_INSTANCE_ID',
    );
    expect(await commit(9, { ...identityOf(heir), groupInstanceId: 'one' })).toBe('NONE');
  });
});

describe('a member of a consumer group', () => {
  const commitAs = (member: ConsumerMember, version = 9, partition = 0) =>
    commit(version, {
      memberId: member.memberId,
      generationIdOrMemberEpoch: member.epoch,
      partition,
    });

  test('commits and fetches with its epoch', async () => {
    const member = new ConsumerMember(cluster, GROUP, 'a');
    await member.join();
    expect(await commitAs(member)).toBe('NONE');
    expect(await commitAs(member, 8)).toBe('UNSUPPORTED_VERSION');
    expect(await commit(9)).toBe('UNKNOWN_MEMBER_ID');
    const ask = async (memberId: string | null, memberEpoch: number) =>
      (await fetch(9, ['orders'], { memberId, memberEpoch })).error;
    expect(await ask('a', 1)).toBe('NONE');
    expect(await ask('a', 2)).toBe('STALE_MEMBER_EPOCH');
    expect(await ask('b', 1)).toBe('UNKNOWN_MEMBER_ID');
    expect(await ask(null, -1)).toBe('NONE');
    member.epoch = 2;
    expect(await commitAs(member)).toBe('STALE_MEMBER_EPOCH');
  });

  test('may be behind by epochs in which it kept the partition (KIP-1251)', async () => {
    const [a, b] = [
      new ConsumerMember(cluster, GROUP, 'a'),
      new ConsumerMember(cluster, GROUP, 'b'),
    ];
    await a.join();
    await b.join();
    await a.heartbeat();
    await a.report();
    await b.heartbeat();
    expect([a.owned, b.owned]).toEqual([['orders-0'], ['orders-1']]);
    a.epoch = 1;
    expect(await commitAs(a, 9, 0)).toBe('NONE');
    expect(await commitAs(a, 9, 1)).toBe('STALE_MEMBER_EPOCH');
    b.epoch = 1;
    expect(await commitAs(b, 9, 1)).toBe('STALE_MEMBER_EPOCH');
  });
});

describe('fetching', () => {
  test('answers for all topics when none is named', async () => {
    await commit(9);
    await commit(9, { topic: 'clicks', offset: 7 });
    for (const version of [2, 7, 9]) {
      const { partitions } = await fetch(version, null);
      expect(partitions.map(({ partition, offset }) => [partition, offset])).toEqual([
        ['orders-0', 42],
        ['clicks-0', 7],
      ]);
    }
  });

  test('answers for several groups at once', async () => {
    await commit(9);
    const topics = [{ name: 'orders', partitionIndexes: [0] }];
    const { groups } = await client.request('OffsetFetch', 8, {
      groups: [
        { groupId: GROUP, topics },
        { groupId: 'other', topics },
      ],
      requireStable: true,
    });
    const offsets = groups.map(({ topics: [topic] }) => topic!.partitions[0]!.committedOffset);
    expect(offsets).toEqual([42, -1]);
  });

  test('is up to the coordinator, and says so where the version has a place for it', async () => {
    await cluster.close();
    cluster = await startEmbeddedKafka({
      listen: 'memory',
      clock,
      brokers: 2,
      topics: { orders: 2 },
    });
    const { coordinators } = await new EmbeddedClient(cluster).request('FindCoordinator', 4, {
      coordinatorKeys: [GROUP],
    });
    const other = cluster.brokerIds.find((id) => id !== coordinators[0]!.nodeId)!;
    client = new EmbeddedClient(cluster, other);
    expect((await fetch(9)).error).toBe('NOT_COORDINATOR');
    expect((await fetch(5)).error).toBe('NOT_COORDINATOR');
    expect((await fetch(1)).partitions[0]!.error).toBe('NOT_COORDINATOR');
    expect(await commit(9)).toBe('NOT_COORDINATOR');
    client = new EmbeddedClient(cluster, coordinators[0]!.nodeId);
    expect((await fetch(9)).error).toBe('NONE');
    // What was committed moves along.
    await commit(9);
    await cluster.stop(coordinators[0]!.nodeId);
    client = new EmbeddedClient(cluster, other);
    expect((await fetch(9)).partitions[0]!.offset).toBe(42);
  });
});

describe('old versions', () => {
  test.each([0, 1])('version %i works with Kafka 0.9', async (version) => {
    await restart('0.9');
    expect(await commit(version)).toBe('NONE');
    expect((await fetch(version)).partitions[0]).toMatchObject({ offset: 42, error: 'NONE' });
  });

  test('version 0 has a store of its own, which calls what is missing unknown', async () => {
    await restart('0.9');
    await commit(0, { offset: 1 });
    await commit(1, { offset: 2 });
    expect((await fetch(0)).partitions).toMatchObject([
      { offset: 1 },
      { offset: -1, error: 'UNKNOWN_TOPIC_OR_PARTITION' },
    ]);
    expect((await fetch(1)).partitions).toMatchObject([
      { offset: 2 },
      { offset: -1, error: 'NONE' },
    ]);
  });

  test('version 0 ended with ZooKeeper', async () => {
    await restart('3.9');
    expect(await commit(0)).toBe('UNSUPPORTED_VERSION');
    expect((await fetch(0)).partitions[0]!.error).toBe('UNSUPPORTED_VERSION');
  });
});

describe('deleting', () => {
  const remove = async (topic: string, partition = 0, groupId = GROUP) => {
    const { errorCode, topics } = await client.request('OffsetDelete', 0, {
      groupId,
      topics: [{ name: topic, partitions: [{ partitionIndex: partition }] }],
    });
    return errorName(errorCode === 0 ? topics[0]!.partitions[0]!.errorCode : errorCode);
  };

  test('takes offsets of topics that nobody reads', async () => {
    await commit(9);
    await commit(9, { topic: 'clicks' });
    expect(await remove('clicks')).toBe('NONE');
    expect(await remove('clicks', 7)).toBe('UNKNOWN_TOPIC_OR_PARTITION');
    expect(Object.keys(cluster.groupOffsets(GROUP))).toEqual(['orders']);
    expect(await remove('orders', 0, 'nowhere')).toBe('GROUP_ID_NOT_FOUND');
  });

  test('spares topics that members of a consumer group read', async () => {
    const member = new ConsumerMember(cluster, GROUP, 'a');
    await member.join(['orders']);
    expect(await remove('orders')).toBe('GROUP_SUBSCRIBED_TO_TOPIC');
    expect(await remove('clicks')).toBe('NONE');
  });

  test('spares topics that members of a classic group of consumers read', async () => {
    const member = new ClassicMember(cluster, GROUP);
    // Version 0 of the subscription: one topic, no user data.
    const subscription = '\0\0\0\0\0\x01\0\x06orders\xff\xff\xff\xff';
    await member.enter({ protocols: [['range', subscription]] });
    await member.sync();
    expect(await remove('orders')).toBe('GROUP_SUBSCRIBED_TO_TOPIC');
    expect(await remove('clicks')).toBe('NONE');
  });

  test('is impossible while others than consumers are in the group', async () => {
    const member = new ClassicMember(cluster, GROUP);
    await member.enter({ protocolType: 'connect' });
    expect(await remove('clicks')).toBe('NON_EMPTY_GROUP');
  });

  test('of a topic takes its offsets along', async () => {
    await commit(9);
    cluster.deleteTopic('orders');
    expect(cluster.groupOffsets(GROUP)).toEqual({});
  });

  test('of a group takes all, when it is empty', async () => {
    const member = new ClassicMember(cluster, GROUP);
    await commit(9);
    await member.enter();
    const drop = async (groupId: string) => {
      const { results } = await client.request('DeleteGroups', 2, { groupsNames: [groupId] });
      return errorName(results[0]!.errorCode);
    };
    expect(await drop(GROUP)).toBe('NON_EMPTY_GROUP');
    await member.leave();
    expect(await drop(GROUP)).toBe('NONE');
    expect(await drop(GROUP)).toBe('GROUP_ID_NOT_FOUND');
    expect(cluster.groupOffsets(GROUP)).toEqual({});
  });
});

describe('looking at classic groups', () => {
  test.each([0, 1, 2, 3, 4, 5, 6])('DescribeGroups version %i tells members', async (version) => {
    const member = new ClassicMember(cluster, GROUP);
    await member.enter({ protocols: [['range', 'metadata']] });
    await member.sync({ [member.memberId]: 'assignment' });
    const { groups } = await client.request('DescribeGroups', version, {
      groups: [GROUP, 'nowhere'],
      ...(version >= 3 && { includeAuthorizedOperations: true }),
    });
    expect(groups[0]).toMatchObject({
      errorCode: 0,
      groupState: 'Stable',
      protocolType: 'consumer',
      protocolData: 'range',
      members: [{ memberId: member.memberId, clientId: 'test', clientHost: '/127.0.0.1' }],
    });
    expect(String(groups[0]!.members[0]!.memberMetadata)).toBe('metadata');
    expect(String(groups[0]!.members[0]!.memberAssignment)).toBe('assignment');
    if (version >= 3) expect(groups[0]!.authorizedOperations).toBe(3400);
    const error = version >= 6 ? 'GROUP_ID_NOT_FOUND' : 'NONE';
    expect(groups[1]).toMatchObject({ groupState: 'Dead', members: [] });
    expect(errorName(groups[1]!.errorCode)).toBe(error);
  });

  test('ListGroups tells types and states, and filters by them', async () => {
    await commit(9);
    await new ClassicMember(cluster, 'other').enter();
    const list = async (version: number, body = {}) =>
      (await client.request('ListGroups', version, body)).groups.map(({ groupId }) => groupId);
    expect(await list(0)).toEqual([GROUP, 'other']);
    expect(await list(4, { statesFilter: ['empty'] })).toEqual([GROUP]);
    expect(await list(5, { statesFilter: ['CompletingRebalance'] })).toEqual(['other']);
    expect(await list(5, { typesFilter: ['consumer'] })).toEqual([]);
    const { groups } = await client.request('ListGroups', 5, {});
    expect(groups[0]).toEqual({
      groupId: GROUP,
      protocolType: '',
      groupState: 'Empty',
      groupType: 'classic',
    });
  });
});
