import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  bufferCount,
  catchError,
  concatMap,
  connect,
  distinct,
  exhaustMap,
  filter,
  groupBy,
  map,
  merge,
  mergeMap,
  NEVER,
  type Observable,
  of,
  reduce,
  retry,
  Subject,
  switchMap,
  takeWhile,
  tap,
  windowCount,
  type OperatorFunction,
} from 'rxjs';
import {
  ackEach,
  aggregateEach,
  batchEach,
  createKafka,
  deadLetter,
  dedupeEach,
  exhaustEach,
  fanOut,
  filterEach,
  flatMapEach,
  mapEach,
  pauseWhile,
  processEach,
  processPartitioned,
  retryEach,
  retryTopics,
  switchEach,
  tee,
  throttleBytes,
  toTopic,
  toTopics,
  untilOffsets,
  withLag,
} from '../src/index.js';
import { TestPartition, type TestRecord } from '../test/support/records.js';
import { acknowledging } from './acknowledging.js';
import { inChild, type Task } from './child.js';
import { compare, type Contender, type Result } from './measure.js';
import { report, table } from './report.js';

/** Delivered one after the other without a pause, as from one batch. */
const RECORDS = 1000;
const KEYS = 100;

type Group = Observable<TestRecord>;
type Operator = OperatorFunction<TestRecord, unknown>;

/** An operator of ours beside what comes nearest in RxJS, each with all that is acked. */
interface Pair {
  readonly ours: () => Operator;
  readonly stock: string;
  readonly theirs: () => Operator;
  /** How many times as long ours may take. */
  readonly limit?: number;
}

const ack = tap<TestRecord>((record) => record.ack());
const ackAll = tap<readonly TestRecord[]>((records) => {
  for (const record of records) record.ack();
});
const pipe =
  (...operators: readonly OperatorFunction<never, unknown>[]): Operator =>
  (source) =>
    operators.reduce<Observable<unknown>>(
      (stream, operator) => operator(stream as Observable<never>),
      source,
    );
const keyOf = ({ rawKey }: TestRecord) => rawKey!.toString('latin1');
let ids = 0;
const newId = () => ids++;
const nothing = () => undefined;
const theirMergeMap = () =>
  pipe(
    mergeMap((record: TestRecord) => of(record)),
    ack,
  );
const theirGroups = () =>
  pipe(
    groupBy((record: TestRecord) => keyOf(record)),
    mergeMap((group: Group) => group.pipe(concatMap((record) => of(record)))),
    ack,
  );

const theirMergeMapWithRetry = () =>
  pipe(
    mergeMap((record: TestRecord) => of(record).pipe(retry())),
    ack,
  );
const theirMergeMapWithCatch = () =>
  pipe(
    mergeMap((record: TestRecord) => of(record).pipe(catchError(() => NEVER))),
    ack,
  );
const theirTwoPipelines = () =>
  pipe(
    ack,
    connect((records: Observable<TestRecord>) =>
      merge(records.pipe(tap(nothing)), records.pipe(tap(nothing))),
    ),
  );
const contents = map(({ key, value, headers }: TestRecord) => ({ key, value, headers }));
const theirCopy = () =>
  pipe(
    ack,
    contents,
    map((origin) => ({ topic: 'copies', partition: 0, offset: 0, timestamp: 0, origin })),
  );
/** Never reached: the records go by without a pause. */
const kafka = createKafka({ bootstrapServers: '127.0.0.1:1' });
const theirMap = () =>
  pipe(
    ack,
    map((record: TestRecord) => ({ record, value: record.sizeBytes })),
  );

const pairs: Readonly<Record<string, Pair>> = {
  'processEach, nothing returned': {
    ours: () => processEach(nothing, { concurrency: 16 }),
    stock: 'mergeMap(of)',
    theirs: theirMergeMap,
    limit: 2,
  },
  'processEach(of)': {
    ours: () => processEach((record) => of(record), { concurrency: 16 }),
    stock: 'mergeMap(of)',
    theirs: theirMergeMap,
    limit: 2,
  },
  "processEach(of), order: 'none'": {
    ours: () => processEach((record) => of(record), { concurrency: 16, order: 'none' }),
    stock: 'mergeMap(of)',
    theirs: theirMergeMap,
    limit: 2,
  },
  "processEach, nothing returned, order: 'key'": {
    ours: () => processEach(nothing, { concurrency: 16, order: 'key' }),
    stock: 'mergeMap(of)',
    theirs: theirMergeMap,
    limit: 3,
  },
  "processEach(of), order: 'key'": {
    ours: () => processEach((record) => of(record), { concurrency: 16, order: 'key' }),
    stock: 'mergeMap(of)',
    theirs: theirMergeMap,
    limit: 3,
  },
  "processEach(of), order: 'key', beside groupBy": {
    ours: () => processEach((record) => of(record), { concurrency: 16, order: 'key' }),
    stock: 'groupBy, concatMap(of)',
    theirs: theirGroups,
  },
  'retryEach(of), nothing fails': {
    ours: () => retryEach((record) => of(record), { concurrency: 16 }),
    stock: 'mergeMap(of), with retry',
    theirs: theirMergeMapWithRetry,
  },
  'processEach(of), deadLetter, nothing fails': {
    ours: () =>
      processEach((record) => of(record), {
        concurrency: 16,
        onError: deadLetter(kafka, { topic: 'orders.dead' }),
      }),
    stock: 'mergeMap(of), with catchError',
    theirs: theirMergeMapWithCatch,
  },
  'retryTopics(of), nothing fails': {
    ours: () =>
      pipe(
        retryTopics(
          kafka,
          [{ topic: 'orders.retry', delayMs: 1000 }],
          { consumer: { groupId: 'retries' }, onError: 'skip', concurrency: 16 },
          (record: TestRecord) => of(record),
        ),
      ),
    stock: 'mergeMap(of), with catchError',
    theirs: theirMergeMapWithCatch,
  },
  filterEach: {
    ours: () =>
      pipe(
        filterEach((record: TestRecord) => record.offset % 2 === 0),
        ack,
      ),
    stock: 'filter',
    theirs: () =>
      pipe(
        ack,
        filter((record: TestRecord) => record.offset % 2 === 0),
      ),
  },
  mapEach: {
    ours: () =>
      pipe(
        mapEach((record: TestRecord) => record.sizeBytes),
        ackEach(),
      ),
    stock: 'map',
    theirs: theirMap,
  },
  'flatMapEach, 2 results': {
    ours: () =>
      pipe(
        flatMapEach((record: TestRecord) => [record.offset, 1]),
        ackEach(),
      ),
    stock: 'concatMap',
    theirs: () =>
      pipe(
        ack,
        concatMap((record: TestRecord) => [record.offset, 1]),
      ),
  },
  switchEach: {
    ours: () => switchEach((record) => of(record)),
    stock: 'switchMap(of)',
    theirs: () =>
      pipe(
        switchMap((record: TestRecord) => of(record)),
        ack,
      ),
  },
  exhaustEach: {
    ours: () => exhaustEach((record) => of(record)),
    stock: 'exhaustMap(of)',
    theirs: () =>
      pipe(
        exhaustMap((record: TestRecord) => of(record)),
        ack,
      ),
  },
  'fanOut, 2 pipelines': {
    ours: () => fanOut(ackEach(), ackEach()),
    stock: 'connect, merge',
    theirs: theirTwoPipelines,
  },
  tee: {
    ours: () => pipe(tee(ackEach()), ackEach()),
    stock: 'connect, merge',
    theirs: theirTwoPipelines,
  },
  'batchEach, 100 records': {
    ours: () => pipe(batchEach({ maxRecords: 100 }), ackEach()),
    stock: 'bufferCount',
    theirs: () => pipe(bufferCount(100), ackAll),
  },
  "batchEach, 100 records, by: 'key'": {
    ours: () => pipe(batchEach({ maxRecords: 100, by: 'key' }), ackEach()),
    stock: 'groupBy, bufferCount',
    theirs: () =>
      pipe(
        groupBy((record: TestRecord) => keyOf(record)),
        mergeMap((group: Group) => group.pipe(bufferCount(100))),
        ackAll,
      ),
  },
  'aggregateEach, 100 records': {
    ours: () =>
      pipe(
        aggregateEach(
          (sum: number, record: TestRecord) => sum + record.sizeBytes,
          () => 0,
          {
            maxRecords: 100,
          },
        ),
        ackEach(),
      ),
    stock: 'windowCount, reduce',
    theirs: () =>
      pipe(
        ack,
        windowCount<TestRecord>(100),
        mergeMap((window: Observable<TestRecord>) =>
          window.pipe(reduce((sum, record) => sum + record.sizeBytes, 0)),
        ),
      ),
  },
  dedupeEach: {
    ours: () => pipe(dedupeEach({ by: newId }), ackEach()),
    stock: 'distinct, which forgets nothing',
    theirs: () => pipe(ack, distinct(newId)),
  },
  processPartitioned: {
    ours: () => processPartitioned((records) => records.pipe(ackEach())),
    stock: 'groupBy, mergeMap',
    theirs: () =>
      pipe(
        groupBy((record: TestRecord) => record.partition),
        mergeMap((group: Observable<TestRecord>) => group),
        ack,
      ),
  },
  'pauseWhile, not paused': {
    ours: () => pipe(pauseWhile<TestRecord>(NEVER), ack),
    stock: 'filter',
    theirs: () =>
      pipe(
        filter(() => true),
        ack,
      ),
  },
  'throttleBytes, room enough': {
    ours: () => pipe(throttleBytes<TestRecord>(Number.MAX_SAFE_INTEGER), ack),
    stock: 'filter',
    theirs: () =>
      pipe(
        filter(() => true),
        ack,
      ),
  },
  untilOffsets: {
    ours: () =>
      pipe(
        untilOffsets({ lifecycle: NEVER, moves: NEVER, pause: nothing, resume: nothing }, [
          { topic: 'orders', partition: 0, offset: Number.MAX_SAFE_INTEGER },
        ]),
        ack,
      ),
    stock: 'takeWhile',
    theirs: () =>
      pipe(
        takeWhile((record: TestRecord) => record.offset < Infinity),
        ack,
      ),
  },
  'toTopic, acknowledged at once': {
    ours: () => pipe(ack, contents, toTopic(acknowledging(), 'copies')),
    stock: 'map, map',
    theirs: theirCopy,
  },
  'toTopics, acknowledged at once': {
    ours: () =>
      pipe(
        ack,
        contents,
        toTopics(acknowledging(), () => 'copies' as const, { copies: {} }),
      ),
    stock: 'map, map',
    theirs: theirCopy,
  },
  withLag: {
    ours: () => pipe(withLag(), ack),
    stock: 'map',
    theirs: theirMap,
  },
};

const ALONE = 'alone';

/** What each operator costs, and what it keeps of what has passed. */
export async function run(): Promise<void> {
  const names = Object.keys(pairs);
  const stock = new Map(names.map((name) => [pairs[name]!.stock, name]));
  const tasks = [
    taskOf(ALONE, 'theirs'),
    ...names.map((name) => taskOf(name, 'ours')),
    ...[...stock.values()].map((name) => taskOf(name, 'theirs')),
  ];
  const results = await compare(tasks, 3);
  const [alone] = results;
  const find = (label: string) => results.find(({ name }) => name === label)!;
  const lines = [
    `${RECORDS.toLocaleString('en')} records of ${KEYS} keys in a row through one operator, each acked, ` +
      `CPU ns a record. Of that, delivering the record to nobody and acking it takes ` +
      `${alone!.nsPerItem.toFixed(0)} ns, which "net" leaves out. Each round of each row is a process ` +
      'of its own.',
    '',
    ...table(
      ['operator', 'ns/record', 'nearest in RxJS', 'ns/record', 'times as long', 'net', 'at most'],
      names.map((name) => row(name, find(name), find(pairs[name]!.stock), alone!.nsPerItem)),
    ),
    '',
    '### What has passed leaves nothing behind',
    '',
    'Heap in use after 100,000 records and after 1,000,000, in one subscription, after collection.',
    '',
    ...table(
      ['operator', 'KB after 100,000', 'KB after 1,000,000', 'bytes a record'],
      await heaps(names),
    ),
  ];
  report('operators', lines);
}

function row(name: string, ours: Result, theirs: Result, alone: number): string[] {
  const { stock, limit } = pairs[name]!;
  const ratio = ours.nsPerItem / theirs.nsPerItem;
  // Of what costs next to nothing no multiple says anything.
  const own = theirs.nsPerItem - alone;
  const net = own < 20 ? '' : `${((ours.nsPerItem - alone) / own).toFixed(2)} x`;
  return [
    name,
    ours.nsPerItem.toFixed(0),
    stock,
    theirs.nsPerItem.toFixed(0),
    `${ratio.toFixed(2)} x`,
    net,
    limit === undefined ? '' : `${limit} x`,
  ];
}

async function heaps(names: readonly string[]): Promise<string[][]> {
  const rows: string[][] = [];
  for (const name of names) {
    const task = { module: './operators.js', call: 'heapsOf', args: [name] };
    const [few, many] = await inChild<[number, number]>(task);
    const each = (many - few) / 900_000;
    rows.push([name, (few / 1024).toFixed(0), (many / 1024).toFixed(0), each.toFixed(2)]);
  }
  return rows;
}

function taskOf(name: string, side: 'ours' | 'theirs'): Task {
  return { module: './operators.js', call: 'contender', args: [name, side] };
}

/** Made in the process that runs it. */
export function contender(name: string, side: 'ours' | 'theirs'): Contender {
  const records = new Records();
  const operator = name === ALONE ? () => ack : pairs[name]![side];
  const label = name === ALONE || side === 'ours' ? name : pairs[name]!.stock;
  // One subscription for all rounds, as in a consumer: only what a record costs is measured.
  const source = new Subject<TestRecord>();
  source.pipe(operator()).subscribe();
  return { name: label, run: () => pushAll(records, source, label) };
}

/** @throws Error where the operator under test has failed: what is left would cost next to nothing. */
function pushAll(records: Records, source: Subject<TestRecord>, label: string): number {
  const count = records.pushAll(source);
  if (!source.observed) throw new Error(`${label} has let go of its source`);
  return count;
}

/** Bytes in use after 100,000 records, and after 1,000,000. */
export function heapsOf(name: string): [number, number] {
  const records = new Records();
  const source = new Subject<TestRecord>();
  source.pipe(pairs[name]!.ours()).subscribe();
  const after = (count: number) => {
    for (let i = 0; i < count / RECORDS; i++) records.pushAll(source);
    collect();
    return process.memoryUsage().heapUsed;
  };
  return [after(100_000), after(900_000)];
}

/** The same records again and again, each time as if they were delivered anew. */
class Records {
  private readonly partition = new TestPartition();
  private readonly records = this.partition.deliverContents(
    Array.from({ length: RECORDS }, (_, i) => ({ key: `key-${i % KEYS}`, value: `value-${i}` })),
  );

  constructor() {
    for (const record of this.records) record.ack();
  }

  pushAll(source: Subject<TestRecord>): number {
    const { records, partition } = this;
    for (const record of records) {
      partition.deliverAnew(record);
      source.next(record);
    }
    return RECORDS;
  }
}

function collect(): void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  gc();
  gc();
}
