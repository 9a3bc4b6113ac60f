import { createRequire } from 'node:module';
import { createBatchBuilder, decodeRecords, readBatches } from '../src/core/records/index.js';
import { compare, type Contender, type Result } from './measure.js';
import { report, table, versionOf } from './report.js';

const RECORDS = 1000;
const require = createRequire(import.meta.url);

interface Input {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly headers: readonly (readonly [string, Buffer])[];
}

/** Encoding and decoding of 1,000-record batches: 16 B key, 100 B value, with and without a header. */
export async function run(): Promise<void> {
  const lines: string[] = [
    `${RECORDS.toLocaleString('en')} records a batch, 16 B key, 100 B value, uncompressed, ns a record. ` +
      `rx-kafka checks the CRC when it decodes; kafkajs ${versionOf('kafkajs')} and ` +
      `@platformatic/kafka ${versionOf('@platformatic/kafka')} do not.`,
    '',
  ];
  for (const headers of [0, 1]) {
    const inputs = makeInputs(headers);
    const bytes = encodeOurs(inputs);
    const decoded = await compare(await decoders(bytes));
    const encoded = await compare(await encoders(inputs));
    lines.push(`### ${headers === 0 ? 'without headers' : 'with one header'}`, '');
    lines.push(...rows('decode, every key and value read', decoded), '');
    lines.push(...rows('encode', encoded), '');
  }
  report('records', lines);
}

function rows(what: string, results: readonly Result[]): string[] {
  const ours = results[0]!.nsPerItem;
  return table(
    [what, 'ns/record', 'records/s', 'rx-kafka is faster by'],
    results.map(({ name, nsPerItem }) => [
      name,
      nsPerItem.toFixed(0),
      `${(1e3 / nsPerItem).toFixed(2)} M`,
      name === 'rx-kafka' ? '' : `${(nsPerItem / ours).toFixed(2)} x`,
    ]),
  );
}

function makeInputs(headers: number): Input[] {
  return Array.from({ length: RECORDS }, (_, i) => ({
    key: Buffer.from(`key-${i}`.padEnd(16, '.')),
    value: Buffer.alloc(100, i),
    headers: headers === 0 ? [] : [['trace', Buffer.from('0123456789abcdef')] as const],
  }));
}

function encodeOurs(inputs: readonly Input[]): Buffer {
  const builder = createBatchBuilder();
  for (const { key, value, headers } of inputs)
    builder.append(key, value, headers, 1_700_000_000_000);
  return builder.close();
}

async function decoders(bytes: Buffer): Promise<Contender[]> {
  const platformatic = await platformaticProtocol();
  const decodeKafkajs = require('kafkajs/src/protocol/recordBatch/v0/decoder.js') as KafkajsDecode;
  const Decoder = require('kafkajs/src/protocol/decoder.js') as new (buffer: Buffer) => object;
  let sink = 0;
  return [
    {
      name: 'rx-kafka',
      run() {
        for (const record of decodeRecords(bytes))
          sink += record.key!.length + record.value!.length;
        return RECORDS + (sink & 0);
      },
    },
    {
      name: 'rx-kafka, index only',
      run() {
        for (const batch of readBatches(bytes)) {
          const cursor = batch.cursor();
          while (cursor.next()) sink++;
        }
        return RECORDS;
      },
    },
    {
      name: 'rx-kafka, index only, CRC not checked',
      run() {
        for (const batch of readBatches(bytes)) {
          const cursor = batch.cursor({ checkCrcs: false });
          while (cursor.next()) sink++;
        }
        return RECORDS;
      },
    },
    {
      name: '@platformatic/kafka',
      run() {
        for (const batch of platformatic.readRecordsBatches(platformatic.Reader.from(bytes))) {
          for (const { key, value } of batch.records) sink += key.length + value.length;
        }
        return RECORDS;
      },
    },
    {
      name: 'kafkajs',
      async run() {
        const { records } = await decodeKafkajs(new Decoder(bytes));
        for (const { key, value } of records) sink += key.length + value.length;
        return RECORDS;
      },
    },
  ];
}

async function encoders(inputs: readonly Input[]): Promise<Contender[]> {
  const platformatic = await platformaticProtocol();
  const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0/index.js') as KafkajsBatch;
  const Record = require('kafkajs/src/protocol/recordBatch/record/v0/index.js') as KafkajsRecord;
  const builder = createBatchBuilder();
  const hasHeaders = inputs[0]!.headers.length > 0;
  let sink = 0;
  return [
    {
      name: 'rx-kafka',
      run() {
        builder.reset();
        for (const { key, value, headers } of inputs) {
          builder.append(key, value, headers, 1_700_000_000_000);
        }
        builder.close();
        return RECORDS;
      },
    },
    {
      name: 'rx-kafka, new memory for each batch',
      run() {
        encodeOurs(inputs);
        return RECORDS;
      },
    },
    {
      name: '@platformatic/kafka',
      run() {
        const messages = inputs.map(({ key, value, headers }) => ({
          topic: 't',
          partition: 0,
          key,
          value,
          timestamp: 1_700_000_000_000n,
          headers: new Map(headers.map(([name, header]) => [Buffer.from(name), header])),
        }));
        sink += platformatic.createRecordsBatch(messages).buffer.length;
        return RECORDS + (sink & 0);
      },
    },
    {
      name: 'kafkajs',
      async run() {
        const records = inputs.map(({ key, value, headers }, i) =>
          Record({
            offsetDelta: i,
            timestampDelta: 0,
            key,
            value,
            headers: hasHeaders ? Object.fromEntries(headers) : {},
          }),
        );
        const batch = await RecordBatch({
          records,
          firstTimestamp: 1_700_000_000_000,
          maxTimestamp: 1_700_000_000_000,
          lastOffsetDelta: records.length - 1,
        });
        sink += batch.buffer.length;
        return RECORDS + (sink & 0);
      },
    },
  ];
}

type KafkajsDecode = (decoder: object) => Promise<{ records: { key: Buffer; value: Buffer }[] }>;
interface KafkajsBatch {
  RecordBatch: (options: object) => Promise<{ buffer: Buffer }>;
}
type KafkajsRecord = (options: object) => object;

interface PlatformaticProtocol {
  Reader: { from(bytes: Buffer): object };
  readRecordsBatches(reader: object): { records: { key: Buffer; value: Buffer }[] }[];
  createRecordsBatch(messages: object[]): { buffer: Buffer };
}

async function platformaticProtocol(): Promise<PlatformaticProtocol> {
  const folder = new URL('./node_modules/@platformatic/kafka/dist/protocol/', import.meta.url);
  const records = (await import(new URL('records.js', folder).href)) as object;
  const reader = (await import(new URL('reader.js', folder).href)) as object;
  return { ...records, ...reader } as PlatformaticProtocol;
}
