import { describe, expect, test } from 'vitest';
import { fromTopics, processEach, type ConsumerOptions } from '../../src/index.js';
import { HEARTBEAT_MS, PARTITIONS } from '../contract/cluster.js';
import { uniqueTopic, type ContractSetup } from '../contract/setup.js';
import { JavaMember } from '../support/java/member.js';
import { waitUntil } from '../support/kafka/readiness.js';

const PATIENCE_MS = 40_000;

interface Dialect {
  readonly name: string;
  readonly ours: ConsumerOptions;
  readonly theirs: Readonly<Record<string, string | number>>;
}

/** Ways in which our members and Java's can be in one group. */
const dialects: readonly Dialect[] = [
  {
    name: 'the classic protocol, range',
    ours: { groupProtocol: 'classic', partitionAssignmentStrategy: ['range'] },
    theirs: {
      'group.protocol': 'classic',
      'partition.assignment.strategy': 'org.apache.kafka.clients.consumer.RangeAssignor',
    },
  },
  {
    name: 'the classic protocol, cooperative-sticky',
    ours: { groupProtocol: 'classic', partitionAssignmentStrategy: ['cooperative-sticky'] },
    theirs: {
      'group.protocol': 'classic',
      'partition.assignment.strategy':
        'org.apache.kafka.clients.consumer.CooperativeStickyAssignor',
    },
  },
  {
    name: 'the consumer protocol',
    ours: { groupProtocol: 'consumer' },
    theirs: { 'group.protocol': 'consumer' },
  },
];

/** Java's members and ours share one group. Needs Kafka 4. */
export function javaGroups(setup: ContractSetup): void {
  describe.each(dialects)('in one group with Java: $name', ({ ours, theirs }) => {
    test(
      'partitions are shared, each record is worked on once while members come and go in order',
      async () => {
        const [topic, groupId] = [uniqueTopic('shared'), uniqueTopic('group')];
        await setup.cluster.createTopic(topic, { partitions: PARTITIONS });
        const { bootstrapServers } = setup.cluster;
        await using kafka = setup.connect();
        const isClassic = ours.groupProtocol === 'classic';
        const options: ConsumerOptions = {
          groupId,
          autoOffsetReset: 'earliest',
          ...ours,
          ...(isClassic && { heartbeatIntervalMs: HEARTBEAT_MS }),
        };
        const consumer = kafka.consumer(options);
        const mine: string[] = [];
        let failure: unknown;
        fromTopics(consumer, topic)
          .pipe(processEach(({ value }) => void mine.push(String(value))))
          .subscribe({ error: (error: unknown) => (failure = error) });
        const until = (holds: () => boolean, what: string, java?: JavaMember) =>
          waitUntil(
            holds,
            PATIENCE_MS,
            () =>
              `${what}: ours has ${consumer.assignment.length} partitions, Java's ${java?.held.size}; ${String(failure)} ${java?.complaints}`,
          );
        await until(() => consumer.assignment.length === PARTITIONS, 'alone');
        let sent = 0;
        const write = async (count: number) => {
          for (let partition = 0; partition < PARTITIONS; partition++) {
            const records = Array.from({ length: count }, () => ({ value: String(sent++) }));
            await setup.cluster.write(topic, partition, records);
          }
        };
        await write(20);
        await until(() => mine.length === sent, 'records before Java');
        await using java = await JavaMember.start(bootstrapServers, groupId, [topic], {
          config: { ...theirs, ...(isClassic && { 'heartbeat.interval.ms': HEARTBEAT_MS }) },
        });
        await until(
          () => java.held.size > 0 && java.held.size + consumer.assignment.length === PARTITIONS,
          'together',
          java,
        );
        await write(20);
        await until(() => mine.length + java.seen.length === sent, 'records together', java);
        expect(java.seen.length).toBeGreaterThan(0);
        await java.leave();
        await until(() => consumer.assignment.length === PARTITIONS, 'alone again', java);
        await write(20);
        await until(() => mine.length + java.seen.length === sent, 'records after Java', java);
        const all = [...mine, ...java.seen.map(({ value }) => value!)];
        expect(all.toSorted()).toEqual(
          Array.from({ length: sent }, (_, i) => String(i)).toSorted(),
        );
      },
      3 * PATIENCE_MS,
    );
  });
}
