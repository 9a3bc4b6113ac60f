import { KafkaError } from '../../../src/index.js';
import {
  brokerError,
  connect,
  readBatches,
  recordsOf,
  type CompressionType,
  type Header,
  type PromptClient,
  type RecordBatch,
} from '../../../src/protocol.js';
import { waitUntil } from './readiness.js';

const WAIT_MS = 30_000;
const LAST_FETCH_WITH_NAMES = 12;
const CREATE_TIMEOUT_MS = 20_000;
const REQUEST_TIMEOUT_MS = 25_000;

/** A record as the log has it, with what is known of the batch it lies in. */
export interface LoggedRecord {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly Header[];
  readonly magic: number;
  readonly compressionType: CompressionType;
  /** -1 for a producer without idempotence. */
  readonly producerId: number;
  /** Of the batch's first record. */
  readonly baseSequence: number;
}

/**
 * A cluster by the protocol alone: topics are made and logs are read with single requests. Neither
 * the producer, nor the consumer, nor the cluster layer has a part in it, so that none of them is
 * its own witness.
 */
export class Wire {
  private readonly clients = new Map<string, Promise<PromptClient>>();

  constructor(private readonly bootstrapServers: string) {}

  /** Makes a topic and waits until every partition has a leader. Needs Kafka 0.10.1. */
  async createTopic(
    name: string,
    {
      partitions = 1,
      replicationFactor = 1,
      config = {},
    }: {
      partitions?: number;
      replicationFactor?: number;
      config?: Readonly<Record<string, string | number>>;
    } = {},
  ): Promise<void> {
    const configs = Object.entries(config).map(([key, value]) => ({
      name: key,
      value: String(value),
    }));
    const topic = { name, numPartitions: partitions, replicationFactor, assignments: [], configs };
    const controller = await this.controller();
    const answer = await controller.request('CreateTopics', {
      topics: [topic],
      timeoutMs: CREATE_TIMEOUT_MS,
    });
    const { errorCode = -1, errorMessage } = answer.topics[0] ?? {};
    if (errorCode !== 0) throw refused(`create ${name}`, errorCode, errorMessage);
    await this.awaitLeaders(name, partitions);
  }

  /** Lets the broker make a topic as it makes one that a client asks for. */
  async autoCreateTopic(name: string, partitions: number): Promise<void> {
    await this.awaitLeaders(name, partitions);
  }

  async deleteTopic(name: string): Promise<void> {
    const controller = await this.controller();
    const version = Math.min(controller.apis['DeleteTopics']!.max, 5);
    const body = { topicNames: [name], timeoutMs: CREATE_TIMEOUT_MS };
    const answer = await controller.request('DeleteTopics', body, { version });
    const { errorCode = -1, errorMessage } = answer.responses[0] ?? {};
    if (errorCode !== 0) throw refused(`delete ${name}`, errorCode, errorMessage);
  }

  /** Gives a topic more partitions. Needs Kafka 1.0. */
  async addPartitions(name: string, count: number): Promise<void> {
    const controller = await this.controller();
    const answer = await controller.request('CreatePartitions', {
      topics: [{ name, count, assignments: null }],
      timeoutMs: CREATE_TIMEOUT_MS,
      validateOnly: false,
    });
    const { errorCode = -1, errorMessage } = answer.results[0] ?? {};
    if (errorCode !== 0) throw refused(`grow ${name}`, errorCode, errorMessage);
    await this.awaitLeaders(name, count);
  }

  /** Waits until a topic has so many partitions, each with a leader. */
  async awaitLeaders(name: string, partitions: number): Promise<void> {
    let seen = 'nothing';
    await waitUntil(
      async () => {
        const leaders = await this.leaders(name);
        seen = JSON.stringify(leaders);
        return leaders.length === partitions && leaders.every((leader) => leader >= 0);
      },
      WAIT_MS,
      () => `${name} did not get ${partitions} partitions with leaders; the last answer: ${seen}`,
    );
  }

  /** The brokers that lead the partitions of a topic; -1 where there is none. */
  async leaders(name: string): Promise<number[]> {
    const { topics } = await this.metadata([name]);
    return (topics[0]?.partitions ?? [])
      .toSorted((a, b) => a.partitionIndex - b.partitionIndex)
      .map(({ leaderId, errorCode }) => (errorCode === 0 || errorCode === 9 ? leaderId : -1));
  }

  /** Waits until every replica of a topic is in sync. */
  async awaitInSync(name: string): Promise<void> {
    let seen = 'nothing';
    await waitUntil(
      async () => {
        const { topics } = await this.metadata([name]);
        const partitions = topics[0]?.partitions ?? [];
        seen = JSON.stringify(partitions.map(({ isrNodes }) => isrNodes));
        return partitions.every(({ isrNodes, replicaNodes }) => {
          return isrNodes.length === replicaNodes.length;
        });
      },
      WAIT_MS,
      () => `${name} did not get all replicas in sync; the last answer: ${seen}`,
    );
  }

  /** Every record of a topic, ordered by partition and offset; markers of transactions are left out. */
  async readAll(topic: string): Promise<LoggedRecord[]> {
    let records: LoggedRecord[] = [];
    let last: unknown;
    await waitUntil(
      async () => {
        const leaders = await this.leaders(topic);
        const logs = leaders.map((leader, partition) => this.readLog(leader, topic, partition));
        const [failure, ...others] = await failuresOf(logs);
        last = failure;
        if (failure === undefined) records = (await Promise.all(logs)).flat();
        // A broker may be named the leader before it knows of it.
        const isPassing = [failure, ...others].every(
          (e) => e instanceof KafkaError && e.isRetriable,
        );
        if (failure !== undefined && !isPassing) throw failure as Error;
        return failure === undefined;
      },
      WAIT_MS,
      () => `Could not read ${topic}: ${String(last)}`,
    );
    return records;
  }

  async close(): Promise<void> {
    const clients = [...this.clients.values()];
    this.clients.clear();
    for (const client of await Promise.allSettled(clients)) {
      if (client.status === 'fulfilled') client.value.close();
    }
  }

  private async readLog(leader: number, topic: string, partition: number): Promise<LoggedRecord[]> {
    const client = await this.node(leader);
    const records: LoggedRecord[] = [];
    let offset = await this.startOf(client, topic, partition);
    for (;;) {
      const from = offset;
      const { batches, end } = await this.fetch(client, topic, partition, offset);
      for (const batch of batches) {
        for (const record of batch.isControl ? [] : loggedRecords(partition, batch)) {
          if (record.offset < from) continue;
          records.push(record);
          // A wrapper of an old format tells its last offset only.
          offset = record.offset + 1;
        }
        offset = Math.max(offset, batch.nextOffset);
      }
      if (offset >= end) return records;
      if (offset === from) throw new Error(`${topic}-${partition} gave nothing at ${offset}`);
    }
  }

  private async fetch(client: PromptClient, topic: string, partition: number, offset: number) {
    const version = Math.min(client.apis['Fetch']!.max, LAST_FETCH_WITH_NAMES);
    const wanted = { partition, fetchOffset: offset, partitionMaxBytes: 8 * 1024 * 1024 };
    const topics = [{ topic, partitions: [wanted] }];
    const answer = await client.request(
      'Fetch',
      { maxWaitMs: 0, minBytes: 0, maxBytes: 64 * 1024 * 1024, topics },
      { version },
    );
    const found = answer.responses[0]?.partitions[0];
    if (found?.errorCode !== 0) {
      throw refused(`read ${topic}-${partition}`, found?.errorCode ?? answer.errorCode);
    }
    return { batches: readBatches(found.records ?? Buffer.alloc(0)), end: found.highWatermark };
  }

  private async startOf(client: PromptClient, topic: string, partition: number): Promise<number> {
    const wanted = { partitionIndex: partition, timestamp: -2n };
    const { topics } = await client.request('ListOffsets', {
      replicaId: -1,
      topics: [{ name: topic, partitions: [wanted] }],
    });
    const found = topics[0]?.partitions[0];
    if (found?.errorCode !== 0) throw refused(`list ${topic}-${partition}`, found?.errorCode ?? -1);
    return found.oldStyleOffsets[0] ?? found.offset;
  }

  private async metadata(topics: readonly string[]) {
    const body = { topics: topics.map((name) => ({ name })) };
    const failures: unknown[] = [];
    for (const address of this.bootstrapServers.split(',')) {
      const client = this.client(address);
      try {
        return await (await client).request('Metadata', body);
      } catch (error) {
        // It may have been killed: another try connects anew.
        this.clients.delete(address);
        failures.push(error);
      }
    }
    throw new AggregateError(failures, `None of ${this.bootstrapServers} answers`);
  }

  private async controller(): Promise<PromptClient> {
    const { controllerId, brokers } = await this.metadata([]);
    return this.node(controllerId < 0 ? brokers[0]!.nodeId : controllerId);
  }

  private async node(id: number): Promise<PromptClient> {
    const { brokers } = await this.metadata([]);
    const found = brokers.find(({ nodeId }) => nodeId === id);
    if (found === undefined) throw new Error(`There is no broker ${id}`);
    return this.client(`${found.host}:${found.port}`);
  }

  private client(address: string): Promise<PromptClient> {
    let client = this.clients.get(address);
    if (client === undefined) {
      const [host, port] = address.split(':');
      client = connect(host!, Number(port), { requestTimeoutMs: REQUEST_TIMEOUT_MS });
      this.clients.set(address, client);
    }
    return client;
  }
}

function* loggedRecords(partition: number, batch: RecordBatch): IterableIterator<LoggedRecord> {
  const { magic, compressionType, producerId, baseSequence } = batch;
  for (const { offset, timestamp, key, value, headers } of recordsOf(batch)) {
    const record = { partition, offset, timestamp, key, value, headers };
    yield { ...record, magic, compressionType, producerId, baseSequence };
  }
}

async function failuresOf(promises: readonly Promise<unknown>[]): Promise<unknown[]> {
  const failures: unknown[] = [];
  for (const outcome of await Promise.allSettled(promises)) {
    if (outcome.status === 'rejected') failures.push(outcome.reason);
  }
  return failures;
}

function refused(what: string, code: number, detail?: string | null): KafkaError {
  const { name, isRetriable } = brokerError(code);
  return new KafkaError(`Cannot ${what}: ${name} ${detail ?? ''}`, { code: name, isRetriable });
}
