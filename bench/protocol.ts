import {
  apis,
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  type Api,
} from '../src/core/protocol/index.js';
import { compare, type Contender } from './measure.js';
import { report, table } from './report.js';

const TOPICS = 100;
const PARTITIONS = 6;
const uuid = (i: number) => Buffer.alloc(16, i + 1).toString('base64url');
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

/** Encoding and decoding of whole messages with 100 topics of 6 partitions. */
export async function run(): Promise<void> {
  const names = Object.keys(bodies());
  const results = await compare(
    names.flatMap((name) => [
      { module: './protocol.js', call: 'encoder', args: [name] },
      { module: './protocol.js', call: 'decoder', args: [name] },
    ]),
  );
  const rows = results.map(({ name, nsPerItem }) => [
    name,
    (nsPerItem / 1000).toFixed(1),
    (nsPerItem / (TOPICS * PARTITIONS)).toFixed(0),
  ]);
  report('protocol', [
    `${TOPICS} topics of ${PARTITIONS} partitions in one message.`,
    '',
    ...table(['message', 'us/message', 'ns/partition'], rows),
  ]);
}

/** Made in the process that runs it. */
export function encoder(name: string): Contender {
  const { api, version, direction, body } = bodies()[name]!;
  const encode = direction === 'request' ? encodeRequest : encodeResponse;
  return { name: `encode ${name}`, run: () => (encode(api, version, body).length > 0 ? 1 : 0) };
}

/** As {@link encoder}. */
export function decoder(name: string): Contender {
  const { api, version, direction, body } = bodies()[name]!;
  const encode = direction === 'request' ? encodeRequest : encodeResponse;
  const decode = direction === 'request' ? decodeRequest : decodeResponse;
  const bytes = encode(api, version, body);
  return {
    name: `decode ${name}`,
    run: () => Object.keys(decode(api, version, bytes)).length && 1,
  };
}

interface Message {
  readonly api: Api;
  readonly version: number;
  readonly direction: 'request' | 'response';
  readonly body: object;
}

function bodies(): Readonly<Record<string, Message>> {
  const records = Buffer.alloc(200);
  const topics = numbers(TOPICS);
  const partitions = numbers(PARTITIONS);
  const produce = {
    acks: -1,
    timeoutMs: 30_000,
    topicData: topics.map((t) => ({
      topicId: uuid(t),
      partitionData: partitions.map((index) => ({ index, records })),
    })),
  };
  const fetch = {
    responses: topics.map((t) => ({
      topicId: uuid(t),
      partitions: partitions.map((partitionIndex) => ({
        partitionIndex,
        errorCode: 0,
        highWatermark: 1_000_000,
        lastStableOffset: 1_000_000,
        abortedTransactions: null,
        records,
      })),
    })),
  };
  const metadata = {
    brokers: numbers(3).map((nodeId) => ({ nodeId, host: `broker-${nodeId}`, port: 9092 })),
    clusterId: 'bench',
    topics: topics.map((t) => ({
      errorCode: 0,
      name: `topic-${t}`,
      topicId: uuid(t),
      partitions: partitions.map((partitionIndex) => ({
        errorCode: 0,
        partitionIndex,
        leaderId: 1,
        leaderEpoch: 5,
        replicaNodes: [0, 1, 2],
        isrNodes: [0, 1, 2],
      })),
    })),
  };
  return {
    'Produce v13 request': { api: apis.Produce, version: 13, direction: 'request', body: produce },
    'Fetch v17 response': { api: apis.Fetch, version: 17, direction: 'response', body: fetch },
    'Metadata v13 response': {
      api: apis.Metadata,
      version: 13,
      direction: 'response',
      body: metadata,
    },
  };
}
