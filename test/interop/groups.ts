import { expect, test } from 'vitest';
import { fromTopics, processEach, type Consumer, type ConsumerOptions } from '../../src/index.js';
import { HEARTBEAT_MS, PARTITIONS } from '../contract/cluster.js';
import { uniqueTopic, type ContractSetup } from '../contract/setup.js';
import { startJavaMember } from '../support/java/member.js';
import { waitUntil } from '../support/kafka/readiness.js';
import { startLibrdkafkaMember } from '../support/librdkafka/member.js';
import type { MemberProcess } from '../support/member-process.js';

const PATIENCE_MS = 40_000;
/** Records that each phase adds to each partition. */
const RECORDS = 20;

interface Dialect {
  readonly name: string;
  readonly ours: ConsumerOptions;
  readonly java: Readonly<Record<string, string | number>>;
  readonly librdkafka: Readonly<Record<string, string | number>>;
}

const classic = (assignor: 'range' | 'cooperative-sticky', javaClass: string): Dialect => ({
  name: `the classic protocol, ${assignor}`,
  ours: {
    groupProtocol: 'classic',
    partitionAssignmentStrategy: [assignor],
    heartbeatIntervalMs: HEARTBEAT_MS,
  },
  java: {
    'group.protocol': 'classic',
    'partition.assignment.strategy': `org.apache.kafka.clients.consumer.${javaClass}`,
    'heartbeat.interval.ms': HEARTBEAT_MS,
  },
  librdkafka: {
    'group.protocol': 'classic',
    'partition.assignment.strategy': assignor,
    'heartbeat.interval.ms': HEARTBEAT_MS,
  },
});

/** Ways in which members of all clients can be in one group. */
const dialects: readonly Dialect[] = [
  classic('range', 'RangeAssignor'),
  classic('cooperative-sticky', 'CooperativeStickyAssignor'),
  {
    name: 'the consumer protocol',
    ours: { groupProtocol: 'consumer' },
    java: { 'group.protocol': 'consumer' },
    librdkafka: { 'group.protocol': 'consumer' },
  },
];

/** Members of Java, of librdkafka and ours share one group. Needs Kafka 4. */
export function sharedGroups(setup: ContractSetup): void {
  test.each(dialects.map((dialect) => [dialect.name, dialect] as const))(
    'Java’s, librdkafka’s and our members share a group by %s, and each record is worked on once',
    async (_, { ours, java: javaConfig, librdkafka: librdkafkaConfig }) => {
      const [topic, groupId] = [uniqueTopic('shared'), uniqueTopic('group')];
      await setup.cluster.createTopic(topic, { partitions: PARTITIONS });
      const { bootstrapServers } = setup.cluster;
      await using kafka = setup.connect();
      const consumer = kafka.consumer({ groupId, autoOffsetReset: 'earliest', ...ours });
      const group = new Group(consumer, topic, setup);
      await group.settled('ours alone');
      await group.work('ours alone');

      await using java = await startJavaMember(bootstrapServers, groupId, [topic], {
        config: javaConfig,
      });
      await group.joinedBy(java, 'with Java');
      await using librdkafka = await startLibrdkafkaMember(
        bootstrapServers,
        groupId,
        [topic],
        librdkafkaConfig,
      );
      await group.joinedBy(librdkafka, 'with Java and librdkafka');
      await group.leftBy(java, 'with librdkafka');
      await group.leftBy(librdkafka, 'ours alone again');
      group.judge();
    },
    4 * PATIENCE_MS,
  );
}

/** Our member, those of others, and what all of them have seen. */
class Group {
  private readonly mine: string[] = [];
  private readonly others = new Set<MemberProcess>();
  private readonly everybody = new Set<MemberProcess>();
  private sent = 0;
  private failure: unknown;

  constructor(
    private readonly consumer: Consumer,
    private readonly topic: string,
    private readonly setup: ContractSetup,
  ) {
    fromTopics(consumer, topic)
      .pipe(processEach(({ value }) => void this.mine.push(String(value))))
      .subscribe({ error: (error: unknown) => (this.failure = error) });
  }

  async joinedBy(member: MemberProcess, phase: string): Promise<void> {
    this.others.add(member);
    this.everybody.add(member);
    await this.settled(phase);
    const before = member.seen.length;
    await this.work(phase);
    expect(member.seen.length).toBeGreaterThan(before);
  }

  async leftBy(member: MemberProcess, phase: string): Promise<void> {
    await member.leave();
    expect(member.hasLeft).toBe(true);
    this.others.delete(member);
    await this.settled(phase);
    await this.work(phase);
  }

  /** All partitions are held, each by one member, and each member holds some. */
  settled(phase: string): Promise<void> {
    return this.until(phase, () => {
      const sizes = [...this.others].map(({ held }) => held.size);
      sizes.push(this.consumer.assignment.length);
      return sizes.every((size) => size > 0) && sum(sizes) === PARTITIONS;
    });
  }

  /** Writes to all partitions and waits until as many records were seen. */
  async work(phase: string): Promise<void> {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const records = Array.from({ length: RECORDS }, () => ({ value: String(this.sent++) }));
      await this.setup.cluster.write(this.topic, partition, records);
    }
    await this.until(phase, () => this.seen.length >= this.sent);
  }

  /** Everything was seen once. */
  judge(): void {
    const all = Array.from({ length: this.sent }, (_, i) => String(i));
    expect(this.seen.toSorted()).toEqual(all.toSorted());
  }

  private get seen(): string[] {
    const theirs = [...this.everybody].flatMap(({ seen }) => seen.map(({ value }) => value!));
    return [...this.mine, ...theirs];
  }

  private until(phase: string, holds: () => boolean): Promise<void> {
    return waitUntil(holds, PATIENCE_MS, () => {
      const theirs = [...this.everybody].map(
        ({ held, complaints }) => `others ${held.size} (${complaints})`,
      );
      return (
        `${phase}: ${this.seen.length} of ${this.sent} seen; ours has ` +
        `${this.consumer.assignment.length} partitions, ${theirs.join(', ')}; ${String(this.failure)}`
      );
    });
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
