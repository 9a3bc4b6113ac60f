import type {
  ApiOrName,
  RequestInput,
  Resolved,
  ResponseOf,
} from '../../src/core/protocol/index.js';
import { encodeRecords } from '../../src/core/records/index.js';
import type { PromptClient } from '../../src/protocol.js';
import type { EmbeddedKafka } from '../../src/testing/index.js';
import { EmbeddedClient, errorName } from './embedded-client.js';

/** One broker that can be asked. */
interface Asked {
  request<A extends ApiOrName>(
    api: A,
    version: number,
    body: RequestInput<Resolved<A>>,
  ): Promise<ResponseOf<Resolved<A>>>;
}

/** Where requests go. */
export interface Routes {
  coordinator(key: string, keyType: number): Promise<Asked>;
  leader(topic: string, partition: number): Asked;
}

/** All to one broker. */
export function routesToOne(client: PromptClient): Routes {
  const one: Asked = { request: (api, version, body) => client.request(api, body, { version }) };
  return { coordinator: () => Promise.resolve(one), leader: () => one };
}

/** To whichever broker of an embedded cluster is responsible. */
export function routesWithin(cluster: EmbeddedKafka): Routes {
  const clients = new Map<number, EmbeddedClient>();
  const clientOf = (broker: number) => {
    const known = clients.get(broker);
    if (known !== undefined && !known.isClosed) return known;
    const client = new EmbeddedClient(cluster, broker);
    clients.set(broker, client);
    return client;
  };
  return {
    async coordinator(key, keyType) {
      const [any] = cluster.inspect().brokers.filter(({ isRunning }) => isRunning);
      const query = { keyType, coordinatorKeys: [key] };
      const { coordinators } = await clientOf(any!.id).request('FindCoordinator', 6, query);
      return clientOf(coordinators[0]!.nodeId);
    },
    leader: (topic, partition) =>
      clientOf(cluster.inspect().topics[topic]!.partitions[partition]!.leader),
  };
}

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
  /** Of records. Default: 1000, for clusters on a fake clock. */
  readonly timestamp?: number;
  /** Versions of single requests instead of those of the transaction.version. */
  readonly versions?: Partial<Record<keyof (typeof versions)[1], number>>;
}

interface OffsetsOptions {
  readonly memberId?: string;
  readonly generationId?: number;
  readonly groupInstanceId?: string | null;
}

/** A transactional producer that does one request at a time, and tells errors by name. */
export class HandProducer {
  producerId = -1;
  epoch = -1;
  readonly transactionalId: string;
  private readonly versions;
  private readonly timeoutMs: number;
  private readonly timestamp: number;
  private readonly sequences = new Map<string, number>();

  constructor(
    private readonly routes: Routes,
    options: ProducerOptions = {},
  ) {
    this.transactionalId = options.transactionalId ?? 'payments';
    this.timeoutMs = options.timeoutMs ?? 60_000;
    this.timestamp = options.timestamp ?? 1000;
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

  /** Becomes it when the transaction before has ended, and when the coordinator is there. */
  async initAtLast(): Promise<string> {
    for (;;) {
      const error = await this.init();
      if (!/^(CONCURRENT|NOT_COORDINATOR|COORDINATOR)/.test(error)) return error;
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
    const codes = new Map(
      results.flatMap(({ name, resultsByPartition }) =>
        resultsByPartition.map((result) => [
          `${name}-${result.partitionIndex}`,
          result.partitionErrorCode,
        ]),
      ),
    );
    return places.map(([topic, partition]) => errorName(codes.get(`${topic}-${partition}`)!));
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
    const records = encodeRecords(
      values.map((value) => ({ value, timestamp: this.timestamp })),
      {
        isTransactional: true,
        producer: { producerId: this.producerId, producerEpoch: this.epoch, baseSequence },
      },
    );
    const { responses } = await this.routes
      .leader(topic, partition)
      .request('Produce', this.versions.produce, {
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
    const client = await this.routes.coordinator(groupId, 0);
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

  private coordinator(): Promise<Asked> {
    return this.routes.coordinator(this.transactionalId, 1);
  }
}
