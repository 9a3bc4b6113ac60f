import { performance } from 'node:perf_hooks';
import { map } from 'rxjs';
import { createKafka, fromTopics, toTopic, transactional } from '../src/index.js';
import { peer } from './clients/peer.js';

const BATCH_BYTES = 256 * 1024;

export interface CopySetup {
  readonly bootstrapServers: string;
  readonly from: string;
  readonly to: string;
  readonly groupId: string;
  readonly records: number;
  readonly transactionSize: number;
  /** Transactions at a time. */
  readonly concurrency?: number;
}

/** What one process has measured. */
export interface Copied {
  readonly recordsPerSecond: number;
  readonly cpuUsPerRecord: number;
}

/** Counts what was copied: warms up on the first tenth, and measures up to the end. */
class Meter {
  readonly result: Promise<Copied>;
  private resolve!: (copied: Copied) => void;
  private copied = 0;
  private copiedBefore = 0;
  private since = 0;
  private cpuBefore = process.cpuUsage();

  constructor(private readonly records: number) {
    this.result = new Promise((resolve) => (this.resolve = resolve));
  }

  add(records: number): void {
    this.copied += records;
    if (this.since === 0 && this.copied >= this.records / 10) {
      this.since = performance.now();
      this.cpuBefore = process.cpuUsage();
      this.copiedBefore = this.copied;
    } else if (this.copied >= this.records) {
      const { user, system } = process.cpuUsage(this.cpuBefore);
      const measured = this.copied - this.copiedBefore;
      const seconds = (performance.now() - this.since) / 1000;
      this.resolve({
        recordsPerSecond: measured / seconds,
        cpuUsPerRecord: (user + system) / measured,
      });
    }
  }
}

/** `transactional`, with a window that fits two transactions. */
export async function rxTransactional(setup: CopySetup): Promise<Copied> {
  const { bootstrapServers, from, to, groupId, records, transactionSize } = setup;
  const { concurrency = 1 } = setup;
  const kafka = createKafka({ bootstrapServers });
  const meter = new Meter(records);
  fromTopics(kafka, from, {
    groupId,
    autoOffsetReset: 'earliest',
    isolationLevel: 'read_committed',
    maxUnackedRecords: Math.max(1000, 2 * transactionSize),
  })
    .pipe(
      transactional(
        kafka,
        {
          transactionalIdPrefix: groupId,
          maxRecords: transactionSize,
          concurrency,
          batchSize: BATCH_BYTES,
        },
        (incoming) => incoming.pipe(map((record) => record.derive({ topic: to }))),
      ),
    )
    .subscribe({
      next: ({ records: copied }) => meter.add(copied),
      error: (error: unknown) => {
        throw error;
      },
    });
  return meter.result;
}

/** The same copy without transactions: at least once. */
export async function rxPlain(setup: CopySetup): Promise<Copied> {
  const { bootstrapServers, from, to, groupId, records } = setup;
  const kafka = createKafka({ bootstrapServers });
  const meter = new Meter(records);
  fromTopics(kafka, from, { groupId, autoOffsetReset: 'earliest' })
    .pipe(
      map((record) => record.derive()),
      toTopic(kafka, to, { batchSize: BATCH_BYTES }),
    )
    .subscribe({
      next: () => meter.add(1),
      error: (error: unknown) => {
        throw error;
      },
    });
  return meter.result;
}

interface Kafkajs {
  readonly default: {
    readonly logLevel: { readonly ERROR: number };
    readonly Kafka: new (options: object) => {
      producer(options: object): {
        connect(): Promise<void>;
        transaction(): Promise<KafkajsTransaction>;
      };
      consumer(options: object): {
        connect(): Promise<void>;
        subscribe(options: object): Promise<void>;
        run(options: object): Promise<void>;
      };
    };
  };
}

interface KafkajsTransaction {
  send(request: object): Promise<unknown>;
  sendOffsets(request: object): Promise<void>;
  commit(): Promise<void>;
}

interface KafkajsBatch {
  readonly batch: {
    readonly partition: number;
    readonly messages: readonly { key: Buffer | null; value: Buffer | null; offset: string }[];
  };
  resolveOffset(offset: string): void;
  heartbeat(): Promise<void>;
}

/** As its documentation does it: a transaction for so many records of a batch of one partition. */
export async function kafkajs(setup: CopySetup): Promise<Copied> {
  const { bootstrapServers, from, to, groupId, records, transactionSize } = setup;
  const { Kafka, logLevel } = (await peer<Kafkajs>('kafkajs')).default;
  const kafka = new Kafka({ brokers: bootstrapServers.split(','), logLevel: logLevel.ERROR });
  const producer = kafka.producer({
    transactionalId: groupId,
    idempotent: true,
    maxInFlightRequests: 1,
  });
  const consumer = kafka.consumer({ groupId, readUncommitted: false });
  await Promise.all([producer.connect(), consumer.connect()]);
  await consumer.subscribe({ topics: [from], fromBeginning: true });
  const meter = new Meter(records);
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    eachBatch: async (payload: KafkajsBatch) => {
      const { batch } = payload;
      for (let start = 0; start < batch.messages.length; start += transactionSize) {
        const part = batch.messages.slice(start, start + transactionSize);
        const last = part.at(-1)!.offset;
        const transaction = await producer.transaction();
        await transaction.send({
          topic: to,
          messages: part.map(({ key, value }) => ({ key, value })),
        });
        const offset = String(BigInt(last) + 1n);
        await transaction.sendOffsets({
          consumerGroupId: groupId,
          topics: [{ topic: from, partitions: [{ partition: batch.partition, offset }] }],
        });
        await transaction.commit();
        payload.resolveOffset(last);
        await payload.heartbeat();
        meter.add(part.length);
      }
    },
  });
  return meter.result;
}
