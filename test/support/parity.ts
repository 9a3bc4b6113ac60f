import { afterAll, beforeAll, expect } from 'vitest';
import { brokerError } from '../../src/core/protocol/index.js';
import { readBatches, readControlRecord, recordsOf } from '../../src/core/records/index.js';
import { ConnectionError } from '../../src/core/util/errors.js';
import { connect, type PromptClient } from '../../src/protocol.js';
import {
  startEmbeddedKafka,
  type EmbeddedKafka,
  type EmbeddedKafkaOptions,
} from '../../src/testing/index.js';
import { startKafka, type KafkaCluster, type StartOptions } from './kafka/cluster.js';

/** What is asked of a broker; returns what it has answered, without what may differ. */
export type Scenario<T = unknown> = (client: PromptClient) => Promise<T>;

/** A real broker and an embedded one. */
export interface Both {
  /** Runs a scenario on both, and compares what it returns; a connection that is cut is an answer, too. */
  readonly compare: (scenario: Scenario) => Promise<void>;
  /** What a scenario returns with each. */
  readonly ask: <T>(scenario: Scenario<T>) => Promise<{ readonly real: T; readonly embedded: T }>;
}

/** Starts both before the specs around the call, and stops them after them. */
export function useBoth(real: StartOptions, embedded: EmbeddedKafkaOptions = {}): Both {
  let realKafka: KafkaCluster;
  let embeddedKafka: EmbeddedKafka;
  beforeAll(async () => {
    embeddedKafka = await startEmbeddedKafka(embedded);
    realKafka = await startKafka(real);
  });
  afterAll(async () => {
    await embeddedKafka.close();
    await realKafka.stop();
  });
  const ask: Both['ask'] = async (scenario) => ({
    real: await run(scenario, realKafka.nodes[0]!),
    embedded: await run(scenario, embeddedKafka.addressOf(1)),
  });
  return {
    ask,
    async compare(scenario) {
      const told = await ask((client) => scenario(client).catch(hungUp));
      expect(told.embedded).toEqual(told.real);
    },
  };
}

/** Over a connection of its own, for brokers hang up on some requests. */
async function run<T>(
  scenario: Scenario<T>,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<T> {
  const client = await connect(host, port, { requestTimeoutMs: 10_000 });
  try {
    return await scenario(client);
  } finally {
    client.close();
  }
}

function hungUp(error: unknown): string {
  if (error instanceof ConnectionError) return 'hung up';
  throw error;
}

/** Kafka's name of an error code. */
export const errors = (code: number): string => brokerError(code).name;

interface LogQuery {
  readonly topic: string;
  readonly partition: number;
  readonly isolationLevel: number;
  /** Of Fetch. */
  readonly version: number;
}

/** What a consumer gets of a partition, with markers and epochs. */
export async function readLog(
  client: PromptClient,
  { topic, partition, isolationLevel, version }: LogQuery,
) {
  const wanted = { partition, fetchOffset: 0, partitionMaxBytes: 1_000_000 };
  const topics = [{ topic, partitions: [wanted] }];
  const query = { maxWaitMs: 0, minBytes: 0, maxBytes: 1_000_000, isolationLevel, topics };
  const { responses } = await client.request('Fetch', query, { version });
  const found = responses[0]!.partitions[0]!;
  return {
    error: errors(found.errorCode),
    end: found.highWatermark,
    stable: found.lastStableOffset,
    aborted: found.abortedTransactions?.map(({ firstOffset }) => firstOffset) ?? null,
    batches: readBatches(found.records ?? Buffer.alloc(0)).flatMap((batch) =>
      [...recordsOf(batch)].map(({ offset, key, value }) => {
        const said = batch.isControl ? readControlRecord(key, value).kind : String(value);
        return `${offset} ${said} epoch ${batch.producerEpoch}`;
      }),
    ),
  };
}

/** Makes a topic, and waits until the broker leads all of it. */
export async function makeTopic(
  client: PromptClient,
  name: string,
  partitions: number,
  isLed: (partition: number) => Promise<boolean>,
): Promise<string> {
  const topic = { name, numPartitions: partitions, replicationFactor: 1 };
  const topics = [{ ...topic, assignments: [], configs: [] }];
  await client.request('CreateTopics', { topics, timeoutMs: 10_000 });
  for (;;) {
    const led = await Promise.all(Array.from({ length: partitions }, (_, i) => isLed(i)));
    if (led.every(Boolean)) return name;
  }
}
