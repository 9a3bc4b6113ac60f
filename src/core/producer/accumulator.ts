import type { TopicMetadata } from '../cluster/index.js';
import { createBatchBuilder, partitionForKey, type BatchBuilder } from '../records/index.js';
import type { Serialized } from '../serde/index.js';
import type { Clock } from '../util/clock.js';
import { KafkaError, UnsupportedVersionError } from '../util/errors.js';
import { Batch } from './batch.js';
import { BufferPool } from './buffer-pool.js';
import { ignoreRejection } from './check-record.js';
import { headersUnsupported, invalidPartition, invalidRecord } from './errors.js';
import type { ResolvedProducerOptions } from './options.js';
import { PartitionQueue } from './partition-queue.js';
import { choosePartition, StickyPartition } from './partitioner.js';
import type { HeaderList, Submitter } from './record.js';
import { messageOf } from '../util/message-of.js';

const MAX_INITIAL_BYTES = 64 * 1024;
/** Room that a request takes besides its batch, and a builder besides its records. */
const REQUEST_OVERHEAD_BYTES = 2048;

/** A record whose key and value are bytes, on its way into a batch. */
export interface EncodedRecord {
  readonly key: Serialized;
  readonly value: Serialized;
  readonly headers: HeaderList;
  readonly partition: number | undefined;
  readonly timestamp: number;
  readonly submitter: Submitter;
  readonly token: unknown;
}

/** The partitions of one topic as a producer sees them. */
class TopicQueues {
  partitions: PartitionQueue[] = [];
  metadata: TopicMetadata | undefined;
  readonly sticky: StickyPartition;

  constructor(batchSize: number) {
    this.sticky = new StickyPartition(batchSize);
  }
}

/** What a record's arrival means for the sender. */
export type Appended =
  /** Its batch waits for more. */
  | 'lingering'
  /** Its batch is the first to wait on its partition: its linger starts. */
  | 'started'
  /** Its batch, or one before it, can be sent. */
  | 'ready';

/**
 * Collects records into batches, one open batch a partition. Records are encoded as they arrive;
 * every byte that is held counts against `bufferMemory` until its batch is settled.
 */
export class Accumulator {
  /** Partitions that have anything waiting or on the way. */
  readonly active = new Set<PartitionQueue>();
  private readonly topics = new Map<string, TopicQueues>();
  private usedBytes = 0;
  private encoded = 0;
  private nextOrder = 0;
  private readonly memory: BufferPool;
  /** Magic of new batches: what the brokers understand. */
  magic: 0 | 1 | 2 = 2;

  constructor(
    private readonly options: ResolvedProducerOptions,
    private readonly clock: Clock,
  ) {
    // What waits for outcomes is left out: it often fills the buffer, and then each batch would need
    // fresh memory, which V8 frees late.
    this.memory = new BufferPool(() => options.bufferMemory - this.encoded);
  }

  /** What counts against `bufferMemory`: encoded records, and what waits for their outcomes. */
  get bufferedBytes(): number {
    return this.usedBytes;
  }

  /** The encoded records alone. */
  get encodedBytes(): number {
    return this.encoded;
  }

  /** The order of the newest batch. */
  get lastOrder(): number {
    return this.nextOrder - 1;
  }

  /** Counts bytes that are held outside batches; negative ones give them back. */
  reserve(bytes: number): void {
    this.usedBytes += bytes;
  }

  /** Takes note of the partitions that a topic has now. */
  updateTopic(metadata: TopicMetadata): void {
    const topic = this.topicQueues(metadata.name);
    if (topic.metadata?.partitions.length !== metadata.partitions.length) topic.sticky.reset();
    topic.metadata = metadata;
    for (let i = topic.partitions.length; i < metadata.partitions.length; i++) {
      topic.partitions.push(new PartitionQueue(metadata.name, i));
    }
  }

  /** Forgets where a topic is, but not how far its partitions are numbered. */
  forgetTopic(name: string): void {
    const topic = this.topics.get(name);
    if (topic !== undefined) topic.metadata = undefined;
  }

  /** The topics of which it is known where they are. */
  *knownTopics(): IterableIterator<string> {
    for (const [name, { metadata }] of this.topics) if (metadata !== undefined) yield name;
  }

  /** What is known of a topic; `undefined` until {@link updateTopic} has seen it. */
  topicMetadata(name: string): TopicMetadata | undefined {
    return this.topics.get(name)?.metadata;
  }

  /** The queue of a partition that {@link updateTopic} has seen. */
  queue(topic: string, partition: number): PartitionQueue | undefined {
    return this.topics.get(topic)?.partitions[partition];
  }

  /**
   * Puts a record into the open batch of the partition it belongs to.
   *
   * @returns the error of a record that belongs to no partition: it was not taken.
   */
  append(topicName: string, record: EncodedRecord): Appended | KafkaError {
    const topic = this.topics.get(topicName)!;
    let isSticky = false;
    let { partition } = record;
    if (partition === undefined) {
      isSticky = this.isSticky(record);
      const chosen = isSticky ? this.stick(topic) : this.choose(topicName, topic, record);
      if (chosen instanceof KafkaError) return chosen;
      partition = chosen;
    }
    const queue = topic.partitions[partition];
    const count = topic.metadata!.partitions.length;
    if (queue === undefined || partition >= count || !Number.isInteger(partition)) {
      if (isSticky) topic.sticky.reset();
      return invalidPartition(topicName, partition, count);
    }
    const outcome = this.appendTo(queue, record);
    if (typeof outcome === 'string' && isSticky) {
      topic.sticky.appended(this.lastRecordBytes, outcome === 'ready');
    }
    return outcome;
  }

  private lastRecordBytes = 0;

  private appendTo(queue: PartitionQueue, record: EncodedRecord): Appended | KafkaError {
    const { key, value, headers, timestamp } = record;
    const wasDue = this.isFull(queue);
    let batch = queue.open;
    if (batch !== undefined && !this.fits(batch, record)) {
      queue.seal();
      batch = undefined;
    }
    const isFirst = batch === undefined;
    let before = 0;
    try {
      batch ??= this.newBatch(queue);
      before = isFirst ? 0 : batch.builder.sizeBytes;
      batch.builder.append(key, value, headers, timestamp);
    } catch (cause) {
      if (isFirst) queue.open = undefined;
      if (cause instanceof UnsupportedVersionError) {
        return headersUnsupported(queue.topic, queue.partition);
      }
      const reason = messageOf(cause);
      return invalidRecord(queue.topic, reason, cause);
    }
    batch.add(record.submitter, record.token, timestamp);
    this.lastRecordBytes = batch.builder.sizeBytes - before;
    const heldBytes = record.submitter.heldBytes(this.lastRecordBytes);
    batch.heldBytes += heldBytes;
    this.encoded += this.lastRecordBytes;
    this.usedBytes += this.lastRecordBytes + heldBytes;
    if (this.lastRecordBytes > batch.largestRecordBytes) {
      batch.largestRecordBytes = this.lastRecordBytes;
    }
    if (isFirst) this.active.add(queue);
    // Said once: what keeps a full batch from being sent ends with an event of its own.
    if (!wasDue && this.isFull(queue)) return 'ready';
    return isFirst ? 'started' : 'lingering';
  }

  /** The oldest batch of all that were never sent and pass a test. */
  oldestUnsent(
    passes: (batch: Batch) => boolean,
  ): { readonly queue: PartitionQueue; readonly batch: Batch } | undefined {
    let oldest: { queue: PartitionQueue; batch: Batch } | undefined;
    for (const queue of this.active) {
      for (const batch of queue.all()) {
        if (oldest !== undefined && batch.order > oldest.batch.order) break;
        if (batch.attempts > 0 || batch.hasSequence || batch.isSettled || !passes(batch)) continue;
        oldest = { queue, batch };
        break;
      }
    }
    return oldest;
  }

  /** Gives the room of a settled batch back. */
  release({ builder, heldBytes }: Batch): void {
    this.encoded -= builder.sizeBytes;
    this.usedBytes -= builder.sizeBytes + heldBytes;
  }

  /** Keeps the memory of a batch that the broker has acknowledged, so nothing reads it any more. */
  recycle({ builder }: Batch): void {
    builder.release();
  }

  /** A batch that holds part of what another one held; both count until each is settled. */
  adopt({ builder, heldBytes }: Batch): void {
    this.encoded += builder.sizeBytes;
    this.usedBytes += builder.sizeBytes + heldBytes;
  }

  /** An empty batch in the place of another one, for a part of its records. */
  batchLike(batch: Batch): Batch {
    const { topic, partition, createdAt, order } = batch;
    const part = new Batch(topic, partition, this.newBuilder(), createdAt, order);
    part.mayBeWritten = batch.mayBeWritten;
    // Sending it in another form is not a retry.
    part.attempts = Math.max(0, batch.attempts - 1);
    return part;
  }

  private isFull({ hasSealed, open }: PartitionQueue): boolean {
    return hasSealed || (open !== undefined && open.builder.sizeBytes >= this.options.batchSize);
  }

  private fits(batch: Batch, { key, value, headers, timestamp }: EncodedRecord): boolean {
    const { maxRequestSize, batchSize, compressionType } = this.options;
    const limitBytes = maxRequestSize - REQUEST_OVERHEAD_BYTES;
    if (compressionType !== 'none' && batch.recordCount > 0) {
      const mostBytes = Math.max(batchSize, COMPRESSED_BATCH_BYTES);
      if (batch.builder.sizeBytes >= Math.min(mostBytes, limitBytes)) return false;
    }
    return batch.builder.fits(key, value, headers, timestamp, limitBytes);
  }

  private newBatch(queue: PartitionQueue): Batch {
    const now = this.clock.monotonic();
    const { topic, partition } = queue;
    const batch = new Batch(topic, partition, this.newBuilder(), now, this.nextOrder++);
    queue.open = batch;
    return batch;
  }

  /** A builder in the format the brokers take, writing into memory that another is done with. */
  newBuilder(): BatchBuilder {
    const { compressionType, compressionLevel, batchSize, transactionalId } = this.options;
    return createBatchBuilder({
      magic: this.magic,
      compressionType,
      isTransactional: transactionalId !== undefined,
      initialBytes: initialBytesFor(batchSize),
      memory: this.memory,
      ...(compressionLevel !== undefined && { compressionLevel }),
    });
  }

  private topicQueues(name: string): TopicQueues {
    let topic = this.topics.get(name);
    if (topic === undefined) {
      topic = new TopicQueues(this.options.batchSize);
      this.topics.set(name, topic);
    }
    return topic;
  }

  private isSticky({ key }: EncodedRecord): boolean {
    const { partitioner, partitionerIgnoreKeys } = this.options;
    return partitioner === undefined && (key === null || partitionerIgnoreKeys);
  }

  private choose(
    name: string,
    topic: TopicQueues,
    { key, value }: EncodedRecord,
  ): number | KafkaError {
    const { partitioner } = this.options;
    const partitionCount = topic.metadata!.partitions.length;
    if (partitioner === undefined) {
      return partitionForKey(key!, partitionCount);
    }
    try {
      const chosen: unknown = partitioner({
        topic: name,
        key: asBuffer(key),
        value: asBuffer(value),
        partitionCount,
        availablePartitions: available(topic.metadata!),
      });
      ignoreRejection(chosen);
      // What is no number belongs to no partition.
      return chosen as number;
    } catch (cause) {
      const reason = messageOf(cause);
      return invalidRecord(name, `the partitioner failed: ${reason}`, cause);
    }
  }

  private stick(topic: TopicQueues): number {
    return topic.sticky.partition ?? topic.sticky.stickTo(this.chooseSticky(topic));
  }

  private chooseSticky(topic: TopicQueues): number {
    const candidates = available(topic.metadata!);
    const among = candidates.length > 0 ? candidates : topic.metadata!.partitions.map((_, i) => i);
    const isAdaptive = this.options.partitionerAdaptivePartitioningEnable;
    const timeoutMs = this.options.partitionerAvailabilityTimeoutMs;
    const now = this.clock.monotonic();
    const loads = among.map((partition) => {
      const queue = topic.partitions[partition]!;
      const isStuck = timeoutMs > 0 && queue.stuckSince > 0 && now - queue.stuckSince > timeoutMs;
      return { partition, queuedBatches: isAdaptive ? queue.queuedBatches : 0, isStuck };
    });
    const moving = loads.filter(({ isStuck }) => !isStuck);
    return choosePartition(moving.length > 0 ? moving : loads, this.clock.random());
  }
}

/**
 * A batch that is to be compressed grows no further while its broker is busy: lz4 takes 0.9 ns for a
 * byte of 16 KiB, 1.2 of 64 KiB and 1.7 of 256 KiB.
 */
const COMPRESSED_BATCH_BYTES = 128 * 1024;

/** A power of two, so that doubling ends at the usual limit of 1 MiB and not beyond. */
function initialBytesFor(batchSize: number): number {
  return Math.min(MAX_INITIAL_BYTES, 2 ** Math.ceil(Math.log2(Math.max(batchSize, 256))));
}

function available(topic: TopicMetadata): number[] {
  return topic.partitions.filter(({ leader }) => leader >= 0).map(({ partition }) => partition);
}

function asBuffer(bytes: Serialized): Buffer | null {
  if (bytes === null) return null;
  if (typeof bytes === 'string') return Buffer.from(bytes);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
