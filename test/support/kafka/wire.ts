import { randomUUID } from 'node:crypto';
import { KafkaError } from '../../../src/index.js';
import {
  brokerError,
  connect,
  encodeRecords,
  readBatches,
  recordsOf,
  type CompressionType,
  type EncodeOptions,
  type Header,
  type PromptClient,
  type RecordBatch,
  type RecordContent,
} from '../../../src/protocol.js';
import { waitUntil } from './readiness.js';

const WAIT_MS = 30_000;
const LAST_FETCH_WITH_NAMES = 12;
const CREATE_TIMEOUT_MS = 20_000;
const REQUEST_TIMEOUT_MS = 25_000;
const LAST_PRODUCE_WITHOUT_IMPLIED_TRANSACTIONS = 11;

export type TransactionOutcome = 'commit' | 'abort' | 'open';

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

  /**
   * Writes one batch, of the newest format that the broker has.
   *
   * @returns the offset of its first record.
   */
  async write(
    topic: string,
    partition: number,
    records: readonly RecordContent[],
    options: EncodeOptions = {},
    transactionalId: string | null = null,
  ): Promise<number> {
    const client = await this.leaderOf(topic, partition);
    const version = Math.min(
      client.apis['Produce']!.max,
      LAST_PRODUCE_WITHOUT_IMPLIED_TRANSACTIONS,
    );
    const magic = version >= 3 ? 2 : version === 2 ? 1 : 0;
    const now = Date.now();
    const timed = records.map((record) => ({ timestamp: now, ...record }));
    const batch = encodeRecords(timed, { magic, ...options });
    const body = {
      ...(version >= 3 && { transactionalId }),
      acks: -1,
      timeoutMs: REQUEST_TIMEOUT_MS,
      topicData: [{ name: topic, partitionData: [{ index: partition, records: batch }] }],
    };
    // A broker may be named the leader before it knows of it: it has written nothing then.
    const { baseOffset } = await repeated(`write ${topic}-${partition}`, async () => {
      const { responses } = await client.request('Produce', body, { version });
      return responses[0]!.partitionResponses[0]!;
    });
    return baseOffset;
  }

  /**
   * Writes records in a transaction of a producer of their own, and ends it, or leaves it open.
   * Needs Kafka 0.11.
   */
  async writeTransaction(
    topic: string,
    partition: number,
    records: readonly RecordContent[],
    outcome: TransactionOutcome,
  ): Promise<void> {
    const transactionalId = `wire-${randomUUID()}`;
    const coordinator = await this.coordinatorOf(transactionalId);
    const started = await repeated('start a transaction', () =>
      coordinator.request(
        'InitProducerId',
        { transactionalId, transactionTimeoutMs: 60_000 },
        { version: Math.min(coordinator.apis['InitProducerId']!.max, 4) },
      ),
    );
    const { producerId, producerEpoch } = started;
    const who = { transactionalId, producerId, producerEpoch };
    const v3AndBelowTopics = [{ name: topic, partitions: [partition] }];
    await repeated('add a partition to a transaction', async () => {
      const body = {
        v3AndBelowTransactionalId: transactionalId,
        v3AndBelowProducerId: producerId,
        v3AndBelowProducerEpoch: producerEpoch,
        v3AndBelowTopics,
      };
      const version = Math.min(coordinator.apis['AddPartitionsToTxn']!.max, 3);
      const answer = await coordinator.request('AddPartitionsToTxn', body, { version });
      const [result] = answer.resultsByTopicV3AndBelow[0]!.resultsByPartition;
      return { errorCode: result!.partitionErrorCode };
    });
    const producer = { producerId, producerEpoch, baseSequence: 0 };
    const options = { isTransactional: true, producer };
    const first = await this.write(topic, partition, records, options, transactionalId);
    if (outcome === 'open') return;
    await repeated('end a transaction', () =>
      coordinator.request(
        'EndTxn',
        { ...who, committed: outcome === 'commit' },
        { version: Math.min(coordinator.apis['EndTxn']!.max, 4) },
      ),
    );
    await this.awaitEnd(topic, partition, first + records.length + 1);
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

  /** Waits until a log has grown to an offset. */
  private async awaitEnd(topic: string, partition: number, offset: number): Promise<void> {
    const client = await this.leaderOf(topic, partition);
    const endOf = async () => (await this.fetch(client, topic, partition, offset - 1)).end;
    await waitUntil(
      async () => (await endOf()) >= offset,
      WAIT_MS,
      () => `${topic}-${partition} did not grow to ${offset}`,
    );
  }

  private async coordinatorOf(transactionalId: string): Promise<PromptClient> {
    const { brokers } = await this.metadata([]);
    const any = await this.node(brokers[0]!.nodeId);
    const { nodeId } = await repeated('find a coordinator', () =>
      any.request('FindCoordinator', { key: transactionalId, keyType: 1 }, { version: 1 }),
    );
    return this.node(nodeId);
  }

  private async leaderOf(topic: string, partition: number): Promise<PromptClient> {
    const leader = (await this.leaders(topic))[partition];
    if (leader === undefined || leader < 0) throw new Error(`${topic}-${partition} has no leader`);
    return this.node(leader);
  }

  private async metadata(topics: readonly string[]) {
    const body = { topics: topics.map((name) => ({ name })) };
    const failures: unknown[] = [];
    const addresses = this.bootstrapServers.split(',');
    // Each may have been down since it was asked last: the second time it is connected to anew.
    for (const address of [...addresses, ...addresses]) {
      const client = this.client(address);
      try {
        return await (await client).request('Metadata', body);
      } catch (error) {
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

/** Asks again while the answer has an error that passes. */
async function repeated<A extends { readonly errorCode: number }>(
  what: string,
  ask: () => Promise<A>,
): Promise<A> {
  let answer: A | undefined;
  await waitUntil(
    async () => {
      answer = await ask();
      const { isRetriable, code } = brokerError(answer.errorCode);
      if (code !== 0 && !isRetriable) throw refused(what, code);
      return code === 0;
    },
    WAIT_MS,
    () => `Could not ${what}: ${brokerError(answer?.errorCode ?? -1).name}`,
  );
  return answer!;
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
