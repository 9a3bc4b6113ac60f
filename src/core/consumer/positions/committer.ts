import { pause } from '../../cluster/index.js';
import type { GroupMetadata } from '../../group/index.js';
import { backoffMs } from '../../util/backoff.js';
import type { Cancel } from '../../util/clock.js';
import { KafkaError } from '../../util/errors.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { ConsumerContext } from '../context.js';
import { asKafkaError, consumerError, nameOf } from '../errors.js';
import type { PartitionOffset } from '../events.js';
import {
  commitOffsets,
  noteError,
  type OffsetOfTopic,
  type OffsetToCommit,
} from './group-offsets.js';
import type { ConsumerMetrics } from '../metrics.js';
import type { OffsetStore } from '../pipeline.js';
import { isGone } from './topic-identity.js';

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
      return offsets.length === 0 ? Promise.resolve(undefined) : this.send(offsets, timeoutMs);
    });
  }

  /** As {@link commitAcked}, again and again until it succeeds, can't, or the time is up. */
  commitBefore(
    partitions: readonly AssignedPartition[],
    deadline: number,
  ): Promise<KafkaError | undefined> {
    return this.repeat(deadline, (leftMs) => this.commitAcked(partitions, leftMs));
  }

  /**
   * Commits given offsets; repeats what can pass by itself, until the deadline.
   *
   * @throws KafkaError saying what kept it from being done.
   */
  async commit(offsets: readonly OffsetToCommit[], deadline: number): Promise<void> {
    if (offsets.length === 0) return;
    const error = await this.repeat(deadline, (leftMs) =>
      this.queue(() => this.send(offsets, leftMs)),
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
      if (due.size > 0) await this.send([...due.values()], this.context.options.requestTimeoutMs);
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
    attempt: (leftMs: number) => Promise<KafkaError | undefined>,
  ): Promise<KafkaError | undefined> {
    const { clock, options } = this.context;
    const { signal } = this.abort;
    for (let failures = 0; ; failures++) {
      const error = await attempt(Math.max(1, deadline - clock.monotonic()));
      if (error?.isRetriable !== true || signal.aborted) return error;
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
      const { groupId } = this;
      const { topic, partition, offset } = first;
      const what = `commit offset ${offset} of ${nameOf(first)} in group ${groupId}`;
      const context = { topic, partition, offset, groupId };
      return this.failed(refused, consumerError(what, error, context));
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
