import { describe, expect, test } from 'vitest';
import type { GroupOptions } from '../../../src/core/group/index.js';
import {
  startEmbeddedKafka,
  type EmbeddedKafka,
  type KafkaRelease,
} from '../../../src/testing/index.js';
import { FakeClock, settled } from '../../support/fake-clock.js';
import { WatchedMember, type WatchedMemberOptions } from './watched-member.js';

const kinds: readonly { name: string; options: Partial<GroupOptions> }[] = [
  ...(['range', 'roundrobin', 'sticky', 'cooperative-sticky'] as const).map((name) => ({
    name,
    options: { groupProtocol: 'classic' as const, partitionAssignmentStrategy: [name] },
  })),
  { name: 'the new protocol', options: { groupProtocol: 'consumer' } },
];

/** Two brokers in this process, on time that the test moves. */
class Stage implements AsyncDisposable {
  readonly members: WatchedMember[] = [];

  private constructor(
    readonly clock: FakeClock,
    readonly kafka: EmbeddedKafka,
  ) {}

  static async start(version: KafkaRelease = '4.3'): Promise<Stage> {
    const clock = new FakeClock();
    const kafka = await startEmbeddedKafka({
      listen: 'memory',
      clock,
      version,
      brokers: 2,
      topics: { orders: 6 },
    });
    return new Stage(clock, kafka);
  }

  member(
    options: Partial<GroupOptions> = {},
    rest: Partial<WatchedMemberOptions> = {},
  ): WatchedMember {
    const { bootstrapServers, transport } = this.kafka;
    const member = new WatchedMember({
      kafka: { bootstrapServers, transport, clock: this.clock },
      group: { groupId: 'group', ...options },
      subscription: { type: 'topics', topics: ['orders'] },
      ...rest,
    });
    this.members.push(member);
    return member.join();
  }

  async advance(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 100) {
      this.clock.advance(Math.min(100, left));
      await settled();
      await settled();
    }
  }

  async until(isTrue: () => boolean, limitMs = 300_000): Promise<void> {
    for (let waited = 0; !isTrue(); waited += 100) {
      if (waited > limitMs) throw new Error(`it did not happen: ${this.describe()}`);
      await this.advance(100);
    }
  }

  /** Waits until these share all partitions, and nothing moves any more. */
  settled(members: readonly WatchedMember[]): Promise<void> {
    return this.until(() => {
      const shared = members.flatMap(({ partitions }) => partitions);
      const counts = members.map(({ partitions }) => partitions.length);
      const isEven = Math.max(...counts) - Math.min(...counts) <= 1;
      const isWhole = shared.length === 6 && new Set(shared).size === 6;
      return members.every(({ isStable }) => isStable) && isEven && isWhole;
    });
  }

  async leave(member: WatchedMember, keepsMembership?: boolean): Promise<void> {
    let hasLeft = false;
    void member.member
      .leave(keepsMembership === undefined ? {} : { keepsMembership })
      .then(() => (hasLeft = true));
    await this.until(() => hasLeft);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const member of this.members) {
      await this.leave(member);
      await member.cluster.close();
    }
    await this.kafka.close();
  }

  private describe(): string {
    return this.members
      .map((each) => `${each.calls.join(' ')} ${each.fatal?.message ?? ''}`)
      .join(' | ');
  }
}

const sizes = (members: readonly WatchedMember[]) =>
  members.map(({ partitions }) => partitions.length).sort();

describe.each(kinds)('with $name', ({ options }) => {
  test('members come, share, and go', async () => {
    await using stage = await Stage.start();
    const [a, b, c] = [stage.member(options), stage.member(options), stage.member(options)];
    await stage.settled([a, b, c]);
    expect(sizes([a, b, c])).toEqual([2, 2, 2]);
    await stage.leave(b);
    await stage.settled([a, c]);
    expect(sizes([a, c])).toEqual([3, 3]);
    const d = stage.member(options);
    await stage.settled([a, c, d]);
    expect(sizes([a, c, d])).toEqual([2, 2, 2]);
    expect(stage.members.flatMap(({ contradictions }) => contradictions)).toEqual([]);
  });

  test('nobody has a partition that another one still drains', async () => {
    await using stage = await Stage.start();
    let finish: () => void = () => undefined;
    const drained = new Promise<void>((resolve) => (finish = resolve));
    const slow = stage.member(options, { onRevoked: () => drained });
    await stage.settled([slow]);
    const other = stage.member(options);
    await stage.until(() => slow.calls.some((call) => call.startsWith('-')));
    await stage.advance(60_000);
    expect(other.partitions.filter((partition) => slow.partitions.includes(partition))).toEqual([]);
    expect(slow.calls.filter((call) => call.startsWith('!'))).toEqual([]);
    finish();
    await stage.settled([slow, other]);
    expect(sizes([slow, other])).toEqual([3, 3]);
  });

  test('a static member comes back to what it had, and nobody else notices', async () => {
    await using stage = await Stage.start();
    const first = stage.member({ ...options, groupInstanceId: 'first' });
    const second = stage.member({ ...options, groupInstanceId: 'second' });
    await stage.settled([first, second]);
    const [kept, calls] = [second.partitions, first.calls.length];
    await stage.leave(second);
    const back = stage.member({ ...options, groupInstanceId: 'second' });
    await stage.until(() => back.isStable);
    expect(back.partitions).toEqual(kept);
    expect(first.calls).toHaveLength(calls);
  });

  test('a member that falls silent is expelled, and the others take over', async () => {
    await using stage = await Stage.start();
    const [silent, rest] = [stage.member(options), stage.member(options)];
    await stage.settled([silent, rest]);
    await silent.cluster.close();
    await stage.settled([rest]);
    expect(rest.partitions).toHaveLength(6);
    expect(silent.fatal?.code).toBe('CLIENT_CLOSED');
    stage.members.shift();
  });

  test('members go on when their coordinator does not', async () => {
    await using stage = await Stage.start();
    const [a, b] = [stage.member(options), stage.member(options)];
    await stage.settled([a, b]);
    for (const id of [1, 2]) {
      await stage.kafka.stop(id);
      await stage.advance(5000);
      await stage.kafka.start(id);
      await stage.advance(5000);
    }
    await stage.settled([a, b]);
    expect([a.fatal, b.fatal]).toEqual([undefined, undefined]);
    expect([a.contradictions, b.contradictions]).toEqual([[], []]);
  });
});

describe.each(['0.9', '0.10.2', '1.1', '2.8', '3.9'] as const)('on brokers of %s', (version) => {
  test.each(['range', 'cooperative-sticky'] as const)('members share by %s', async (name) => {
    await using stage = await Stage.start(version);
    const options = { partitionAssignmentStrategy: [name] };
    const [a, b] = [stage.member(options), stage.member(options)];
    await stage.settled([a, b]);
    await stage.leave(a);
    await stage.settled([b]);
    expect([...a.contradictions, ...b.contradictions]).toEqual([]);
  });
});
