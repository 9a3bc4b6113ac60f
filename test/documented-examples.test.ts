import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import * as rxjsValues from 'rxjs';
import ts from 'typescript';
import { describe, expect, test, vi } from 'vitest';
import * as rxKafkaValues from '../src/index.js';
import * as protocolValues from '../src/protocol.js';
import * as testingValues from '../src/testing/index.js';

const root = resolve(import.meta.dirname, '..');

/** What an example may use without saying where it comes from. */
const prelude = `
import * as rxjs from 'rxjs';
import * as rxKafka from '../src/index.js';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { MessageChannel, Worker, workerData } from 'node:worker_threads';
import { deepStrictEqual } from 'node:assert';
import { TestScheduler } from 'rxjs/testing';
import { marbles } from 'rxjs-marbles';
import { afterEach, expect, test } from 'vitest';
import * as testing from '../src/testing/index.js';
import * as protocol from '../src/protocol.js';
interface Order { readonly id: string; readonly total: number }
interface Click { readonly user: string }
declare const order: Order;
declare const click: Click;
declare const kafka: rxKafka.Kafka;
declare const consumer: rxKafka.Consumer<Buffer | null, Order>;
declare const orders: rxjs.Observable<rxKafka.ConsumerRecord<Buffer | null, Order>>;
declare const producer: rxKafka.Producer;
declare const clicks: rxjs.Observable<Click>;
declare const charge: (order: unknown, signal?: unknown) => Promise<void>;
declare const review: (order: rxKafka.ConsumerRecord<Buffer | null, Order>) => Promise<void>;
declare const save: (record: rxKafka.ConsumerRecord) => Promise<void>;
declare const print: (record: unknown) => void;
declare const invoice: (order: unknown) => string;
declare const requests: rxjs.Observable<string>;
declare const handle: (request: string, txn: rxKafka.Transaction) => Promise<void>;
declare const pool: rxKafka.TransactionPool;
declare const transaction: rxKafka.Transaction;
declare const record: rxKafka.ProducerRecord;
declare const shrink: (record: rxKafka.ProducerRecord) => void;
declare const cluster: testing.EmbeddedKafka;
declare const clock: rxKafka.Clock;
declare const gate: Promise<void>;
declare const all: (topics: unknown) => rxKafka.TopicPartition[];
declare const socket: import('node:net').Socket;
declare const envelope: { correlationId: number; clientId: string | null };
declare const batch: protocol.RecordBatch;
declare const produced: Buffer;
declare const log: { readonly endOffset: number; push(stored: unknown): void };
declare const deliver: (batch: protocol.RecordBatch) => void;
declare const key: Buffer;
declare const value: Buffer;
declare const now: number;
declare const limit: number;
declare const producerId: number;
declare const producerEpoch: number;
declare const bumpedEpoch: number;
declare const baseSequence: number;
declare let sum: number;
declare const insertAll: (records: readonly unknown[]) => Promise<void>;
declare const store: (record: unknown) => Promise<void>;
declare const index: (record: unknown) => Promise<void>;
declare const transfers: rxjs.Observable<{ readonly topic: string; readonly value: string }>;
declare const carts: rxjs.Observable<string>;
declare const checkOut: (cart: string, txn: rxKafka.Transaction) => Promise<void>;
declare const forget: (partitions: readonly rxKafka.TopicPartition[]) => void;
`;

interface Example {
  readonly where: string;
  readonly code: string;
}

/** The tests that docs/testing.md shows. */
const blocks = blocksOf('docs/testing.md', 'test');
const documents = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)];

test('every example in the documentation compiles', () => {
  const shown = documents.flatMap((path) => blocksOf(path, 'block'));
  const examples = [...examplesIn(join(root, 'src')), ...shown];
  expect(examples.length).toBeGreaterThan(20);
  const wrong = { where: 'one that must not compile', code: 'fromTopics(kafka, 5);' };
  const [ours, ...others] = complaints([wrong, ...examples]);
  expect(ours).toContain(wrong.where);
  expect(others).toEqual([]);
}, 120_000);

describe('docs/testing.md', () => {
  test.each(blocks)('$where passes', async ({ code }) => {
    const script = ts.transpile(code, { target: ts.ScriptTarget.ES2022 });
    const bodies: (() => unknown)[] = [];
    const collect = (_: string, body: () => unknown) => bodies.push(body);
    const scope = { ...rxjsValues, ...rxKafkaValues, ...testingValues, test: collect };
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the documentation is ours
    const run = new Function(...Object.keys(scope), script) as (...given: unknown[]) => void;
    run(...Object.values(scope));
    expect(bodies).toHaveLength(1);
    for (const body of bodies) await body();
  });
});

describe('README.md', () => {
  test('the example of exactly once runs as written: an invoice for each order', async () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    const [, section = ''] = readme.split('\n## Exactly once\n');
    const [, code = ''] = /^```ts\n([\s\S]*?)^```/m.exec(section) ?? [];
    await using cluster = await testingValues.startEmbeddedKafka({
      topics: { orders: 1, invoices: 1 },
    });
    const script = code
      .replace(/^import .*\n/gm, '')
      .replace('localhost:9092', cluster.bootstrapServers);
    const told: string[] = [];
    const scope = {
      ...rxjsValues,
      ...rxKafkaValues,
      invoice: (order: Buffer) => `invoice of ${String(order)}`,
      console: { log: (line: string) => told.push(line) },
    };
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the documentation is ours
    const run = new Function(...Object.keys(scope), `${script}\nreturn kafka;`) as (
      ...given: unknown[]
    ) => rxKafkaValues.Kafka;
    await using kafka = run(...Object.values(scope));
    // It begins with what comes after it has joined, and has settled where that is.
    const place = { topic: 'orders', partition: 0 };
    const readers = kafka.consumer({ groupId: 'billing' });
    await vi.waitFor(async () => {
      expect(await readers.committed([place])).toMatchObject([{ offset: 0 }]);
    }, 20_000);
    const orders = ['a', 'b', 'c'].map((value) => ({ topic: 'orders', value }));
    const producer = kafka.producer();
    for (const order of orders) await producer.send(order);
    await vi.waitFor(async () => {
      expect(await readers.committed([place])).toMatchObject([{ offset: 3 }]);
    }, 20_000);
    const invoices = rxKafkaValues.fromOffsetRange(kafka, [{ topic: 'invoices', partition: 0 }], {
      isolationLevel: 'read_committed',
    });
    const found = await rxjsValues.lastValueFrom(invoices.pipe(rxjsValues.toArray()));
    expect(found.map(({ value }) => String(value))).toEqual([
      'invoice of a',
      'invoice of b',
      'invoice of c',
    ]);
    expect(told.at(-1)).toMatch(/^\d orders, \d invoices$/);
  }, 60_000);
});

/** The code that a document shows. */
function blocksOf(path: string, what: string): Example[] {
  const blocks = readFileSync(join(root, path), 'utf8').matchAll(/^```ts\n([\s\S]*?)^```/gm);
  return [...blocks].map(([, code = ''], i) => ({ where: `${what} ${i + 1} of ${path}`, code }));
}

/** The code of each `@example` of public symbols. */
function examplesIn(folder: string): Example[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return files.flatMap((file) => {
    const path = join(folder, file);
    if (!path.endsWith('.ts')) return [];
    const comments = readFileSync(path, 'utf8').match(/\/\*\*[\s\S]*?\*\//g) ?? [];
    return comments
      .filter((comment) => !comment.includes('@internal'))
      .flatMap((comment) => {
        const lines = comment.replace(/\s*\*\/$/, '').split('\n');
        const text = lines.map((line) => line.replace(/^\s*\/?\*+ ?/, '')).join('\n');
        const parts = text.split(/^@example *\n/m).slice(1);
        return parts.map((part) => ({
          where: relative(root, path),
          code: part.split(/^@\w/m)[0]!.trim(),
        }));
      });
  });
}

/** What the compiler says about examples, each in a function of its own. */
function complaints(examples: readonly Example[]): string[] {
  const names = (module: string) => `const { ${exportsOf(module).join(', ')} }`;
  const shared = `${prelude}\n${names('rxjs')} = rxjs;\n${names('rx-kafka')} = rxKafka;\n${names('testing')} = testing;\n${names('protocol')} = protocol;\n`;
  const types =
    `type Receipt<T> = rxKafka.Receipt<T>;\ntype Batch = rxKafka.Batch;\n` +
    `type ConsumerRecord = rxKafka.ConsumerRecord;\ntype Assignor = rxKafka.Assignor;\n`;
  const files = new Map(
    examples.map(({ where, code }, i) => {
      // They know nothing of the deserializer of that name.
      const isOfBytes = /core\/(protocol|records)/.test(where) && !code.includes('const bytes');
      const given = isOfBytes ? 'bytes: Buffer' : '';
      const body = code.replace(/^import [^;]*;$/gm, '');
      return [
        join(root, 'test', `example-${i}.ts`),
        `${shared}${types}export async function example(${given}) {\n${body}\n}\n`,
      ];
    }),
  );
  const program = compile(files);
  return [...files.keys()].flatMap((file, i) => {
    const source = program.getSourceFile(file)!;
    return [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ].map(
      ({ messageText }) =>
        `${examples[i]!.where}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}\n${examples[i]!.code}`,
    );
  });
}

const known = new Map<string, readonly string[]>();

/** Names of the values that a module exports. */
function exportsOf(module: string): readonly string[] {
  return known.get(module) ?? [];
}

/** The first of several modules that export a name is the one that is meant. */
const taken = new Set(['default']);
for (const [module, values] of Object.entries({
  'rx-kafka': rxKafkaValues,
  testing: testingValues,
  protocol: protocolValues,
  rxjs: rxjsValues,
})) {
  const free = Object.keys(values).filter((name) => !taken.has(name));
  known.set(module, free);
  for (const name of free) taken.add(name);
}

function compile(files: ReadonlyMap<string, string>): ts.Program {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) =>
    ts.sys.readFile(path),
  ) as {
    config: { compilerOptions: object };
  };
  const { options } = ts.convertCompilerOptionsFromJson(
    {
      ...config.compilerOptions,
      noUnusedLocals: false,
      noUnusedParameters: false,
      noPropertyAccessFromIndexSignature: false,
    },
    root,
  );
  const host = ts.createCompilerHost(options);
  host.fileExists = (path) => files.has(path) || ts.sys.fileExists(path);
  host.readFile = (path) => files.get(path) ?? ts.sys.readFile(path);
  return ts.createProgram([...files.keys()], options, host);
}
