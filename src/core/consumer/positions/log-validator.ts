import { AuthorizationError, KafkaError, UnsupportedVersionError } from '../../util/errors.js';
import { leaderEpochOf, type Answer } from './ask-leaders.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { ConsumerContext, Patience } from '../context.js';
import { endOfEpochs, type EpochEnd } from './end-of-epoch.js';
import type { Ledger } from '../ledger.js';

/** What {@link LogValidator} tells the consumer it works for. */
export interface ValidationHooks {
  /** A partition begins anew before what was consumed of it, and maybe before what is committed. */
  readonly onBegun: (partition: AssignedPartition) => void;
  /** Partitions can be fetched again. */
  readonly onReady: () => void;
  readonly onFatal: (error: KafkaError, partition: AssignedPartition) => void;
  /** The leader knows nothing of the epoch that was consumed: there is nothing to go on from. */
  readonly onUnknownEpoch: (partition: AssignedPartition) => void;
}

interface Check {
  readonly topic: string;
  readonly partition: number;
  readonly leaderEpoch: number;
  readonly of: AssignedPartition;
  readonly ledger: Ledger;
}

/** Finds out whether logs were cut off behind what was consumed of them (KIP-320). */
export class LogValidator {
  constructor(
    private readonly context: ConsumerContext,
    private readonly patience: Patience,
    private readonly hooks: ValidationHooks,
  ) {}

  /** Has partitions wait until their leaders have said where the epochs end that were consumed. */
  async validate(partitions: readonly AssignedPartition[]): Promise<void> {
    const checks = partitions.map((of): Check => {
      const { topic, partition, lastFetchedEpoch: leaderEpoch, ledger } = of;
      return { topic, partition, leaderEpoch, of, ledger };
    });
    for (const { of } of checks) of.phase = 'validating';
    const later: Promise<void>[] = [];
    try {
      await this.catchUp(checks);
      const onEnds = (ends: readonly Answer<Check, EpochEnd>[]) => {
        const moved = ends.filter(({ target, value }) => this.hasMoved(target, value));
        for (const end of ends) if (!moved.includes(end)) this.take(end.target, end.value);
        if (moved.length > 0) later.push(this.again(moved.map(({ target }) => target.of)));
        this.hooks.onReady();
      };
      await endOfEpochs(this.context, checks, this.patience, onEnds, isOpen);
      await Promise.all(later);
    } catch (error) {
      if (!isForbidden(error)) throw error;
      // It can't be told: the broker is too old, or doesn't allow it.
      for (const { of } of checks.filter(isOpen)) of.phase = 'active';
    }
  }

  /** Takes in that a log ends before what was fetched of it. */
  truncated(partition: AssignedPartition, end: Omit<EpochEnd, 'saidIn'>): void {
    const { endOffset, leaderEpoch } = end;
    const { position: consumedOffset, topic, partition: index } = partition;
    if (endOffset >= consumedOffset) {
      // Only records that nobody has seen are gone.
      partition.dropUndelivered();
      // Else a leader that knows an older epoch only would say the same again and again.
      partition.lastFetchedEpoch = Math.min(partition.lastFetchedEpoch, leaderEpoch);
      return;
    }
    if (this.isAwaitingCommit(partition, end)) return;
    const where = { topic, partition: index };
    this.context.emit({ type: 'truncated', ...where, offset: endOffset, consumedOffset });
    if (this.context.options.offsetReset.type === 'none') {
      this.hooks.onFatal(logTruncated(partition, endOffset), partition);
      return;
    }
    // What was committed behind the cut says nothing of what is written there now.
    if ((partition.committedOffset ?? 0) > endOffset) partition.committedOffset = undefined;
    const { commitPosition } = partition.ledger;
    // What is still worked on counts for nothing from now on: it is read once more.
    if (commitPosition.offset < endOffset) {
      partition.begin(commitPosition.offset, commitPosition.leaderEpoch);
    } else partition.begin(endOffset, leaderEpoch);
    this.hooks.onBegun(partition);
  }

  /** While a transaction with records of it is being committed, it is not known where to go on. */
  private isAwaitingCommit(partition: AssignedPartition, end: Omit<EpochEnd, 'saidIn'>): boolean {
    const { ledger } = partition;
    const isAwaited = ledger.awaitCommit(() => {
      if (partition.ledger !== ledger || ledger.isFenced) return;
      partition.phase = 'active';
      this.truncated(partition, end);
      this.hooks.onReady();
    });
    if (isAwaited) partition.phase = 'validating';
    return isAwaited;
  }

  /** A leader that is older than what was consumed says nothing about it: there must be a newer one. */
  private async catchUp(checks: readonly Check[]): Promise<void> {
    const { clock, cluster, options } = this.context;
    const isBehind = (check: Check) => {
      const known = leaderEpochOf(this.context, check);
      return known >= 0 && known < check.leaderEpoch;
    };
    if (!checks.some(isBehind)) return;
    const deadline = clock.monotonic() + options.defaultApiTimeoutMs;
    try {
      // Once: of a topic that was made anew the epochs begin anew, too.
      await cluster.refresh({ deadline, signal: this.patience.signal });
    } catch (error) {
      if (!(error instanceof KafkaError) || !error.isRetriable) throw error;
    }
  }

  /** Whether another leader took over while the one that answers was asked. */
  private hasMoved(check: Check, { saidIn }: EpochEnd): boolean {
    return isOpen(check) && leaderEpochOf(this.context, check) !== saidIn;
  }

  private again(partitions: readonly AssignedPartition[]): Promise<void> {
    for (const partition of partitions) {
      partition.validatedEpoch = leaderEpochOf(this.context, partition);
    }
    const validated = this.validate(partitions);
    // Awaited later: until then it may fail with nobody listening.
    validated.catch(() => undefined);
    return validated;
  }

  private take(check: Check, end: EpochEnd): void {
    if (!isOpen(check)) return;
    const { of: partition } = check;
    partition.phase = 'active';
    if (end.endOffset < 0) this.unknown(partition);
    else if (end.endOffset < partition.fetchOffset) this.truncated(partition, end);
  }

  private unknown(partition: AssignedPartition): void {
    if (this.context.options.offsetReset.type === 'none') {
      this.hooks.onFatal(logTruncated(partition, -1), partition);
    } else this.hooks.onUnknownEpoch(partition);
  }
}

/** Whether the partition still waits for what was asked: it was neither sought nor given up. */
function isOpen({ of, ledger }: Check): boolean {
  return of.phase === 'validating' && of.ledger === ledger && !ledger.isFenced;
}

function isForbidden(error: unknown): boolean {
  return error instanceof UnsupportedVersionError || error instanceof AuthorizationError;
}

/** @param endOffset -1 where it is not known. */
function logTruncated(partition: AssignedPartition, endOffset: number): KafkaError {
  const { key, topic, partition: index, position } = partition;
  const where = endOffset < 0 ? 'somewhere' : `at offset ${endOffset}`;
  const offset = endOffset < 0 ? position : endOffset;
  return new KafkaError(
    `The log of ${key} was cut off ${where}, though records up to ${position} were consumed: ` +
      `they are gone, and autoOffsetReset is 'none'`,
    { code: 'LOG_TRUNCATION', context: { topic, partition: index, offset } },
  );
}
