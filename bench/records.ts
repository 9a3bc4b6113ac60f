import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createBatchBuilder, decodeRecords, readBatches } from '../src/core/records/index.js';
import type { Task } from './child.js';
import { compare, type Contender, type Result } from './measure.js';
import { report, table, versionOf } from './report.js';

const RECORDS = 1000;
const TIMESTAMP = 1_700_000_000_000;
const require = createRequire(import.meta.url);

interface Input {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly headers: readonly (readonly [string, Buffer])[];
}

/** Encoding and decoding of 1,000-record batches: 16 B key, 100 B value, with and without a header. */
export async function run(): Promise<void> {
  const lines: string[] = [
    `${RECORDS.toLocaleString('en')} records a batch, 16 B key, 100 B value, uncompressed, CPU ns a record. ` +
      `rx-kafka checks the CRC when it decodes; kafkajs ${versionOf('kafkajs')} and ` +
      `@platformatic/kafka ${versionOf('@platformatic/kafka')} do not. "Eager" makes a plain object ` +
      'of each record, with all five fields. Each round of each row is a process of its own.',
    '',
  ];
  for (const headers of [0, 1]) {
    lines.push(`### ${headers === 0 ? 'without headers' : 'with one header'}`, '');
    const decoded = await compare(makers('decoder', Object.keys(decoders), headers));
    lines.push(...rows('decode, every key and value read', decoded), '');
    const encoded = await compare(makers('encoder', Object.keys(encoders), headers));
    lines.push(...rows('encode', encoded), '');
  }
  report('records', lines);
}

/** Made in the process that runs it. */
export async function decoder(name: string, headers: number): Promise<Contender> {
  return { name, run: await decoders[name]!(encodeOurs(makeInputs(headers))) };
}

/** As {@link decoder}. */
export async function encoder(name: string, headers: number): Promise<Contender> {
  return { name, run: await encoders[name]!(makeInputs(headers)) };
}

function makers(call: string, names: readonly string[], headers: number): Task[] {
  return names.map((name) => ({ module: './records.js', call, args: [name, headers] }));
}

function rows(what: string, results: readonly Result[]): string[] {
  const ours = results[0]!.nsPerItem;
  return table(
    [what, 'ns/record', 'records/s of CPU', 'rx-kafka is faster by'],
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
  for (const { key, value, headers } of inputs) builder.append(key, value, headers, TIMESTAMP);
  return builder.close();
}

type Run = Contender['run'];

const decoders: Readonly<Record<string, (bytes: Buffer) => Run | Promise<Run>>> = {
  'rx-kafka': (bytes) => () => readAll(decodeRecords(bytes)),

  'rx-kafka, index only': (bytes) => () => {
    let count = 0;
    for (const batch of readBatches(bytes)) {
      const cursor = batch.cursor();
      while (cursor.next()) count++;
    }
    return count;
  },

  'rx-kafka, index only, CRC not checked': (bytes) => () => {
    let count = 0;
    for (const batch of readBatches(bytes)) {
      const cursor = batch.cursor({ checkCrcs: false });
      while (cursor.next()) count++;
    }
    return count;
  },

  'rx-kafka, eager objects': (bytes) => () => readAll(decodeEagerly(bytes, true)),

  'rx-kafka, eager objects, CRC not checked': (bytes) => () => readAll(decodeEagerly(bytes, false)),

  '@platformatic/kafka': async (bytes) => {
    const platformatic = await platformaticProtocol();
    return () => {
      const batches = platformatic.readRecordsBatches(platformatic.Reader.from(bytes));
      return batches.reduce((count, { records }) => count + readAll(records), 0);
    };
  },

  kafkajs: (bytes) => {
    const decode = require('kafkajs/src/protocol/recordBatch/v0/decoder.js') as KafkajsDecode;
    const Decoder = require('kafkajs/src/protocol/decoder.js') as new (buffer: Buffer) => object;
    return async () => readAll((await decode(new Decoder(bytes))).records);
  },
};

function decodeEagerly(bytes: Buffer, checkCrcs: boolean) {
  return decodeRecords(bytes, { checkCrcs }).map(({ offset, timestamp, key, value, headers }) => ({
    offset,
    timestamp,
    key,
    value,
    headers,
  }));
}

interface KeyAndValue {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

/**
 * Reads every key and value, and counts the records. Not in `for...of`: inside of it V8 makes a
 * Buffer in 27 ns, elsewhere in 18, and that is not what is measured here.
 */
function readAll(records: readonly KeyAndValue[]): number {
  const bytes = records.reduce((sum, { key, value }) => sum + key!.length + value!.length, 0);
  if (bytes !== RECORDS * 116) throw new Error(`${bytes} bytes were decoded`);
  return records.length;
}

const encoders: Readonly<Record<string, (inputs: readonly Input[]) => Run | Promise<Run>>> = {
  'rx-kafka': (inputs) => {
    const builder = createBatchBuilder();
    return () => {
      builder.reset();
      for (const { key, value, headers } of inputs) builder.append(key, value, headers, TIMESTAMP);
      return builder.close().length > 0 ? RECORDS : 0;
    };
  },

  'rx-kafka, new memory for each batch': (inputs) => () =>
    encodeOurs(inputs).length > 0 ? RECORDS : 0,

  '@platformatic/kafka': async (inputs) => {
    const platformatic = await platformaticProtocol();
    return () => {
      const messages = inputs.map(({ key, value, headers }) => ({
        topic: 't',
        partition: 0,
        key,
        value,
        timestamp: BigInt(TIMESTAMP),
        headers: new Map(headers.map(([name, header]) => [Buffer.from(name), header])),
      }));
      return platformatic.createRecordsBatch(messages).buffer.length > 0 ? RECORDS : 0;
    };
  },

  kafkajs: (inputs) => {
    const { RecordBatch } = require('kafkajs/src/protocol/recordBatch/v0/index.js') as KafkajsBatch;
    const Record = require('kafkajs/src/protocol/recordBatch/record/v0/index.js') as KafkajsRecord;
    return async () => {
      const records = inputs.map(({ key, value, headers }, i) =>
        Record({
          offsetDelta: i,
          timestampDelta: 0,
          key,
          value,
          headers: headers.length > 0 ? Object.fromEntries(headers) : {},
        }),
      );
      const batch = await RecordBatch({
        records,
        firstTimestamp: TIMESTAMP,
        maxTimestamp: TIMESTAMP,
        lastOffsetDelta: records.length - 1,
      });
      return batch.buffer.length > 0 ? RECORDS : 0;
    };
  },
};

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
  const folder = join(dirname(require.resolve('@platformatic/kafka')), 'protocol');
  const records = (await import(join(folder, 'records.js'))) as object;
  const reader = (await import(join(folder, 'reader.js'))) as object;
  return { ...records, ...reader } as PlatformaticProtocol;
}
