import { from, tap, type Subscription } from 'rxjs';
import {
  ShownRecords,
  type ConsumerRecord,
  type OffsetToCommit,
  type Outcome,
  type Pipeline,
} from '../../core/consumer/index.js';
import type { Transaction } from '../../core/producer/index.js';
import type { Cancel, Clock } from '../../core/util/clock.js';
import { KafkaError, TimeoutError } from '../../core/util/errors.js';
import { LazyAbort } from '../../core/util/lazy-abort.js';
import { toTransaction } from '../../sinks/to-transaction.js';
import { AttemptRecords } from './attempt-records.js';
import type { TransactionBatch } from './batch.js';
import type {
  ResolvedTransactionalOptions,
  TransactionContext,
  TransactionProject,
} from './options.js';
import { takenMeanwhile } from './whole-records.js';

/** How an attempt at a transaction ended. */
export type AttemptEnd =
  | {
      readonly type: 'committed';
      readonly results: number;
      readonly offsets: readonly OffsetToCommit[];
    }
  | { readonly type: 'aborted'; readonly error: unknown };

/** What a transaction stores for the members whose records it has. */
type StoredOffsets = ReadonlyMap<Pipeline, readonly OffsetToCommit[]>;

export interface AttemptSetup<K, V> {
  readonly clock: Clock;
  readonly options: ResolvedTransactionalOptions;
  readonly project: TransactionProject<K, V, unknown, unknown>;
  readonly batch: TransactionBatch<K, V>;
  /** Whether the transaction stores the offset of a partition. */
  readonly isOurs: (owner: ConsumerRecord<K, V>['owner']) => boolean;
  /** A record that somebody else has settled, though only the transaction can. */
  readonly taken: () => ConsumerRecord<K, V> | undefined;
  /** Counts from 1. */
  readonly attempt: number;
  /** No record joins any more: there are as many as there may be. */
  readonly isFull: boolean;
  /** The results are complete: no record joins any more. */
  readonly onResults: () => void;
}

/**
 * One attempt at a transaction: shows its records to `project`, writes what comes out of that, stores
 * the offsets, and commits; or aborts, whatever it is that goes wrong. Until the commit is asked for,
 * it can be stopped.
 */
export class Attempt<K, V> implements Outcome {
  readonly isNacked = false;
  private readonly input = new AttemptRecords<ConsumerRecord<K, V>>();
  private readonly shown: ShownRecords;
  private readonly abort = new LazyAbort();
  private readonly signals = new Set<AbortSignal>();
  /** Where the latest record lies: those of one batch share a signal. */
  private latest: ConsumerRecord<K, V>['source'] | undefined;
  private readonly revoked = () => this.stop(new PartitionsRevoked());
  private output: Subscription | undefined;
  private cancelDeadline: Cancel = () => undefined;
  private results = 0;
  private offsets: Promise<StoredOffsets> | undefined;
  private phase: 'projecting' | 'committing' | 'over' = 'projecting';
  private tellEnd!: (end: AttemptEnd) => void;
  /** Never rejects. */
  readonly ended = new Promise<AttemptEnd>((resolve) => (this.tellEnd = resolve));

  constructor(
    private readonly txn: Transaction,
    private readonly setup: AttemptSetup<K, V>,
  ) {
    const { clock } = setup;
    this.shown = new ShownRecords(
      {
        clock,
        isAutoAck: false,
        isCommittedOnly: false,
        emit: () => undefined,
        group: undefined,
        // The transaction ends the stream when it has all it will have.
        starvation: () => undefined,
      },
      this,
    );
  }

  start(): void {
    const { batch, isFull, clock, options, attempt, project } = this.setup;
    const { maxWaitMs, projectTimeoutMs } = options;
    const limitMs = projectTimeoutMs + (attempt === 1 ? maxWaitMs : 0);
    this.cancelDeadline = clock.schedule(limitMs, () => this.stop(tookTooLong(limitMs)));
    for (const record of batch.records) this.feed(record);
    if (isFull) this.close();
    if (this.phase !== 'projecting') return;
    try {
      const results = from(project(this.input.all, contextOf(attempt, this.abort)));
      const output = results
        .pipe(
          tap({ complete: () => this.noteResults() }),
          toTransaction(this.txn, options.serializers),
        )
        .subscribe({
          next: () => this.results++,
          error: (error: unknown) => this.stop(error),
          complete: () => void this.commit(),
        });
      this.output = output;
      // It may have ended, or have been stopped, as it was subscribed to.
      if (this.isOver) output.unsubscribe();
    } catch (error) {
      this.stop(error);
    }
  }

  /** Shows one more record. */
  feed(record: ConsumerRecord<K, V>): void {
    const { source } = record;
    if (source !== this.latest) {
      this.latest = source;
      this.heed(source.signal);
    }
    this.input.add(this.shown.show(record));
  }

  /** No more records join. */
  close(): void {
    this.input.close();
  }

  /** Gives the attempt up, unless its commit is under way: that is awaited. */
  stop(error: unknown): void {
    if (this.phase !== 'projecting') return;
    this.phase = 'over';
    this.leave();
    const end = () => this.tellEnd({ type: 'aborted', error });
    // What keeps the producer from going on matters more than why it was to abort.
    this.txn
      .abort()
      .then(end, (failure: unknown) => this.tellEnd({ type: 'aborted', error: failure }));
  }

  // ---- from the operators within `project`

  ack(): void {
    // A record is done when the transaction is committed.
  }

  nack(reason: unknown): void {
    this.stop(reason);
  }

  giveBack(): void {
    this.stop(givenBack());
  }

  private heed(signal: AbortSignal): void {
    if (this.signals.has(signal)) return;
    this.signals.add(signal);
    signal.addEventListener('abort', this.revoked, { once: true });
    if (signal.aborted) this.revoked();
  }

  private leave(): void {
    this.cancelDeadline();
    for (const signal of this.signals) signal.removeEventListener('abort', this.revoked);
    this.output?.unsubscribe();
    this.shown.end();
    this.abort.abort();
  }

  /** No record joins any more: the offsets are stored while the results are written. */
  private noteResults(): void {
    if (this.phase !== 'projecting') return;
    this.setup.onResults();
    this.offsets = this.sendOffsets();
    this.offsets.catch((error: unknown) => this.stop(error));
  }

  private async commit(): Promise<void> {
    if (this.phase !== 'projecting') return;
    const { batch } = this.setup;
    try {
      const offsets = await this.offsets!;
      // Asked once more: what was revoked meanwhile is for others to do.
      if (!batch.isOwned) throw new PartitionsRevoked();
      const taken = this.setup.taken();
      if (taken !== undefined) throw takenMeanwhile(taken);
      if (this.isOver) return;
      this.phase = 'committing';
      batch.beginCommit();
      this.leave();
      await this.txn.commit();
      for (const [{ host }, stored] of offsets) host.group!.stored(stored);
      this.phase = 'over';
      const all = [...offsets.values()].flat();
      this.tellEnd({ type: 'committed', results: this.results, offsets: all });
    } catch (error) {
      if (this.isOver) return;
      this.phase = 'projecting';
      this.stop(error);
    }
  }

  private get isOver(): boolean {
    return this.phase === 'over';
  }

  private async sendOffsets(): Promise<StoredOffsets> {
    const { batch, isOurs } = this.setup;
    await Promise.all([...batch.pipelines].map(({ host }) => host.group!.quiet()));
    const stored = new Map(
      [...batch.pipelines].map(
        (pipeline) =>
          [
            pipeline,
            pipeline.host.group!.offsets((owner) => batch.has(owner) || isOurs(owner)),
          ] as const,
      ),
    );
    for (const [{ host }, offsets] of stored) {
      const { member, groupId } = host.group!;
      if (member === undefined) throw betweenGenerations(groupId);
      const { hasMemberOffsets } = this.txn;
      await this.txn.sendOffsets(hasMemberOffsets ? member : { groupId }, offsets);
    }
    return stored;
  }
}

/** Why an attempt ends whose partitions are not its own any more; nobody is to blame. */
export class PartitionsRevoked extends KafkaError {
  constructor() {
    super('Partitions were given up before the transaction was done', {
      code: 'PARTITIONS_REVOKED',
      isRetriable: true,
    });
  }
}

function contextOf(attempt: number, abort: LazyAbort): TransactionContext {
  return {
    attempt,
    get signal() {
      return abort.signal;
    },
  };
}

function tookTooLong(limitMs: number): TimeoutError {
  return new TimeoutError(
    `The transaction was not done within ${limitMs} ms (maxWaitMs + projectTimeoutMs); take fewer ` +
      `records with maxRecords, or raise projectTimeoutMs and transactionTimeoutMs`,
    { code: 'TRANSACTION_TIMED_OUT' },
  );
}

function givenBack(): KafkaError {
  return new KafkaError(
    'An operator within project gave a record back without working on it, and without it the ' +
      'transaction can not be committed',
    { code: 'RECORD_GIVEN_BACK' },
  );
}

function betweenGenerations(groupId: string): KafkaError {
  return new KafkaError(`Cannot store offsets: group ${groupId} is rebalancing`, {
    code: 'REBALANCE_IN_PROGRESS',
    isRetriable: true,
  });
}
