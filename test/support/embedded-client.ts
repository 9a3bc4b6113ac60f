import {
  brokerError,
  decodeResponseWithHeader,
  encodeRequestFrame,
  peekRequest,
  resolveApi,
  type Api,
  type ApiOrName,
  type RequestInput,
  type Resolved,
  type ResponseOf,
} from '../../src/core/protocol/index.js';
import {
  encodeRecords,
  type EncodeOptions,
  type RecordContent,
} from '../../src/core/records/index.js';
import type { EmbeddedKafka, MemoryLink } from '../../src/testing/index.js';

type Answer = Buffer | 'hung up';

/**
 * Asks one broker of an embedded cluster, in whatever version, and knows nothing but frames.
 *
 * @example
 * const client = new EmbeddedClient(cluster, 2);
 * const { topics } = await client.request('Metadata', 13, { topics: null });
 */
export class EmbeddedClient {
  isClosed = false;
  /** Resolves when the broker has hung up. */
  readonly closed: Promise<void>;
  private readonly link: MemoryLink;
  private readonly waiting: ((answer: Answer) => void)[] = [];
  private received = Buffer.alloc(0);
  private correlationId = 0;

  constructor(cluster: EmbeddedKafka, broker = 1) {
    let close!: () => void;
    this.closed = new Promise((resolve) => (close = resolve));
    this.link = cluster.transport.open(cluster.addressOf(broker), {
      onOpen: () => undefined,
      onBytes: (bytes) => this.receive(bytes),
      onClose: () => {
        this.isClosed = true;
        for (const tell of this.waiting.splice(0)) tell('hung up');
        close();
      },
    });
  }

  /** How many answers are awaited. */
  get pending(): number {
    return this.waiting.length;
  }

  /** Sends a request. Rejects when the broker hangs up instead of answering. */
  async request<A extends ApiOrName>(
    api: A,
    version: number,
    body: RequestInput<Resolved<A>>,
  ): Promise<ResponseOf<Resolved<A>>> {
    const answer = await this.exchange(this.frame(api, version, body));
    const { name } = resolveApi(api) as Api;
    if (answer === 'hung up') throw new Error(`hung up on ${name}@${version}`);
    return decodeResponseWithHeader(api, version, answer).body;
  }

  /** The bytes of a request with its length in front. */
  frame<A extends ApiOrName>(api: A, version: number, body: RequestInput<Resolved<A>>): Buffer {
    const envelope = { correlationId: this.correlationId++, clientId: 'test' };
    return Buffer.concat(encodeRequestFrame(api, version, envelope, body));
  }

  /** Sends bytes and waits for the next answer, without its length. */
  exchange(frame: Uint8Array): Promise<Answer> {
    if (this.isClosed) return Promise.resolve('hung up');
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.send(frame);
    });
  }

  /** Sends bytes as they are. */
  send(bytes: Uint8Array): void {
    this.link.write([bytes]);
  }

  close(): void {
    this.link.destroy();
  }

  private receive(bytes: Buffer): void {
    this.received = Buffer.concat([this.received, bytes]);
    while (this.received.length >= 4) {
      const end = 4 + this.received.readInt32BE(0);
      if (this.received.length < end) return;
      const frame = this.received.subarray(4, end);
      this.received = this.received.subarray(end);
      const tell = this.waiting.shift();
      if (tell === undefined) throw new Error('an answer that nobody asked for');
      tell(frame);
    }
  }
}

/** Kafka's name of an error code. */
export function errorName(code: number): string {
  return brokerError(code).name;
}

interface ProduceOptions extends EncodeOptions {
  readonly version?: number;
  readonly acks?: number;
  readonly partition?: number;
}

/** Produces one batch by name, and returns what the partition answered, its error by name. */
export async function produceTo(
  client: EmbeddedClient,
  topic: string,
  records: Buffer | readonly RecordContent[],
  { version = 12, acks = -1, partition = 0, ...options }: ProduceOptions = {},
) {
  const batch = Buffer.isBuffer(records) ? records : encodeRecords(records, options);
  const { responses } = await client.request('Produce', version, {
    acks,
    timeoutMs: 1000,
    topicData: [{ name: topic, partitionData: [{ index: partition, records: batch }] }],
  });
  const answer = responses[0]!.partitionResponses[0]!;
  return { ...answer, error: errorName(answer.errorCode) };
}

interface FetchOptions {
  readonly version?: number;
  readonly partition?: number;
  readonly offset?: number;
  readonly maxWaitMs?: number;
  readonly minBytes?: number;
  readonly maxBytes?: number;
  readonly partitionMaxBytes?: number;
  readonly currentLeaderEpoch?: number;
  readonly lastFetchedEpoch?: number;
  readonly rackId?: string;
}

/** Fetches from one partition by name, and returns what it answered, its error by name. */
export async function fetchFrom(
  client: EmbeddedClient,
  topic: string,
  {
    version = 12,
    partition = 0,
    offset = 0,
    maxWaitMs = 0,
    minBytes = 1,
    maxBytes = 50_000_000,
    partitionMaxBytes = 1_000_000,
    currentLeaderEpoch = -1,
    lastFetchedEpoch = -1,
    rackId = '',
  }: FetchOptions = {},
) {
  const { responses, nodeEndpoints } = await client.request('Fetch', version, {
    maxWaitMs,
    minBytes,
    maxBytes,
    rackId,
    topics: [
      {
        topic,
        partitions: [
          {
            partition,
            fetchOffset: offset,
            partitionMaxBytes,
            currentLeaderEpoch,
            lastFetchedEpoch,
          },
        ],
      },
    ],
  });
  const answer = responses[0]!.partitions[0]!;
  return { ...answer, error: errorName(answer.errorCode), nodeEndpoints };
}

/** Correlation id of an answer's frame. */
export function correlationOf(answer: Buffer): number {
  return answer.readInt32BE(0);
}

/** What a request's frame, length included, says of itself. */
export function headOf(frame: Buffer) {
  return peekRequest(frame.subarray(4));
}
