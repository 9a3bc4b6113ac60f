import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  ConsumerProtocolAssignment,
  ConsumerProtocolSubscription,
  decodeMessage,
  encodeMessage,
  Reader,
  Writer,
} from '../../../src/core/protocol/index.js';
import {
  startEmbeddedKafka,
  type EmbeddedKafka,
  type MigrationPolicy,
} from '../../../src/testing/index.js';
import { errorName } from '../../support/embedded-client.js';
import { FakeClock, settled } from '../../support/fake-clock.js';
import { ClassicMember } from './classic-member.js';
import { ConsumerMember } from './consumer-member.js';

const GROUP = 'billing';
const all = ['orders-0', 'orders-1', 'orders-2', 'orders-3'];

let clock: FakeClock;
let cluster: EmbeddedKafka;

beforeEach(() => restart('bidirectional'));

afterEach(async () => {
  await cluster.close();
  expect(clock.pending).toBe(0);
});

async function restart(groupConsumerMigrationPolicy: MigrationPolicy): Promise<void> {
  await (cluster as EmbeddedKafka | undefined)?.close();
  clock = new FakeClock();
  cluster = await startEmbeddedKafka({
    listen: 'memory',
    clock,
    topics: { orders: 4 },
    groupConsumerMigrationPolicy,
  });
}

const group = () => cluster.inspect().groups[GROUP]!;
const classic = (instanceId: string | null = null) => new ClassicMember(cluster, GROUP, instanceId);
const consumer = (id: string) => new ConsumerMember(cluster, GROUP, id);

/** What a cooperative member tells, with the version in front. */
function subscription(owned: readonly string[] = []): string {
  const writer = new Writer();
  writer.int16(1);
  const partitions = owned.map((place) => Number(place.split('-')[1]));
  encodeMessage(writer, ConsumerProtocolSubscription, 1, {
    topics: ['orders'],
    ownedPartitions: owned.length === 0 ? [] : [{ topic: 'orders', partitions }],
  });
  return writer.toBuffer().toString('latin1');
}

const offer = (owned: readonly string[] = []) => ({
  protocols: [['range', subscription(owned)] as const],
});

function assignmentOf(bytes: Buffer): string[] {
  const reader = new Reader(bytes);
  const assignment = decodeMessage(reader, ConsumerProtocolAssignment, reader.int16());
  return assignment.assignedPartitions.flatMap(({ topic, partitions }) =>
    partitions.map((partition) => `${topic}-${partition}`),
  );
}

async function synced(member: ClassicMember): Promise<string[]> {
  const answer = await member.sync();
  expect(errorName(answer.errorCode)).toBe('NONE');
  return assignmentOf(answer.assignment);
}

const heartbeat = async (member: ClassicMember) => errorName(await member.heartbeat());

/** A consumer and a classic member that share the topic and have settled. */
async function mixed() {
  const [a, b] = [consumer('a'), classic()];
  await a.join();
  await b.enter(offer());
  expect(await synced(b)).toEqual([]);
  await a.heartbeat();
  await a.report();
  expect(await heartbeat(b)).toBe('REBALANCE_IN_PROGRESS');
  await b.join(offer());
  const owned = await synced(b);
  expect([...a.owned, ...owned].sort()).toEqual(all);
  expect(group()).toMatchObject({ type: 'consumer', state: 'Stable' });
  return { a, b, owned };
}

describe('a classic member in a consumer group', () => {
  test('gets an id first, then what the broker assigns when it is free', async () => {
    const a = consumer('a');
    await a.join();
    const b = classic();
    const first = await b.join(offer());
    expect(errorName(first.errorCode)).toBe('MEMBER_ID_REQUIRED');
    const joined = await b.join(offer());
    expect(joined).toMatchObject({
      errorCode: 0,
      generationId: 2,
      protocolType: 'consumer',
      protocolName: 'range',
      leader: '',
      members: [],
    });
    expect(await synced(b)).toEqual([]);
    // There is nothing to join again for as long as the other one keeps it.
    expect(await heartbeat(b)).toBe('NONE');
    await a.heartbeat();
    expect(await heartbeat(b)).toBe('NONE');
    await a.report();
    expect(await heartbeat(b)).toBe('REBALANCE_IN_PROGRESS');
    await b.join(offer());
    expect(await synced(b)).toHaveLength(2);
    expect(await heartbeat(b)).toBe('NONE');
  });

  test('gives partitions back by joining again without them', async () => {
    const { a, b, owned } = await mixed();
    const [c, d] = [consumer('c'), consumer('d')];
    await c.join();
    await d.join();
    expect(await heartbeat(b)).toBe('REBALANCE_IN_PROGRESS');
    await b.join(offer(owned));
    const kept = await synced(b);
    expect(kept).toHaveLength(1);
    expect(await heartbeat(b)).toBe('REBALANCE_IN_PROGRESS');
    // It says that it still has both: there is nothing new for it.
    await b.join(offer(owned));
    expect(await heartbeat(b)).toBe('REBALANCE_IN_PROGRESS');
    await b.join(offer(kept));
    expect(await synced(b)).toEqual(kept);
    expect(await heartbeat(b)).toBe('NONE');
    await a.heartbeat();
    await a.report();
    for (const each of [c, d]) await each.heartbeat();
    expect([...a.owned, ...kept, ...c.owned, ...d.owned].sort()).toEqual(all);
  });

  test('is described as one', async () => {
    const { a } = await mixed();
    const { groups } = await a.client.request('ConsumerGroupDescribe', 1, {
      groupIds: [GROUP],
      includeAuthorizedOperations: false,
    });
    expect(groups[0]!.members.map(({ memberType }) => memberType)).toEqual([1, 0]);
  });

  test('is refused with other generations, protocols and ids', async () => {
    const { b } = await mixed();
    const identity = { groupId: GROUP, memberId: b.memberId, generationId: b.generationId };
    const named = { protocolType: 'consumer', protocolName: 'range', assignments: [] };
    const sync = async (change: object) => {
      const { errorCode } = await b.client.request('SyncGroup', 5, {
        ...identity,
        ...named,
        ...change,
      });
      return errorName(errorCode);
    };
    expect(await sync({ generationId: 9 })).toBe('ILLEGAL_GENERATION');
    expect(await sync({ protocolName: 'sticky' })).toBe('INCONSISTENT_GROUP_PROTOCOL');
    expect(await sync({ memberId: 'x' })).toBe('UNKNOWN_MEMBER_ID');
    // The other one is no member of the classic protocol.
    expect(await sync({ memberId: 'a' })).toBe('UNKNOWN_MEMBER_ID');
    const strange = { ...offer(), protocolType: 'connect' };
    expect(errorName((await classic().join(strange)).errorCode)).toBe(
      'INCONSISTENT_GROUP_PROTOCOL',
    );
    expect(errorName((await classic().join({ protocols: ['other'] })).errorCode)).toBe(
      'INCONSISTENT_GROUP_PROTOCOL',
    );
    expect(errorName((await classic().join({ version: 3 })).errorCode)).toBe('INVALID_REQUEST');
  });

  test('commits with its generation', async () => {
    const { b } = await mixed();
    const commit = async (generationIdOrMemberEpoch: number) => {
      const { topics } = await b.client.request('OffsetCommit', 7, {
        groupId: GROUP,
        memberId: b.memberId,
        generationIdOrMemberEpoch,
        topics: [
          {
            name: 'orders',
            partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: null }],
          },
        ],
      });
      return errorName(topics[0]!.partitions[0]!.errorCode);
    };
    expect(await commit(b.generationId)).toBe('NONE');
    expect(await commit(b.generationId + 1)).toBe('ILLEGAL_GENERATION');
  });

  test('is out when its own session ends, or when it does not sync or rejoin in time', async () => {
    const { a, b } = await mixed();
    const wait = async (ms: number, beat: boolean) => {
      for (let waited = 0; waited < ms; waited += 5000) {
        await a.heartbeat();
        if (beat) await b.heartbeat();
        clock.advance(5000);
      }
    };
    await wait(10_000, false);
    expect(await heartbeat(b)).toBe('UNKNOWN_MEMBER_ID');
    const late = classic();
    await late.enter({ ...offer(), sessionTimeoutMs: 300_000, rebalanceTimeoutMs: 20_000 });
    await wait(20_000, false);
    expect(await heartbeat(late)).toBe('UNKNOWN_MEMBER_ID');
    const slow = classic();
    await slow.enter({ ...offer(), sessionTimeoutMs: 300_000, rebalanceTimeoutMs: 20_000 });
    await slow.sync();
    cluster.rebalance(GROUP);
    expect(await heartbeat(slow)).toBe('REBALANCE_IN_PROGRESS');
    await wait(20_000, false);
    expect(await heartbeat(slow)).toBe('UNKNOWN_MEMBER_ID');
  });

  test('keeps its place as a static member', async () => {
    const a = consumer('a');
    await a.join();
    const b = classic('one');
    await b.join(offer());
    await b.sync();
    const heir = classic('one');
    expect((await heir.join(offer())).errorCode).toBe(0);
    expect(heir.memberId).not.toBe(b.memberId);
    expect(await heartbeat(b)).toBe('FENCED_INSTANCE_ID');
    expect(group().members.map(({ instanceId }) => instanceId)).toEqual([null, 'one']);
  });
});

describe('a classic group', () => {
  /** Two classic members that share the topic as one of them has assigned it. */
  async function pair(): Promise<[ClassicMember, ClassicMember]> {
    const members = [classic(), classic()] as const;
    for (const member of members) await member.join(offer());
    await Promise.all(members.map((member) => member.join(offer())));
    const [x, y] = members;
    const leader = group().leader === x.memberId ? x : y;
    const other = leader === x ? y : x;
    const parts = Object.fromEntries(
      members.map(({ memberId }, i) => [memberId, part([2 * i, 2 * i + 1])]),
    );
    await Promise.all([other.sync(), leader.sync(parts)]);
    return [x, y];
  }

  function part(partitions: readonly number[]): string {
    const writer = new Writer();
    writer.int16(1);
    encodeMessage(writer, ConsumerProtocolAssignment, 1, {
      assignedPartitions: [{ topic: 'orders', partitions }],
    });
    return writer.toBuffer().toString('latin1');
  }

  test('becomes a consumer group with its members when one of those joins', async () => {
    const [x, y] = await pair();
    const a = consumer('a');
    expect(await a.join()).toMatchObject({ error: 'NONE', memberEpoch: 2 });
    // Nothing is taken from anybody before it was given back.
    expect(a.owned).toEqual([]);
    expect(group()).toMatchObject({ type: 'consumer', epoch: 2 });
    expect(group().members.map(({ assignment }) => assignment)).toEqual([
      { orders: [0, 1] },
      { orders: [2, 3] },
      {},
    ]);
    for (const [member, had] of [
      [x, ['orders-0', 'orders-1']],
      [y, ['orders-2', 'orders-3']],
    ] as const) {
      expect(await heartbeat(member)).toBe('REBALANCE_IN_PROGRESS');
      await member.join(offer(had));
      const kept = await synced(member);
      if ((await heartbeat(member)) === 'REBALANCE_IN_PROGRESS') {
        await member.join(offer(kept));
        await synced(member);
      }
    }
    await a.heartbeat();
    expect(a.owned.length).toBeGreaterThan(0);
    expect(group().state).toBe('Stable');
  });

  test('sends those who wait in a rebalance back to join', async () => {
    const first = classic();
    await first.enter(offer());
    await first.sync();
    const second = classic();
    await second.join(offer());
    const waiting = second.join(offer());
    await settled();
    await consumer('a').join();
    expect(errorName((await waiting).errorCode)).toBe('REBALANCE_IN_PROGRESS');
    expect(group().type).toBe('consumer');
  });

  test('is what becomes of a group whose last consumer leaves', async () => {
    const { a, b, owned } = await mixed();
    await a.leave();
    expect(group()).toMatchObject({ type: 'classic', state: 'PreparingRebalance' });
    expect(group().members.map(({ memberId }) => memberId)).toEqual([b.memberId]);
    expect(await heartbeat(b)).toBe('REBALANCE_IN_PROGRESS');
    const joined = await b.join(offer(owned));
    expect(joined).toMatchObject({ errorCode: 0, leader: b.memberId });
    expect(joined.members).toHaveLength(1);
    await b.sync();
    expect(await heartbeat(b)).toBe('NONE');
  });

  test('that is none of consumers stays what it is', async () => {
    const connect = classic();
    await connect.enter({ protocolType: 'connect' });
    expect((await consumer('a').join()).error).toBe('GROUP_ID_NOT_FOUND');
    expect(group().type).toBe('classic');
  });

  test('stays what it is when the joining member is refused', async () => {
    const [x] = await pair();
    const refused = await consumer('a').join([], { subscribedTopicRegex: '(' });
    expect(refused.error).toBe('INVALID_REGULAR_EXPRESSION');
    expect(group()).toMatchObject({ type: 'classic', state: 'Stable' });
    expect(await heartbeat(x)).toBe('NONE');
  });
});

describe('the policy', () => {
  test.each([
    ['disabled', 'GROUP_ID_NOT_FOUND', 'INCONSISTENT_GROUP_PROTOCOL'],
    ['upgrade', 'NONE', 'MEMBER_ID_REQUIRED'],
    ['downgrade', 'GROUP_ID_NOT_FOUND', 'MEMBER_ID_REQUIRED'],
    ['bidirectional', 'NONE', 'MEMBER_ID_REQUIRED'],
  ] as const)('%s says whether protocols mix', async (policy, consumerJoins, classicJoins) => {
    await restart(policy);
    await classic().enter(offer());
    expect((await consumer('a').join()).error).toBe(consumerJoins);
    const other = new ConsumerMember(cluster, 'other', 'a');
    await other.join();
    const late = new ClassicMember(cluster, 'other');
    expect(errorName((await late.join(offer())).errorCode)).toBe(classicJoins);
  });

  test('upgrade lets no group go back', async () => {
    await restart('upgrade');
    const { a } = await mixed();
    await a.leave();
    expect(group().type).toBe('consumer');
  });
});
