import { describe, expect, test } from 'vitest';
import type { Assignor, GroupOptions } from '../../../src/core/group/index.js';
import { KafkaError } from '../../../src/core/util/errors.js';
import { FakeClock } from '../../support/fake-clock.js';
import { idOf, ScriptedGroup, versions09 } from './scripted-group.js';
import { WatchedMember, type WatchedMemberOptions } from './watched-member.js';

const REBALANCE_IN_PROGRESS = 27;
const UNKNOWN_MEMBER_ID = 25;
const FINALIZED = { 'group.version': 1 };
const both = ['orders-0', 'orders-1'];

function start(
  group: ScriptedGroup,
  options: Partial<GroupOptions> = {},
  rest: Partial<WatchedMemberOptions> = {},
): WatchedMember {
  return new WatchedMember({
    kafka: { bootstrapServers: 'b:9092', transport: group.transport, clock: group.clock },
    group: { groupId: 'group', ...options },
    subscription: { type: 'topics', topics: ['orders'] },
    ...rest,
  }).join();
}

async function joined(
  group: ScriptedGroup,
  options: Partial<GroupOptions> = {},
  rest: Partial<WatchedMemberOptions> = {},
): Promise<WatchedMember> {
  const member = start(group, options, rest);
  await group.until(() => member.isStable);
  return member;
}

/** Has the next heartbeat say that the group rebalances. */
async function rebalance(group: ScriptedGroup): Promise<void> {
  const count = group.count('Heartbeat');
  group.answer('Heartbeat', { errorCode: REBALANCE_IN_PROGRESS });
  await group.until(() => group.count('Heartbeat') > count);
  group.reset('Heartbeat');
}

/** A promise that the test settles. */
function held(): { promise: Promise<void>; done: () => void; fail: (error: Error) => void } {
  let done!: () => void;
  let fail!: (error: Error) => void;
  const promise = new Promise<void>((resolve, reject) => {
    done = resolve;
    fail = reject;
  });
  return { promise, done, fail };
}

async function close(group: ScriptedGroup, member: WatchedMember): Promise<void> {
  const leaving = member.member.leave();
  let hasLeft = false;
  void leaving.then(() => (hasLeft = true));
  await group.until(() => hasLeft);
  await member.cluster.close();
}

describe('a member of a classic group', () => {
  test('joins, is told what it has, and says who it is', async () => {
    const group = new ScriptedGroup();
    const member = start(group);
    expect(member.member.metadata).toBeUndefined();
    await group.until(() => member.isStable);
    expect(member.partitions).toEqual(both);
    expect(member.member.protocol).toBe('classic');
    expect(member.member.metadata).toEqual({
      groupId: 'group',
      memberId: 'given',
      generationId: 1,
      groupInstanceId: null,
    });
    expect(member.events.map(({ type }) => type)).toEqual(['group-protocol-chosen', 'joined']);
    await close(group, member);
  });

  test('sends heartbeats at its interval', async () => {
    const group = new ScriptedGroup();
    const member = await joined(group);
    const count = group.count('Heartbeat');
    await group.advance(30_000);
    expect(group.count('Heartbeat') - count).toBe(10);
    await close(group, member);
  });

  test('waits for others on a connection of its own, so that nothing waits behind that', async () => {
    const group = new ScriptedGroup();
    const member = await joined(group);
    group.answer('JoinGroup', 'hold');
    await rebalance(group);
    await group.until(() => group.count('JoinGroup') === 2);
    const links = ['JoinGroup', 'Heartbeat', 'Metadata'] as const;
    expect(new Set(links.map((name) => group.linkOf(name))).size).toBe(3);
    group.reset('JoinGroup');
    const answered = member.cluster.request({ group: 'group' }, 'Heartbeat', {
      groupId: 'group',
      generationId: 1,
      memberId: 'given',
    });
    await expect(answered).resolves.toMatchObject({ errorCode: 0 });
    await close(group, member);
  });

  test('waits for the others as long as a rebalance may take', async () => {
    const group = new ScriptedGroup();
    const member = await joined(group, { rebalanceTimeoutMs: 300_000 });
    group.answer('JoinGroup', 'hold');
    await rebalance(group);
    await group.until(() => group.count('JoinGroup') === 2);
    await group.advance(250_000);
    expect(group.count('JoinGroup')).toBe(2);
    group.release('JoinGroup', {
      errorCode: 0,
      generationId: 7,
      protocolType: 'consumer',
      protocolName: 'range',
      leader: 'other',
      memberId: 'given',
    });
    await group.until(() => member.isStable);
    expect(member.member.metadata?.generationId).toBe(7);
    expect(member.fatal).toBeUndefined();
    await close(group, member);
  });

  test('goes on with heartbeats while its partitions are drained', async () => {
    const drained = held();
    const group = new ScriptedGroup();
    const onRevoked = () => drained.promise;
    const member = await joined(group, { rebalanceTimeoutMs: 60_000 }, { onRevoked });
    await rebalance(group);
    await group.until(() => member.calls.length === 2);
    const [at, count] = [group.clock.monotonic(), group.count('Heartbeat')];
    expect(member.calls.at(-1)).toBe(`-${both.join()}`);
    expect(member.deadlineMs! - at).toBeGreaterThan(56_000);
    expect(member.deadlineMs! - at).toBeLessThanOrEqual(57_000);
    await group.advance(30_000);
    expect(group.count('Heartbeat') - count).toBe(10);
    expect(group.count('JoinGroup')).toBe(1);
    drained.done();
    await group.until(() => group.count('JoinGroup') === 2);
    await group.until(() => member.isStable);
    expect(member.partitions).toEqual(both);
    await close(group, member);
  });

  test('goes on with heartbeats while its partitions are taken up', async () => {
    const ready = held();
    const group = new ScriptedGroup();
    const member = start(group, {}, { onAssigned: () => ready.promise });
    await group.until(() => member.calls.length === 1);
    const count = group.count('Heartbeat');
    await group.advance(30_000);
    expect(group.count('Heartbeat') - count).toBe(10);
    expect(member.isStable).toBe(false);
    ready.done();
    await group.until(() => member.isStable);
    await close(group, member);
  });

  test('loses at once what is being drained when it is expelled, and then waits for the drain', async () => {
    const drained = held();
    const group = new ScriptedGroup();
    const member = await joined(group, {}, { onRevoked: () => drained.promise });
    await rebalance(group);
    await group.until(() => member.calls.length === 2);
    group.answer('Heartbeat', { errorCode: UNKNOWN_MEMBER_ID });
    await group.until(() => member.calls.length === 3);
    expect(member.calls.at(-1)).toBe(`!${both.join()}`);
    group.reset('Heartbeat');
    await group.until(() => group.count('SyncGroup') === 2);
    await group.advance(1000);
    expect(member.calls).toHaveLength(3);
    drained.done();
    await group.until(() => member.isStable);
    expect(member.calls.at(-1)).toBe(`+${both.join()}`);
    expect(member.contradictions).toEqual([]);
    await close(group, member);
  });

  test('is not told of what it was given and lost again while it drained', async () => {
    const drained = held();
    const group = new ScriptedGroup();
    const member = await joined(group, {}, { onRevoked: () => drained.promise });
    await rebalance(group);
    for (const round of [2, 3]) {
      group.answer('Heartbeat', { errorCode: UNKNOWN_MEMBER_ID });
      await group.until(() => group.count('SyncGroup') === round);
      group.reset('Heartbeat');
      await group.advance(100);
    }
    drained.done();
    await group.until(() => member.isStable);
    const label = both.join();
    expect(member.calls).toEqual([`+${label}`, `-${label}`, `!${label}`, `+${label}`]);
    expect(member.contradictions).toEqual([]);
    await close(group, member);
  });

  test('hands back what could not be drained, with a warning', async () => {
    const group = new ScriptedGroup();
    const onRevoked = () => Promise.reject(new Error('stuck'));
    const member = await joined(group, {}, { onRevoked });
    await rebalance(group);
    await group.until(() => group.count('JoinGroup') === 2);
    expect(member.eventsOf('warning')).toMatchObject([
      { code: 'REVOCATION_FAILED', message: expect.stringContaining('stuck') as string },
    ]);
    await close(group, member);
  });

  test('ends when what it was assigned can’t be taken up', async () => {
    const group = new ScriptedGroup();
    const error = new KafkaError('no permission', { code: 'TOPIC_AUTHORIZATION_FAILED' });
    const member = start(group, {}, { onAssigned: () => Promise.reject(error) });
    await group.until(() => member.fatal !== undefined);
    expect(member.fatal).toBe(error);
    expect(member.partitions).toEqual([]);
    await member.cluster.close();
  });

  test('asks its coordinator at once when a commit suggests that something is wrong', async () => {
    const group = new ScriptedGroup();
    const member = await joined(group);
    const count = group.count('Heartbeat');
    group.answer('Heartbeat', { errorCode: UNKNOWN_MEMBER_ID });
    member.member.requestRejoin('UNKNOWN_MEMBER_ID');
    await group.until(() => group.count('Heartbeat') > count, 100);
    group.reset('Heartbeat');
    await group.until(() => member.calls.length === 3);
    expect(member.calls).toEqual([`+${both.join()}`, `!${both.join()}`, `+${both.join()}`]);
    await close(group, member);
  });

  test('finds its coordinator again, and says that it had to', async () => {
    const group = new ScriptedGroup();
    const member = await joined(group);
    const looked = group.count('FindCoordinator');
    let refusals = 2;
    group.answer('Heartbeat', () => ({ errorCode: refusals-- > 0 ? 16 : 0 }));
    await group.until(() => group.count('FindCoordinator') === looked + 2);
    await group.until(() => member.eventsOf('group-retried').length === 2);
    expect(member.eventsOf('group-retried')[0]).toMatchObject({ api: 'Heartbeat' });
    expect(member.isStable).toBe(true);
    await close(group, member);
  });

  test('notices partitions that its topic gains, as leader', async () => {
    const group = new ScriptedGroup();
    const member = await joined(group);
    group.topics.set('orders', 3);
    member.cluster.requestMetadataUpdate();
    await group.until(() => member.partitions.length === 3);
    await close(group, member);
  });

  test('notices a topic that is created later, as leader', async () => {
    const group = new ScriptedGroup();
    const topics = ['orders', 'clicks'];
    const member = await joined(group, {}, { subscription: { type: 'topics', topics } });
    expect(member.partitions).toEqual(both);
    group.topics.set('clicks', 1);
    await group.until(() => member.partitions.length === 3);
    await close(group, member);
  });

  test('does not forget the topics that it shared out, however long nothing happens', async () => {
    const group = new ScriptedGroup();
    const member = await joined(group, { heartbeatIntervalMs: 30_000, sessionTimeoutMs: 90_000 });
    await group.advance(20 * 60_000);
    expect(member.calls).toEqual([`+${both.join()}`]);
    expect(group.count('Metadata')).toBeGreaterThan(3);
    await close(group, member);
  });

  test('is told when its own assignor fails', async () => {
    const group = new ScriptedGroup();
    const broken: Assignor = {
      name: 'broken',
      supportedProtocols: ['eager'],
      assign: () => {
        throw new Error('no idea');
      },
    };
    const member = start(group, { partitionAssignmentStrategy: [broken] });
    await group.until(() => member.fatal !== undefined);
    expect(member.fatal).toMatchObject({ code: 'ASSIGNOR_FAILED' });
    await member.cluster.close();
  });

  test('warns when the event loop was blocked for longer than a heartbeat may wait', async () => {
    const clock = new LaggingClock();
    const group = new ScriptedGroup(undefined, undefined, clock);
    const member = await joined(group);
    clock.lagMs = 4000;
    await group.until(() => member.eventsOf('warning').length > 0);
    expect(member.eventsOf('warning')[0]!.code).toBe('EVENT_LOOP_BLOCKED');
    await close(group, member);
  });
});

describe('on a broker of 0.9', () => {
  test('a member joins, beats and leaves in the oldest versions', async () => {
    const group = new ScriptedGroup(versions09);
    const member = await joined(group);
    expect(member.partitions).toEqual(both);
    await group.advance(3000);
    await close(group, member);
    const oldest = ['JoinGroup', 'SyncGroup', 'Heartbeat', 'LeaveGroup'] as const;
    expect(oldest.map((name) => group.last(name).version)).toEqual([0, 0, 0, 0]);
    expect(group.last('LeaveGroup').body).toMatchObject({ groupId: 'group', memberId: 'given' });
  });

  test('the session is the time for a rebalance', async () => {
    const group = new ScriptedGroup(versions09);
    const member = await joined(group, { sessionTimeoutMs: 20_000, heartbeatIntervalMs: 2000 });
    await rebalance(group);
    await group.until(() => member.calls.length > 1);
    expect(member.deadlineMs! - group.clock.monotonic()).toBeLessThanOrEqual(18_000);
    await close(group, member);
  });
});

describe('a member of a group of the new protocol', () => {
  const accepted = (epoch: number, partitions: number[] | null) => ({
    errorCode: 0,
    memberId: 'me',
    memberEpoch: epoch,
    heartbeatIntervalMs: 5000,
    assignment:
      partitions === null ? null : { topicPartitions: [{ topicId: idOf('orders'), partitions }] },
  });
  const cluster = () => {
    const group = new ScriptedGroup(undefined, FINALIZED);
    group.answer('ConsumerGroupHeartbeat', ({ body }) => {
      const epoch = body['memberEpoch'] as number;
      return accepted(epoch === 0 ? 1 : epoch, epoch === 0 ? [0, 1] : null);
    });
    return group;
  };

  test('joins, looks names up, and beats as the coordinator wants', async () => {
    const group = cluster();
    const member = await joined(group);
    expect(member.member.protocol).toBe('consumer');
    expect(member.partitions).toEqual(both);
    expect(member.member.metadata).toMatchObject({ memberId: 'me', generationId: 1 });
    const count = group.count('ConsumerGroupHeartbeat');
    await group.advance(50_000);
    expect(group.count('ConsumerGroupHeartbeat') - count).toBe(10);
    await close(group, member);
    expect(group.last('ConsumerGroupHeartbeat').body).toMatchObject({ memberEpoch: -1 });
  });

  test('waits for the name of a topic that no broker has heard of yet', async () => {
    const group = cluster();
    group.answer('Metadata', ({ body }) => {
      const byId = (body['topics'] as { name: string | null; topicId: string }[]).filter(
        ({ name }) => name === null,
      );
      return {
        brokers: [{ nodeId: 1, host: 'b', port: 9092 }],
        topics: byId.map(({ topicId }) => ({
          topicId,
          name: null,
          errorCode: 100,
          partitions: [],
        })),
      };
    });
    const member = start(group);
    await group.advance(5000);
    expect(member.calls).toEqual([]);
    group.reset('Metadata');
    await group.until(() => member.isStable);
    expect(member.partitions).toEqual(both);
    await close(group, member);
  });

  test('a pattern that the broker understands goes to the broker', async () => {
    const group = cluster();
    const pattern = /ord.*/;
    const member = await joined(group, {}, { subscription: { type: 'pattern', pattern } });
    const first = group.asked.find(({ name }) => name === 'ConsumerGroupHeartbeat')!;
    expect(first.body).toMatchObject({ subscribedTopicRegex: 'ord.*', subscribedTopicNames: [] });
    await close(group, member);
  });

  test('another pattern is matched by the client, again and again', async () => {
    const group = cluster();
    const pattern = /(?!clicks)[a-z]+/;
    const member = await joined(
      group,
      { metadataMaxAgeMs: 60_000 },
      { subscription: { type: 'pattern', pattern } },
    );
    const first = group.asked.find(({ name }) => name === 'ConsumerGroupHeartbeat')!;
    expect(first.body).toMatchObject({ subscribedTopicNames: ['orders'] });
    group.topics.set('clicks', 1).set('invoices', 1);
    await group.advance(61_000);
    const told = group.asked.flatMap(
      ({ body }) => (body['subscribedTopicNames'] as string[] | null) ?? [],
    );
    expect(told).toContain('invoices');
    expect(told).not.toContain('clicks');
    await close(group, member);
  });

  test.each([
    ['UNSUPPORTED_VERSION', 35],
    ['GROUP_ID_NOT_FOUND', 69],
  ])('falls back to the classic protocol where it is told %s, and says so', async (name, code) => {
    const group = new ScriptedGroup(undefined, FINALIZED);
    group.answer('ConsumerGroupHeartbeat', {
      errorCode: code,
      memberEpoch: 0,
      heartbeatIntervalMs: 0,
    });
    const member = await joined(group);
    expect(member.member.protocol).toBe('classic');
    expect(member.eventsOf('group-protocol-chosen').map(({ protocol }) => protocol)).toEqual([
      'consumer',
      'classic',
    ]);
    expect(member.eventsOf('group-protocol-chosen')[1]!.reason).toContain(name);
    expect(member.fatal).toBeUndefined();
    await close(group, member);
  });

  test('does not fall back when the new protocol was asked for', async () => {
    const group = new ScriptedGroup(undefined, FINALIZED);
    group.answer('ConsumerGroupHeartbeat', {
      errorCode: 35,
      memberEpoch: 0,
      heartbeatIntervalMs: 0,
    });
    const member = start(group, { groupProtocol: 'consumer' });
    await group.until(() => member.fatal !== undefined);
    expect(member.fatal).toMatchObject({ code: 'UNSUPPORTED_VERSION' });
    await member.cluster.close();
  });
});

describe('leaving', () => {
  test('a member says so; nothing is called back afterwards, and nothing is left behind', async () => {
    const group = new ScriptedGroup();
    const member = await joined(group);
    const calls = [...member.calls];
    await close(group, member);
    expect(group.last('LeaveGroup').body).toMatchObject({ members: [{ memberId: 'given' }] });
    expect(member.calls).toEqual(calls);
    expect(member.events.at(-1)).toMatchObject({ type: 'left', keepsMembership: false });
    expect(member.member.metadata).toBeUndefined();
    await group.advance(1000);
    expect(group.clock.pending).toBe(0);
  });

  test('a static member goes without a word, unless it is not coming back', async () => {
    const group = new ScriptedGroup();
    const quiet = await joined(group, { groupInstanceId: 'a' });
    await close(group, quiet);
    expect(group.count('LeaveGroup')).toBe(0);
    expect(quiet.events.at(-1)).toMatchObject({ type: 'left', keepsMembership: true });
    const loud = await joined(group, { groupInstanceId: 'b' });
    const leaving = loud.member.leave({ keepsMembership: false });
    await group.until(() => group.count('LeaveGroup') === 1);
    await leaving;
    await loud.cluster.close();
  });

  test('does not wait for ever for a coordinator that is gone', async () => {
    const group = new ScriptedGroup();
    const member = await joined(group, { requestTimeoutMs: 10_000 });
    group.answer('LeaveGroup', 'hold');
    let hasLeft = false;
    void member.member.leave().then(() => (hasLeft = true));
    await group.advance(9000);
    expect(hasLeft).toBe(false);
    await group.advance(1100);
    expect(hasLeft).toBe(true);
    await member.cluster.close();
  });

  test('before a coordinator was found, nobody has to be told', async () => {
    const group = new ScriptedGroup();
    group.answer('FindCoordinator', 'hold');
    const member = start(group);
    await group.advance(1000);
    await member.member.leave();
    expect(member.events).toEqual([]);
    expect(group.count('LeaveGroup')).toBe(0);
    await member.cluster.close();
    await group.advance(100_000);
    expect(member.fatal).toBeUndefined();
  });

  test('while its coordinator is being looked for, a member stops looking', async () => {
    const group = new ScriptedGroup();
    group.answer('FindCoordinator', {
      coordinators: [{ key: 'group', nodeId: -1, host: '', port: -1, errorCode: 15 }],
    });
    const member = start(group);
    await group.until(() => group.count('FindCoordinator') > 3);
    await member.member.leave();
    const count = group.count('FindCoordinator');
    await group.advance(60_000);
    expect(group.count('FindCoordinator')).toBe(count);
    await member.cluster.close();
  });

  test('a member that left does not join again', async () => {
    const group = new ScriptedGroup();
    const member = await joined(group);
    await close(group, member);
    const count = group.asked.length;
    member.member.join();
    member.member.requestRejoin('late');
    await group.advance(10_000);
    expect(group.asked).toHaveLength(count);
  });
});

test('no permission for the group ends the membership with an error that says so', async () => {
  const group = new ScriptedGroup();
  group.answer('FindCoordinator', {
    coordinators: [{ key: 'group', nodeId: -1, host: '', port: -1, errorCode: 30 }],
  });
  const member = start(group);
  await group.until(() => member.fatal !== undefined);
  expect(member.fatal!.code).toBe('GROUP_AUTHORIZATION_FAILED');
  await member.cluster.close();
});

/** Whose timers are run late, as those of a process that computes. */
class LaggingClock extends FakeClock {
  lagMs = 0;

  override monotonic(): number {
    return super.monotonic() + this.lagMs;
  }
}
