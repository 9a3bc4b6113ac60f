import { concatMap } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { Cluster } from '../../../src/core/cluster/index.js';
import { Committer } from '../../../src/core/consumer/positions/committer.js';
import type { ConsumerContext } from '../../../src/core/consumer/context.js';
import { ConsumerMetrics } from '../../../src/core/consumer/metrics.js';
import { resolveConsumerOptions } from '../../../src/core/consumer/options.js';
import { encodeControlBatch } from '../../../src/core/records/index.js';
import {
  ackEach,
  AuthorizationError,
  fromPartitions,
  fromTopics,
  processEach,
  type ConsumerOptions,
  type ConsumerRecord,
} from '../../../src/index.js';
import { committed, membersOf, Seen, write } from '../../support/consuming.js';
import { FakeClock, settled } from '../../support/fake-clock.js';
import { rejectionOf, Simulation } from '../../support/simulation.js';
import { fill, offsetsOf, upTo } from '../../support/watching.js';

const TOPIC = 'orders';
const GROUP = 'billing';
const inGroup = { groupId: GROUP, autoOffsetReset: 'earliest' } as const;

interface SeenCommit {
  readonly atMs: number;
  readonly memberId: string;
  readonly generation: number;
  /** By partition. */
  readonly offsets: Readonly<Record<number, number>>;
  readonly epochs: Readonly<Record<number, number>>;
}

/** Notes every OffsetCommit that reaches a broker. */
function commitsOf({ cluster, clock }: Simulation): SeenCommit[] {
  const seen: SeenCommit[] = [];
  cluster.intercept('OffsetCommit', ({ body }) => {
    const partitions = body.topics.flatMap((topic) => topic.partitions);
    seen.push({
      atMs: clock.monotonic(),
      memberId: body.memberId,
      generation: body.generationIdOrMemberEpoch,
      offsets: Object.fromEntries(
        partitions.map(({ partitionIndex, committedOffset }) => [partitionIndex, committedOffset]),
      ),
      epochs: Object.fromEntries(
        partitions.map((each) => [each.partitionIndex, each.committedLeaderEpoch]),
      ),
    });
    return undefined;
  });
  return seen;
}

interface CommitBody {
  readonly topics: readonly {
    readonly name: string;
    readonly partitions: readonly { readonly partitionIndex: number }[];
  }[];
}

/** The answer to a commit that is stored. */
function accepted({ topics }: CommitBody): unknown {
  return {
    topics: topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: 0 })),
    })),
  };
}

function start(partitions = 1, brokers = 1): Promise<Simulation> {
  return Simulation.start({ brokers, topics: { [TOPIC]: partitions } });
}

/** A subscription whose records the test acks. */
function subscribe(sim: Simulation, options: ConsumerOptions = {}) {
  const consumer = sim.kafka().consumer({ ...inGroup, ...options });
  const seen = new Seen<ConsumerRecord>(consumer.records(TOPIC));
  const ack = (...offsets: number[]) => {
    for (const record of seen.values) if (offsets.includes(record.offset)) record.ack();
  };
  return { consumer, seen, ack };
}

describe('what is acked', () => {
  it('is committed every autoCommitIntervalMs, and not before', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 5);
    const commits = commitsOf(sim);
    const { seen, ack } = subscribe(sim, { autoCommitIntervalMs: 5000 });
    await sim.until(() => seen.values.length === 5);
    const startedAt = sim.clock.monotonic();
    ack(0, 1, 3);
    await sim.advance(4000);
    expect(committed(sim.cluster, GROUP, TOPIC)).toBeUndefined();
    await sim.until(() => committed(sim.cluster, GROUP, TOPIC) !== undefined);
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(2);
    expect(commits[0]!.atMs - startedAt).toBeLessThanOrEqual(5000);
    ack(2, 4);
    await sim.advance(5100);
    expect(commits.map(({ offsets }) => offsets[0])).toEqual([2, 5]);
  });

  it('is committed sooner when so many records were acked', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 25);
    const commits = commitsOf(sim);
    const { seen, ack } = subscribe(sim, {
      autoCommitRecords: 10,
      autoCommitIntervalMs: 3_600_000,
    });
    await sim.until(() => seen.values.length === 25);
    for (const offset of upTo(25)) {
      ack(offset);
      await sim.calm();
    }
    expect(commits.map(({ offsets }) => offsets[0])).toEqual([10, 20]);
  });

  it('is not committed by itself where that is switched off', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 3);
    const commits = commitsOf(sim);
    const { consumer, seen, ack } = subscribe(sim, { enableAutoCommit: false });
    await sim.until(() => seen.values.length === 3);
    ack(0, 1, 2);
    await sim.advance(60_000);
    await sim.run(consumer.drain());
    expect(commits).toEqual([]);
  });

  it('is committed with the epoch of the leader that wrote it', async () => {
    await using sim = await start(1, 3);
    const commits = commitsOf(sim);
    const { cluster } = sim;
    const producer = sim.kafka().producer();
    for (const leader of [1, 2, 3]) {
      cluster.moveLeader(TOPIC, 0, leader);
      await sim.run(producer.send({ topic: TOPIC, value: 'a' }));
    }
    const { seen, ack } = subscribe(sim, { autoCommitIntervalMs: 1000 });
    await sim.until(() => seen.values.length === 3);
    const epochs = seen.values.map(({ leaderEpoch }) => leaderEpoch);
    expect(new Set(epochs).size).toBe(3);
    ack(0, 1);
    await sim.until(() => committed(cluster, GROUP, TOPIC) === 2);
    expect(commits.at(-1)!.epochs[0]).toBe(epochs[1]);
  });

  it('goes past markers only when nothing before them is unacked', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 2);
    const { seen, ack } = subscribe(sim, { autoCommitIntervalMs: 1000 });
    await sim.until(() => seen.values.length === 2);
    const marker = { producerId: 7, producerEpoch: 0, coordinatorEpoch: 0, timestamp: 0 };
    sim.cluster.append(TOPIC, 0, encodeControlBatch({ kind: 'abort', ...marker }));
    ack(0);
    await sim.advance(3000);
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(1);
    ack(1);
    await sim.until(() => committed(sim.cluster, GROUP, TOPIC) === 3);
  });

  it('goes past markers that come when all is acked', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 2);
    const { seen, ack } = subscribe(sim, { autoCommitIntervalMs: 1000 });
    await sim.until(() => seen.values.length === 2);
    ack(0, 1);
    await sim.until(() => committed(sim.cluster, GROUP, TOPIC) === 2);
    const marker = { producerId: 7, producerEpoch: 0, coordinatorEpoch: 0, timestamp: 0 };
    sim.cluster.append(TOPIC, 0, encodeControlBatch({ kind: 'abort', ...marker }));
    await sim.until(() => committed(sim.cluster, GROUP, TOPIC) === 3);
  });
});

describe('a commit', () => {
  it('names only partitions that have something new', async () => {
    await using sim = await start(3);
    for (const partition of upTo(3)) fill(sim, TOPIC, partition, 5);
    const commits = commitsOf(sim);
    const { seen } = subscribe(sim, { autoCommitIntervalMs: 1000 });
    await sim.until(() => seen.values.length === 15);
    for (const record of seen.values) if (record.offset === 0) record.ack();
    await sim.until(() => commits.length === 1);
    for (const record of seen.values) if (record.partition === 1) record.ack();
    await sim.until(() => commits.length === 2);
    expect(commits.map(({ offsets }) => offsets)).toEqual([{ 0: 1, 1: 1, 2: 1 }, { 1: 5 }]);
  });

  it('repeats what an idle partition has, now and then: old brokers forget what is not', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 3);
    const commits = commitsOf(sim);
    const { seen, ack } = subscribe(sim, { autoCommitIntervalMs: 5000 });
    await sim.until(() => seen.values.length === 3);
    ack(0, 1, 2);
    await sim.advance(3_600_000);
    expect(new Set(commits.map(({ offsets }) => offsets[0]))).toEqual(new Set([3]));
    expect(commits.length).toBeGreaterThan(5);
    expect(commits.length).toBeLessThan(70);
  });

  it('is on the way alone: the next one waits for it', async () => {
    const clock = new FakeClock();
    const answers: (() => void)[] = [];
    const cluster = {
      metadata: { topics: new Map(), topicNames: new Map() },
      request: (_route: unknown, _api: unknown, bodyOf: (version: number) => CommitBody) =>
        new Promise((resolve) => answers.push(() => resolve(accepted(bodyOf(8))))),
    } as unknown as Cluster;
    const stored: number[] = [];
    const context: ConsumerContext = {
      cluster,
      clock,
      options: resolveConsumerOptions({ groupId: GROUP }),
      emit: (event) => {
        if (event.type === 'committed') stored.push(event.offsets[0]!.offset);
      },
      onMoved: () => undefined,
    };
    const committer = new Committer(context, GROUP, new ConsumerMetrics(clock), {
      partitions: () => [],
      member: () => undefined,
      isMember: false,
      onStaleMember: () => undefined,
      onFatal: () => undefined,
    });
    const all = [1, 2, 3].map((offset) =>
      committer.commit([{ topic: TOPIC, partition: 0, offset }], Infinity),
    );
    for (const done of [1, 2, 3]) {
      await settled();
      expect(answers).toHaveLength(1);
      answers.pop()!();
      await settled();
      expect(stored).toEqual(upTo(done, 1));
    }
    await Promise.all(all);
  });

  it.each(['COORDINATOR_LOAD_IN_PROGRESS', 'NOT_COORDINATOR', 'UNKNOWN_TOPIC_OR_PARTITION'])(
    'that fails with %s kills nothing: what it was about comes with the next',
    async (error) => {
      await using sim = await start();
      fill(sim, TOPIC, 0, 4);
      const { seen, ack } = subscribe(sim, { autoCommitIntervalMs: 1000 });
      await sim.until(() => seen.values.length === 4);
      sim.cluster.failNext('OffsetCommit', error, 2);
      ack(0, 1);
      await sim.until(() => sim.eventsOf('commit-failed').length > 0);
      expect(sim.eventsOf('commit-failed')[0]).toMatchObject({
        offsets: [{ topic: TOPIC, partition: 0, offset: 2 }],
        error: { code: error, context: { topic: TOPIC, partition: 0 } },
      });
      await sim.until(() => committed(sim.cluster, GROUP, TOPIC) === 2);
      expect(seen.isOver).toBe(false);
    },
  );

  it.each(['before', 'after'] as const)(
    'whose answer never comes is repeated (cut off %s it was carried out)',
    async (when) => {
      await using sim = await start();
      fill(sim, TOPIC, 0, 4);
      const { seen, ack } = subscribe(sim, { autoCommitIntervalMs: 1000 });
      await sim.until(() => seen.values.length === 4);
      sim.cluster.drop('OffsetCommit', 1, { when });
      ack(0, 1, 2);
      await sim.until(() => sim.eventsOf('committed').length > 0);
      expect(committed(sim.cluster, GROUP, TOPIC)).toBe(3);
      expect(seen.isOver).toBe(false);
    },
  );

  it('follows the coordinator when that moves', async () => {
    await using sim = await start(1, 3);
    fill(sim, TOPIC, 0, 4);
    const { seen, ack } = subscribe(sim, { autoCommitIntervalMs: 1000 });
    await sim.until(() => seen.values.length === 4);
    const { coordinator } = sim.cluster.inspect().groups[GROUP]!;
    sim.cluster.moveCoordinator(GROUP, (coordinator % 3) + 1);
    ack(0, 1);
    await sim.until(() => committed(sim.cluster, GROUP, TOPIC) === 2);
    expect(seen.isOver).toBe(false);
  });

  it.each(['classic', 'consumer'] as const)(
    'that is refused as of an old generation has the member ask, and is made in the new one (%s)',
    async (groupProtocol) => {
      await using sim = await start();
      fill(sim, TOPIC, 0, 4);
      const { seen, ack } = subscribe(sim, { autoCommitIntervalMs: 1000, groupProtocol });
      await sim.until(() => seen.values.length === 4);
      const error = groupProtocol === 'classic' ? 'ILLEGAL_GENERATION' : 'STALE_MEMBER_EPOCH';
      sim.cluster.failNext('OffsetCommit', error);
      ack(0, 1);
      await sim.until(() => committed(sim.cluster, GROUP, TOPIC) === 2);
      expect(sim.eventsOf('commit-failed')).toHaveLength(1);
      expect(seen.isOver).toBe(false);
      expect(offsetsOf(seen.values)).toEqual(upTo(4));
    },
  );

  it('that is not allowed ends the stream, when the member has left', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 4);
    const { seen, ack } = subscribe(sim, { autoCommitIntervalMs: 1000 });
    await sim.until(() => seen.values.length === 4);
    sim.cluster.failNext('OffsetCommit', 'GROUP_AUTHORIZATION_FAILED', 10);
    ack(0, 1, 2, 3);
    await sim.until(() => seen.isOver);
    expect(seen.error).toBeInstanceOf(AuthorizationError);
    expect(membersOf(sim.cluster, GROUP)).toBe(0);
  });
});

describe('where nothing was committed yet', () => {
  it('the start is committed with the first commit, so that nobody skips by latest', async () => {
    await using sim = await start(2);
    fill(sim, TOPIC, 0, 3);
    const { consumer } = subscribe(sim, { autoOffsetReset: 'latest', autoCommitIntervalMs: 1000 });
    await sim.until(() => committed(sim.cluster, GROUP, TOPIC, 0) !== undefined);
    expect(committed(sim.cluster, GROUP, TOPIC, 0)).toBe(3);
    expect(committed(sim.cluster, GROUP, TOPIC, 1)).toBe(0);
    expect(consumer.position({ topic: TOPIC, partition: 0 })).toBe(3);
  });

  it('the start is committed when a partition is given up before that', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 3);
    const kafka = sim.kafka();
    const options = { ...inGroup, autoOffsetReset: 'latest' } as const;
    const first = new Seen(fromTopics(kafka, TOPIC, options).pipe(ackEach()));
    await sim.until(() => sim.eventsOf('position-reset').length === 1);
    await sim.run(kafka.drain());
    fill(sim, TOPIC, 0, 2);
    const second = new Seen(fromTopics(sim.kafka(), TOPIC, options).pipe(ackEach()));
    await sim.until(() => second.values.length === 2);
    expect(offsetsOf(second.values)).toEqual([3, 4]);
    expect(first.values).toEqual([]);
    second.subscription.unsubscribe();
  });
});

describe('by hand', () => {
  const byHand = { enableAutoCommit: false } as const;

  it('what is acked is committed, at once', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 4);
    const { consumer, seen, ack } = subscribe(sim, byHand);
    await sim.until(() => seen.values.length === 4);
    ack(0, 1, 3);
    await sim.run(consumer.commit());
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(2);
  });

  it('offsets that are given are committed, with metadata, and can be read', async () => {
    await using sim = await start(2);
    const { consumer } = subscribe(sim, byHand);
    await sim.until(() => consumer.assignment.length === 2);
    const [p0, p1] = [0, 1].map((partition) => ({ topic: TOPIC, partition }));
    await sim.run(consumer.commit([{ ...p0!, offset: 7, leaderEpoch: 0, metadata: 'by hand' }]));
    expect(await sim.run(consumer.committed([p0!, p1!]))).toEqual([
      { ...p0!, offset: 7, leaderEpoch: 0, metadata: 'by hand' },
    ]);
    expect(await sim.run(consumer.committed())).toHaveLength(1);
  });

  it('what can pass by itself is repeated', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 4);
    const { consumer, seen, ack } = subscribe(sim, byHand);
    await sim.until(() => seen.values.length === 4);
    ack(0, 1);
    sim.cluster.failNext('OffsetCommit', 'COORDINATOR_LOAD_IN_PROGRESS', 3);
    await sim.run(consumer.commit());
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(2);
    expect(sim.eventsOf('commit-failed')).toHaveLength(3);
  });

  it('what is repeated takes nothing back that was committed meanwhile', async () => {
    await using sim = await start(2);
    fill(sim, TOPIC, 0, 10);
    const { consumer, seen, ack } = subscribe(sim, byHand);
    await sim.until(() => seen.values.length === 10 && consumer.assignment.length === 2);
    const [p0, p1] = [0, 1].map((partition) => ({ topic: TOPIC, partition }));
    sim.cluster.failNext('OffsetCommit', 'COORDINATOR_LOAD_IN_PROGRESS');
    const earlier = consumer.commit([
      { ...p0!, offset: 5 },
      { ...p1!, offset: 3 },
    ]);
    const later = consumer.commit([{ ...p0!, offset: 8 }]);
    await sim.run(Promise.all([earlier, later]));
    expect([0, 1].map((partition) => committed(sim.cluster, GROUP, TOPIC, partition))).toEqual([
      8, 3,
    ]);
    sim.cluster.failNext('OffsetCommit', 'COORDINATOR_LOAD_IN_PROGRESS');
    const byHandOnly = consumer.commit([{ ...p0!, offset: 8 }]);
    ack(...upTo(10));
    await sim.run(Promise.all([byHandOnly, consumer.commit()]));
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(10);
  });

  it('what keeps it from being done is told, and the stream goes on', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 4);
    const { consumer, seen, ack } = subscribe(sim, byHand);
    await sim.until(() => seen.values.length === 4);
    ack(0, 1);
    sim.cluster.failNext('OffsetCommit', 'OFFSET_METADATA_TOO_LARGE');
    expect(await sim.run(rejectionOf(consumer.commit()))).toMatchObject({
      code: 'OFFSET_METADATA_TOO_LARGE',
      context: { topic: TOPIC, partition: 0, offset: 2 },
    });
    expect(seen.isOver).toBe(false);
  });

  it('it gives up after defaultApiTimeoutMs', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 1);
    const { consumer, seen, ack } = subscribe(sim, { ...byHand, defaultApiTimeoutMs: 5000 });
    await sim.until(() => seen.values.length === 1);
    ack(0);
    sim.cluster.failNext('OffsetCommit', 'COORDINATOR_LOAD_IN_PROGRESS', 1000);
    const startedAt = sim.clock.monotonic();
    expect(await sim.run(rejectionOf(consumer.commit()))).toMatchObject({
      code: 'COORDINATOR_LOAD_IN_PROGRESS',
    });
    expect(sim.clock.monotonic() - startedAt).toBeLessThanOrEqual(5000);
  });

  it('what is no offset is refused', async () => {
    await using sim = await start();
    const { consumer } = subscribe(sim, byHand);
    for (const offset of [-1, 1.5, Number.NaN]) {
      await expect(consumer.commit([{ topic: TOPIC, partition: 0, offset }])).rejects.toMatchObject(
        { name: 'ConfigError' },
      );
    }
  });

  it('it needs a subscription, and a group', async () => {
    await using sim = await start();
    const idle = sim.kafka().consumer(inGroup);
    await expect(idle.commit()).rejects.toMatchObject({ code: 'NOT_SUBSCRIBED' });
    const groupless = sim.kafka().consumer();
    const seen = new Seen(groupless.records(TOPIC));
    await expect(groupless.commit()).rejects.toMatchObject({ code: 'NO_GROUP' });
    await expect(groupless.committed()).rejects.toMatchObject({ code: 'NO_GROUP' });
    seen.subscription.unsubscribe();
  });

  it('what a group has committed can be read without being a member', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 4);
    const { consumer, seen, ack } = subscribe(sim, byHand);
    await sim.until(() => seen.values.length === 4);
    ack(0);
    await sim.run(consumer.commit());
    const reader = sim.kafka().consumer({ groupId: GROUP });
    const found = await sim.run(reader.committed([{ topic: TOPIC, partition: 0 }]));
    expect(found).toMatchObject([{ offset: 1 }]);
    expect(membersOf(sim.cluster, GROUP)).toBe(1);
  });

  it('is waited for where a transaction has it pending', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    fill(sim, TOPIC, 0, 10);
    const producer = sim.kafka().producer({ transactionalId: 'copier' });
    const txn = await sim.run(producer.beginTransaction());
    const offsets = [{ topic: TOPIC, partition: 0, offset: 6 }];
    await sim.run(txn.sendOffsets({ groupId: GROUP }, offsets));
    const seen = new Seen(fromTopics(sim.kafka(), TOPIC, inGroup));
    await sim.advance(5000);
    expect(seen.values).toEqual([]);
    await sim.run(txn.commit());
    await sim.until(() => seen.values.length === 4);
    expect(offsetsOf(seen.values)).toEqual(upTo(4, 6));
  });
});

describe('without being a member', () => {
  it('partitions taken by hand are committed for the group', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 4);
    const commits = commitsOf(sim);
    const source = fromPartitions(sim.kafka(), [{ topic: TOPIC, partition: 0 }], inGroup);
    const seen = new Seen(source.pipe(ackEach()));
    await sim.until(() => committed(sim.cluster, GROUP, TOPIC) === 4);
    expect(commits[0]).toMatchObject({ memberId: '', generation: -1 });
    expect(membersOf(sim.cluster, GROUP)).toBe(0);
    seen.subscription.unsubscribe();
  });
});

describe('when partitions are given up', () => {
  const never = { autoCommitIntervalMs: 3_600_000 } as const;

  it.each(['classic', 'consumer'] as const)(
    'what is acked is committed before they are handed over (%s)',
    async (groupProtocol) => {
      await using sim = await start(4);
      for (const partition of upTo(4)) fill(sim, TOPIC, partition, 20);
      const options = { ...inGroup, ...never, groupProtocol };
      const work = () =>
        processEach(
          (_: ConsumerRecord) =>
            new Promise<null>((resolve) => sim.clock.schedule(50, () => resolve(null))),
          { concurrency: 4 },
        );
      const first = new Seen(fromTopics(sim.kafka(), TOPIC, options).pipe(work()));
      await sim.until(() => sim.eventsOf('caught-up').length >= 1);
      const second = new Seen(fromTopics(sim.kafka(), TOPIC, options).pipe(work()));
      await sim.until(() => sim.eventsOf('revoked').length > 0);
      const order = sim.events.map(({ type }) => type);
      expect(order.indexOf('draining')).toBeLessThan(order.indexOf('committed'));
      expect(order.indexOf('committed')).toBeLessThan(order.indexOf('revoked'));
      const { partitions, recordsAbandoned } = sim.eventsOf('revoked')[0]!;
      expect(recordsAbandoned).toBe(0);
      for (const { partition } of partitions) {
        expect(committed(sim.cluster, GROUP, TOPIC, partition)).toBeGreaterThan(0);
      }
      for (const { subscription } of [first, second]) subscription.unsubscribe();
    },
  );

  it('a drain commits, and repeats a commit that fails', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 4);
    const { consumer, seen, ack } = subscribe(sim, never);
    await sim.until(() => seen.values.length === 4);
    ack(0, 1, 2, 3);
    sim.cluster.failNext('OffsetCommit', 'COORDINATOR_LOAD_IN_PROGRESS', 3);
    const report = await sim.run(consumer.drain());
    expect(report.offsetsCommitted).toEqual([{ topic: TOPIC, partition: 0, offset: 4 }]);
    expect(committed(sim.cluster, GROUP, TOPIC)).toBe(4);
  });

  it.each([
    ['consumer', 'STALE_MEMBER_EPOCH'],
    ['classic', 'REBALANCE_IN_PROGRESS'],
  ] as const)(
    'a drain commits also where the group is just moving on (%s, %s)',
    async (groupProtocol, error) => {
      await using sim = await start();
      fill(sim, TOPIC, 0, 4);
      const { consumer, seen, ack } = subscribe(sim, { ...never, groupProtocol });
      await sim.until(() => seen.values.length === 4);
      ack(0, 1, 2, 3);
      sim.cluster.failNext('OffsetCommit', error);
      await sim.run(consumer.drain());
      expect(committed(sim.cluster, GROUP, TOPIC)).toBe(4);
    },
  );

  it('unsubscribing commits as best it can, and leaves also when that fails', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 4);
    const { seen, ack } = subscribe(sim, never);
    await sim.until(() => seen.values.length === 4);
    ack(0, 1, 2, 3);
    sim.cluster.failNext('OffsetCommit', 'COORDINATOR_LOAD_IN_PROGRESS', 10_000);
    const startedAt = sim.clock.monotonic();
    seen.subscription.unsubscribe();
    await sim.until(() => membersOf(sim.cluster, GROUP) === 0);
    expect(sim.clock.monotonic() - startedAt).toBeLessThan(10_000);
    await sim.calm();
    const failed = sim.eventsOf('commit-failed').length;
    expect(failed).toBeGreaterThan(1);
    // Nothing goes on behind.
    await sim.advance(60_000);
    expect(sim.eventsOf('commit-failed')).toHaveLength(failed);
  });

  it('nothing waits any more for a commit that is being repeated', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 4);
    const slow = { ...never, retryBackoffMs: 600_000, retryBackoffMaxMs: 600_000 };
    const { consumer, seen, ack } = subscribe(sim, { ...slow, enableAutoCommit: true });
    await sim.until(() => seen.values.length === 4);
    ack(0);
    sim.cluster.failNext('OffsetCommit', 'COORDINATOR_LOAD_IN_PROGRESS', 10_000);
    const commit = rejectionOf(consumer.commit());
    await sim.calm();
    await sim.run(consumer.close());
    const closedAt = sim.clock.monotonic();
    await sim.run(commit);
    expect(sim.clock.monotonic() - closedAt).toBeLessThan(1000);
  });

  it('what is lost is not committed', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 4);
    const { seen, ack } = subscribe(sim, { ...never, groupProtocol: 'classic' });
    await sim.until(() => seen.values.length === 4);
    ack(0, 1);
    const [member] = sim.cluster.inspect().groups[GROUP]!.members;
    sim.cluster.expireMember(GROUP, member!.memberId);
    await sim.until(() => sim.eventsOf('lost').length === 1);
    expect(committed(sim.cluster, GROUP, TOPIC)).toBeUndefined();
    await sim.until(() => seen.values.length === 8);
    expect(offsetsOf(seen.values.slice(4))).toEqual(upTo(4));
  });
});

it('committing through stock operators: what concatMap has done', async () => {
  await using sim = await start();
  write(sim.cluster, TOPIC, 0, 'a', 'b', 'c');
  const seen = new Seen(
    fromTopics(sim.kafka(), TOPIC, { ...inGroup, autoCommitIntervalMs: 100 }).pipe(
      concatMap(async (record) => {
        await new Promise<void>((resolve) => sim.clock.schedule(1000, resolve));
        return record;
      }),
      ackEach(),
    ),
  );
  const offsets: (number | undefined)[] = [];
  for (let i = 0; i < 3; i++) {
    await sim.until(() => seen.values.length === i + 1);
    await sim.advance(200);
    offsets.push(committed(sim.cluster, GROUP, TOPIC));
  }
  expect(offsets).toEqual([1, 2, 3]);
  seen.subscription.unsubscribe();
});
