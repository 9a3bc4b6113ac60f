import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BuiltInAssignor, GroupOptions } from '../../../src/core/group/index.js';
import { startKafka, type KafkaCluster } from '../../support/kafka/cluster.js';
import { waitUntil } from '../../support/kafka/readiness.js';
import { VerifiableConsumer } from '../../support/kafka/verifiable-consumer.js';
import { WatchedMember, type WatchedMemberOptions } from './watched-member.js';

let kafka: KafkaCluster;

beforeAll(async () => {
  kafka = await startKafka({
    version: '4.3',
    properties: {
      'group.consumer.min.heartbeat.interval.ms': 300,
      'group.consumer.heartbeat.interval.ms': 300,
      'group.consumer.regex.refresh.interval.ms': 10_000,
      'group.consumer.min.session.timeout.ms': 1000,
      'group.consumer.session.timeout.ms': 3000,
    },
  });
  await kafka.createTopic('orders', { partitions: 6 });
});
afterAll(() => kafka.stop());

const all = [0, 1, 2, 3, 4, 5].map((partition) => `orders-${partition}`);
const classic = (...strategy: BuiltInAssignor[]): Partial<GroupOptions> => ({
  groupProtocol: 'classic',
  partitionAssignmentStrategy: strategy,
});
const kinds: readonly { name: string; options: Partial<GroupOptions> }[] = [
  { name: 'range', options: classic('range') },
  { name: 'roundrobin', options: classic('roundrobin') },
  { name: 'sticky', options: classic('sticky') },
  { name: 'cooperative-sticky', options: classic('cooperative-sticky') },
  { name: 'the default of classic groups', options: { groupProtocol: 'classic' } },
  { name: 'the new protocol', options: { groupProtocol: 'auto' } },
];

describe.each(kinds)('with $name', ({ name, options }) => {
  const groupId = `group-${name.replaceAll(' ', '-')}`;
  const start = (rest: Partial<WatchedMemberOptions> = {}) =>
    startMember({ ...options, groupId }, rest);

  test('members come, share, and go', async () => {
    await using first = start();
    await settled([first]);
    expect(first.partitions).toEqual(all);
    await using second = start();
    await settled([first, second]);
    await using third = start();
    await settled([first, second, third]);
    expect(sizes([first, second, third])).toEqual([2, 2, 2]);
    await second.member.leave();
    await settled([first, third]);
    expect(sizes([first, third])).toEqual([3, 3]);
    expect([first, second, third].flatMap(({ contradictions }) => contradictions)).toEqual([]);
  });
});

describe('beside Java', () => {
  test.each([
    { groupProtocol: 'classic', assignor: 'RangeAssignor', options: classic('range') },
    { groupProtocol: 'classic', assignor: 'StickyAssignor', options: classic('sticky') },
    {
      groupProtocol: 'classic',
      assignor: 'CooperativeStickyAssignor',
      options: classic('cooperative-sticky'),
    },
    { groupProtocol: 'consumer', assignor: undefined, options: {} },
  ] as const)('members share with a Java member: $groupProtocol $assignor', async (kind) => {
    const groupId = `java-${kind.groupProtocol}-${kind.assignor ?? 'any'}`;
    const { groupProtocol, assignor } = kind;
    await using java = await VerifiableConsumer.start(kafka, {
      topic: 'orders',
      groupId,
      groupProtocol,
      ...(assignor !== undefined && { assignor }),
    });
    await eventually(
      () => java.partitions.length === 6,
      () => java.log,
    );
    // The Java member leads: it has been there first.
    await using ours = startMember({ ...kind.options, groupId });
    await settled([ours, java]);
    expect(sizes([ours, java])).toEqual([3, 3]);
    await using other = startMember({ ...kind.options, groupId });
    await settled([ours, other, java]);
    expect(sizes([ours, other, java])).toEqual([2, 2, 2]);
    // Now one of ours leads.
    await java[Symbol.asyncDispose]();
    await settled([ours, other]);
    await using again = await VerifiableConsumer.start(kafka, {
      topic: 'orders',
      groupId,
      groupProtocol,
      ...(assignor !== undefined && { assignor }),
    });
    await settled([ours, other, again]);
    expect(sizes([ours, other, again])).toEqual([2, 2, 2]);
    expect([...ours.contradictions, ...other.contradictions]).toEqual([]);
  });
});

test.each(['classic', 'consumer'] as const)(
  'a static member of a %s group is back without a rebalance',
  async (groupProtocol) => {
    const groupId = `static-${groupProtocol}`;
    const start = (groupInstanceId: string) =>
      startMember({ groupProtocol, groupId, groupInstanceId });
    await using first = start('a');
    await using second = start('b');
    await settled([first, second]);
    const kept = second.partitions;
    const calls = first.calls.length;
    await second.member.leave();
    await using back = start('b');
    await eventually(() => back.isStable);
    expect(back.partitions).toEqual(kept);
    expect(first.calls).toHaveLength(calls);
    await Promise.all([first, back].map(({ member }) => member.leave({ keepsMembership: false })));
  },
);

test.each(['classic', 'consumer'] as const)(
  'one of two members with one name is told that it has to go: %s',
  async (groupProtocol) => {
    const groupId = `twins-${groupProtocol}`;
    const start = () =>
      startMember({ groupProtocol, groupId, groupInstanceId: 'same', heartbeatIntervalMs: 300 });
    await using first = start();
    await settled([first]);
    await using second = start();
    await eventually(() => first.fatal !== undefined || second.fatal !== undefined);
    const code = groupProtocol === 'classic' ? 'FENCED_INSTANCE_ID' : 'UNRELEASED_INSTANCE_ID';
    expect((first.fatal ?? second.fatal)!.code).toBe(code);
    const rest = first.fatal === undefined ? first : second;
    await settled([rest]);
    await rest.member.leave({ keepsMembership: false });
  },
);

test.each([
  { what: 'by the client, classic', options: { groupProtocol: 'classic' }, flags: '' },
  { what: 'by the broker', options: { groupProtocol: 'consumer' }, flags: '' },
  { what: 'by the client, the new protocol', options: { groupProtocol: 'consumer' }, flags: 'i' },
] as const)(
  'a pattern is matched, also with topics to come: $what',
  async ({ what, options, flags }) => {
    const name = what.replaceAll(/[ ,]+/g, '-');
    await kafka.createTopic(`${name}-1`, { partitions: 2 });
    await using member = startMember(
      { ...options, groupId: `pattern-${name}`, metadataMaxAgeMs: 500, heartbeatIntervalMs: 300 },
      { subscription: { type: 'pattern', pattern: new RegExp(`${name}-\\d+`, flags) } },
    );
    await eventually(() => member.partitions.length === 2);
    await kafka.createTopic(`${name}-2`, { partitions: 1 });
    await eventually(() => member.partitions.length === 3, undefined, 30_000);
    expect(member.partitions).toEqual([`${name}-1-0`, `${name}-1-1`, `${name}-2-0`]);
  },
);

test.each(['classic', 'consumer'] as const)(
  'heartbeats keep a member in a %s group while it drains',
  async (groupProtocol) => {
    let finish: () => void = () => undefined;
    const drained = new Promise<void>((resolve) => (finish = resolve));
    const options = {
      groupProtocol,
      groupId: `drain-${groupProtocol}`,
      sessionTimeoutMs: 3000,
      heartbeatIntervalMs: 300,
    };
    await using slow = startMember(options, { onRevoked: () => drained });
    await settled([slow]);
    await using other = startMember(options);
    await eventually(() => slow.calls.some((call) => call.startsWith('-')));
    // Longer than the session: without heartbeats the member would be expelled, and lose.
    await passed(4500);
    expect(slow.calls.filter((call) => call.startsWith('!'))).toEqual([]);
    expect(other.partitions).toEqual([]);
    finish();
    await settled([slow, other]);
    expect(sizes([slow, other])).toEqual([3, 3]);
  },
);

test('a topic that grows is shared out anew', async () => {
  await kafka.createTopic('growing', { partitions: 1 });
  await using member = startMember(
    { groupProtocol: 'classic', groupId: 'growing', heartbeatIntervalMs: 300 },
    {
      subscription: { type: 'topics', topics: ['growing'] },
      kafka: { bootstrapServers: kafka.bootstrapServers, metadataMaxAgeMs: 500 },
    },
  );
  await eventually(() => member.partitions.length === 1);
  const args = ['--alter', '--topic', 'growing', '--partitions', '3'];
  await kafka.runTool('org.apache.kafka.tools.TopicCommand', [
    '--bootstrap-server',
    kafka.bootstrapServers,
    ...args,
  ]);
  await eventually(() => member.partitions.length === 3);
});

test('a member that another one has thrown out loses its partitions and comes back', async () => {
  await using member = startMember({ groupProtocol: 'consumer', groupId: 'thrown-out' });
  await settled([member]);
  const { memberId } = member.member.metadata!;
  await member.cluster.request({ group: 'thrown-out' }, 'ConsumerGroupHeartbeat', {
    groupId: 'thrown-out',
    memberId,
    memberEpoch: -1,
  });
  await eventually(() => member.calls.some((call) => call.startsWith('!')));
  await settled([member]);
  expect(member.member.metadata!.memberId).toBe(memberId);
});

function startMember(
  group: WatchedMemberOptions['group'],
  rest: Partial<WatchedMemberOptions> = {},
): WatchedMember {
  return new WatchedMember({
    kafka: { bootstrapServers: kafka.bootstrapServers },
    subscription: { type: 'topics', topics: ['orders'] },
    group: { heartbeatIntervalMs: 300, ...group },
    ...rest,
  }).join();
}

interface Holder {
  readonly partitions: readonly string[];
  readonly fatal?: Error | undefined;
}

function sizes(members: readonly Holder[]): number[] {
  return members.map(({ partitions }) => partitions.length);
}

/** Waits until the members share all partitions, evenly. */
async function settled(members: readonly Holder[]): Promise<void> {
  await eventually(
    () => {
      const shared = members.flatMap(({ partitions }) => partitions).sort();
      const isComplete = shared.join() === all.join();
      const counts = sizes(members);
      const isStable = members.every((each) => !(each instanceof WatchedMember) || each.isStable);
      return isComplete && isStable && Math.max(...counts) - Math.min(...counts) <= 1;
    },
    () => JSON.stringify(members.map(({ partitions, fatal }) => [partitions, fatal?.message])),
    40_000,
  );
}

function eventually(
  isTrue: () => boolean,
  complaint: () => string = () => 'it did not happen',
  timeoutMs = 20_000,
): Promise<void> {
  return waitUntil(isTrue, timeoutMs, complaint);
}

/** Real time has to pass where a real broker’s timeout is the subject. */
function passed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
