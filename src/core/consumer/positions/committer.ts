import { pause } from '../../cluster/index.js';
import { backoffMs } from '../../util/backoff.js';
import type { Cancel } from '../../util/clock.js';
import type { KafkaError } from '../../util/errors.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { ConsumerContext } from '../context.js';
import type { ConsumerMetrics } from '../metrics.js';
import type { OffsetStore } from '../pipeline.js';
import { CommitOrder, type CommitNumber } from './commit-order.js';
import { CommitSender, type CommitHooks } from './commit-sender.js';
import type { OffsetOfTopic, OffsetToCommit } from './group-offsets.js';
import { isGone } from './topic-identity.js';

/**
 * Brokers before 2.1 forget an offset that is not committed anew (KIP-211), and later ones still do
 * where nobody is a member. Java repeats all of them each time; for a partition that is idle this is
 * often enough.
 */
const RECOMMIT_MS = 60_000;

/**
 * Commits what is acked: every so often, after so many records, and when asked. One commit is on the
 * way at a time; one that fails kills nothing: the next one says what it said and more.
 */
export class Committer {
  private timer: Cancel | undefined;
  private ackedSince = 0;
  /** Partitions that may have something to commit: a commit costs nothing for the others. */
  private readonly changed = new Set<AssignedPartition>();
  private recommitAt = 0;
  private last: Promise<unknown> = Promise.resolve();
  private isDueQueued = false;
  private isStopped = false;
  private readonly abort = new AbortController();
  private readonly order = new CommitOrder();
  private readonly sender: CommitSender;

  constructor(
    private readonly context: ConsumerContext,
    groupId: string,
    metrics: ConsumerMetrics,
    private readonly hooks: CommitHooks,
  ) {
    this.sender = new CommitSender(context, groupId, metrics, hooks, this.abort.signal);
  }

  /** Begins to commit by itself, if the options say so. */
  start(): void {
    const { enableAutoCommit, autoCommitIntervalMs } = this.context.options;
    if (!enableAutoCommit || this.isStopped) return;
    if (this.timer === undefined) this.recommitAt = this.context.clock.monotonic() + RECOMMIT_MS;
    this.timer = this.context.clock.schedule(autoCommitIntervalMs, () => {
      this.start();
      this.commitSoon();
    });
  }

  /** A partition begins somewhere, or its position has moved on. */
  moved(partition: AssignedPartition): void {
    if (partition.hasNews) return;
    partition.hasNews = true;
    this.changed.add(partition);
  }

  /** A record was acked. */
  acked(partition: AssignedPartition): void {
    this.moved(partition);
    const { enableAutoCommit, autoCommitRecords } = this.context.options;
    if (!enableAutoCommit || autoCommitRecords === 0) return;
    if (++this.ackedSince < autoCommitRecords || this.isDueQueued) return;
    this.commitSoon();
  }

  /** Resolves when no commit is on the way. */
  get quiet(): Promise<unknown> {
    return this.last;
  }

  /** Commits what is acked of some partitions, after a commit that is under way. Never rejects. */
  commitAcked(
    partitions: readonly AssignedPartition[],
    timeoutMs: number,
  ): Promise<KafkaError | undefined> {
    return this.queue(() => {
      const offsets = partitions.flatMap((partition) => this.newsOf(partition) ?? []);
      return offsets.length === 0
        ? Promise.resolve(undefined)
        : this.send(offsets, timeoutMs, this.order.next());
    });
  }

  /** As {@link commitAcked}, again and again until it succeeds, can't, or the time is up. */
  commitBefore(
    partitions: readonly AssignedPartition[],
    deadline: number,
  ): Promise<KafkaError | undefined> {
    return this.repeat(deadline, mayPass, (leftMs) => this.commitAcked(partitions, leftMs));
  }

  /**
   * Commits given offsets; repeats what can pass by itself, until the deadline.
   *
   * @throws KafkaError saying what kept it from being done.
   */
  async commit(offsets: readonly OffsetToCommit[], deadline: number): Promise<void> {
    let commit: CommitNumber | undefined;
    const error = await this.repeat(deadline, isRetriable, (leftMs) =>
      this.queue(() => {
        const number = (commit ??= this.order.next());
        const left = offsets.filter((offset) => this.order.isStillToDo(offset, number));
        return left.length === 0 ? Promise.resolve(undefined) : this.send(left, leftMs, number);
      }),
    );
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
    void this.commitDue().then(() => (this.isDueQueued = false));
  }

  private async commitDue(): Promise<void> {
    const due = new Map<AssignedPartition, OffsetOfTopic>();
    await this.queue(async () => {
      for (const partition of this.takeChanged()) {
        const offset = this.newsOf(partition);
        if (offset !== undefined) due.set(partition, offset);
      }
      this.addIdle(due);
      if (due.size === 0) return;
      const { requestTimeoutMs } = this.context.options;
      await this.send([...due.values()], requestTimeoutMs, this.order.next());
    });
    // A member that is between generations can't commit, say: the next time will do.
    for (const partition of due.keys()) {
      if (this.newsOf(partition) !== undefined) this.moved(partition);
    }
  }

  /**
   * How far a partition is acked. Where nothing was committed yet it is the position where delivery
   * began, so that whoever has the partition next can't skip by `latest`.
   */
  private offsetOf(partition: AssignedPartition): OffsetOfTopic | undefined {
    // What was given up while the commit waited may have been committed further by its next owner.
    if (!partition.hasPosition || partition.ledger.isFenced) return undefined;
    const { storesOffsets } = partition.pipeline;
    if (storesOffsets !== undefined && !isUntouched(partition, storesOffsets)) return undefined;
    // A topic that is made anew under its name would be skipped up to there.
    if (isGone(partition, this.context.cluster.metadata)) return undefined;
    const { topic, partition: index, topicId, ledger } = partition;
    const { offset, leaderEpoch } = ledger.commitPosition;
    return { topic, partition: index, topicId, offset, leaderEpoch };
  }

  /** As before, unless that is committed. */
  private newsOf(partition: AssignedPartition): OffsetOfTopic | undefined {
    const offset = this.offsetOf(partition);
    return offset?.offset === partition.committedOffset ? undefined : offset;
  }

  private takeChanged(): AssignedPartition[] {
    const taken = [...this.changed];
    this.changed.clear();
    for (const partition of taken) partition.hasNews = false;
    return taken;
  }

  /** Now and then, what is committed already. */
  private addIdle(due: Map<AssignedPartition, OffsetOfTopic>): void {
    const now = this.context.clock.monotonic();
    if (now < this.recommitAt) return;
    this.recommitAt = now + RECOMMIT_MS;
    for (const partition of this.hooks.partitions()) {
      const offset = this.offsetOf(partition);
      if (offset !== undefined) due.set(partition, offset);
    }
  }

  private async repeat(
    deadline: number,
    canPass: (error: KafkaError) => boolean,
    attempt: (leftMs: number) => Promise<KafkaError | undefined>,
  ): Promise<KafkaError | undefined> {
    const { clock, options } = this.context;
    const { signal } = this.abort;
    for (let failures = 0; ; failures++) {
      const error = await attempt(Math.max(1, deadline - clock.monotonic()));
      if (error === undefined || !canPass(error) || signal.aborted) return error;
      const { retryBackoffMs, retryBackoffMaxMs } = options;
      const waitMs = backoffMs(failures, retryBackoffMs, retryBackoffMaxMs, clock.random());
      if (clock.monotonic() + waitMs >= deadline) return error;
      const isCalledOff = await pause(clock, waitMs, [signal]).then(
        () => false,
        () => true,
      );
      if (isCalledOff) return error;
    }
  }

  private send(
    offsets: readonly OffsetOfTopic[],
    timeoutMs: number,
    commit: CommitNumber,
  ): Promise<KafkaError | undefined> {
    return this.sender.send(offsets, timeoutMs, (stored) => this.order.noteStored(stored, commit));
  }

  /** One after the other: two commits on the way could be carried out in the wrong order. */
  private queue<T>(task: () => Promise<T>): Promise<T> {
    const run = this.last.then(task, task);
    this.last = run.catch(() => undefined);
    return run;
  }
}

function isRetriable(error: KafkaError): boolean {
  return error.isRetriable;
}

/**
 * Whether what is acked can be committed a moment later: also when the member is in its next epoch, as
 * it is once its heartbeat is answered, or the group has shared out its partitions.
 */
function mayPass(error: KafkaError): boolean {
  return error.isRetriable || passWithNextEpoch.has(error.code);
}

const passWithNextEpoch: ReadonlySet<string> = new Set([
  'STALE_MEMBER_EPOCH',
  'REBALANCE_IN_PROGRESS',
]);

/**
 * Whether transactions that store the offsets have stored none of a partition, and won't any more: it
 * is being given up, and nobody is at work on a record of it. Then where it stands is all the same to
 * them, and lost to its next owner unless it is committed here.
 */
function isUntouched(
  { isDraining, isDrained, committedOffset }: AssignedPartition,
  { leavesStarts }: OffsetStore,
): boolean {
  return leavesStarts && isDraining && isDrained && committedOffset === undefined;
}
