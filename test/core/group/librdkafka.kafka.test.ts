import { spawn, type ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startEmbeddedKafka, type EmbeddedKafka } from '../../../src/testing/index.js';
import { waitUntil } from '../../support/kafka/readiness.js';
import { WatchedMember } from './watched-member.js';

let kafka: EmbeddedKafka;

beforeAll(async () => {
  kafka = await startEmbeddedKafka({ topics: { orders: 6 } });
});
afterAll(() => kafka.close());

test.each(['range', 'roundrobin', 'cooperative-sticky'] as const)(
  'members share with a librdkafka member: %s',
  async (assignor) => {
    const groupId = `kcat-${assignor}`;
    const start = () =>
      new WatchedMember({
        kafka: { bootstrapServers: kafka.bootstrapServers },
        group: { groupId, partitionAssignmentStrategy: [assignor], heartbeatIntervalMs: 300 },
        subscription: { type: 'topics', topics: ['orders'] },
      }).join();
    await using theirs = new KcatMember(kafka.bootstrapServers, groupId, assignor);
    await share([theirs], [6]);
    // librdkafka leads: it has been there first.
    await using ours = start();
    await share([theirs, ours], [3, 3]);
    // When it goes and comes again, ours leads.
    await theirs[Symbol.asyncDispose]();
    await share([ours], [6]);
    await using again = new KcatMember(kafka.bootstrapServers, groupId, assignor);
    await share([ours, again], [3, 3]);
    expect(ours.contradictions).toEqual([]);
  },
);

interface Holder {
  readonly partitions: readonly string[];
}

async function share(members: readonly Holder[], sizes: readonly number[]): Promise<void> {
  const isReached = () =>
    members.every(({ partitions }, i) => partitions.length === sizes[i]) &&
    new Set(members.flatMap(({ partitions }) => partitions)).size === 6;
  await waitUntil(isReached, 30_000, () =>
    JSON.stringify(members.map((each) => [each.partitions, (each as { log?: string }).log])),
  );
}

/** A member that librdkafka runs, in kcat, which tells of every rebalance. */
class KcatMember implements AsyncDisposable {
  log = '';
  private readonly child: ChildProcess;
  private readonly exited: Promise<void>;

  constructor(servers: string, groupId: string, assignor: string) {
    const settings = [`partition.assignment.strategy=${assignor}`, 'heartbeat.interval.ms=300'];
    this.child = spawn(
      'kcat',
      ['-b', servers, ...settings.flatMap((each) => ['-X', each]), '-G', groupId, 'orders'],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    this.child.stderr!.on('data', (bytes: Buffer) => (this.log += bytes.toString()));
    this.exited = new Promise((resolve) => this.child.once('close', () => resolve()));
  }

  /**
   * As in `orders-0`, from lines like `% Group g rebalanced (memberid m): assigned: orders [0]` and
   * `% Group g rebalanced: incremental revoke of 1 partition(s) (...): orders [0]`.
   */
  get partitions(): string[] {
    const held = new Set<string>();
    for (const [line, verb] of this.log.matchAll(/rebalanced.*?(assign|revo).*/g)) {
      for (const [, topic, number] of line.matchAll(/(\S+) \[(\d+)\]/g)) {
        const label = `${topic}-${number}`;
        if (verb === 'assign') held.add(label);
        else held.delete(label);
      }
    }
    return [...held];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGTERM');
    await this.exited;
  }
}
