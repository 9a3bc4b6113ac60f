import { join } from 'node:path';
import * as rxjs from 'rxjs';
import ts from 'typescript';
import { beforeAll, describe, expect, test } from 'vitest';
import * as rxKafka from '../../src/index.js';
import * as protocol from '../../src/protocol.js';
import * as testing from '../../src/testing/index.js';
import { blocksOf, documents, examplesIn, root, type Example } from './examples.js';

/** What an example may use without saying where it comes from. */
const prelude = `
import * as rxjs from 'rxjs';
import * as rxKafka from '../../src/index.js';
import * as testing from '../../src/testing/index.js';
import * as protocol from '../../src/protocol.js';
import * as assert from 'node:assert';
import * as fs from 'node:fs';
import * as readline from 'node:readline';
import * as threads from 'node:worker_threads';
import * as rxjsTesting from 'rxjs/testing';
import * as rxjsMarbles from 'rxjs-marbles';
import * as vitest from 'vitest';
declare global {
  const createReadStream: typeof fs.createReadStream;
  const createInterface: typeof readline.createInterface;
  const Worker: typeof threads.Worker;
  const workerData: typeof threads.workerData;
  const deepStrictEqual: typeof assert.deepStrictEqual;
  const TestScheduler: typeof rxjsTesting.TestScheduler;
  const marbles: typeof rxjsMarbles.marbles;
  const afterEach: typeof vitest.afterEach;
  const expect: typeof vitest.expect;
  const test: typeof vitest.test;
  type Receipt<T> = rxKafka.Receipt<T>;
  type Batch = rxKafka.Batch;
  type ConsumerRecord = rxKafka.ConsumerRecord;
  type Assignor = rxKafka.Assignor;
  interface Order { readonly id: string; readonly total: number }
  interface Click { readonly user: string }
  const order: Order;
  const click: Click;
  const kafka: rxKafka.Kafka;
  const consumer: rxKafka.Consumer<Buffer | null, Order>;
  const orders: rxjs.Observable<rxKafka.ConsumerRecord<Buffer | null, Order>>;
  const producer: rxKafka.Producer;
  const clicks: rxjs.Observable<Click>;
  const charge: (order: unknown, signal?: unknown) => Promise<void>;
  const review: (order: rxKafka.ConsumerRecord<Buffer | null, Order>) => Promise<void>;
  const save: (record: rxKafka.ConsumerRecord) => Promise<void>;
  const print: (record: unknown) => void;
  const invoice: (order: unknown) => string;
  const requests: rxjs.Observable<string>;
  const handle: (request: string, txn: rxKafka.Transaction) => Promise<void>;
  const pool: rxKafka.TransactionPool;
  const transaction: rxKafka.Transaction;
  const record: rxKafka.ProducerRecord;
  const shrink: (record: rxKafka.ProducerRecord) => void;
  const cluster: testing.EmbeddedKafka;
  const clock: rxKafka.Clock;
  const gate: Promise<void>;
  const all: (topics: unknown) => rxKafka.TopicPartition[];
  const socket: import('node:net').Socket;
  const envelope: { correlationId: number; clientId: string | null };
  const batch: protocol.RecordBatch;
  const produced: Buffer;
  const log: { readonly endOffset: number; push(stored: unknown): void };
  const deliver: (batch: protocol.RecordBatch) => void;
  const key: Buffer;
  const value: Buffer;
  const now: number;
  const limit: number;
  const producerId: number;
  const producerEpoch: number;
  const bumpedEpoch: number;
  const baseSequence: number;
  let sum: number;
  const insertAll: (records: readonly unknown[]) => Promise<void>;
  const store: (record: unknown) => Promise<void>;
  const index: (record: unknown) => Promise<void>;
  const transfers: rxjs.Observable<{ readonly topic: string; readonly value: string }>;
  const carts: rxjs.Observable<string>;
  const checkOut: (cart: string, txn: rxKafka.Transaction) => Promise<void>;
  const forget: (partitions: readonly rxKafka.TopicPartition[]) => void;
${globals()}
}
`;

/** Each value that an entry point exports; the first of several that have a name is the one meant. */
function globals(): string {
  const modules = { rxKafka, testing, protocol, rxjs };
  const homes = new Map<string, string>();
  for (const [home, values] of Object.entries(modules)) {
    for (const name of Object.keys(values)) if (!homes.has(name)) homes.set(name, home);
  }
  homes.delete('default');
  return [...homes].map(([name, home]) => `  const ${name}: typeof ${home}.${name};`).join('\n');
}

interface Compiled {
  readonly program: ts.Program;
  readonly complaints: readonly string[];
}

/** One that must not compile, so that the others are known to be looked at. */
const wrong: Example = { where: 'one that must not compile', code: 'fromTopics(kafka, 5);' };
const examples = [wrong, ...examplesIn('src'), ...documents.flatMap((path) => blocksOf(path))];

let compiled: Compiled;
beforeAll(() => {
  compiled = compile(examples);
}, 120_000);

test('every example in the documentation compiles', () => {
  expect(examples.length).toBeGreaterThan(100);
  const [ours, ...others] = compiled.complaints;
  expect(ours).toContain(wrong.where);
  expect(others).toEqual([]);
});

describe('every symbol that is exported', () => {
  test.each(['src/index.ts', 'src/testing/index.ts'])('by %s says what it is', (path) => {
    expect(
      exportsOf(path)
        .filter(({ text }) => text === '')
        .map(({ name }) => name),
    ).toEqual([]);
  });

  test('and makes an operator, a sink or a source says what it promises, with an example', () => {
    const lacking = exportsOf('src/index.ts')
      .filter(({ file, isFunction }) => isFunction && /^src.(operators|sinks|sources)/.test(file))
      .flatMap(({ name, text, tags }) => [
        ...['```', '**Guarantees.**', '**Errors.**']
          .filter((part) => !text.includes(part))
          .map((part) => `${name}: ${part}`),
        ...(tags.includes('example') ? [] : [`${name}: @example`]),
      ]);
    expect(lacking).toEqual([]);
  });
});

interface Exported {
  readonly name: string;
  readonly file: string;
  readonly isFunction: boolean;
  readonly text: string;
  readonly tags: readonly string[];
}

/** What an entry point exports, with what is said of it. */
function exportsOf(path: string): Exported[] {
  const { program } = compiled;
  const checker = program.getTypeChecker();
  const module = checker.getSymbolAtLocation(program.getSourceFile(join(root, path))!)!;
  return checker.getExportsOfModule(module).map((exported) => {
    const isAlias = (exported.flags & ts.SymbolFlags.Alias) !== 0;
    const symbol = isAlias ? checker.getAliasedSymbol(exported) : exported;
    return {
      name: exported.name,
      file: symbol.declarations![0]!.getSourceFile().fileName.slice(root.length + 1),
      isFunction: (symbol.flags & ts.SymbolFlags.Function) !== 0,
      text: ts.displayPartsToString(symbol.getDocumentationComment(checker)),
      tags: symbol.getJsDocTags(checker).map(({ name }) => name),
    };
  });
}

/** Compiles examples, each in a function of its own, and says what is wrong with them. */
function compile(given: readonly Example[]): Compiled {
  const nameOf = (name: string) => join(root, 'test/documentation', `${name}.ts`);
  const files = new Map([[nameOf('prelude'), prelude]]);
  for (const [i, { where, code }] of given.entries()) {
    // They know nothing of the deserializer of that name.
    const isOfBytes = /core\/(protocol|records)/.test(where) && !code.includes('const bytes');
    const body = code.replace(/^import [^;]*;$/gm, '');
    const head = `export async function example(${isOfBytes ? 'bytes: Buffer' : ''})`;
    files.set(nameOf(`example-${i}`), `${head} {\n${body}\n}\n`);
  }
  const program = programOf(files);
  const complain = (where: string, name: string, code: string) => {
    const source = program.getSourceFile(nameOf(name))!;
    return [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ].map(
      ({ messageText }) =>
        `${where}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}\n${code}`,
    );
  };
  const complaints = given.flatMap(({ where, code }, i) => complain(where, `example-${i}`, code));
  return { program, complaints: [...complaints, ...complain('prelude', 'prelude', '')] };
}

function programOf(files: ReadonlyMap<string, string>): ts.Program {
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
