import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Kafka, logLevel, AssignerProtocol, type PartitionAssigner } from 'kafkajs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeRecords } from '../../../src/core/records/index.js';
import { startEmbeddedKafka, type EmbeddedKafka } from '../../../src/testing/index.js';
import { classpathOf } from '../../support/kafka/classpath.js';
import { waitUntil } from '../../support/kafka/readiness.js';
import { findRelease } from '../../support/kafka/releases.js';

const GROUP = 'billing';
const PARTITIONS = 6;
const PATIENCE_MS = 30_000;

let cluster: EmbeddedKafka;
let consumers: OutsideConsumer[];
let produced: number;

beforeEach(async () => {
  cluster = await startEmbeddedKafka({ brokers: 2, topics: { orders: PARTITIONS } });
  consumers = [];
  produced = 0;
});

afterEach(async () => {
  await Promise.all(consumers.map((consumer) => consumer.stop()));
  await cluster.close();
});

/** Some consumer that prints what it reads. */
interface OutsideConsumer {
  /** Values in the order in which they came. */
  readonly values: string[];
  /** What it complains of. */
  readonly log: string;
  /** Leaves the group in good order. */
  stop(): Promise<void>;
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A consumer in a process of its own, one line a record. */
class ProcessConsumer implements OutsideConsumer {
  readonly values: string[] = [];
  private readonly child: ChildProcess;
  private complaints = '';

  constructor(command: string, args: readonly string[]) {
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(this.child);
    this.child.once('exit', () => running.delete(this.child));
    createInterface({ input: this.child.stdout! }).on('line', (line) => this.values.push(line));
    this.child.stderr!.on('data', (text: Buffer) => (this.complaints += String(text)));
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await exited;
  }

  get log(): string {
    return this.complaints;
  }
}

function kcat(): OutsideConsumer {
  return started(
    new ProcessConsumer('kcat', [
      ...['-b', cluster.bootstrapServers, '-q', '-u', '-f', '%s\\n'],
      ...['-X', 'auto.offset.reset=earliest', '-X', 'partition.assignment.strategy=roundrobin'],
      ...['-X', 'auto.commit.interval.ms=100', '-G', GROUP, 'orders'],
    ]),
  );
}

/** Kafka's own console consumer with some settings. */
async function java(settings: Readonly<Record<string, string>>): Promise<OutsideConsumer> {
  const classpath = await classpathOf(findRelease('4.3'));
  const properties = {
    'auto.commit.interval.ms': '100',
    'auto.offset.reset': 'earliest',
    ...settings,
  };
  return started(
    new ProcessConsumer('java', [
      ...['-Xmx256m', '-XX:TieredStopAtLevel=1', '-cp', classpath],
      'org.apache.kafka.tools.consumer.ConsoleConsumer',
      ...['--bootstrap-server', cluster.bootstrapServers, '--topic', 'orders', '--group', GROUP],
      ...Object.entries(properties).flatMap(([name, value]) => [
        '--command-property',
        `${name}=${value}`,
      ]),
    ]),
  );
}

/** Deals partitions out in turn, under the name that the others give to that. */
const roundRobin: PartitionAssigner = ({ cluster: metadata }) => ({
  name: 'roundrobin',
  version: 0,
  protocol: ({ topics }) => ({
    name: 'roundrobin',
    metadata: AssignerProtocol.MemberMetadata.encode({
      version: 0,
      topics,
      userData: Buffer.alloc(0),
    }),
  }),
  assign: ({ members, topics }) => {
    const ids = members.map(({ memberId }) => memberId).sort();
    const assignments = new Map<string, Record<string, number[]>>(ids.map((id) => [id, {}]));
    const partitions = topics.flatMap((topic) =>
      metadata
        .findTopicPartitionMetadata(topic)
        .map(({ partitionId }) => ({ topic, partition: partitionId })),
    );
    for (const [i, { topic, partition }] of partitions.entries()) {
      (assignments.get(ids[i % ids.length]!)![topic] ??= []).push(partition);
    }
    return Promise.resolve(
      [...assignments].map(([memberId, assignment]) => ({
        memberId,
        memberAssignment: AssignerProtocol.MemberAssignment.encode({
          version: 0,
          assignment,
          userData: Buffer.alloc(0),
        }),
      })),
    );
  },
});

async function kafkajs(): Promise<OutsideConsumer> {
  const kafka = new Kafka({
    brokers: cluster.bootstrapServers.split(','),
    logLevel: logLevel.NOTHING,
  });
  const consumer = kafka.consumer({
    groupId: GROUP,
    partitionAssigners: [roundRobin],
    heartbeatInterval: 300,
  });
  const values: string[] = [];
  await consumer.subscribe({ topic: 'orders', fromBeginning: true });
  await consumer.run({
    autoCommitInterval: 100,
    eachMessage: ({ message }) => {
      values.push(String(message.value));
      return Promise.resolve();
    },
  });
  return started({ values, log: '', stop: () => consumer.disconnect() });
}

function started<C extends OutsideConsumer>(consumer: C): C {
  consumers.push(consumer);
  return consumer;
}

/** One record into each partition. */
function produce(): void {
  for (let partition = 0; partition < PARTITIONS; partition++) {
    cluster.append('orders', partition, encodeRecords([{ value: `record ${produced++}` }]));
  }
}

const complaint = (what: string) => () =>
  `${what} in vain: ${JSON.stringify(cluster.inspect().groups)} ${consumers.map(({ log }) => log).join('')}`;

/** Waits until a number of members have settled, sharing all partitions. */
function whenShared(count: number): Promise<void> {
  const isShared = () => {
    const { state, members } = cluster.inspect().groups[GROUP] ?? { members: [] };
    const owned = members.flatMap(({ assignment }) => assignment['orders'] ?? []);
    return state === 'Stable' && members.length === count && owned.length === PARTITIONS;
  };
  return waitUntil(isShared, PATIENCE_MS, complaint(`waited for ${count} members to share`));
}

/** Waits until all that was produced was read and committed, and checks that it was read once. */
async function whenAllIsDone(): Promise<void> {
  const read = () => consumers.flatMap(({ values }) => values);
  await waitUntil(() => read().length >= produced, PATIENCE_MS, complaint('waited for records'));
  const committed = () =>
    Object.values(cluster.groupOffsets(GROUP)['orders'] ?? {}).reduce(
      (n, { offset }) => n + offset,
      0,
    );
  await waitUntil(() => committed() === produced, PATIENCE_MS, complaint('waited for commits'));
  const wanted = Array.from({ length: produced }, (_, i) => `record ${i}`);
  expect(read().sort()).toEqual(wanted.sort());
}

/** Has the members that there are read something, each its own part. */
async function passRecords(count: number): Promise<void> {
  await whenShared(count);
  produce();
  await whenAllIsDone();
}

const ROUND_ROBIN = {
  'partition.assignment.strategy': 'org.apache.kafka.clients.consumer.RoundRobinAssignor',
};

test('kcat, Java and kafkajs share a classic group, and go on where one that left had come to', async () => {
  const leaving = [await java(ROUND_ROBIN), kcat()];
  await java(ROUND_ROBIN);
  await kafkajs();
  await passRecords(4);
  for (const [i, consumer] of leaving.entries()) {
    await consumer.stop();
    await passRecords(3 - i);
  }
  kcat();
  await passRecords(3);
  expect(cluster.inspect().groups[GROUP]).toMatchObject({
    type: 'classic',
    assignor: 'roundrobin',
  });
  expect(cluster.inspect().complaints).toEqual([]);
}, 120_000);

test('Java consumers share a group of the consumer protocol, and go on likewise', async () => {
  const settings = { 'group.protocol': 'consumer' };
  const first = await java(settings);
  await java(settings);
  await passRecords(2);
  await first.stop();
  await passRecords(1);
  await java({ ...settings, 'group.remote.assignor': 'range' });
  await passRecords(2);
  expect(cluster.inspect().groups[GROUP]).toMatchObject({ type: 'consumer', state: 'Stable' });
  expect(cluster.inspect().complaints).toEqual([]);
}, 120_000);

test('kcat, Java and kafkajs share a group with a Java consumer of the other protocol, and keep it', async () => {
  const leaving = await java({ 'group.protocol': 'consumer' });
  // A JoinGroup that waits while the group changes its kind fails, and kcat takes that amiss.
  await whenShared(1);
  await java(ROUND_ROBIN);
  kcat();
  await kafkajs();
  await passRecords(4);
  expect(cluster.inspect().groups[GROUP]!.type).toBe('consumer');
  await leaving.stop();
  await passRecords(3);
  expect(cluster.inspect().groups[GROUP]!.type).toBe('classic');
  expect(cluster.inspect().complaints).toEqual([]);
}, 120_000);

test.each([
  ['classic', () => java(ROUND_ROBIN)],
  ['consumer', () => java({ 'group.protocol': 'consumer' })],
  ['librdkafka’s classic', () => Promise.resolve(kcat())],
])(
  'a member of the %s protocol follows its coordinator to another broker',
  async (_protocol, start) => {
    await start();
    await passRecords(1);
    const { coordinator, members } = cluster.inspect().groups[GROUP]!;
    await cluster.stop(coordinator);
    await passRecords(1);
    expect(cluster.inspect().groups[GROUP]!.members).toMatchObject([
      { memberId: members[0]!.memberId },
    ]);
  },
  60_000,
);
