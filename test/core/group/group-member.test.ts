import { describe, expect, it } from 'vitest';
import type { GroupOptions, Subscription } from '../../../src/core/group/index.js';
import type { KafkaOptions } from '../../../src/index.js';
import { Simulation } from '../../support/simulation.js';
import { WatchedMember, type WatchedMemberOptions } from './watched-member.js';

const TOPIC = 'orders';
const GROUP = 'billing';

type Kind = Pick<GroupOptions, 'groupProtocol'> & Partial<GroupOptions>;
const kinds: readonly (readonly [string, Kind])[] = [
  ['eager', { groupProtocol: 'classic', partitionAssignmentStrategy: ['range'] }],
  [
    'cooperative',
    { groupProtocol: 'classic', partitionAssignmentStrategy: ['cooperative-sticky'] },
  ],
  ['of the new protocol', { groupProtocol: 'consumer' }],
];

/** Members of one cluster on virtual time, which all have left when it is over. */
class Crew implements AsyncDisposable {
  private readonly members: WatchedMember[] = [];

  private constructor(
    readonly sim: Simulation,
    private readonly kind: Partial<GroupOptions>,
  ) {}

  static async start(kind: Partial<GroupOptions>, brokers = 1, partitions = 6): Promise<Crew> {
    return new Crew(await Simulation.start({ brokers, topics: { [TOPIC]: partitions } }), kind);
  }

  join(
    group: Partial<GroupOptions> = {},
    rest: Partial<WatchedMemberOptions> & { readonly metadataMaxAgeMs?: number } = {},
  ): WatchedMember {
    const { cluster, clock } = this.sim;
    const { bootstrapServers, transport } = cluster;
    const { metadataMaxAgeMs = 300_000, ...others } = rest;
    const kafka: KafkaOptions = { bootstrapServers, transport, clock, metadataMaxAgeMs };
    const subscription: Subscription = { type: 'topics', topics: [TOPIC] };
    const member = new WatchedMember({
      kafka,
      subscription,
      group: { groupId: GROUP, ...this.kind, ...group },
      ...others,
    });
    this.members.push(member);
    return member.join();
  }

  /** Until these members have all partitions, each about as many. */
  async settled(members: readonly WatchedMember[], count = 6): Promise<void> {
    await this.sim.until(() => {
      const sizes = members.map(({ partitions }) => partitions.length);
      const total = sizes.reduce((a, b) => a + b, 0);
      const isEven = Math.max(...sizes) - Math.min(...sizes) <= 1;
      return members.every(({ isStable }) => isStable) && total === count && isEven;
    });
  }

  get group() {
    return this.sim.cluster.inspect().groups[GROUP]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const member of this.members) await this.sim.run(member[Symbol.asyncDispose]());
    await this.sim[Symbol.asyncDispose]();
  }
}

const sizesOf = (members: readonly WatchedMember[]) =>
  members.map(({ partitions }) => partitions.length);
const losses = ({ calls }: WatchedMember) => calls.filter((call) => call.startsWith('!'));

describe.each(kinds)('a group that is %s', (_, kind) => {
  it('is shared as members come and go, and nobody is told what makes no sense', async () => {
    await using crew = await Crew.start(kind);
    const first = crew.join();
    await crew.settled([first]);
    const second = crew.join();
    await crew.settled([first, second]);
    const third = crew.join();
    await crew.settled([first, second, third]);
    expect(sizesOf([first, second, third])).toEqual([2, 2, 2]);
    await crew.sim.run(second.member.leave());
    await crew.settled([first, third]);
    const all = [first, second, third];
    expect(all.flatMap(({ contradictions }) => contradictions)).toEqual([]);
    expect(all.flatMap(losses)).toEqual([]);
  });

  it('gives nothing to another member before it was handed back', async () => {
    await using crew = await Crew.start(kind);
    let finish: () => void = () => undefined;
    const drained = new Promise<void>((resolve) => (finish = resolve));
    const slow = crew.join({}, { onRevoked: () => drained });
    await crew.settled([slow]);
    const other = crew.join();
    await crew.sim.until(() => slow.calls.some((call) => call.startsWith('-')));
    // Longer than any session: heartbeats go on whatever the handler does.
    await crew.sim.advance(120_000);
    expect(other.partitions).toEqual([]);
    expect(losses(slow)).toEqual([]);
    finish();
    await crew.settled([slow, other]);
  });

  it('tells of the deadline for handing back, within the rebalance timeout', async () => {
    await using crew = await Crew.start({ ...kind, rebalanceTimeoutMs: 30_000 });
    const slow = crew.join();
    await crew.settled([slow]);
    const startedAt = crew.sim.clock.monotonic();
    const other = crew.join();
    await crew.settled([slow, other]);
    expect(slow.deadlineMs! - startedAt).toBeGreaterThan(10_000);
    expect(slow.deadlineMs! - startedAt).toBeLessThanOrEqual(32_000);
  });

  it('has a member that was expelled lose its partitions, and come back', async () => {
    await using crew = await Crew.start(kind);
    const member = crew.join();
    await crew.settled([member]);
    crew.sim.cluster.expireMember(GROUP, member.member.metadata!.memberId);
    await crew.sim.until(() => losses(member).length > 0);
    await crew.settled([member]);
    expect(member.fatal).toBeUndefined();
    expect(member.contradictions).toEqual([]);
  });

  it('has a member that is expelled in the middle of a drain lose at once what it hands back', async () => {
    await using crew = await Crew.start(kind);
    let finish: () => void = () => undefined;
    const drained = new Promise<void>((resolve) => (finish = resolve));
    const slow = crew.join({}, { onRevoked: () => drained });
    await crew.settled([slow]);
    crew.join();
    await crew.sim.until(() => slow.calls.some((call) => call.startsWith('-')));
    crew.sim.cluster.expireMember(GROUP, slow.member.metadata!.memberId);
    await crew.sim.until(() => losses(slow).length > 0);
    finish();
    await crew.sim.until(() => slow.isStable);
    expect(slow.contradictions).toEqual([]);
  });

  it('goes on when its coordinator moves', async () => {
    await using crew = await Crew.start(kind, 3);
    const members = [crew.join(), crew.join()];
    await crew.settled(members);
    crew.sim.cluster.moveCoordinator(GROUP, (crew.group.coordinator % 3) + 1);
    await crew.sim.advance(20_000);
    await crew.settled(members);
    expect(members.flatMap(losses)).toEqual([]);
    expect(members.flatMap(({ fatal }) => fatal ?? [])).toEqual([]);
  });

  it('goes on when its coordinator stops and another takes its place', async () => {
    await using crew = await Crew.start(kind, 3);
    const members = [crew.join(), crew.join()];
    await crew.settled(members);
    const { coordinator } = crew.group;
    await crew.sim.run(crew.sim.cluster.stop(coordinator));
    crew.sim.cluster.moveCoordinator(GROUP, (coordinator % 3) + 1);
    await crew.sim.advance(60_000);
    await crew.settled(members);
    expect(members.flatMap(({ fatal }) => fatal ?? [])).toEqual([]);
  });

  it('is joined although the coordinator is not there yet, and says so', async () => {
    await using crew = await Crew.start(kind);
    crew.sim.cluster.failNext('FindCoordinator', 'COORDINATOR_NOT_AVAILABLE', 5);
    const api = kind.groupProtocol === 'consumer' ? 'ConsumerGroupHeartbeat' : 'JoinGroup';
    crew.sim.cluster.failNext(api, 'COORDINATOR_LOAD_IN_PROGRESS', 3);
    const member = crew.join();
    await crew.settled([member]);
    expect(member.eventsOf('group-retried').length).toBeGreaterThan(0);
  });

  it('loses no heartbeat to an answer that never comes', async () => {
    await using crew = await Crew.start(kind);
    const member = crew.join({ requestTimeoutMs: 5000 });
    await crew.settled([member]);
    const api = kind.groupProtocol === 'consumer' ? 'ConsumerGroupHeartbeat' : 'Heartbeat';
    crew.sim.cluster.drop(api, 2, { when: 'after' });
    await crew.sim.advance(60_000);
    expect(losses(member)).toEqual([]);
    expect(member.isStable).toBe(true);
  });

  it('is left: the coordinator knows at once', async () => {
    await using crew = await Crew.start(kind);
    const member = crew.join();
    await crew.settled([member]);
    const { memberId } = member.member.metadata!;
    await crew.sim.run(member.member.leave());
    expect(crew.group.members).toEqual([]);
    expect(member.eventsOf('left')).toMatchObject([{ memberId, keepsMembership: false }]);
    expect(member.member.metadata).toBeUndefined();
  });

  it('is left also while it is being joined', async () => {
    await using crew = await Crew.start(kind);
    crew.sim.cluster.delay('JoinGroup', 2000);
    crew.sim.cluster.delay('ConsumerGroupHeartbeat', 2000);
    const member = crew.join();
    await crew.sim.advance(1000);
    await crew.sim.run(member.member.leave());
    crew.sim.cluster.clearFaults();
    await crew.sim.advance(5000);
    expect(crew.group.members).toEqual([]);
    expect(member.calls).toEqual([]);
  });

  it('is left in a bounded time, also when nobody answers', async () => {
    await using crew = await Crew.start(kind);
    const member = crew.join({ requestTimeoutMs: 5000 });
    await crew.settled([member]);
    crew.sim.cluster.delay('LeaveGroup', 3_600_000);
    crew.sim.cluster.delay('ConsumerGroupHeartbeat', 3_600_000);
    const startedAt = crew.sim.clock.monotonic();
    await crew.sim.run(member.member.leave());
    expect(crew.sim.clock.monotonic() - startedAt).toBeLessThanOrEqual(6000);
    crew.sim.cluster.clearFaults();
  });

  it('shares out partitions that are added', async () => {
    await using crew = await Crew.start(kind, 1, 1);
    const member = crew.join({}, { metadataMaxAgeMs: 1000 });
    await crew.settled([member], 1);
    await crew.sim.run(
      crew.sim.client().request('controller', 'CreatePartitions', {
        topics: [{ name: TOPIC, count: 3, assignments: null }],
        timeoutMs: 1000,
        validateOnly: false,
      }),
    );
    await crew.sim.until(() => member.partitions.length === 3);
  });

  it('shares out topics that come to match a pattern', async () => {
    await using crew = await Crew.start(kind);
    crew.sim.cluster.createTopic('sales-1', { partitions: 1 });
    const member = crew.join(
      { metadataMaxAgeMs: 5000 },
      { subscription: { type: 'pattern', pattern: /sales-\d/ } },
    );
    await crew.sim.until(() => member.partitions.length === 1);
    crew.sim.cluster.createTopic('sales-2', { partitions: 2 });
    crew.sim.cluster.createTopic('resales-2', { partitions: 2 });
    await crew.sim.until(() => member.partitions.length === 3);
    await crew.sim.advance(20_000);
    expect(member.partitions).toEqual(['sales-1-0', 'sales-2-0', 'sales-2-1']);
  });
});

// A cooperative member hands back between rebalances: nobody but its own deadline hurries it.
it.each(kinds.filter(([name]) => name !== 'cooperative'))(
  'a group that is %s expels a member that hands nothing back in time: what it had is lost to it',
  async (_, kind) => {
    await using crew = await Crew.start({ ...kind, rebalanceTimeoutMs: 30_000 });
    const hung = crew.join({}, { onRevoked: () => new Promise(() => undefined) });
    await crew.settled([hung]);
    const other = crew.join();
    await crew.sim.until(() => losses(hung).length > 0);
    await crew.sim.until(() => other.partitions.length >= 3);
    expect(hung.deadlineMs).toBeLessThan(crew.sim.clock.monotonic());
  },
);

describe.each(['classic', 'consumer'] as const)('a static member (%s)', (groupProtocol) => {
  const instance = (groupInstanceId: string) => ({ groupInstanceId });

  it('is back with its partitions, and nobody else notices', async () => {
    await using crew = await Crew.start({ groupProtocol });
    const first = crew.join(instance('a'));
    const second = crew.join(instance('b'));
    await crew.settled([first, second]);
    const kept = second.partitions;
    const before = first.calls.length;
    await crew.sim.run(second.member.leave());
    expect(second.eventsOf('left')).toMatchObject([{ keepsMembership: true }]);
    const back = crew.join(instance('b'));
    await crew.sim.until(() => back.isStable && back.partitions.length === kept.length);
    expect(back.partitions).toEqual(kept);
    expect(first.calls).toHaveLength(before);
  });

  it('leaves for good when it says so, or when its session is over', async () => {
    await using crew = await Crew.start({ groupProtocol });
    const first = crew.join(instance('a'));
    const second = crew.join(instance('b'));
    const third = crew.join(instance('c'));
    await crew.settled([first, second, third]);
    await crew.sim.run(second.member.leave({ keepsMembership: false }));
    await crew.settled([first, third]);
    await crew.sim.run(third.member.leave());
    await crew.settled([first]);
  });

  it('that has a twin is told, typed, that it was fenced or can’t come in', async () => {
    await using crew = await Crew.start({ groupProtocol });
    const first = crew.join(instance('a'));
    await crew.settled([first]);
    const twin = crew.join(instance('a'));
    await crew.sim.until(() => first.fatal !== undefined || twin.fatal !== undefined);
    const [fatal, loser, rest] =
      first.fatal === undefined ? [twin.fatal, twin, first] : [first.fatal, first, twin];
    expect(fatal!.name).toBe('FencedError');
    expect(fatal!.message).toContain('groupInstanceId of its own');
    expect(loser.partitions).toEqual([]);
    await crew.settled([rest]);
  });
});

describe('which protocol', () => {
  it('auto takes the new one where the cluster has it, and says why', async () => {
    await using crew = await Crew.start({ groupProtocol: 'auto' });
    const member = crew.join();
    await crew.settled([member]);
    expect(member.member.protocol).toBe('consumer');
    expect(member.eventsOf('group-protocol-chosen')).toMatchObject([{ protocol: 'consumer' }]);
  });

  it('auto takes the classic one where a client-side assignor is asked for', async () => {
    await using crew = await Crew.start({ partitionAssignmentStrategy: ['sticky'] });
    const member = crew.join();
    await crew.settled([member]);
    expect(member.member.protocol).toBe('classic');
  });

  it('auto falls back where the coordinator will have none of it', async () => {
    await using crew = await Crew.start({ groupProtocol: 'auto' });
    crew.sim.cluster.failNext('ConsumerGroupHeartbeat', 'UNSUPPORTED_VERSION', 1);
    const member = crew.join();
    await crew.settled([member]);
    expect(member.member.protocol).toBe('classic');
    expect(member.eventsOf('group-protocol-chosen').map(({ protocol }) => protocol)).toEqual([
      'consumer',
      'classic',
    ]);
  });

  it('one that was asked for and is not there is a typed error that names the option', async () => {
    const sim = await Simulation.start({ version: '3.9', topics: { [TOPIC]: 1 } });
    const { bootstrapServers, transport } = sim.cluster;
    const member = new WatchedMember({
      kafka: { bootstrapServers, transport, clock: sim.clock },
      subscription: { type: 'topics', topics: [TOPIC] },
      group: { groupId: GROUP, groupProtocol: 'consumer' },
    }).join();
    await sim.until(() => member.fatal !== undefined);
    expect(member.fatal).toMatchObject({ name: 'UnsupportedVersionError' });
    expect(member.fatal!.message).toContain('groupProtocol');
    await sim.run(member[Symbol.asyncDispose]());
    await sim[Symbol.asyncDispose]();
  });
});

it('a refusal for good is told once, and ends the membership', async () => {
  for (const groupProtocol of ['classic', 'consumer'] as const) {
    await using crew = await Crew.start({ groupProtocol });
    const member = crew.join();
    await crew.settled([member]);
    const api = groupProtocol === 'consumer' ? 'ConsumerGroupHeartbeat' : 'Heartbeat';
    crew.sim.cluster.failNext(api, 'GROUP_AUTHORIZATION_FAILED', 100);
    await crew.sim.until(() => member.fatal !== undefined);
    expect(member.fatal).toMatchObject({ name: 'AuthorizationError' });
    expect(member.fatal!.message).toContain('grant READ on the group');
    expect(member.partitions).toEqual([]);
  }
});

it('the leader’s topics are not forgotten as idle: the group does not rebalance by itself', async () => {
  await using crew = await Crew.start({ groupProtocol: 'classic' });
  const members = [crew.join(), crew.join()];
  await crew.settled(members);
  const { epoch } = crew.group;
  await crew.sim.advance(1_800_000);
  expect(crew.group.epoch).toBe(epoch);
});
