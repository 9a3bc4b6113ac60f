import type { RecordBatch } from '../../records/index.js';
import type { KafkaError } from '../../util/errors.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { ConsumerContext } from '../context.js';
import type { Decoder } from '../delivering/decoder.js';
import { Deliverer } from '../delivering/deliverer.js';
import type { DeliveryHooks, Remedy } from '../delivering/delivery-hooks.js';
import type { Outlets } from '../delivering/outlets.js';
import { Unreadable } from '../delivering/unreadable.js';
import { asKafkaError } from '../errors.js';
import { ByteBudget } from '../fetching/byte-budget.js';
import { Fetcher, type FetchHooks } from '../fetching/fetcher.js';
import type { ConsumerMetrics } from '../metrics.js';
import type { DeserializationFailure } from '../options.js';
import type { Pipeline } from '../pipeline.js';
import { noteCaughtUp } from './caught-up.js';
import type { Starvation } from './starvation.js';
import { StarvationWatch } from './starvation-watch.js';

/** Where a {@link Flow} leads. */
export interface FlowParts {
  readonly partitions: () => readonly AssignedPartition[];
  readonly decoder: Decoder;
  readonly outlets: Outlets;
  readonly pipeline: Pipeline;
  readonly metrics: ConsumerMetrics;
}

/** What a {@link Flow} meets that somebody else has to act on. */
export interface FlowHooks {
  /** A position has moved on over offsets that have no record. */
  readonly onPassed: (partition: AssignedPartition) => void;
  /** All that was wanted of a partition, or all that there is now, has been delivered. */
  readonly onRanOut: () => void;
  /** The log has no such offset. */
  readonly onOutOfRange: (partition: AssignedPartition) => void;
  /** The log no longer has what was consumed (KIP-595). */
  readonly onDiverged: (
    partition: AssignedPartition,
    endOffset: number,
    leaderEpoch: number,
  ) => void;
  readonly onFatal: (error: KafkaError, partition?: AssignedPartition) => void;
}

/**
 * The records' way from the brokers to the outlets: each of fetching and delivering goes on when the
 * other has moved, or when bytes are given back.
 */
export class Flow implements DeliveryHooks, FetchHooks {
  readonly budget: ByteBudget;
  private readonly fetcher: Fetcher;
  private readonly deliverer: Deliverer;
  private readonly starvation: StarvationWatch;
  private readonly unreadable: Unreadable;

  constructor(
    private readonly context: ConsumerContext,
    private readonly parts: FlowParts,
    private readonly hooks: FlowHooks,
  ) {
    const { clock, options } = context;
    const { partitions, decoder, metrics, pipeline } = parts;
    this.budget = new ByteBudget(options.maxBufferedBytes, () => {
      if (this.fetcher.isStarved) this.fetcher.wake();
      this.deliverer.bytesFreed();
    });
    this.fetcher = new Fetcher(context, this.budget, partitions, metrics, this);
    const settings = {
      isAutoAck: options.ack === 'auto',
      maxPollRecords: options.maxPollRecords,
      open: { checkCrcs: options.checkCrcs },
      soon: queueMicrotask,
    };
    this.deliverer = new Deliverer(clock, this.budget, partitions, decoder, settings, this);
    this.starvation = new StarvationWatch(context, pipeline, {
      partitions,
      isFetchingStarved: () => this.fetcher.isStarved,
      isDeliveryStarved: () => this.deliverer.awaitsBytes,
    });
    this.unreadable = new Unreadable(context, hooks.onFatal);
  }

  /** Nothing can be fetched before bytes are given back. */
  get isOutOfBytes(): boolean {
    return this.fetcher.isStarved;
  }

  /** Why nothing more can come now; `undefined` while more may. */
  get whyStarved(): Starvation | undefined {
    return this.starvation.look();
  }

  /** Looks what can be fetched and delivered, once the code at work now is done. */
  wake(partition?: AssignedPartition): void {
    this.fetcher.wake();
    this.deliverer.wake(partition);
  }

  /** Looks what can be fetched. */
  wakeFetching(): void {
    this.fetcher.wake();
  }

  /** Records of a partition come again that were delivered before. */
  dueAgain(partition: AssignedPartition): void {
    this.parts.outlets.fetched(partition);
    this.deliverer.wake(partition);
  }

  /** Looks whether a partition has something to deliver. */
  wakeDelivery(partition: AssignedPartition): void {
    this.deliverer.wake(partition);
  }

  stop(): void {
    this.fetcher.stop();
    this.deliverer.stop();
  }

  // ---- from fetching

  onFetched(): void {
    for (const partition of this.parts.partitions()) {
      if (partition.hasRecords) {
        this.parts.outlets.fetched(partition);
        this.deliverer.wake(partition);
      } else noteCaughtUp(this.context, partition);
    }
  }

  onStarved(): void {
    this.starvation.check();
  }

  onOutOfRange(partition: AssignedPartition): void {
    this.hooks.onOutOfRange(partition);
  }

  onDiverged(partition: AssignedPartition, endOffset: number, leaderEpoch: number): void {
    this.hooks.onDiverged(partition, endOffset, leaderEpoch);
    this.fetcher.wake();
  }

  onFatal(error: KafkaError, partition: AssignedPartition | undefined): void {
    this.hooks.onFatal(error, partition);
  }

  // ---- from delivery

  onDelivered(partition: AssignedPartition, records: number): void {
    this.parts.metrics.delivered(partition.topic, records);
    this.starvation.moved();
    this.context.onMoved(partition);
    this.fetcher.noteMoved(partition);
    if (records === 0) this.hooks.onPassed(partition);
    else this.parts.outlets.delivered(partition);
    noteCaughtUp(this.context, partition);
    if (partition.position >= partition.endOffset) this.hooks.onRanOut();
  }

  onChunkEnd(partition: AssignedPartition): void {
    this.parts.outlets.chunkEnded(partition);
    this.fetcher.noteMoved(partition);
  }

  onHeldUp(partition: AssignedPartition): void {
    this.parts.outlets.heldUp(partition);
  }

  onIdle(): void {
    this.hooks.onRanOut();
    this.starvation.check();
  }

  onCorrupt(
    partition: AssignedPartition,
    error: KafkaError,
    batch: RecordBatch | undefined,
  ): Remedy {
    return this.unreadable.batch(partition, error, batch);
  }

  onUndecodable(
    partition: AssignedPartition,
    failure: DeserializationFailure,
  ): Remedy | { readonly value: unknown } {
    return this.unreadable.part(partition, failure);
  }

  onFailed(partition: AssignedPartition, error: unknown): void {
    const what = `Cannot read ${partition.key} at offset ${partition.position}`;
    this.hooks.onFatal(asKafkaError(error, what, 'RECORDS_UNREADABLE'), partition);
  }
}
