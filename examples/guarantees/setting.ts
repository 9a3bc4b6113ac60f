import { from, lastValueFrom } from 'rxjs';
import { createKafka, toTopic, type Kafka } from '../../src/index.js';
import {
  startEmbeddedKafka,
  type EmbeddedKafka,
  type EmbeddedKafkaOptions,
} from '../../src/testing/index.js';

/** What each example runs in: a broker inside this process, a client of it, and a topic `orders`. */
export interface Setting {
  readonly cluster: EmbeddedKafka;
  readonly kafka: Kafka;
  /** Says what must be true, and fails the example where it is not. */
  readonly check: (statement: string, isTrue: boolean) => void;
  /** Resolves when a condition holds. */
  readonly until: (holds: () => boolean) => Promise<void>;
}

/** Runs an example; the exit code says whether all of its checks held. */
export async function example(
  {
    partitions,
    records,
    ...options
  }: { partitions: number; records: number } & EmbeddedKafkaOptions,
  body: (setting: Setting) => Promise<void>,
): Promise<void> {
  const cluster = await startEmbeddedKafka({ ...options, topics: { orders: partitions } });
  const kafka = createKafka({ bootstrapServers: cluster.bootstrapServers });
  const until = async (holds: () => boolean) => {
    while (!holds()) await sleep(5);
  };
  await fill(cluster, partitions, records);
  await until(() => connectionsTo(cluster) === 0);
  const check = (statement: string, isTrue: boolean) => {
    console.log(`${isTrue ? 'yes' : 'NO '}  ${statement}`);
    if (!isTrue) process.exitCode = 1;
  };
  try {
    await body({ cluster, kafka, check, until });
  } finally {
    await kafka.close({ timeoutMs: 0 });
    await cluster.close();
  }
}

async function fill(cluster: EmbeddedKafka, partitions: number, records: number): Promise<void> {
  const kafka = createKafka({ bootstrapServers: cluster.bootstrapServers });
  const values = Array.from({ length: records }, (_, i) => ({
    partition: i % partitions,
    key: `customer-${i % 10}`,
    value: String(i),
  }));
  await lastValueFrom(from(values).pipe(toTopic(kafka, 'orders')));
  await kafka.close();
}

/** Open connections to the cluster. */
export function connectionsTo(cluster: EmbeddedKafka): number {
  return cluster.inspect().brokers.reduce((sum, { connections }) => sum + connections, 0);
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
