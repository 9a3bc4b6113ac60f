import type { GroupMetadata } from '../../group/index.js';
import { KafkaError } from '../../util/errors.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { ConsumerContext } from '../context.js';
import { asKafkaError, consumerError, nameOf } from '../errors.js';
import type { PartitionOffset } from '../events.js';
import type { ConsumerMetrics } from '../metrics.js';
import { commitOffsets, noteError, type OffsetToCommit } from './group-offsets.js';

/** What a {@link CommitSender} needs to know of the consumer, and tells it. */
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

/** Carries one commit out, and tells what came of it. */
export class CommitSender {
  constructor(
    private readonly context: ConsumerContext,
    private readonly groupId: string,
    private readonly metrics: ConsumerMetrics,
    private readonly hooks: CommitHooks,
    /** Gives up what is on the way. */
    private readonly signal: AbortSignal,
  ) {}

  /**
   * Never rejects: what kept it from being done is returned, and told.
   *
   * @param onStored gets those of the offsets that the group has now.
   */
  async send(
    offsets: readonly OffsetToCommit[],
    timeoutMs: number,
    onStored: (offsets: readonly OffsetToCommit[]) => void,
  ): Promise<KafkaError | undefined> {
    const { clock } = this.context;
    const startedAt = clock.monotonic();
    const member = this.hooks.member();
    try {
      if (this.hooks.isMember && member === undefined) throw notAMember(this.groupId);
      const outcome = await commitOffsets(this.context, this.groupId, member, offsets, {
        timeoutMs,
        signal: this.signal,
      });
      const isRefused = (offset: OffsetToCommit) => (outcome.get(nameOf(offset))?.code ?? 0) !== 0;
      const refused = offsets.filter((offset) => isRefused(offset));
      const stored = offsets.filter((offset) => !isRefused(offset));
      onStored(stored);
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
    if (this.signal.aborted) return error;
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
