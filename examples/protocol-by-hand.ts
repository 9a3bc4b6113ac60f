/**
 * What goes over the wire, step by step: find out what a broker is, create a topic, write a batch of
 * records, read it back, clean up.
 *
 *     npm run demo:protocol [-- --bootstrap-servers localhost:9092]
 */
import { parseArgs } from 'node:util';
import { ConnectionError } from '../src/index.js';
import {
  apis,
  brokerError,
  connect,
  decodeRecords,
  encodeRecords,
  encodeRequest,
  type PromptClient,
} from '../src/protocol.js';

const { values } = parseArgs({
  options: { 'bootstrap-servers': { type: 'string', default: 'localhost:9092' } },
});
const address = values['bootstrap-servers'];
const [host = 'localhost', port = '9092'] = address.split(':');

const title = (text: string) => console.log(`\n\u001b[1m${text}\u001b[0m`);
const hex = (bytes: Buffer) =>
  bytes
    .toString('hex')
    .replace(/(.{8})/g, '$1 ')
    .slice(0, 90);

async function walk(broker: PromptClient): Promise<void> {
  const topic = `rx-kafka-demo-${process.pid}`;

  title(`1. ApiVersions: ${address} runs Kafka ${broker.version}`);
  for (const name of ['Produce', 'Fetch', 'Metadata', 'ConsumerGroupHeartbeat'] as const) {
    const range = broker.apis[name];
    const theirs = range === undefined ? 'not there' : `${range.min} to ${range.max}`;
    console.log(
      `   ${name.padEnd(24)} usable: ${theirs}, declared here: up to ${apis[name].maxVersion}`,
    );
  }

  title('2. Metadata: who is there');
  console.log(`   request bytes  ${hex(encodeRequest('Metadata', 1, { topics: [] }))}`);
  const { brokers } = await broker.request('Metadata', { topics: [] });
  for (const { nodeId, host, port } of brokers)
    console.log(`   broker ${nodeId} at ${host}:${port}`);

  title(`3. CreateTopics: ${topic}`);
  if (broker.apis['CreateTopics'] === undefined) {
    console.log(
      '   not on a broker before 0.10.1: asking for the metadata of the topic creates it',
    );
    await broker.request('Metadata', { topics: [{ name: topic }] });
  } else {
    const { topics } = await broker.request('CreateTopics', {
      topics: [
        { name: topic, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] },
      ],
      timeoutMs: 10_000,
    });
    console.log(`   ${brokerError(topics[0]!.errorCode).name}`);
  }

  title('4. Produce: one batch of three records, lz4');
  const magic = (broker.apis['Produce']?.max ?? 0) >= 3 ? 2 : 0;
  const records = encodeRecords(
    ['anna', 'ben', 'cem'].map((key, i) => ({ key, value: `hello ${i}`, timestamp: Date.now() })),
    { compressionType: magic === 2 ? 'lz4' : 'none', magic },
  );
  console.log(`   ${records.length} bytes     ${hex(records)}`);
  // Topic ids came with version 13; by name is simpler to read.
  const version = Math.min(broker.apis['Produce']?.max ?? 0, 12);
  const produced = await retry(() =>
    broker
      .request(
        'Produce',
        {
          acks: -1,
          timeoutMs: 10_000,
          topicData: [{ name: topic, partitionData: [{ index: 0, records }] }],
        },
        { version },
      )
      .then(({ responses }) => responses[0]!.partitionResponses[0]!),
  );
  console.log(`   ${brokerError(produced.errorCode).name}, at offset ${produced.baseOffset}`);

  title('5. Fetch: read them back');
  const { responses } = await broker.request(
    'Fetch',
    {
      maxWaitMs: 1000,
      minBytes: 1,
      maxBytes: 1_000_000,
      topics: [
        { topic, partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000_000 }] },
      ],
    },
    { version: Math.min(broker.apis['Fetch']?.max ?? 0, 12) },
  );
  for (const record of decodeRecords(responses[0]?.partitions[0]?.records ?? Buffer.alloc(0))) {
    console.log(`   offset ${record.offset}: ${String(record.key)} = ${String(record.value)}`);
  }

  if (broker.apis['DeleteTopics'] !== undefined) {
    title(`6. DeleteTopics: ${topic}`);
    const { responses: deleted } = await broker.request(
      'DeleteTopics',
      { topicNames: [topic], timeoutMs: 10_000 },
      { version: Math.min(broker.apis['DeleteTopics'].max, 5) },
    );
    console.log(`   ${brokerError(deleted[0]!.errorCode).name}`);
  }
  console.log(`\nGo on by hand: npx tsx src/cli/main.ts repl ${address}`);
}

/** A topic that was just created has no leader for a moment. */
async function retry<T extends { errorCode: number }>(ask: () => Promise<T>): Promise<T> {
  for (let attempts = 50; ; attempts--) {
    const answer = await ask();
    if (attempts === 0 || !brokerError(answer.errorCode).isRetriable) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

try {
  const broker = await connect(host, Number(port));
  await walk(broker).finally(() => broker.close());
} catch (error) {
  if (!(error instanceof ConnectionError)) throw error;
  console.log(`${error.message}

This demo needs a Kafka broker. To start one on localhost:9092:
  npm run broker                  inside a process of Node, with nothing else
  npm run kafka -- start 4.3      with Java 17 and Maven
  docker compose up -d            with Docker
then again: npm run demo:protocol`);
}
