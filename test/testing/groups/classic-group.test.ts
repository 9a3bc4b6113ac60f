import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { brokerErrors } from '../../../src/core/protocol/index.js';
import { startEmbeddedKafka, type EmbeddedKafka } from '../../../src/testing/index.js';
import { FakeClock, settled } from '../../support/fake-clock.js';
import { ClassicMember } from './classic-member.js';

const GROUP = 'billing';

let clock: FakeClock;
let cluster: EmbeddedKafka;

beforeEach(async () => {
  clock = new FakeClock();
  cluster = await startEmbeddedKafka({ listen: 'memory', clock, topics: { orders: 4 } });
});

afterEach(async () => {
  await cluster.close();
  expect(clock.pending).toBe(0);
});

const code = (name: string) => brokerErrors.find((error) => error.name === name)!.code;
const group = () => cluster.inspect().groups[GROUP]!;
const member = (instanceId: string | null = null) => new ClassicMember(cluster, GROUP, instanceId);

/** A stable group of `count` members, the leader first. */
async function stableGroup(count: number): Promise<ClassicMember[]> {
  const members = Array.from({ length: count }, () => member());
  for (const each of members) await each.join();
  await Promise.all(members.map((each) => each.join()));
  const leader = members.find(({ memberId }) => memberId === group().leader)!;
  const others = members.filter((each) => each !== leader);
  const parts = Object.fromEntries(members.map(({ memberId }, i) => [memberId, `part ${i}`]));
  await Promise.all([...others.map((each) => each.sync()), leader.sync(parts)]);
  expect(group().state).toBe('Stable');
  return [leader, ...others];
}

describe('joining', () => {
  test('takes two steps for a dynamic member: an id first, then the group', async () => {
    const first = member();
    const refused = await first.join();
    expect(refused).toMatchObject({ errorCode: code('MEMBER_ID_REQUIRED'), generationId: -1 });
    expect(refused.memberId).toMatch(/^test-[0-9a-f-]{36}$/);
    const joined = await first.join();
    expect(joined).toMatchObject({
      errorCode: 0,
      generationId: 1,
      protocolType: 'consumer',
      protocolName: 'range',
      leader: first.memberId,
      skipAssignment: false,
    });
    expect(joined.memberId).toBe(refused.memberId);
    expect(joined.members.map(({ memberId }) => memberId)).toEqual([first.memberId]);
  });

  test.each([0, 1, 2, 3])('takes one step in version %i', async (version) => {
    const answer = await member().join({ version });
    expect(answer).toMatchObject({ errorCode: 0, generationId: 1, protocolName: 'range' });
  });

  test.each([4, 5, 6, 7, 8, 9])('works in version %i', async (version) => {
    const answer = await member().enter({ version });
    expect(answer).toMatchObject({ errorCode: 0, generationId: 1, protocolName: 'range' });
  });

  test('gives the metadata of all to the leader, and to nobody else', async () => {
    const [a, b] = [member(), member()];
    await a.join();
    await b.join();
    const [toA, toB] = await Promise.all([
      a.join({ protocols: [['range', 'of a']] }),
      b.join({ protocols: [['range', 'of b']] }),
    ]);
    const leader = [toA, toB].find(({ memberId }) => memberId === group().leader)!;
    const told = leader.members.map(({ memberId, metadata }) => [memberId, String(metadata)]);
    expect(told).toEqual([
      [a.memberId, 'of a'],
      [b.memberId, 'of b'],
    ]);
    const follower = [toA, toB].find((answer) => answer !== leader)!;
    expect(follower.members).toEqual([]);
    expect(follower.leader).toBe(leader.memberId);
  });

  test('settles on the protocol that most members prefer among those that all have', async () => {
    const [a, b, c] = [member(), member(), member()];
    for (const each of [a, b, c]) await each.join();
    const answers = await Promise.all([
      a.join({ protocols: ['range', 'sticky'] }),
      b.join({ protocols: ['only-b', 'sticky', 'range'] }),
      c.join({ protocols: ['sticky', 'range'] }),
    ]);
    expect(answers.map(({ protocolName }) => protocolName)).toEqual(['sticky', 'sticky', 'sticky']);
  });

  test('refuses a member that has no protocol in common with the others', async () => {
    await stableGroup(1);
    const refused = code('INCONSISTENT_GROUP_PROTOCOL');
    expect(await member().join({ protocols: ['other'] })).toMatchObject({ errorCode: refused });
    expect(await member().join({ protocolType: 'connect' })).toMatchObject({ errorCode: refused });
    expect(group().state).toBe('Stable');
  });

  test('refuses no protocols at all, an empty group id and a strange session timeout', async () => {
    expect(await member().join({ protocols: [] })).toMatchObject({
      errorCode: code('INCONSISTENT_GROUP_PROTOCOL'),
    });
    expect(await new ClassicMember(cluster, '').join()).toMatchObject({
      errorCode: code('INVALID_GROUP_ID'),
    });
    for (const sessionTimeoutMs of [5_999, 1_800_001]) {
      expect(await member().join({ sessionTimeoutMs })).toMatchObject({
        errorCode: code('INVALID_SESSION_TIMEOUT'),
      });
    }
  });

  test('refuses a member id that nobody gave out', async () => {
    const answer = await member().join({ memberId: 'made-up' });
    expect(answer).toMatchObject({ errorCode: code('UNKNOWN_MEMBER_ID'), memberId: 'made-up' });
    await stableGroup(1);
    expect((await member().join({ memberId: 'made-up' })).errorCode).toBe(
      code('UNKNOWN_MEMBER_ID'),
    );
  });

  test('refuses more members than the group may have', async () => {
    await cluster.close();
    cluster = await startEmbeddedKafka({ listen: 'memory', clock, groupMaxSize: 2 });
    await stableGroup(2);
    const refused = await member().join();
    expect(refused).toMatchObject({ errorCode: code('GROUP_MAX_SIZE_REACHED') });
  });

  test('waits for members that were given an id to use it', async () => {
    const [a, b] = [member(), member()];
    await a.join();
    await b.join();
    let isIn = false;
    const joining = a.join().then(() => (isIn = true));
    await settled();
    expect(isIn).toBe(false);
    // The id is good for the length of its session.
    clock.advance(10_000);
    await joining;
    expect(group().members).toHaveLength(1);
    expect((await b.join()).errorCode).toBe(code('UNKNOWN_MEMBER_ID'));
  });
});

describe('the first rebalance', () => {
  test('is held open for more members, who extend it', async () => {
    await cluster.close();
    const groupInitialRebalanceDelayMs = 3000;
    cluster = await startEmbeddedKafka({ listen: 'memory', clock, groupInitialRebalanceDelayMs });
    const [a, b] = [member(), member()];
    await a.join();
    await b.join();
    const generations: number[] = [];
    const joins = [a.join().then(({ generationId }) => generations.push(generationId))];
    await settled();
    clock.advance(2999);
    joins.push(b.join().then(({ generationId }) => generations.push(generationId)));
    await settled();
    clock.advance(1);
    await settled();
    expect(generations).toEqual([]);
    clock.advance(3000);
    await Promise.all(joins);
    expect(generations).toEqual([1, 1]);
  });
});

describe('rebalancing', () => {
  test('calls everybody together when a member joins', async () => {
    const [a] = await stableGroup(1);
    const b = member();
    await b.join();
    const joining = b.join();
    await settled();
    expect(group().state).toBe('PreparingRebalance');
    expect(await a!.heartbeat()).toBe(code('REBALANCE_IN_PROGRESS'));
    const [again, joined] = await Promise.all([a!.join(), joining]);
    expect([again.generationId, joined.generationId]).toEqual([2, 2]);
    expect(group().state).toBe('CompletingRebalance');
  });

  test('goes on without those who do not come in time', async () => {
    const [a, b] = await stableGroup(2);
    const c = member();
    await c.join();
    const joining = Promise.all([c.join(), a!.join()]);
    await settled();
    for (let waited = 0; waited < 60_000; waited += 5000) {
      await b!.heartbeat();
      clock.advance(5000);
    }
    await joining;
    const ids = group().members.map(({ memberId }) => memberId);
    expect(ids.sort()).toEqual([a!.memberId, c.memberId].sort());
    expect(await b!.heartbeat()).toBe(code('UNKNOWN_MEMBER_ID'));
  });

  test('begins anew when a member stays away from the assignment', async () => {
    const [a, b] = [member(), member()];
    await a.join();
    await b.join();
    await Promise.all([a.join(), b.join()]);
    const [leader, other] = group().leader === a.memberId ? [a, b] : [b, a];
    const synced = await leader.sync({ [leader.memberId]: 'all' });
    expect(String(synced.assignment)).toBe('all');
    expect(group().state).toBe('Stable');
    for (let waited = 0; waited < 60_000; waited += 5000) {
      await leader.heartbeat();
      await other.heartbeat();
      clock.advance(5000);
    }
    expect(group().state).toBe('PreparingRebalance');
    expect(group().members.map(({ memberId }) => memberId)).toEqual([leader.memberId]);
  });

  test('forgets whose assignment was awaited when it begins anew before that', async () => {
    const [a, b] = [member(), member()];
    await a.join();
    await b.join();
    await Promise.all([a.join(), b.join()]);
    const beat = async () => {
      for (const each of [a, b]) await each.heartbeat();
      clock.advance(5000);
    };
    for (let waited = 0; waited < 50_000; waited += 5000) await beat();
    cluster.rebalance(GROUP);
    for (let waited = 0; waited < 20_000; waited += 5000) await beat();
    expect(group().members).toHaveLength(2);
  });

  test('begins when the leader joins again, or a follower with something new to say', async () => {
    const [leader, follower] = await stableGroup(2);
    // A follower that says the same is told what it knows already.
    expect(await follower!.join()).toMatchObject({ errorCode: 0, generationId: 1, members: [] });
    expect(group().state).toBe('Stable');
    const changed = follower!.join({ protocols: [['range', 'new']] });
    await settled();
    expect(group().state).toBe('PreparingRebalance');
    await Promise.all([changed, leader!.join()]);
    await Promise.all([follower!.sync(), leader!.sync()]);
    const again = leader!.join();
    await settled();
    expect(group().state).toBe('PreparingRebalance');
    await Promise.all([again, follower!.join()]);
  });

  test('answers a repeated JoinGroup with the generation that is being completed', async () => {
    const [a, b] = [member(), member()];
    await a.join();
    await b.join();
    await Promise.all([a.join(), b.join()]);
    const [again, other] = await Promise.all([a.join(), b.join()]);
    expect([again.generationId, other.generationId]).toEqual([1, 1]);
    const leader = [again, other].find(({ memberId }) => memberId === group().leader)!;
    expect(leader.members).toHaveLength(2);
    expect(group().state).toBe('CompletingRebalance');
  });

  test('sends those who wait for an assignment back to join', async () => {
    const [a, b] = [member(), member()];
    await a.join();
    await b.join();
    await Promise.all([a.join(), b.join()]);
    const follower = group().leader === a.memberId ? b : a;
    const waiting = follower.sync();
    await settled();
    cluster.rebalance(GROUP);
    expect((await waiting).errorCode).toBe(code('REBALANCE_IN_PROGRESS'));
  });

  test('can be forced on a stable group', async () => {
    const [a] = await stableGroup(1);
    cluster.rebalance(GROUP);
    expect(await a!.heartbeat()).toBe(code('REBALANCE_IN_PROGRESS'));
    expect(await a!.join()).toMatchObject({ generationId: 2 });
  });
});

describe('synchronising', () => {
  test('hands every member its part, also when it asks before the leader has assigned', async () => {
    const [a, b] = [member(), member()];
    await a.join();
    await b.join();
    await Promise.all([a.join(), b.join()]);
    const [leader, follower] = group().leader === a.memberId ? [a, b] : [b, a];
    const early = follower.sync();
    await settled();
    const own = await leader.sync({ [leader.memberId]: 'x', [follower.memberId]: 'y' });
    expect(String(own.assignment)).toBe('x');
    expect(await early).toMatchObject({ protocolType: 'consumer', protocolName: 'range' });
    expect(String((await early).assignment)).toBe('y');
    expect(String((await follower.sync()).assignment)).toBe('y');
  });

  test.each([0, 1, 2, 3, 4, 5])('works in version %i', async (version) => {
    const only = member();
    await only.enter();
    expect(String((await only.sync({ [only.memberId]: 'z' }, version)).assignment)).toBe('z');
  });

  test('refuses other generations, protocols and members', async () => {
    const [a] = await stableGroup(1);
    const body = {
      groupId: GROUP,
      generationId: a!.generationId,
      memberId: a!.memberId,
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: [],
    };
    const sync = async (change: object) =>
      (await a!.client.request('SyncGroup', 5, { ...body, ...change })).errorCode;
    expect(await sync({ generationId: 7 })).toBe(code('ILLEGAL_GENERATION'));
    expect(await sync({ memberId: 'other' })).toBe(code('UNKNOWN_MEMBER_ID'));
    expect(await sync({ protocolName: 'sticky' })).toBe(code('INCONSISTENT_GROUP_PROTOCOL'));
    expect(await sync({ protocolType: 'connect' })).toBe(code('INCONSISTENT_GROUP_PROTOCOL'));
    expect(await sync({ protocolName: null })).toBe(code('INCONSISTENT_GROUP_PROTOCOL'));
    expect(await sync({ groupId: 'nowhere' })).toBe(code('UNKNOWN_MEMBER_ID'));
    expect(await sync({})).toBe(0);
  });
});

describe('heartbeats', () => {
  test('keep a member alive, whose session ends without them', async () => {
    const [a, b] = await stableGroup(2);
    for (let i = 0; i < 5; i++) {
      clock.advance(9000);
      expect(await a!.heartbeat()).toBe(i < 1 ? 0 : code('REBALANCE_IN_PROGRESS'));
    }
    expect(await b!.heartbeat()).toBe(code('UNKNOWN_MEMBER_ID'));
  });

  test.each([0, 1, 2, 3, 4])('work in version %i', async (version) => {
    const [a] = await stableGroup(1);
    expect(await a!.heartbeat(version)).toBe(0);
  });

  test('refuse other generations and members', async () => {
    const [a] = await stableGroup(1);
    a!.generationId++;
    expect(await a!.heartbeat()).toBe(code('ILLEGAL_GENERATION'));
    a!.memberId = 'other';
    expect(await a!.heartbeat()).toBe(code('UNKNOWN_MEMBER_ID'));
    const nobody = new ClassicMember(cluster, 'nowhere');
    expect(await nobody.heartbeat()).toBe(code('UNKNOWN_MEMBER_ID'));
  });

  test('of a member whose session was ended by hand fail', async () => {
    const [a] = await stableGroup(1);
    cluster.expireMember(GROUP, a!.memberId);
    expect(await a!.heartbeat()).toBe(code('UNKNOWN_MEMBER_ID'));
    expect(group()).toMatchObject({ state: 'Empty', epoch: 2, members: [] });
  });
});

describe('leaving', () => {
  test('makes the others meet; the last one leaves an empty group', async () => {
    const [a, b] = await stableGroup(2);
    expect(await b!.leave()).toMatchObject({ errorCode: 0, members: [{ errorCode: 0 }] });
    expect(await a!.heartbeat()).toBe(code('REBALANCE_IN_PROGRESS'));
    await a!.join();
    await a!.sync();
    await a!.leave();
    expect(group()).toMatchObject({ state: 'Empty', assignor: null, epoch: 3, members: [] });
  });

  test('works one by one before version 3', async () => {
    const [a] = await stableGroup(1);
    const leave = (memberId: string) =>
      a!.client.request('LeaveGroup', 2, { groupId: GROUP, memberId });
    expect((await leave('other')).errorCode).toBe(code('UNKNOWN_MEMBER_ID'));
    expect((await leave(a!.memberId)).errorCode).toBe(0);
    expect(group().members).toEqual([]);
  });

  test('takes several at once, also by instance alone, and tells of each', async () => {
    const first = member('one');
    await first.join();
    await first.sync();
    const answer = await first.client.request('LeaveGroup', 5, {
      groupId: GROUP,
      members: [
        { memberId: 'other', groupInstanceId: 'one' },
        { memberId: '', groupInstanceId: 'two' },
        { memberId: '', groupInstanceId: 'one' },
        { memberId: 'nobody', groupInstanceId: null },
      ],
    });
    expect(answer.members.map(({ errorCode }) => errorCode)).toEqual([
      code('FENCED_INSTANCE_ID'),
      code('UNKNOWN_MEMBER_ID'),
      0,
      code('UNKNOWN_MEMBER_ID'),
    ]);
    expect(group().members).toEqual([]);
  });

  test('releases those who wait for one that was only given an id', async () => {
    const [a, b] = [member(), member()];
    await a.join();
    await b.join();
    const joining = a.join();
    await settled();
    await b.leave();
    expect((await joining).errorCode).toBe(0);
  });

  test('of a group that there is not is refused for each member', async () => {
    const nobody = new ClassicMember(cluster, 'nowhere');
    expect(await nobody.leave()).toMatchObject({
      errorCode: 0,
      members: [{ errorCode: code('UNKNOWN_MEMBER_ID') }],
    });
  });
});

describe('static members', () => {
  test('join in one step and keep their assignment when they come back', async () => {
    const a = member('one');
    expect(await a.join()).toMatchObject({ errorCode: 0, generationId: 1 });
    await a.sync({ [a.memberId]: 'mine' });
    const heir = member('one');
    const joined = await heir.join();
    expect(joined).toMatchObject({ errorCode: 0, generationId: 1, skipAssignment: true });
    expect(joined.leader).toBe(heir.memberId);
    expect(joined.members).toHaveLength(1);
    expect(heir.memberId).not.toBe(a.memberId);
    expect(heir.memberId).toMatch(/^one-/);
    expect(String((await heir.sync()).assignment)).toBe('mine');
    expect(group()).toMatchObject({ state: 'Stable', epoch: 1 });
  });

  test('go on leading when they come back', async () => {
    const [a, b] = [member('one'), member('two')];
    await a.join();
    const joining = b.join();
    await settled();
    await Promise.all([a.join(), joining]);
    await Promise.all([b.sync(), a.sync()]);
    expect(group().leader).toBe(a.memberId);
    const heir = member('one');
    expect(await heir.join()).toMatchObject({ errorCode: 0, leader: heir.memberId });
    expect((await b.join()).leader).toBe(heir.memberId);
  });

  test('keep their place in a rebalance that they stay away from', async () => {
    const options = { sessionTimeoutMs: 300_000, rebalanceTimeoutMs: 5000 };
    const [a, b] = [member('one'), member('two')];
    await a.join(options);
    const joining = b.join(options);
    await settled();
    await Promise.all([a.join(options), joining]);
    await Promise.all([b.sync(), a.sync()]);
    cluster.rebalance(GROUP);
    const again = a.join(options);
    await settled();
    clock.advance(5000);
    expect(await again).toMatchObject({ errorCode: 0, generationId: 3 });
    expect(group().members.map(({ instanceId }) => instanceId)).toEqual(['one', 'two']);
  });

  test('are not told that they lead where they can’t skip the assignment', async () => {
    const a = member('one');
    await a.join();
    await a.sync();
    const heir = member('one');
    const joined = await heir.join({ version: 8 });
    expect(joined).toMatchObject({ errorCode: 0, leader: a.memberId, members: [] });
  });

  test('fence whoever ran under their instance before', async () => {
    const a = member('one');
    await a.join();
    await a.sync();
    const heir = member('one');
    await heir.join();
    const fenced = code('FENCED_INSTANCE_ID');
    expect(await a.heartbeat()).toBe(fenced);
    expect((await a.sync()).errorCode).toBe(fenced);
    expect((await a.join()).errorCode).toBe(fenced);
    expect(await heir.heartbeat()).toBe(0);
  });

  test('fence a JoinGroup that still waits', async () => {
    const [other, a] = [member(), member('one')];
    await other.enter();
    const waiting = a.join();
    await settled();
    const heir = member('one');
    const joining = heir.join();
    expect((await waiting).errorCode).toBe(code('FENCED_INSTANCE_ID'));
    await Promise.all([other.join(), joining]);
    expect(group().members.map(({ memberId }) => memberId)).toEqual([
      other.memberId,
      heir.memberId,
    ]);
  });

  test('make everybody meet when they come back with other protocols', async () => {
    const a = member('one');
    await a.join({ protocols: ['range', 'sticky'] });
    await a.sync();
    const heir = member('one');
    expect(await heir.join({ protocols: ['sticky', 'range'] })).toMatchObject({
      generationId: 2,
      protocolName: 'sticky',
    });
  });

  test('keep their place while they stay away, until their session ends', async () => {
    const [a, b] = [member('one'), member('two')];
    await a.join();
    const joining = b.join();
    await settled();
    await a.join();
    await joining;
    await Promise.all([a.sync(), b.sync()]);
    const c = member();
    await c.join();
    const third = c.join();
    const again = a.join({ rebalanceTimeoutMs: 5000 });
    await settled();
    expect(group().members).toHaveLength(3);
    clock.advance(10_000);
    await Promise.all([third, again]);
    expect(group().members.map(({ instanceId }) => instanceId)).toEqual(['one', null]);
  });
});

describe('a coordinator that moves', () => {
  beforeEach(async () => {
    await cluster.close();
    cluster = await startEmbeddedKafka({ brokers: 3, listen: 'memory', clock });
  });

  /** Founds a stable group of one wherever it belongs. */
  async function found(): Promise<ClassicMember> {
    for (const broker of cluster.brokerIds) {
      const candidate = new ClassicMember(cluster, GROUP, null, broker);
      const { errorCode } = await candidate.enter();
      if (errorCode !== 0) continue;
      await candidate.sync({ [candidate.memberId]: 'part' });
      return candidate;
    }
    throw new Error('no broker coordinates');
  }

  test('answers NOT_COORDINATOR wherever it is not', async () => {
    await found();
    const others = cluster.brokerIds.filter((id) => id !== group().coordinator);
    expect(others).toHaveLength(2);
    for (const broker of others) {
      const stranger = new ClassicMember(cluster, GROUP, null, broker);
      expect((await stranger.join()).errorCode).toBe(code('NOT_COORDINATOR'));
      expect(await stranger.heartbeat()).toBe(code('NOT_COORDINATOR'));
      expect((await stranger.sync()).errorCode).toBe(code('NOT_COORDINATOR'));
      expect((await stranger.leave()).errorCode).toBe(code('NOT_COORDINATOR'));
    }
  });

  test('takes the group along when its broker stops, and stays where it is then', async () => {
    const before = await found();
    const former = group().coordinator;
    await cluster.stop(former);
    expect(group().coordinator).not.toBe(former);
    expect(group()).toMatchObject({ state: 'Stable', epoch: 1 });
    const after = new ClassicMember(cluster, GROUP);
    after.memberId = before.memberId;
    after.generationId = before.generationId;
    expect(await after.heartbeat()).toBe(0);
    expect(String((await after.sync()).assignment)).toBe('part');
    const current = group().coordinator;
    await cluster.start(former);
    expect(group().coordinator).toBe(current);
    // The session goes on, and ends, at the new one.
    clock.advance(10_000);
    expect(await after.heartbeat()).toBe(code('UNKNOWN_MEMBER_ID'));
  });

  test('loses what was not complete, and sends those who wait away', async () => {
    const before = await found();
    const other = new ClassicMember(cluster, GROUP);
    await other.join();
    const joining = other.join();
    await settled();
    expect(group().state).toBe('PreparingRebalance');
    const next = cluster.brokerIds.find((id) => id !== group().coordinator)!;
    cluster.moveCoordinator(GROUP, next);
    expect((await joining).errorCode).toBe(code('NOT_COORDINATOR'));
    expect(await before.heartbeat()).toBe(code('NOT_COORDINATOR'));
    expect(group()).toMatchObject({ state: 'Stable', coordinator: next });
    expect(group().members.map(({ memberId }) => memberId)).toEqual([before.memberId]);
  });

  test('is named by FindCoordinator', async () => {
    await found();
    const { client } = new ClassicMember(cluster, GROUP);
    const find = async () => {
      const { coordinators } = await client.request('FindCoordinator', 4, {
        keyType: 0,
        coordinatorKeys: [GROUP],
      });
      return coordinators[0]!.nodeId;
    };
    expect(await find()).toBe(group().coordinator);
    const next = cluster.brokerIds.find((id) => id !== group().coordinator)!;
    cluster.moveCoordinator(GROUP, next);
    expect(await find()).toBe(next);
  });

  test('spreads groups over all brokers', async () => {
    const client = new ClassicMember(cluster, 'any').client;
    const { coordinators } = await client.request('FindCoordinator', 4, {
      keyType: 0,
      coordinatorKeys: Array.from({ length: 60 }, (_, i) => `group-${i}`),
    });
    const counts = cluster.brokerIds.map(
      (id) => coordinators.filter(({ nodeId }) => nodeId === id).length,
    );
    expect(Math.min(...counts)).toBeGreaterThan(10);
  });
});
