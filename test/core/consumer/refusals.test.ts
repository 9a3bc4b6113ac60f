import { describe, expect, it } from 'vitest';
import { AuthorizationError } from '../../../src/index.js';
import { limitVersions } from '../../support/api-limits.js';
import { Simulation } from '../../support/simulation.js';
import { fill, offsetsOf, upTo, watch } from '../../support/watching.js';

const TOPIC = 'orders';
const where = { topic: TOPIC, partition: 0 };
const auto = { autoOffsetReset: 'earliest' } as const;

async function start(partitions = 1, brokers = 1) {
  const sim = await Simulation.start({ brokers, topics: { [TOPIC]: partitions } });
  for (const partition of upTo(partitions)) fill(sim, TOPIC, partition, 10);
  return sim;
}

describe('what a broker refuses for good', () => {
  it.each(['Fetch', 'ListOffsets'] as const)(
    'ends the stream with an AuthorizationError that names topic and partition, told by %s',
    async (api) => {
      await using sim = await start();
      sim.cluster.failNext(api, 'TOPIC_AUTHORIZATION_FAILED');
      const seen = watch(sim.kafka().consumer(auto).records(TOPIC));
      await sim.until(() => seen.error !== undefined);
      expect(seen.error).toBeInstanceOf(AuthorizationError);
      expect(seen.error).toMatchObject({ code: 'TOPIC_AUTHORIZATION_FAILED', context: where });
      expect((seen.error as Error).message).toContain('orders-0');
    },
  );

  it('is not what a check of the log was refused for: reading goes on without it', async () => {
    await using sim = await start(1, 2);
    const seen = watch(sim.kafka().consumer(auto).records(TOPIC));
    await sim.until(() => seen.values.length === 10);
    sim.cluster.failNext('OffsetForLeaderEpoch', 'TOPIC_AUTHORIZATION_FAILED', 100);
    sim.cluster.moveLeader(TOPIC, 0, 2);
    fill(sim, TOPIC, 0, 5);
    await sim.until(() => seen.values.length === 15);
    expect(seen.error).toBeUndefined();
  });
});

describe('what passes by itself', () => {
  it.each([
    ['Fetch', 'UNKNOWN_TOPIC_OR_PARTITION'],
    ['Fetch', 'OFFSET_NOT_AVAILABLE'],
    ['Fetch', 'KAFKA_STORAGE_ERROR'],
    ['Fetch', 'UNKNOWN_LEADER_EPOCH'],
    ['Fetch', 'UNKNOWN_SERVER_ERROR'],
    ['ListOffsets', 'LEADER_NOT_AVAILABLE'],
    ['ListOffsets', 'OFFSET_NOT_AVAILABLE'],
  ] as const)(
    'is repeated until it has passed, and the stream hears nothing: %s %s',
    async (api, error) => {
      await using sim = await start();
      sim.cluster.failNext(api, error, 5);
      const seen = watch(sim.kafka().consumer(auto).records(TOPIC));
      await sim.until(() => seen.values.length === 10);
      expect(offsetsOf(seen.values)).toEqual(upTo(10));
      expect(seen.error).toBeUndefined();
      if (api === 'ListOffsets') return;
      expect(sim.eventsOf('fetch-failed')).toHaveLength(5);
      expect(sim.eventsOf('fetch-failed')[0]).toMatchObject({ ...where, reason: error });
    },
  );

  it('is repeated after longer and longer waits, each told, and other partitions go on meanwhile', async () => {
    await using sim = await start(2);
    const refuse = ({
      body,
    }: {
      body: {
        topics: readonly {
          topic: string;
          topicId: string;
          partitions: readonly { partition: number }[];
        }[];
      };
    }) => {
      const [topic] = body.topics;
      if (topic?.partitions.every(({ partition }) => partition !== 0) !== false) return undefined;
      const failed = { errorCode: 56, highWatermark: -1, abortedTransactions: null };
      const partitions = [{ partitionIndex: 0, ...failed, records: Buffer.alloc(0) }];
      return { responses: [{ topic: topic.topic, topicId: topic.topicId, partitions }] };
    };
    sim.cluster.intercept('Fetch', refuse);
    const options = { ...auto, enableIncrementalFetchSessions: false };
    const seen = watch(sim.kafka().consumer(options).records(TOPIC));
    await sim.until(() => offsetsOf(seen.values, 1).length === 10);
    await sim.advance(20_000);
    const failures = sim.eventsOf('fetch-failed').length;
    expect(failures).toBeGreaterThan(10);
    expect(failures).toBeLessThan(40);
    fill(sim, TOPIC, 1, 5);
    await sim.until(() => offsetsOf(seen.values, 1).length === 15);
  });

  it('is every broker being gone: reading goes on when they are back', async () => {
    await using sim = await start(3, 3);
    const seen = watch(sim.kafka().consumer(auto).records(TOPIC));
    await sim.until(() => seen.values.length === 30);
    for (const broker of [1, 2, 3]) await sim.cluster.stop(broker);
    await sim.advance(60_000);
    expect(seen.error).toBeUndefined();
    for (const broker of [1, 2, 3]) await sim.cluster.start(broker);
    for (const partition of upTo(3)) fill(sim, TOPIC, partition, 5);
    await sim.until(() => seen.values.length === 45);
    for (const partition of upTo(3)) expect(offsetsOf(seen.values, partition)).toEqual(upTo(15));
  });
});

describe('a refusal that names the new leader (KIP-951)', () => {
  async function moveAndRead(version: number): Promise<number> {
    await using sim = await start(1, 2);
    limitVersions(sim, { Fetch: version });
    const seen = watch(sim.kafka().consumer(auto).records(TOPIC));
    await sim.until(() => seen.values.length === 10);
    await sim.advance(1000);
    const movedAt = sim.clock.monotonic();
    sim.cluster.moveLeader(TOPIC, 0, 2);
    fill(sim, TOPIC, 0, 5);
    await sim.until(() => seen.values.length === 15);
    expect(offsetsOf(seen.values)).toEqual(upTo(15));
    return sim.clock.monotonic() - movedAt;
  }

  it('is followed without a pause', async () => {
    expect(await moveAndRead(17)).toBe(0);
  });

  it('is what older brokers don’t do: there the cluster is asked, after a pause', async () => {
    expect(await moveAndRead(15)).toBeGreaterThan(0);
  });
});
