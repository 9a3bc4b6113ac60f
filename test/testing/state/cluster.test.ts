import { describe, expect, test } from 'vitest';
import { Cluster } from '../../../src/testing/state/cluster.js';
import type { TopicSpec } from '../../../src/testing/state/topic-plans.js';
import { Errors } from '../../../src/testing/error-codes.js';
import { orRejection } from '../../../src/testing/state/rejection.js';
import { profileOf } from '../../../src/testing/versions.js';
import { FakeClock } from '../../support/fake-clock.js';

function clusterOf(brokers: number): Cluster {
  const nodes = Array.from({ length: brokers }, (_, i) => ({
    id: i + 1,
    rack: null,
    host: 'localhost',
    port: 9092 + i,
    isRunning: true,
  }));
  return new Cluster(
    {
      clusterId: 'test',
      profile: profileOf('4.3', new Set()),
      clock: new FakeClock(),
      numPartitions: 2,
      defaultReplicationFactor: Math.min(3, brokers),
      autoCreateTopicsEnable: true,
      rackAwareFetch: false,
      validatesEachRecord: false,
      features: [],
      topicDefaults: new Map(),
      maxFetchSessions: 1000,
      maxTransactionTimeoutMs: 900_000,
      transactionalIdExpirationMs: 604_800_000,
      groups: {
        initialRebalanceDelayMs: 0,
        minSessionTimeoutMs: 6000,
        maxSessionTimeoutMs: 1_800_000,
        maxSize: 100,
        consumerSessionTimeoutMs: 45_000,
        consumerHeartbeatIntervalMs: 5000,
        assignmentIntervalMs: 0,
        migrationPolicy: 'bidirectional',
        offsetMetadataMaxBytes: 4096,
      },
    },
    nodes,
  );
}

const stop = (cluster: Cluster, id: number) => {
  cluster.node(id)!.isRunning = false;
  cluster.brokerStopped(id);
};
const start = (cluster: Cluster, id: number) => {
  cluster.node(id)!.isRunning = true;
  cluster.brokerStarted(id);
};
const refusal = (cluster: Cluster, name: string, spec?: TopicSpec) => {
  const outcome = orRejection(() => cluster.createTopic(name, spec));
  return 'errorCode' in outcome ? outcome.errorCode : Errors.NONE;
};

describe('a new topic', () => {
  test('has the cluster’s numbers, an id, and leaders that take turns', () => {
    const cluster = clusterOf(3);
    const topic = cluster.createTopic('orders');
    expect(topic.partitions.map(({ replicas }) => replicas)).toEqual([
      [1, 2, 3],
      [2, 3, 1],
    ]);
    expect(topic.partitions.map(({ leaderId }) => leaderId)).toEqual([1, 2]);
    expect(topic.partitions.map(({ leaderEpoch }) => leaderEpoch)).toEqual([0, 0]);
    expect(topic.id).toMatch(/^[\w-]{22}$/);
    expect(cluster.topicById(topic.id)).toBe(topic);
  });

  test('has another id when it is made anew', () => {
    const cluster = clusterOf(1);
    const first = cluster.createTopic('orders');
    cluster.deleteTopic(first);
    expect(cluster.topicById(first.id)).toBeUndefined();
    expect(cluster.createTopic('orders').id).not.toBe(first.id);
  });

  test.each<[string, string, TopicSpec, number]>([
    ['a bad name', 'a b', {}, Errors.INVALID_TOPIC_EXCEPTION],
    ['a name that is taken', 'taken', {}, Errors.TOPIC_ALREADY_EXISTS],
    ['a name that collides', 'a_b', {}, Errors.INVALID_TOPIC_EXCEPTION],
    ['no partition', 't', { partitions: 0 }, Errors.INVALID_PARTITIONS],
    ['far too many partitions', 't', { partitions: 2_000_000_000 }, Errors.POLICY_VIOLATION],
    [
      'more replicas than brokers',
      't',
      { replicationFactor: 4 },
      Errors.INVALID_REPLICATION_FACTOR,
    ],
    ['no replica', 't', { replicationFactor: 0 }, Errors.INVALID_REPLICATION_FACTOR],
    ['an unknown broker', 't', { assignments: [[9]] }, Errors.INVALID_REPLICA_ASSIGNMENT],
    ['a broker twice', 't', { assignments: [[1, 1]] }, Errors.INVALID_REPLICA_ASSIGNMENT],
    ['an unknown setting', 't', { configs: { nonsense: '1' } }, Errors.INVALID_CONFIG],
  ])('is refused with %s', (_, name, spec, error) => {
    const cluster = clusterOf(3);
    cluster.createTopic('taken');
    cluster.createTopic('a.b');
    expect(refusal(cluster, name, spec)).toBe(error);
    expect(cluster.topics.size).toBe(2);
  });

  test('leads on the first replica that runs', () => {
    const cluster = clusterOf(3);
    stop(cluster, 1);
    const { partitions } = cluster.createTopic('t', { assignments: [[1, 2], [1]] });
    expect(partitions[0]).toMatchObject({ leaderId: 2, isr: [2] });
    expect(partitions[1]).toMatchObject({ leaderId: -1, isr: [1] });
  });
});

describe('a broker that stops', () => {
  test('leaves the in-sync replicas, and another one leads in a new epoch', () => {
    const cluster = clusterOf(3);
    const [partition] = cluster.createTopic('t').partitions;
    stop(cluster, 1);
    expect(partition).toMatchObject({ leaderId: 2, leaderEpoch: 1, isr: [2, 3] });
    expect(cluster.controllerId).toBe(2);
  });

  test('as a follower starts no new epoch', () => {
    const cluster = clusterOf(3);
    const [partition] = cluster.createTopic('t').partitions;
    stop(cluster, 3);
    expect(partition).toMatchObject({ leaderId: 1, leaderEpoch: 0, isr: [1, 2] });
  });

  test('as the last in sync is the only one to lead again', () => {
    const cluster = clusterOf(2);
    const [partition] = cluster.createTopic('t').partitions;
    stop(cluster, 2);
    stop(cluster, 1);
    expect(partition).toMatchObject({ leaderId: -1, isr: [1] });
    start(cluster, 2);
    expect(partition).toMatchObject({ leaderId: -1, isr: [1] });
    start(cluster, 1);
    expect(partition).toMatchObject({ leaderId: 1, isr: [1, 2] });
  });

  test('is in sync again when it comes back, and leads nothing', () => {
    const cluster = clusterOf(3);
    const [partition] = cluster.createTopic('t').partitions;
    stop(cluster, 1);
    start(cluster, 1);
    expect(partition).toMatchObject({ leaderId: 2, leaderEpoch: 1, isr: [1, 2, 3] });
  });

  test('and comes back does not bring others into sync that were taken out', () => {
    const cluster = clusterOf(3);
    const [partition] = cluster.createTopic('t').partitions;
    partition!.isr = [1];
    stop(cluster, 3);
    start(cluster, 3);
    expect(partition!.isr).toEqual([1, 3]);
  });
});

test('a topic grows by partitions with as many replicas as it has', () => {
  const cluster = clusterOf(3);
  const topic = cluster.createTopic('t', { partitions: 1, replicationFactor: 2 });
  cluster.addPartitions(topic, cluster.plans.partitions(topic, 3));
  expect(topic.partitions.map(({ index, replicas }) => [index, replicas.length])).toEqual([
    [0, 2],
    [1, 2],
    [2, 2],
  ]);
  expect(orRejection(() => cluster.plans.partitions(topic, 3))).toMatchObject({
    errorCode: Errors.INVALID_PARTITIONS,
  });
  expect(orRejection(() => cluster.plans.partitions(topic, 5, [[1]]))).toMatchObject({
    errorCode: Errors.INVALID_REPLICA_ASSIGNMENT,
  });
});

test('a coordinator is always the same for a key as long as the brokers are the same', () => {
  const cluster = clusterOf(3);
  const ids = new Set(
    Array.from({ length: 50 }, (_, i) => {
      const { id } = cluster.coordinatorOf(`group-${i}`)!;
      expect(cluster.coordinatorOf(`group-${i}`)!.id).toBe(id);
      return id;
    }),
  );
  expect(ids.size).toBe(3);
  for (const id of [1, 2, 3]) stop(cluster, id);
  expect(cluster.coordinatorOf('group')).toBeUndefined();
  expect(cluster.controllerId).toBe(-1);
});
