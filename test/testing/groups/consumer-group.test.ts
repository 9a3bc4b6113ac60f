import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startEmbeddedKafka, type EmbeddedKafka } from '../../../src/testing/index.js';
import { FakeClock } from '../../support/fake-clock.js';
import { errorName } from '../../support/embedded-client.js';
import { ConsumerMember } from './consumer-member.js';

const GROUP = 'billing';

let clock: FakeClock;
let cluster: EmbeddedKafka;

beforeEach(async () => {
  clock = new FakeClock();
  cluster = await startEmbeddedKafka({ listen: 'memory', clock, topics: { orders: 4, clicks: 2 } });
});

afterEach(async () => {
  await cluster.close();
  expect(clock.pending).toBe(0);
});

const group = () => cluster.inspect().groups[GROUP]!;
const member = (id: string, instanceId: string | null = null) =>
  new ConsumerMember(cluster, GROUP, id, instanceId);
const all = ['orders-0', 'orders-1', 'orders-2', 'orders-3'];

/** Two members that share the topic and have settled. */
async function pair(): Promise<[ConsumerMember, ConsumerMember]> {
  const [a, b] = [member('a'), member('b')];
  await a.join();
  await b.join();
  await a.heartbeat();
  await a.report();
  await b.heartbeat();
  expect(group().state).toBe('Stable');
  return [a, b];
}

describe('joining', () => {
  test('gives the first member everything at once', async () => {
    const a = member('a');
    const answer = await a.join();
    expect(answer).toMatchObject({
      error: 'NONE',
      memberId: 'a',
      memberEpoch: 1,
      heartbeatIntervalMs: 5000,
    });
    expect(a.owned).toEqual(all);
    expect(group()).toMatchObject({
      type: 'consumer',
      state: 'Stable',
      protocolType: 'consumer',
      assignor: 'uniform',
      epoch: 1,
      members: [
        { memberId: 'a', epoch: 1, topics: ['orders'], assignment: { orders: [0, 1, 2, 3] } },
      ],
    });
  });

  test('has the broker think up an id in version 0', async () => {
    const a = member('');
    const rest = {
      rebalanceTimeoutMs: 1000,
      subscribedTopicNames: ['orders'],
      topicPartitions: [],
    };
    await a.heartbeat(rest, 0);
    expect(a.memberId).not.toBe('');
    expect((await a.heartbeat({}, 0)).error).toBe('NONE');
    expect(a.owned).toEqual(all);
  });

  test('takes partitions from one member only after it has given them back', async () => {
    const [a, b] = [member('a'), member('b')];
    await a.join();
    const joined = await b.join();
    // There is nothing free yet.
    expect(joined).toMatchObject({ memberEpoch: 2, assignment: { topicPartitions: [] } });
    expect(group().state).toBe('Reconciling');
    const before = a.owned;
    const asked = await a.heartbeat();
    expect(asked.memberEpoch).toBe(1);
    expect(a.owned).toHaveLength(2);
    // It still says that it has all: nothing happens.
    const kept = a.owned;
    a.owned = before;
    expect(await a.report()).toMatchObject({ memberEpoch: 1, assignment: null });
    expect(await b.heartbeat()).toMatchObject({ memberEpoch: 2, assignment: null });
    a.owned = kept;
    expect((await a.report()).memberEpoch).toBe(2);
    await b.heartbeat();
    expect([...a.owned, ...b.owned].sort()).toEqual(all);
    expect(group().state).toBe('Stable');
  });

  test('says nothing that a member knows already, unless it asks for everything', async () => {
    const a = member('a');
    await a.join();
    expect((await a.heartbeat()).assignment).toBeNull();
    const full = { rebalanceTimeoutMs: 60_000, subscribedTopicNames: ['orders'] };
    expect((await a.report(full)).assignment).not.toBeNull();
  });

  test('refuses more members than the group may have', async () => {
    await cluster.close();
    cluster = await startEmbeddedKafka({
      listen: 'memory',
      clock,
      groupMaxSize: 1,
      topics: { orders: 1 },
    });
    await member('a').join();
    expect((await member('b').join()).error).toBe('GROUP_MAX_SIZE_REACHED');
  });

  test.each([
    ['no member id', { memberId: '' }, "MemberId can't be empty."],
    ['no group id', { groupId: '' }, "GroupId can't be empty."],
    ['an empty instance id', { instanceId: '' }, "InstanceId can't be empty."],
    ['an empty rack', { rackId: '' }, "RackId can't be empty."],
    [
      'no timeout',
      { rebalanceTimeoutMs: -1 },
      'RebalanceTimeoutMs must be provided in first request.',
    ],
    [
      'no topics',
      { subscribedTopicNames: null },
      'Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.',
    ],
    [
      'no partitions',
      { topicPartitions: null },
      'TopicPartitions must be empty when (re-)joining.',
    ],
    ['a strange epoch', { memberEpoch: -3 }, 'MemberEpoch is invalid.'],
  ])('refuses %s', async (_what, change, message) => {
    const answer = await member('a').join(['orders'], change);
    expect(answer).toMatchObject({ error: 'INVALID_REQUEST', errorMessage: message });
    expect(cluster.inspect().groups).toEqual({});
  });

  test('refuses assignors that the broker lacks', async () => {
    const answer = await member('a').join(['orders'], { serverAssignor: 'sticky' });
    expect(answer.error).toBe('UNSUPPORTED_ASSIGNOR');
    expect(answer.errorMessage).toBe(
      'ServerAssignor sticky is not supported. Supported assignors: uniform, range.',
    );
  });

  test.each(['3.9', '2.8'] as const)('is not possible with Kafka %s', async (version) => {
    await cluster.close();
    cluster = await startEmbeddedKafka({ listen: 'memory', clock, version });
    const a = member('a');
    const rest = {
      rebalanceTimeoutMs: 1000,
      subscribedTopicNames: ['orders'],
      topicPartitions: [],
    };
    if (version === '2.8') await expect(a.heartbeat(rest, 0)).rejects.toThrow('hung up');
    else expect((await a.heartbeat(rest, 0)).error).toBe('UNSUPPORTED_VERSION');
  });

  test('is told by a finalized feature of 4.x only', async () => {
    const { finalizedFeatures } = await member('a').client.request('ApiVersions', 4, {
      clientSoftwareName: 'test',
      clientSoftwareVersion: '1',
    });
    expect(finalizedFeatures).toContainEqual({
      name: 'group.version',
      maxVersionLevel: 1,
      minVersionLevel: 1,
    });
  });
});

describe('epochs', () => {
  test('fence a member that is ahead, or behind by more than one answer', async () => {
    const [a] = await pair();
    cluster.rebalance(GROUP);
    await a.heartbeat();
    expect(a.epoch).toBe(3);
    a.epoch = 9;
    expect((await a.heartbeat()).error).toBe('FENCED_MEMBER_EPOCH');
    a.epoch = 1;
    expect((await a.heartbeat()).error).toBe('FENCED_MEMBER_EPOCH');
    expect((await a.report()).error).toBe('FENCED_MEMBER_EPOCH');
  });

  test('forgive one answer that was lost, to a member that says what it has', async () => {
    const a = member('a');
    await a.join();
    cluster.rebalance(GROUP);
    await a.heartbeat();
    expect(a.epoch).toBe(2);
    a.epoch = 1;
    expect((await a.heartbeat()).error).toBe('FENCED_MEMBER_EPOCH');
    expect(await a.report()).toMatchObject({ error: 'NONE', memberEpoch: 2 });
  });

  test('let a member join anew with 0 at any time', async () => {
    const [a] = await pair();
    const kept = [...a.owned];
    expect((await a.join()).error).toBe('NONE');
    expect(a.owned).toEqual(kept);
  });

  test('of unknown members and groups are refused', async () => {
    await pair();
    const stranger = member('stranger');
    stranger.epoch = 2;
    expect((await stranger.heartbeat()).error).toBe('UNKNOWN_MEMBER_ID');
    expect((await stranger.leave()).error).toBe('UNKNOWN_MEMBER_ID');
    const nobody = new ConsumerMember(cluster, 'nowhere', 'a');
    nobody.epoch = 1;
    expect((await nobody.heartbeat()).error).toBe('GROUP_ID_NOT_FOUND');
    expect((await nobody.leave()).error).toBe('GROUP_ID_NOT_FOUND');
  });

  test('of the group rise when a member reads other topics', async () => {
    const a = member('a');
    await a.join();
    await a.heartbeat({ subscribedTopicNames: ['orders', 'clicks'] });
    expect(group().epoch).toBe(2);
    expect(a.owned.sort()).toEqual(['clicks-0', 'clicks-1', ...all]);
    await a.heartbeat({ subscribedTopicNames: ['orders', 'clicks'] });
    expect(group().epoch).toBe(2);
  });

  test('of the group rise when a topic comes, grows or goes', async () => {
    const a = member('a');
    await a.join(['orders', 'later']);
    expect(group().epoch).toBe(1);
    cluster.createTopic('later', { partitions: 1 });
    await a.heartbeat();
    expect(group().epoch).toBe(2);
    expect(a.owned).toContain('later-0');
    await a.client.request('CreatePartitions', 3, {
      topics: [{ name: 'orders', count: 5, assignments: null }],
      timeoutMs: 0,
      validateOnly: false,
    });
    await a.heartbeat();
    expect(a.owned).toContain('orders-4');
    cluster.deleteTopic('later');
    await a.heartbeat();
    expect(a.owned).not.toContain('later-0');
    expect(group().epoch).toBe(4);
  });

  test('of the group can be raised by hand', async () => {
    const [a, b] = await pair();
    const epoch = a.epoch;
    cluster.rebalance(GROUP);
    expect(group().state).toBe('Assigning');
    await a.heartbeat();
    await b.heartbeat();
    expect([a.epoch, b.epoch]).toEqual([epoch + 1, epoch + 1]);
  });

  test('wait for the assignment interval', async () => {
    await cluster.close();
    cluster = await startEmbeddedKafka({
      listen: 'memory',
      clock,
      topics: { orders: 4 },
      groupConsumerAssignmentIntervalMs: 1000,
    });
    const [a, b] = [member('a'), member('b')];
    await a.join();
    await b.join();
    expect(b.owned).toEqual([]);
    expect(group().state).toBe('Assigning');
    await a.heartbeat();
    expect(a.owned).toEqual(all);
    clock.advance(1000);
    await a.heartbeat();
    expect(a.owned).toHaveLength(2);
  });
});

describe('timeouts', () => {
  test('end the session of a member that sends no heartbeat', async () => {
    const [a, b] = await pair();
    clock.advance(44_999);
    await a.heartbeat();
    clock.advance(1);
    expect(group().members.map(({ memberId }) => memberId)).toEqual(['a']);
    await a.heartbeat();
    expect(a.owned.sort()).toEqual(all);
    expect((await b.heartbeat()).error).toBe('UNKNOWN_MEMBER_ID');
  });

  test('fence a member that does not give partitions back', async () => {
    const [a, b] = [member('a'), member('b')];
    await a.join();
    await b.join();
    const before = a.owned;
    await a.heartbeat();
    a.owned = before;
    for (let waited = 0; waited < 60_000; waited += 30_000) {
      await a.report();
      await b.heartbeat();
      clock.advance(30_000);
    }
    expect((await a.report()).error).toBe('UNKNOWN_MEMBER_ID');
    await b.heartbeat();
    expect(b.owned.sort()).toEqual(all);
  });

  test('can be brought about by hand', async () => {
    const [a, b] = await pair();
    cluster.expireMember(GROUP, 'b');
    expect((await b.heartbeat()).error).toBe('UNKNOWN_MEMBER_ID');
    await a.heartbeat();
    expect(a.owned.sort()).toEqual(all);
    expect(() => cluster.expireMember(GROUP, 'b')).toThrow('no member b of group billing');
  });
});

describe('leaving', () => {
  test('gives what a member had to the others', async () => {
    const [a, b] = await pair();
    expect(await b.leave()).toMatchObject({ error: 'NONE', memberEpoch: -1 });
    await a.heartbeat();
    expect(a.owned.sort()).toEqual(all);
    await a.leave();
    expect(group()).toMatchObject({ state: 'Empty', members: [] });
  });

  test('can be done for a member by LeaveGroup', async () => {
    await pair();
    const { members } = await member('c').client.request('LeaveGroup', 5, {
      groupId: GROUP,
      members: [{ memberId: 'b' }, { memberId: 'c' }],
    });
    expect(members.map(({ errorCode }) => errorName(errorCode))).toEqual([
      'NONE',
      'UNKNOWN_MEMBER_ID',
    ]);
    expect(group().members.map(({ memberId }) => memberId)).toEqual(['a']);
  });
});

describe('static members', () => {
  test('get the same back when they come again within their session', async () => {
    const [a, b] = [member('a', 'one'), member('b')];
    await a.join();
    await b.join();
    await a.heartbeat();
    await a.report();
    await b.heartbeat();
    const { epoch } = group();
    const kept = [...a.owned];
    expect(await a.leave(-2)).toMatchObject({ error: 'NONE', memberEpoch: -2 });
    await b.heartbeat();
    expect(b.owned).toHaveLength(2);
    const again = member('a2', 'one');
    expect(await again.join()).toMatchObject({ error: 'NONE', memberEpoch: epoch });
    expect(again.owned).toEqual(kept);
    expect(group().epoch).toBe(epoch);
    expect(
      group()
        .members.map(({ memberId }) => memberId)
        .sort(),
    ).toEqual(['a2', 'b']);
  });

  test('lose it when they stay away for too long', async () => {
    const a = member('a', 'one');
    await a.join();
    await a.leave(-2);
    clock.advance(45_000);
    expect(group()).toMatchObject({ state: 'Empty', members: [] });
  });

  test('can’t take over an instance that is in use', async () => {
    const a = member('a', 'one');
    await a.join();
    expect((await member('a2', 'one').join()).error).toBe('UNRELEASED_INSTANCE_ID');
  });

  test('are fenced when another one runs their instance', async () => {
    const a = member('a', 'one');
    await a.join();
    const { epoch } = a;
    await a.leave(-2);
    await member('a2', 'one').join();
    a.epoch = epoch;
    expect((await a.heartbeat()).error).toBe('FENCED_INSTANCE_ID');
    expect((await a.leave()).error).toBe('FENCED_INSTANCE_ID');
    const unknown = member('x', 'two');
    unknown.epoch = 1;
    expect((await unknown.heartbeat()).error).toBe('UNKNOWN_MEMBER_ID');
  });
});

describe('assignors', () => {
  test('divide each topic among neighbours by range', async () => {
    const [a, b] = [member('a'), member('b')];
    const rest = { serverAssignor: 'range' };
    const topics = ['orders', 'clicks'];
    await a.join(topics, rest);
    await b.join(topics, rest);
    await a.heartbeat();
    await a.report();
    await b.heartbeat();
    expect(group().assignor).toBe('range');
    expect(a.owned.sort()).toEqual(['clicks-0', 'orders-0', 'orders-1']);
    expect(b.owned.sort()).toEqual(['clicks-1', 'orders-2', 'orders-3']);
  });

  test('are the one that most members ask for', async () => {
    await member('a').join(['orders'], { serverAssignor: 'range' });
    await member('b').join(['orders'], { serverAssignor: 'uniform' });
    await member('c').join(['orders'], { serverAssignor: 'uniform' });
    expect(group().assignor).toBe('uniform');
  });
});

describe('regular expressions', () => {
  const subscribe = (regex: string) => ({ subscribedTopicNames: [], subscribedTopicRegex: regex });

  test('find their topics by the next heartbeat', async () => {
    const a = member('a');
    const joined = await a.join([], subscribe('(orders|clicks)'));
    expect(joined).toMatchObject({ error: 'NONE', assignment: { topicPartitions: [] } });
    await a.heartbeat();
    expect(a.owned.sort()).toEqual(['clicks-0', 'clicks-1', ...all]);
    expect(group().members[0]!.topics).toEqual(['clicks', 'orders']);
  });

  test('match whole names only, and add to names', async () => {
    const a = member('a');
    await a.join(['clicks'], { subscribedTopicRegex: 'ord' });
    await a.heartbeat();
    expect(a.owned.sort()).toEqual(['clicks-0', 'clicks-1']);
  });

  test('find topics that come later, ten seconds apart at the earliest', async () => {
    const a = member('a');
    await a.join([], subscribe('new-.*'));
    await a.heartbeat();
    cluster.createTopic('new-one', { partitions: 1 });
    await a.heartbeat();
    await a.heartbeat();
    expect(a.owned).toEqual([]);
    clock.advance(10_001);
    await a.heartbeat();
    await a.heartbeat();
    expect(a.owned).toEqual(['new-one-0']);
  });

  test('that are none are refused, and change nothing', async () => {
    const a = member('a');
    const refused = await a.join([], subscribe('orders('));
    expect(refused.error).toBe('INVALID_REGULAR_EXPRESSION');
    expect(cluster.inspect().groups).toEqual({});
    await a.join();
    expect((await a.heartbeat({ subscribedTopicRegex: '(?=x)' })).error).toBe(
      'INVALID_REGULAR_EXPRESSION',
    );
    expect(group()).toMatchObject({ epoch: 1, members: [{ topics: ['orders'] }] });
  });

  test('can be given up for names', async () => {
    const a = member('a');
    await a.join([], subscribe('.*'));
    await a.heartbeat();
    await a.heartbeat({ subscribedTopicRegex: '', subscribedTopicNames: ['clicks'] });
    await a.report();
    expect(a.owned.sort()).toEqual(['clicks-0', 'clicks-1']);
  });
});

describe('both protocols', () => {
  const joinClassic = async (client: ConsumerMember['client']) => {
    const { errorCode } = await client.request('JoinGroup', 3, {
      groupId: GROUP,
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      memberId: '',
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: Buffer.alloc(0) }],
    });
    return errorName(errorCode);
  };

  test('can’t be in one group at once where that is off, but follow one another', async () => {
    await cluster.close();
    cluster = await startEmbeddedKafka({
      listen: 'memory',
      clock,
      topics: { orders: 4 },
      groupConsumerMigrationPolicy: 'disabled',
    });
    const a = member('a');
    await a.join();
    expect(await joinClassic(a.client)).toBe('INCONSISTENT_GROUP_PROTOCOL');
    const heartbeat = await a.client.request('Heartbeat', 4, {
      groupId: GROUP,
      generationId: 1,
      memberId: 'a',
    });
    expect(errorName(heartbeat.errorCode)).toBe('UNKNOWN_MEMBER_ID');
    await a.leave();
    expect(await joinClassic(a.client)).toBe('NONE');
    expect(group().type).toBe('classic');
    expect(await member('b').join()).toMatchObject({
      error: 'GROUP_ID_NOT_FOUND',
      errorMessage: 'Group billing is not a consumer group.',
    });
    cluster.expireMember(GROUP, group().members[0]!.memberId);
    expect((await member('b').join()).error).toBe('NONE');
    expect(group().type).toBe('consumer');
  });
});

describe('describing', () => {
  test('tells epochs, assignments and targets', async () => {
    const [a, b] = [member('a', 'one'), member('b')];
    await a.join();
    await b.join();
    const { groups } = await a.client.request('ConsumerGroupDescribe', 1, {
      groupIds: [GROUP, 'nowhere'],
      includeAuthorizedOperations: true,
    });
    expect(groups[0]).toMatchObject({
      errorCode: 0,
      groupState: 'Reconciling',
      groupEpoch: 2,
      assignmentEpoch: 2,
      assignorName: 'uniform',
      authorizedOperations: 3400,
    });
    const [first, second] = groups[0]!.members;
    expect(first).toMatchObject({
      memberId: 'a',
      instanceId: 'one',
      memberEpoch: 1,
      clientId: 'test',
      clientHost: '/127.0.0.1',
      subscribedTopicNames: ['orders'],
      subscribedTopicRegex: null,
      memberType: 1,
    });
    expect(first!.assignment.topicPartitions[0]!.partitions).toEqual([0, 1, 2, 3]);
    expect(first!.targetAssignment.topicPartitions[0]!.partitions).toHaveLength(2);
    expect(second!.assignment.topicPartitions).toEqual([]);
    expect(groups[1]).toMatchObject({ groupId: 'nowhere', groupState: '' });
    expect(errorName(groups[1]!.errorCode)).toBe('GROUP_ID_NOT_FOUND');
  });

  test('leaves groups of the other protocol to DescribeGroups, and the reverse', async () => {
    await member('a').join();
    const { client } = member('a');
    const { groups } = await client.request('DescribeGroups', 6, { groups: [GROUP] });
    expect(errorName(groups[0]!.errorCode)).toBe('GROUP_ID_NOT_FOUND');
    const listed = await client.request('ListGroups', 5, {
      statesFilter: ['stable'],
      typesFilter: ['Consumer'],
    });
    expect(listed.groups).toEqual([
      { groupId: GROUP, protocolType: 'consumer', groupState: 'Stable', groupType: 'consumer' },
    ]);
  });
});

describe('a coordinator that moves', () => {
  test('takes members, epochs and sessions along', async () => {
    await cluster.close();
    cluster = await startEmbeddedKafka({
      listen: 'memory',
      clock,
      brokers: 3,
      topics: { orders: 4 },
    });
    const { coordinators } = await member('x').client.request('FindCoordinator', 4, {
      keyType: 0,
      coordinatorKeys: [GROUP],
    });
    const former = coordinators[0]!.nodeId;
    const elsewhere = cluster.brokerIds.find((id) => id !== former)!;
    const stranger = new ConsumerMember(cluster, GROUP, 'a', null, elsewhere);
    expect((await stranger.join()).error).toBe('NOT_COORDINATOR');
    const a = new ConsumerMember(cluster, GROUP, 'a', null, former);
    await a.join();
    await cluster.stop(former);
    const moved = member('a');
    moved.epoch = a.epoch;
    expect(await moved.heartbeat()).toMatchObject({ error: 'NONE', memberEpoch: 1 });
    clock.advance(45_000);
    expect((await moved.heartbeat()).error).toBe('UNKNOWN_MEMBER_ID');
  });

  test('goes on waiting for partitions to be given back', async () => {
    await cluster.close();
    cluster = await startEmbeddedKafka({
      listen: 'memory',
      clock,
      brokers: 2,
      topics: { orders: 4 },
    });
    const { coordinators } = await member('x').client.request('FindCoordinator', 4, {
      keyType: 0,
      coordinatorKeys: [GROUP],
    });
    const former = coordinators[0]!.nodeId;
    const on = (id: string, broker: number) => new ConsumerMember(cluster, GROUP, id, null, broker);
    const [a, b] = [on('a', former), on('b', former)];
    await a.join();
    await b.join();
    await a.heartbeat();
    const next = cluster.brokerIds.find((id) => id !== former)!;
    cluster.moveCoordinator(GROUP, next);
    const moved = on('a', next);
    moved.epoch = a.epoch;
    clock.advance(30_000);
    expect((await moved.heartbeat()).error).toBe('NONE');
    clock.advance(30_000);
    expect((await moved.heartbeat()).error).toBe('UNKNOWN_MEMBER_ID');
  });
});
