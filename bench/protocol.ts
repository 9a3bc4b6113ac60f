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
  const results = await compare([
    ...pair('Produce', 13, 'request', produce),
    ...pair('Fetch', 17, 'response', fetch),
    ...pair('Metadata', 13, 'response', metadata),
  ]);
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

function pair(
  name: 'Produce' | 'Fetch' | 'Metadata',
  version: number,
  direction: 'request' | 'response',
  body: object,
): Contender[] {
  const api: Api = apis[name];
  const encode = direction === 'request' ? encodeRequest : encodeResponse;
  const decode = direction === 'request' ? decodeRequest : decodeResponse;
  const bytes = encode(api, version, body);
  const label = `${name} v${version} ${direction}`;
  return [
    { name: `encode ${label}`, run: () => (encode(api, version, body).length > 0 ? 1 : 0) },
    { name: `decode ${label}`, run: () => Object.keys(decode(api, version, bytes)).length && 1 },
  ];
}
