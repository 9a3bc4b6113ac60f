import { describe, expect, it } from 'vitest';
import type { GroupOptions } from '../../../src/core/group/index.js';
import type { EmbeddedKafka } from '../../../src/testing/index.js';
import { Simulation } from '../../support/simulation.js';
import { WatchedMember, type WatchedMemberOptions } from './watched-member.js';

const TOPIC = 'orders';
const GROUP = 'billing';
/** Far less than a session: who waits for one to end has been left a member by mistake. */
const SOON_MS = 10_000;

type Version = NonNullable<Parameters<typeof Simulation.start>[0]>['version'];

interface Setting {
  readonly version?: Version;
  readonly group: Partial<GroupOptions>;
}

const classic: readonly (readonly [string, Setting])[] = [
  ['classic', { group: { groupProtocol: 'classic' } }],
  [
    'classic, before members were told their id first',
    { version: '1.1', group: { groupProtocol: 'classic' } },
  ],
];
const consumer: Setting = { group: { groupProtocol: 'consumer' } };

function joinApiOf({ group }: Setting): 'JoinGroup' | 'ConsumerGroupHeartbeat' {
  return group.groupProtocol === 'classic' ? 'JoinGroup' : 'ConsumerGroupHeartbeat';
}

class Stage implements AsyncDisposable {
  private readonly members: WatchedMember[] = [];

  private constructor(
    readonly sim: Simulation,
    private readonly group: Partial<GroupOptions>,
  ) {}

  static async start({ version, group }: Setting): Promise<Stage> {
    const release = version === undefined ? {} : { version };
    return new Stage(await Simulation.start({ ...release, topics: { [TOPIC]: 4 } }), group);
  }

  get cluster(): EmbeddedKafka {
    return this.sim.cluster;
  }

  get memberIds(): string[] {
    return (this.cluster.inspect().groups[GROUP]?.members ?? []).map(({ memberId }) => memberId);
  }

  requests(api: string): number {
    return this.cluster.inspect().requests[api] ?? 0;
  }

  join(rest: Partial<WatchedMemberOptions> = {}): WatchedMember {
    const { bootstrapServers, transport } = this.cluster;
    const member = new WatchedMember({
      kafka: { bootstrapServers, transport, clock: this.sim.clock },
      subscription: { type: 'topics', topics: [TOPIC] },
      group: { groupId: GROUP, ...this.group },
      ...rest,
    });
    this.members.push(member);
    return member.join();
  }

  /** Until these members have shared out everything. */
  async settled(...members: readonly WatchedMember[]): Promise<void> {
    await this.sim.until(
      () =>
        members.every(({ isStable }) => isStable) &&
        members.flatMap(({ partitions }) => partitions).length === 4 &&
        members.every(({ partitions }) => partitions.length === 4 / members.length),
    );
  }

  /** Leaves, and has those who are there and one that comes go on without waiting for a session's end. */
  async expectNothingLeftBy(
    gone: WatchedMember,
    ...others: readonly WatchedMember[]
  ): Promise<void> {
    const { clock } = this.sim;
    const startedAt = clock.monotonic();
    await this.sim.run(gone.member.leave());
    this.cluster.clearFaults();
    const staying = [...others, this.join()];
    await this.settled(...staying);
    expect(clock.monotonic() - startedAt).toBeLessThan(SOON_MS);
    await this.sim.advance(1000);
    const ids = staying.map(({ member }) => member.metadata!.memberId);
    expect(this.memberIds.sort()).toEqual(ids.sort());
    expect(gone.partitions).toEqual([]);
    expect(gone.contradictions).toEqual([]);
    expect(gone.fatal).toBeUndefined();
    expect(gone.member.metadata).toBeUndefined();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const member of this.members) await this.sim.run(member[Symbol.asyncDispose]());
    await this.sim[Symbol.asyncDispose]();
  }
}

describe.each([...classic, ['consumer', consumer] as const])(
  'a member that leaves while it joins (%s)',
  (_, setting) => {
    const joinApi = joinApiOf(setting);

    it('leaves nothing behind while the coordinator is being looked for', async () => {
      await using stage = await Stage.start(setting);
      stage.cluster.delay('FindCoordinator', 2000);
      const member = stage.join();
      await stage.sim.until(() => stage.requests('FindCoordinator') > 0);
      await stage.expectNothingLeftBy(member);
      expect(stage.requests('LeaveGroup')).toBe(0);
    });

    it('leaves nothing behind while its first request waits for the answer', async () => {
      await using stage = await Stage.start(setting);
      const other = stage.join();
      await stage.settled(other);
      const before = stage.requests(joinApi);
      stage.cluster.delay(joinApi, 2000);
      const member = stage.join();
      await stage.sim.until(() => stage.requests(joinApi) > before);
      await stage.sim.calm();
      await stage.expectNothingLeftBy(member, other);
    });

    it('leaves nothing behind while the group waits for a member that takes its time', async () => {
      await using stage = await Stage.start(setting);
      let finish: () => void = () => undefined;
      const drained = new Promise<void>((resolve) => (finish = resolve));
      const slow = stage.join({ onRevoked: () => drained });
      await stage.settled(slow);
      const member = stage.join();
      await stage.sim.until(() => slow.calls.some((call) => call.startsWith('-')));
      const left = stage.sim.run(member.member.leave());
      await stage.sim.advance(1000);
      finish();
      await left;
      await stage.expectNothingLeftBy(member, slow);
    });

    it('says goodbye once, whoever asks it to', async () => {
      await using stage = await Stage.start(setting);
      const member = stage.join();
      await stage.settled(member);
      stage.cluster.delay('LeaveGroup', 2000);
      stage.cluster.delay('ConsumerGroupHeartbeat', 2000);
      const startedAt = stage.sim.clock.monotonic();
      void member.member.leave();
      await stage.sim.run(member.member.leave());
      expect(stage.sim.clock.monotonic() - startedAt).toBeGreaterThanOrEqual(2000);
      expect(member.eventsOf('left')).toHaveLength(1);
    });
  },
);

describe.each(classic)('a member that leaves while it joins (%s)', (_, setting) => {
  it('leaves nothing behind while its share is being dealt, and says so by its id', async () => {
    await using stage = await Stage.start(setting);
    const other = stage.join();
    await stage.settled(other);
    const before = stage.requests('SyncGroup');
    stage.cluster.delay('SyncGroup', 5000);
    const member = stage.join();
    await stage.sim.until(() => stage.requests('SyncGroup') > before + 1);
    await stage.expectNothingLeftBy(member, other);
    expect(stage.requests('LeaveGroup')).toBe(1);
    expect(member.eventsOf('left')).toHaveLength(1);
  });

  it('waits for its id no longer than one attempt to get it takes', async () => {
    await using stage = await Stage.start(setting);
    stage.cluster.failNext('JoinGroup', 'COORDINATOR_NOT_AVAILABLE', 1000);
    const member = stage.join();
    await stage.sim.until(() => member.eventsOf('group-retried').length > 0);
    const startedAt = stage.sim.clock.monotonic();
    await stage.sim.run(member.member.leave());
    expect(stage.sim.clock.monotonic() - startedAt).toBeLessThan(3000);
  });
});

// A classic member whose answer is lost never learns which id it has left behind.
it('a member that leaves while it joins (consumer) leaves nothing behind though an answer was lost', async () => {
  await using stage = await Stage.start(consumer);
  const other = stage.join();
  await stage.settled(other);
  const before = stage.requests('ConsumerGroupHeartbeat');
  stage.cluster.drop('ConsumerGroupHeartbeat', 1, { when: 'after' });
  stage.cluster.delay('FindCoordinator', 2000);
  const member = stage.join();
  await stage.sim.until(() => stage.requests('ConsumerGroupHeartbeat') > before);
  await stage.sim.calm();
  await stage.expectNothingLeftBy(member, other);
});
