import { encodeRecords } from '../../../src/core/records/index.js';
import type { EmbeddedKafka } from '../../../src/testing/index.js';
import { EmbeddedClient, errorName } from '../../support/embedded-client.js';

/** Which versions of the requests a producer uses, after the transaction.version it found. */
const versions = {
  1: { produce: 11, init: 5, add: 3, offsets: 4, commit: 4, end: 4 },
  2: { produce: 12, init: 5, add: 3, offsets: 4, commit: 5, end: 5 },
} as const;

type TransactionVersion = keyof typeof versions;

export interface ProducerOptions {
  readonly transactionVersion?: TransactionVersion;
  readonly transactionalId?: string;
  readonly timeoutMs?: number;
  /** Versions of single requests instead of those of the transaction.version. */
  readonly versions?: Partial<Record<keyof (typeof versions)[1], number>>;
}

interface OffsetsOptions {
  readonly memberId?: string;
  readonly generationId?: number;
  readonly groupInstanceId?: string | null;
}

/** A transactional producer that does one request at a time, and tells errors by name. */
export class EmbeddedProducer {
  producerId = -1;
  epoch = -1;
  readonly transactionalId: string;
  private readonly versions;
  private readonly timeoutMs: number;
  private readonly sequences = new Map<string, number>();
  private readonly clients = new Map<number, EmbeddedClient>();

  constructor(
    private readonly cluster: EmbeddedKafka,
    options: ProducerOptions = {},
  ) {
    this.transactionalId = options.transactionalId ?? 'payments';
    this.timeoutMs = options.timeoutMs ?? 60_000;
    this.versions = { ...versions[options.transactionVersion ?? 2], ...options.versions };
  }

  /** Becomes the producer of the transactional id. */
  async init(claim: { producerId?: number; producerEpoch?: number } = {}): Promise<string> {
    const client = await this.coordinator();
    const { errorCode, producerId, producerEpoch } = await client.request(
      'InitProducerId',
      this.versions.init,
      { transactionalId: this.transactionalId, transactionTimeoutMs: this.timeoutMs, ...claim },
    );
    if (errorCode === 0) this.become(producerId, producerEpoch);
    return errorName(errorCode);
  }

  /** Init until it is no more CONCURRENT_TRANSACTIONS. */
  async initAtLast(): Promise<string> {
    for (;;) {
      const error = await this.init();
      if (error !== 'CONCURRENT_TRANSACTIONS') return error;
    }
  }

  async add(...places: readonly (readonly [topic: string, partition: number])[]) {
    const client = await this.coordinator();
    const { resultsByTopicV3AndBelow: results } = await client.request(
      'AddPartitionsToTxn',
      this.versions.add,
      {
        v3AndBelowTransactionalId: this.transactionalId,
        v3AndBelowProducerId: this.producerId,
        v3AndBelowProducerEpoch: this.epoch,
        v3AndBelowTopics: places.map(([name, partition]) => ({ name, partitions: [partition] })),
      },
    );
    return results.flatMap(({ resultsByPartition }) =>
      resultsByPartition.map(({ partitionErrorCode }) => errorName(partitionErrorCode)),
    );
  }

  /** Writes to a partition in the transaction; the error and the offset. */
  async send(topic: string, partition: number, ...values: string[]) {
    const place = `${topic}-${partition}`;
    const baseSequence = this.sequences.get(place) ?? 0;
    const answer = await this.sendAs(topic, partition, baseSequence, ...values);
    if (answer.error === 'NONE') this.sequences.set(place, baseSequence + values.length);
    return answer;
  }

  async sendAs(topic: string, partition: number, baseSequence: number, ...values: string[]) {
    const leader = this.cluster.inspect().topics[topic]!.partitions[partition]!.leader;
    const records = encodeRecords(
      values.map((value) => ({ value, timestamp: 1000 })),
      {
        isTransactional: true,
        producer: { producerId: this.producerId, producerEpoch: this.epoch, baseSequence },
      },
    );
    const { responses } = await this.client(leader).request('Produce', this.versions.produce, {
      acks: -1,
      timeoutMs: 1000,
      transactionalId: this.transactionalId,
      topicData: [{ name: topic, partitionData: [{ index: partition, records }] }],
    });
    const { errorCode, baseOffset } = responses[0]!.partitionResponses[0]!;
    return { error: errorName(errorCode), offset: baseOffset };
  }

  async addOffsets(groupId: string): Promise<string> {
    const client = await this.coordinator();
    const { errorCode } = await client.request('AddOffsetsToTxn', this.versions.offsets, {
      transactionalId: this.transactionalId,
      producerId: this.producerId,
      producerEpoch: this.epoch,
      groupId,
    });
    return errorName(errorCode);
  }

  /** Commits the offset of one partition in the transaction. */
  async commitOffset(
    groupId: string,
    [topic, partition, offset]: readonly [topic: string, partition: number, offset: number],
    options: OffsetsOptions = {},
  ): Promise<string> {
    const client = await this.coordinator(groupId, 0);
    const { topics } = await client.request('TxnOffsetCommit', this.versions.commit, {
      transactionalId: this.transactionalId,
      groupId,
      producerId: this.producerId,
      producerEpoch: this.epoch,
      ...options,
      topics: [
        {
          name: topic,
          partitions: [
            { partitionIndex: partition, committedOffset: offset, committedMetadata: 'm' },
          ],
        },
      ],
    });
    return errorName(topics[0]!.partitions[0]!.errorCode);
  }

  commit(): Promise<string> {
    return this.end(true);
  }

  abort(): Promise<string> {
    return this.end(false);
  }

  private async end(committed: boolean): Promise<string> {
    const client = await this.coordinator();
    const { errorCode, producerId, producerEpoch } = await client.request(
      'EndTxn',
      this.versions.end,
      {
        transactionalId: this.transactionalId,
        producerId: this.producerId,
        producerEpoch: this.epoch,
        committed,
      },
    );
    if (errorCode === 0 && this.versions.end >= 5) this.become(producerId, producerEpoch);
    return errorName(errorCode);
  }

  private become(producerId: number, epoch: number): void {
    if (producerId !== this.producerId || epoch !== this.epoch) this.sequences.clear();
    this.producerId = producerId;
    this.epoch = epoch;
  }

  private async coordinator(key = this.transactionalId, keyType = 1): Promise<EmbeddedClient> {
    const [any] = this.cluster.inspect().brokers.filter(({ isRunning }) => isRunning);
    const { coordinators } = await this.client(any!.id).request('FindCoordinator', 6, {
      keyType,
      coordinatorKeys: [key],
    });
    return this.client(coordinators[0]!.nodeId);
  }

  private client(broker: number): EmbeddedClient {
    const known = this.clients.get(broker);
    if (known !== undefined && !known.isClosed) return known;
    const client = new EmbeddedClient(this.cluster, broker);
    this.clients.set(broker, client);
    return client;
  }
}
