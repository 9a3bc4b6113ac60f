import { join } from 'node:path';
import { classpathOf } from './classpath.js';
import type { KafkaCluster } from './cluster.js';
import { JavaProcess } from './java-process.js';
import { findRelease } from './releases.js';

export interface VerifiableConsumerOptions {
  readonly topic: string;
  readonly groupId: string;
  readonly groupProtocol: 'classic' | 'consumer';
  /** Its class in `org.apache.kafka.clients.consumer`, as in `RangeAssignor`. */
  readonly assignor?: string;
}

interface Told {
  readonly name: string;
  readonly partitions?: readonly { readonly topic: string; readonly partition: number }[];
}

/** Apache's own member of a group, which says what it is assigned. */
export class VerifiableConsumer implements AsyncDisposable {
  private constructor(private readonly java: JavaProcess) {}

  static async start(
    kafka: KafkaCluster,
    { topic, groupId, groupProtocol, assignor }: VerifiableConsumerOptions,
  ): Promise<VerifiableConsumer> {
    const classpath = await classpathOf(findRelease('4.3'));
    const log = join(kafka.folder, `${groupId}-java-${Math.random().toString(36).slice(2)}.log`);
    const args = [
      ...['-Xmx256m', '-XX:TieredStopAtLevel=1', '-cp', classpath],
      'org.apache.kafka.tools.VerifiableConsumer',
      ...['--bootstrap-server', kafka.bootstrapServers],
      ...['--topic', topic, '--group-id', groupId, '--group-protocol', groupProtocol],
      ...(groupProtocol === 'classic'
        ? [
            '--assignment-strategy',
            `org.apache.kafka.clients.consumer.${assignor ?? 'RangeAssignor'}`,
          ]
        : []),
    ];
    return new VerifiableConsumer(new JavaProcess(args, log, kafka.folder));
  }

  /** What it has now, as in `orders-0`, sorted. */
  get partitions(): string[] {
    const held = new Set<string>();
    for (const { name, partitions = [] } of this.told) {
      for (const { topic, partition } of partitions) {
        if (name === 'partitions_assigned') held.add(`${topic}-${partition}`);
        if (name === 'partitions_revoked') held.delete(`${topic}-${partition}`);
      }
    }
    return [...held].sort();
  }

  get log(): string {
    return this.java.log;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.java.stop();
  }

  private get told(): Told[] {
    return this.java.log.split('\n').flatMap((line) => {
      if (!line.startsWith('{"')) return [];
      try {
        return [JSON.parse(line) as Told];
      } catch {
        // The line is still being written.
        return [];
      }
    });
  }
}
