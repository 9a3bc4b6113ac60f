import type { GroupMetadata } from '../group/index.js';
import { backoffMs } from '../util/backoff.js';
import type { Cancel } from '../util/clock.js';
import { KafkaError } from '../util/errors.js';
import type { AssignedPartition } from './assigned-partition.js';
import type { ConsumerContext } from './context.js';
import { asKafkaError, consumerError, nameOf } from './errors.js';
import type { PartitionOffset } from './events.js';
import { commitOffsets, noteError, type OffsetToCommit } from './group-offsets.js';
import type { ConsumerMetrics } from './metrics.js';

/** What a {@link Committer} needs to know of the consumer, and tells it. */
export interface CommitHooks {
  readonly partitions: () => readonly AssignedPartition[];
  /** As whom to commit; `undefined` when there is no generation to commit in. */
  readonly member: () => GroupMetadata | undefined;
  /** Whether the consumer shares partitions with others, so that it needs one. */
  readonly isMember: boolean;
  /** A commit was refused because the membership is out of date. */
  readonly onStaleMember: (reason: string) => void;
  readonly onFatal: (error: KafkaError) => void;
}

/**
 * Commits what is acked: every so often, after so many records, and when asked. One commit is on the
 * way at a time; one that fails kills nothing: the next one says what it said and more.
 */
export class Committer {
  private timer: Cancel | undefined;
  private ackedSince = 0;
  private last: Promise<unknown> = Promise.resolve();
  private isDueQueued = false;
  private isStopped = false;
  private readonly abort = new AbortController();

  constructor(
    private readonly context: ConsumerContext,
    private readonly groupId: string,
    private readonly metrics: ConsumerMetrics,
    private readonly hooks: CommitHooks,
  ) {}

  /** Begins to commit by itself, if the options say so. */
  start(): void {
    const { enableAutoCommit, autoCommitIntervalMs } = this.context.options;
    if (!enableAutoCommit || this.isStopped) return;
    this.timer = this.context.clock.schedule(autoCommitIntervalMs, () => {
      this.start();
      this.commitSoon();
    });
  }

  /** A record was acked. */
  acked(): void {
    const { enableAutoCommit, autoCommitRecords } = this.context.options;
    if (!enableAutoCommit || autoCommitRecords === 0) return;
    if (++this.ackedSince < autoCommitRecords || this.isDueQueued) return;
    this.commitSoon();
  }

  /** Commits what is acked of some partitions, after a commit that is under way. Never rejects. */
  commitAcked(
    partitions: readonly AssignedPartition[],
    timeoutMs: number,
  ): Promise<KafkaError | undefined> {
    return this.queue(() => {
      const offsets = partitions.flatMap((partition) => offsetOf(partition) ?? []);
      return offsets.length === 0 ? Promise.resolve(undefined) : this.send(offsets, timeoutMs);
    });
  }

  /** As {@link commitAcked}, again and again until it succeeds, can't, or the time is up. */
  async commitBefore(
    partitions: readonly AssignedPartition[],
    deadline: number,
  ): Promise<KafkaError | undefined> {
    const { clock, options } = this.context;
    for (let failures = 0; ; failures++) {
      const leftMs = deadline - clock.monotonic();
      const error = await this.commitAcked(partitions, Math.max(1, leftMs));
      if (error?.isRetriable !== true) return error;
      const { retryBackoffMs, retryBackoffMaxMs } = options;
      const waitMs = backoffMs(failures, retryBackoffMs, retryBackoffMaxMs, clock.random());
      if (clock.monotonic() + waitMs >= deadline || this.abort.signal.aborted) return error;
      await new Promise<void>((resolve) => clock.schedule(waitMs, resolve));
    }
  }

  /**
   * Commits given offsets.
   *
   * @throws KafkaError saying what kept it from being done.
   */
  async commit(offsets: readonly OffsetToCommit[], timeoutMs: number): Promise<void> {
    if (offsets.length === 0) return;
    const error = await this.queue(() => this.send(offsets, timeoutMs));
    if (error !== undefined) throw error;
  }

  /** Ends everything; a commit that is on the way is given up. */
  stop(): void {
    this.isStopped = true;
    this.timer?.();
    this.abort.abort();
  }

  private commitSoon(): void {
    if (this.isDueQueued || this.isStopped) return;
    this.isDueQueued = true;
    this.ackedSince = 0;
    // A member that is between generations can't commit: the next time will do.
    void this.commitAcked([...this.hooks.partitions()], this.context.options.requestTimeoutMs).then(
      () => (this.isDueQueued = false),
    );
  }

  /** One after the other: two commits on the way could be carried out in the wrong order. */
  private queue<T>(task: () => Promise<T>): Promise<T> {
    const run = this.last.then(task, task);
    this.last = run.catch(() => undefined);
    return run;
  }

  private async send(
    offsets: readonly OffsetToCommit[],
    timeoutMs: number,
  ): Promise<KafkaError | undefined> {
    const { clock } = this.context;
    const startedAt = clock.monotonic();
    const member = this.hooks.member();
    try {
      if (this.hooks.isMember && member === undefined) throw notAMember(this.groupId);
      const outcome = await commitOffsets(this.context, this.groupId, member, offsets, {
        timeoutMs,
        signal: this.abort.signal,
      });
      const isRefused = (offset: OffsetToCommit) => (outcome.get(nameOf(offset))?.code ?? 0) !== 0;
      const refused = offsets.filter((offset) => isRefused(offset));
      const stored = offsets.filter((offset) => !isRefused(offset));
      this.stored(stored, clock.monotonic() - startedAt);
      const [first] = refused;
      if (first === undefined) return undefined;
      const error = outcome.get(nameOf(first))!;
      noteError(this.context.cluster, this.groupId, error);
      if (staleMemberErrors.has(error.name)) this.hooks.onStaleMember(error.name);
      const { topic, partition, offset } = first;
      const what = `commit offset ${offset} of ${nameOf(first)} in group ${this.groupId}`;
      return this.failed(refused, consumerError(what, error, { topic, partition, offset }));
    } catch (error) {
      return this.failed(offsets, asKafkaError(error, 'Cannot commit', 'COMMIT_FAILED'));
    }
  }

  private stored(offsets: readonly OffsetToCommit[], latencyMs: number): void {
    if (offsets.length === 0) return;
    const byKey = new Map(this.hooks.partitions().map((each) => [each.key, each]));
    for (const offset of offsets) {
      const partition = byKey.get(nameOf(offset));
      if (partition !== undefined) partition.committedOffset = offset.offset;
    }
    this.metrics.committed(latencyMs);
    this.context.emit({ type: 'committed', offsets: offsets.map(plain) });
  }

  private failed(offsets: readonly OffsetToCommit[], error: KafkaError): KafkaError {
    if (this.abort.signal.aborted) return error;
    this.metrics.commitFailed();
    this.context.emit({ type: 'commit-failed', offsets: offsets.map(plain), error });
    if (fatalErrors.has(error.code)) this.hooks.onFatal(error);
    return error;
  }
}

const staleMemberErrors: ReadonlySet<string> = new Set([
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'STALE_MEMBER_EPOCH',
  'FENCED_MEMBER_EPOCH',
]);

const fatalErrors: ReadonlySet<string> = new Set([
  'FENCED_INSTANCE_ID',
  'GROUP_AUTHORIZATION_FAILED',
  'TOPIC_AUTHORIZATION_FAILED',
]);

/**
 * What there is to commit of a partition. Where nothing was committed yet it is the position where
 * delivery began, so that whoever has the partition next can't skip by `latest`.
 */
function offsetOf(partition: AssignedPartition): OffsetToCommit | undefined {
  // What was given up while the commit waited may have been committed further by its next owner.
  if (!partition.hasPosition || partition.ledger.isFenced) return undefined;
  const { topic, partition: index, ledger, committedOffset } = partition;
  const { offset, leaderEpoch } = ledger.commitPosition;
  if (offset === committedOffset) return undefined;
  return { topic, partition: index, offset, leaderEpoch };
}

function plain({ topic, partition, offset }: OffsetToCommit): PartitionOffset {
  return { topic, partition, offset };
}

function notAMember(groupId: string): KafkaError {
  return new KafkaError(
    `Cannot commit: the consumer is not a member of group ${groupId} at the moment, because a ` +
      `rebalance is under way; what is acked is committed afterwards`,
    { code: 'REBALANCE_IN_PROGRESS', isRetriable: true },
  );
}
