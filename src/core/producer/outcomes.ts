import type { Cluster } from '../cluster/index.js';
import { backoffMs } from '../util/backoff.js';
import type { Clock } from '../util/clock.js';
import type { KafkaError } from '../util/errors.js';
import type { Accumulator } from './accumulator.js';
import type { Batch } from './batch.js';
import { deliveryTimedOut, inDoubt, producerError } from './errors.js';
import type { ProducerEvent } from './events.js';
import type { Identities } from './identity.js';
import type { ProducerMetrics } from './metrics.js';
import type { ResolvedProducerOptions } from './options.js';
import type { PartitionQueue } from './partition-queue.js';
import type { ReadAhead } from './read-ahead.js';
import { rebuild, unfit } from './rebuild.js';
import {
  ackSequences,
  addSequence,
  disturb,
  isSameIdentity,
  repair,
  startSequences,
  takeSequences,
  type Disorder,
} from './sequences.js';
import { numberingLost } from './transactions/errors.js';
import type { TransactionGate } from './transactions/gate.js';
import { isAmbiguous, judge, type BatchAnswer, type Verdict } from './verdict.js';

/** What a producer's parts share. */
export interface ProducerContext {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly options: ResolvedProducerOptions;
  readonly accumulator: Accumulator;
  readonly identity: Identities;
  /** `undefined` for a producer without a transactional id. */
  readonly transactions: TransactionGate | undefined;
  readonly metrics: ProducerMetrics;
  readonly readAhead: ReadAhead;
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
    batch.isAwaited = false;
    if (batch.isSettled) {
      this.settledLate(queue, batch, answer);
      return;
    }
    const verdict = judge(answer, {
      recordCount: batch.recordCount,
      firstSequence: batch.firstSequence,
      mayBeWritten: batch.mayBeWritten,
      attemptsLeft: this.context.options.retries + 1 - batch.attempts,
      sequences: queue.sequences,
      isTransactional: this.context.transactions !== undefined,
    });
    if (isAmbiguous(answer)) batch.mayBeWritten = true;
    this.execute(queue, batch, verdict, answer);
  }

  /** Acts on the loss of an answer: unless nothing was sent, whether it was written is not known. */
  unanswered(queue: PartitionQueue, batch: Batch, cause: KafkaError): void {
    this.act(queue, batch, noAnswer);
    batch.lastError = cause;
  }

  /** Acts on the loss of an answer, or of the way to the broker, that trying again doesn't cure. */
  lost(queue: PartitionQueue, batch: Batch, cause: KafkaError): void {
    if (batch.isAwaited) batch.mayBeWritten = true;
    batch.isAwaited = false;
    if (batch.isSettled) this.settledLate(queue, batch, noAnswer);
    else this.fail(queue, batch, cause);
  }

  acknowledge(
    queue: PartitionQueue,
    batch: Batch,
    baseOffset: number,
    logAppendTimeMs: number,
  ): void {
    this.noteWritten(queue, batch);
    this.settle(queue, batch, () => batch.acknowledge(baseOffset, logAppendTimeMs));
    if (this.context.options.acks !== 0) this.context.accumulator.recycle(batch);
  }

  /** Fails a batch that will not be sent again. */
  fail(queue: PartitionQueue, batch: Batch, error: KafkaError): void {
    this.disturb(queue, batch, batch.mayBeWritten ? 'unresolved' : 'gap');
    this.context.metrics.failed(batch.topic, batch.recordCount);
    this.settle(queue, batch, () => batch.fail(inDoubt(error, batch)));
    this.context.transactions?.recordFailed(error);
  }

  /** Fails a batch that has waited longer than the delivery timeout. */
  expire(queue: PartitionQueue, batch: Batch): void {
    const { options, identity } = this.context;
    if (batch.isAwaited) batch.mayBeWritten = true;
    const lastError = batch.lastError ?? identity.lastError;
    const error = deliveryTimedOut(batch, options.deliveryTimeoutMs, lastError);
    this.fail(queue, batch, error);
  }

  /** Puts a batch into the format of the brokers, where that wasn't known when it was begun. */
  reformat(queue: PartitionQueue, batch: Batch): void {
    this.dropRecords(queue, batch, unfit(this.context.accumulator, batch));
  }

  /** Fails some records of a batch, and puts one with the rest of them in its place. */
  dropRecords(queue: PartitionQueue, batch: Batch, errors: ReadonlyMap<number, KafkaError>): void {
    const { accumulator, metrics } = this.context;
    const dropped = [...errors].map(
      ([index, error]) => [batch.submitters.at(index), batch.tokens[index], error] as const,
    );
    if (errors.size > 0) metrics.failed(batch.topic, errors.size);
    this.replace(queue, batch, rebuild(accumulator, batch, errors), () => {
      for (const [submitter, token, error] of dropped) {
        submitter.failed(token, error);
        this.context.transactions?.recordFailed(error);
      }
    });
  }

  private execute(
    queue: PartitionQueue,
    batch: Batch,
    verdict: Verdict,
    answer: BatchAnswer,
  ): void {
    switch (verdict.type) {
      case 'acknowledge':
        this.acknowledge(queue, batch, verdict.baseOffset, verdict.logAppendTimeMs);
        return;
      case 'retry':
        batch.lastError = failure(batch, verdict.error, answer.errorMessage);
        this.retry(queue, batch, verdict);
        return;
      case 'split':
        this.context.metrics.split();
        this.replace(queue, batch, rebuild(this.context.accumulator, batch, 'halves'));
        return;
      case 'drop-records': {
        const { error, records } = verdict;
        const errors = [...records].map(
          ([index, message]) => [index, failure(batch, error, message)] as const,
        );
        this.dropRecords(queue, batch, new Map(errors));
        return;
      }
      case 'fail':
        this.fail(queue, batch, failure(batch, verdict.error, answer.errorMessage));
    }
  }

  private retry(
    queue: PartitionQueue,
    batch: Batch,
    { error, restarts }: Extract<Verdict, { type: 'retry' }>,
  ): void {
    const { options, clock, cluster } = this.context;
    const { topic, partition } = queue;
    queue.remove(batch);
    queue.putBack([batch]);
    if (restarts) this.disturb(queue, batch, 'restart');
    this.tidy(queue);
    // A refusal may have named the new leader (KIP-951): then there is nothing to wait for.
    const leader = cluster.topic(topic)?.partitions[partition]?.leader ?? -1;
    if (!error.refreshesMetadata || leader < 0 || leader === batch.sentTo) {
      const { retryBackoffMs, retryBackoffMaxMs } = options;
      const lot = clock.random();
      const waitMs = backoffMs(batch.attempts - 1, retryBackoffMs, retryBackoffMaxMs, lot);
      queue.retryAt = clock.monotonic() + waitMs;
    }
    if (error.refreshesMetadata) cluster.requestMetadataUpdate();
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

  /** Puts other batches in the place of one that the broker has refused. They take over its numbers. */
  private replace(
    queue: PartitionQueue,
    batch: Batch,
    parts: readonly Batch[],
    tell: () => void = () => undefined,
  ): void {
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
    if (records < batch.recordCount) this.disturb(queue, batch, 'gap');
    queue.putBack(parts);
    batch.supersede();
    this.settle(queue, batch, tell);
  }

  /** An answer to a batch that was given up on meanwhile: now it is no longer on the way. */
  private settledLate(queue: PartitionQueue, batch: Batch, answer: BatchAnswer): void {
    if (answer.errorCode === 0) this.noteWritten(queue, batch);
    queue.remove(batch);
    this.tidy(queue);
  }

  private noteWritten(queue: PartitionQueue, batch: Batch): void {
    const { sequences } = queue;
    if (sequences === undefined || !belongsTo(batch, sequences)) return;
    const { firstSequence, recordCount } = batch;
    queue.sequences = ackSequences(sequences, firstSequence, recordCount);
  }

  private disturb(queue: PartitionQueue, batch: Batch, how: Exclude<Disorder, 'none'>): void {
    const { sequences } = queue;
    if (sequences === undefined || !belongsTo(batch, sequences)) return;
    queue.sequences = disturb(sequences, how);
  }

  /** Ends a batch. The numbering is put right before anybody is told, who may send more at once. */
  private settle(queue: PartitionQueue, batch: Batch, tell: () => void): void {
    const { accumulator } = this.context;
    accumulator.release(batch);
    // What was given up on the way keeps its place until its connection has answered, or is gone.
    if (!batch.isAwaited) queue.remove(batch);
    this.tidy(queue);
    tell();
    this.context.settled();
  }

  private tidy(queue: PartitionQueue): void {
    const { sequences } = queue;
    const isDisturbed = sequences !== undefined && sequences.disorder !== 'none';
    if (isDisturbed && queue.inFlight.length === 0) this.repair(queue, sequences);
    if (queue.isEmpty) this.context.accumulator.active.delete(queue);
  }

  private repair(queue: PartitionQueue, sequences: NonNullable<PartitionQueue['sequences']>): void {
    const pending = [...queue.all()].filter(({ hasSequence }) => hasSequence);
    const decision = repair(sequences, pending);
    if (decision.type === 'renumber') {
      queue.sequences = decision.state;
      for (const [i, batch] of pending.entries()) batch.firstSequence = decision.firsts[i]!;
    } else if (this.context.transactions !== undefined) {
      this.giveUp(queue, pending, this.context.transactions);
    } else {
      this.context.identity.bumpFrom(sequences.identity);
      this.startOver(queue, pending);
    }
  }

  /** A new epoch would be another transaction. */
  private giveUp(
    queue: PartitionQueue,
    pending: readonly Batch[],
    transactions: TransactionGate,
  ): void {
    queue.sequences = undefined;
    const error = numberingLost(queue.topic, queue.partition);
    transactions.numberingLost(error);
    for (const batch of pending) this.fail(queue, batch, error);
  }

  /** Numbers batches anew under the identity that is in force now (KIP-360). */
  private startOver(queue: PartitionQueue, pending: readonly Batch[]): void {
    const identity = this.context.identity.current;
    let sequences = identity === undefined ? undefined : startSequences(identity);
    for (const batch of pending) {
      batch.identity = identity;
      batch.firstSequence = sequences?.next ?? -1;
      if (sequences !== undefined) sequences = takeSequences(sequences, batch.recordCount);
    }
    queue.sequences = sequences;
  }
}

const NETWORK_EXCEPTION = 13;

const noAnswer: BatchAnswer = {
  errorCode: NETWORK_EXCEPTION,
  baseOffset: -1,
  logAppendTimeMs: -1,
  logStartOffset: -1,
  errorMessage: null,
  recordErrors: [],
};

function belongsTo(batch: Batch, sequences: NonNullable<PartitionQueue['sequences']>): boolean {
  return batch.identity !== undefined && isSameIdentity(batch.identity, sequences.identity);
}

function failure(
  { topic, partition, mayBeWritten, largestRecordBytes }: Batch,
  error: Parameters<typeof producerError>[1],
  detail: string | null,
): KafkaError {
  const isTooLarge = error.name === 'MESSAGE_TOO_LARGE';
  return producerError(
    `${topic}-${partition}`,
    error,
    { topic, partition, api: 'Produce' },
    { detail, mayBeWritten, ...(isTooLarge && { tooLargeBytes: largestRecordBytes }) },
  );
}
