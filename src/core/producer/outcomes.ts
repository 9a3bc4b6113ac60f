import type { Cluster } from '../cluster/index.js';
import { backoffMs } from '../util/backoff.js';
import type { Clock } from '../util/clock.js';
import type { KafkaError } from '../util/errors.js';
import type { Accumulator } from './accumulator.js';
import type { Batch } from './batch.js';
import { deliveryTimedOut, producerError } from './errors.js';
import type { ProducerEvent } from './events.js';
import type { IdentityHolder } from './identity.js';
import type { ProducerMetrics } from './metrics.js';
import type { ResolvedProducerOptions } from './options.js';
import type { PartitionQueue } from './partition-queue.js';
import { rebuild } from './rebuild.js';
import {
  ackSequences,
  addSequence,
  isSameIdentity,
  isSettled,
  startSequences,
  subtractSequence,
  takeSequences,
} from './sequences.js';
import { judge, type BatchAnswer, type Verdict } from './verdict.js';

/** What a producer's parts share. */
export interface ProducerContext {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly options: ResolvedProducerOptions;
  readonly accumulator: Accumulator;
  readonly identity: IdentityHolder;
  readonly metrics: ProducerMetrics;
  /** True while everything that waits is to be sent without lingering. */
  isFlushing(): boolean;
  /** A batch was settled: there is room again, and a flush may be over. */
  settled(): void;
  emit(event: ProducerEvent): void;
}

/**
 * Carries out what the answers to batches mean: settles them, puts them back, and keeps the
 * numbering of their partition whole.
 */
export class Outcomes {
  constructor(private readonly context: ProducerContext) {}

  /** Acts on the answer to a batch that was on the way. */
  act(queue: PartitionQueue, batch: Batch, answer: BatchAnswer): void {
    if (batch.isSettled) {
      // Given up on meanwhile; now it is no longer on the way.
      queue.remove(batch);
      this.tidy(queue);
      return;
    }
    const verdict = judge(answer, {
      recordCount: batch.recordCount,
      firstSequence: batch.firstSequence,
      wasRenumbered: batch.wasRenumbered,
      attemptsLeft: this.context.options.retries + 1 - batch.attempts,
      sequences: queue.sequences,
    });
    this.execute(queue, batch, verdict, answer);
    this.tidy(queue);
  }

  acknowledge(
    queue: PartitionQueue,
    batch: Batch,
    baseOffset: number,
    logAppendTimeMs: number,
  ): void {
    const { sequences } = queue;
    if (sequences !== undefined && batch.hasSequence && belongsTo(batch, sequences)) {
      const lastOffset = baseOffset < 0 ? -1 : baseOffset + batch.recordCount - 1;
      const { firstSequence, recordCount } = batch;
      queue.sequences = ackSequences(sequences, firstSequence, recordCount, lastOffset);
    }
    this.settle(queue, batch, () => batch.acknowledge(baseOffset, logAppendTimeMs));
    if (this.context.options.acks !== 0) this.context.accumulator.recycle(batch);
  }

  /** Fails a batch that was certainly not written. */
  refuse(queue: PartitionQueue, batch: Batch, error: KafkaError): void {
    this.closeGap(queue, batch, batch.recordCount);
    this.context.metrics.failed(batch.topic, batch.recordCount);
    this.settle(queue, batch, () => batch.fail(error));
  }

  /** Fails a batch that has waited longer than the delivery timeout. */
  expire(queue: PartitionQueue, batch: Batch): void {
    const { deliveryTimeoutMs } = this.context.options;
    const { topic, partition, attempts } = batch;
    const error = deliveryTimedOut(topic, partition, deliveryTimeoutMs, attempts);
    const isOnTheWay = queue.inFlight.includes(batch);
    this.abandon(queue, batch, error);
    // It keeps its place on the wire until the connection has answered or is gone.
    if (isOnTheWay) queue.inFlight.unshift(batch);
    this.tidy(queue);
  }

  /** Numbers what waits on a partition anew, once the identity in force is another one. */
  startOver(queue: PartitionQueue): void {
    const identity = this.context.identity.current;
    queue.sequences = identity === undefined ? undefined : startSequences(identity);
    for (const batch of queue.all()) {
      if (!batch.hasSequence) continue;
      batch.wasRenumbered = true;
      batch.identity = identity;
      batch.firstSequence = queue.sequences?.next ?? -1;
      if (queue.sequences === undefined) continue;
      queue.sequences = takeSequences(queue.sequences, batch.recordCount);
    }
  }

  private execute(
    queue: PartitionQueue,
    batch: Batch,
    verdict: Verdict,
    answer: BatchAnswer,
  ): void {
    const { accumulator } = this.context;
    switch (verdict.type) {
      case 'acknowledge':
        this.acknowledge(queue, batch, verdict.baseOffset, verdict.logAppendTimeMs);
        return;
      case 'retry':
        this.retry(queue, batch, verdict);
        return;
      case 'split':
        this.context.metrics.split();
        this.replace(queue, batch, rebuild(accumulator, batch, 'halves'));
        return;
      case 'drop-records':
        this.dropRecords(queue, batch, verdict);
        return;
      case 'fail': {
        const error = failure(batch, verdict.error, answer.errorMessage);
        if (verdict.mayBeWritten) this.abandon(queue, batch, error);
        else this.refuse(queue, batch, error);
      }
    }
  }

  private retry(
    queue: PartitionQueue,
    batch: Batch,
    { error, bumpsEpoch }: Extract<Verdict, { type: 'retry' }>,
  ): void {
    const { options, clock, cluster } = this.context;
    queue.remove(batch);
    queue.putBack([batch]);
    if (bumpsEpoch) this.bumpEpoch(queue, batch);
    const { topic, partition } = queue;
    // A refusal may have named the new leader (KIP-951): then there is nothing to wait for.
    const leader = cluster.topic(topic)?.partitions[partition]?.leader ?? -1;
    if (!error.refreshesMetadata || leader < 0 || leader === batch.sentTo) {
      const { retryBackoffMs, retryBackoffMaxMs } = options;
      const lot = clock.random();
      const waitMs = backoffMs(batch.attempts - 1, retryBackoffMs, retryBackoffMaxMs, lot);
      queue.retryAt = clock.monotonic() + waitMs;
    }
    if (error.refreshesMetadata) {
      cluster.requestMetadataUpdate();
    }
    this.context.metrics.retried(topic, batch.recordCount);
    this.context.emit({
      type: 'retried',
      topic,
      partition,
      records: batch.recordCount,
      attempt: batch.attempts,
      reason: error.name,
    });
  }

  /** Numbers a partition anew under a higher epoch (KIP-360). */
  private bumpEpoch(queue: PartitionQueue, batch: Batch): void {
    const { identity } = this.context;
    if (batch.identity !== undefined) identity.bumpFrom(batch.identity);
    this.startOver(queue);
  }

  private dropRecords(
    queue: PartitionQueue,
    batch: Batch,
    { error, records }: Extract<Verdict, { type: 'drop-records' }>,
  ): void {
    const kept = rebuild(this.context.accumulator, batch, records);
    this.replace(queue, batch, kept);
    this.context.metrics.failed(batch.topic, records.size);
    for (const [index, message] of records) {
      batch.submitters[index]?.failed(batch.tokens[index], failure(batch, error, message));
    }
  }

  /**
   * Puts other batches in the place of one that the broker has refused. They take over its numbers;
   * when they hold fewer records, everything numbered after it moves up.
   */
  private replace(queue: PartitionQueue, batch: Batch, parts: readonly Batch[]): void {
    let next = batch.firstSequence;
    let records = 0;
    for (const part of parts) {
      this.context.accumulator.adopt(part);
      records += part.recordCount;
      if (!batch.hasSequence) continue;
      part.identity = batch.identity;
      part.firstSequence = next;
      next = addSequence(next, part.recordCount);
    }
    this.closeGap(queue, batch, batch.recordCount - records);
    queue.putBack(parts);
    this.settle(queue, batch, () => batch.supersede());
  }

  /** Renumbers what came after records that will never be written. */
  private closeGap(queue: PartitionQueue, gone: Batch, missing: number): void {
    const { sequences } = queue;
    if (missing === 0 || sequences === undefined || !gone.hasSequence) return;
    if (!belongsTo(gone, sequences)) return;
    queue.sequences = { ...sequences, next: subtractSequence(sequences.next, missing) };
    for (const batch of queue.all()) {
      if (!batch.hasSequence || batch.order <= gone.order) continue;
      batch.firstSequence = subtractSequence(batch.firstSequence, missing);
      batch.wasRenumbered = true;
    }
  }

  /**
   * Fails a batch that may have been written. If so, what follows fits; if not, there is a gap: which
   * of them shows when what else was numbered has been answered, and nothing is numbered until then.
   */
  private abandon(queue: PartitionQueue, batch: Batch, error: KafkaError): void {
    if (!batch.hasSequence) {
      this.refuse(queue, batch, error);
      return;
    }
    if (queue.sequences !== undefined) {
      queue.sequences = { ...queue.sequences, isUnresolved: true };
    }
    this.context.metrics.failed(batch.topic, batch.recordCount);
    this.settle(queue, batch, () => batch.fail(error));
  }

  private settle(queue: PartitionQueue, batch: Batch, tell: () => void): void {
    queue.remove(batch);
    this.context.accumulator.release(batch);
    tell();
    this.context.settled();
  }

  private tidy(queue: PartitionQueue): void {
    if (queue.sequences?.isUnresolved === true) this.resolve(queue, queue.sequences);
    if (queue.isEmpty) this.context.accumulator.active.delete(queue);
  }

  private resolve(
    queue: PartitionQueue,
    sequences: NonNullable<PartitionQueue['sequences']>,
  ): void {
    for (const batch of queue.all()) if (batch.hasSequence) return;
    if (isSettled(sequences)) {
      queue.sequences = { ...sequences, isUnresolved: false };
      return;
    }
    this.context.identity.bumpFrom(sequences.identity);
    this.startOver(queue);
  }
}

function belongsTo(batch: Batch, sequences: NonNullable<PartitionQueue['sequences']>): boolean {
  return batch.identity !== undefined && isSameIdentity(batch.identity, sequences.identity);
}

function failure(
  { topic, partition }: Batch,
  error: Parameters<typeof producerError>[1],
  detail: string | null,
): KafkaError {
  return producerError(
    `${topic}-${partition}`,
    error,
    { topic, partition, api: 'Produce' },
    detail,
  );
}
