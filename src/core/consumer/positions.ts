import type { GroupMetadata } from '../group/index.js';
import { ZERO_UUID } from '../protocol/index.js';
import { AuthorizationError, KafkaError, UnsupportedVersionError } from '../util/errors.js';
import type { AssignedPartition } from './assigned-partition.js';
import type { ConsumerContext, Patience } from './context.js';
import { endOfEpochs, type EpochEnd } from './end-of-epoch.js';
import { asKafkaError } from './errors.js';
import type { ConsumerEvent } from './events.js';
import { fetchCommitted } from './group-offsets.js';
import { EARLIEST, LATEST, listOffsets } from './list-offsets.js';
import type { OffsetReset } from './offset-reset.js';
import type { TopicSizes } from './topic-sizes.js';

/** Where consumption of a partition is to begin. */
export type StartPosition =
  /** Where the group has stopped; without a group, or a committed offset, as `autoOffsetReset` says. */
  | { readonly from: 'committed' }
  | { readonly from: 'earliest' }
  | { readonly from: 'latest' }
  | { readonly from: 'offset'; readonly offset: number }
  /** At the first record of that time or later; milliseconds since 1970. */
  | { readonly from: 'timestamp'; readonly timestamp: number };

type ResetReason = Extract<ConsumerEvent, { type: 'position-reset' }>['reason'];

interface Resolution {
  readonly partition: AssignedPartition;
  readonly start: StartPosition;
}

/** One search for positions; a later one for the same partition makes it out of date. */
type Search = object;

/** What {@link Positions} needs to know of the consumer, and tells it. */
export interface PositionHooks {
  readonly member: () => GroupMetadata | undefined;
  /** Tell whether a partition came to be after the subscription: then nothing of it may be skipped. */
  readonly sizes: TopicSizes;
  readonly onReady: () => void;
  readonly onFatal: (error: KafkaError, partition: AssignedPartition) => void;
}

/** Finds out where partitions begin, and whether their logs were cut off. */
export class Positions {
  private readonly abort = new AbortController();
  private readonly patience: Patience = { deadline: Infinity, signal: this.abort.signal };

  constructor(
    private readonly context: ConsumerContext,
    private readonly hooks: PositionHooks,
  ) {}

  /** Begins partitions where they are to begin. Failures go to `onFatal`. */
  resolve(
    partitions: readonly AssignedPartition[],
    startOf: (partition: AssignedPartition) => StartPosition,
  ): void {
    const search = this.search(partitions);
    const resolutions = partitions.map((partition) => ({ partition, start: startOf(partition) }));
    void this.attempt(partitions, () => this.resolveAll(resolutions, search));
  }

  /** Begins a partition anew, as `autoOffsetReset` says. */
  reset(partition: AssignedPartition, reason: 'out-of-range' | 'recreated'): void {
    const { offsetReset } = this.context.options;
    if (offsetReset.type === 'none') {
      this.hooks.onFatal(outOfRange(partition), partition);
      return;
    }
    partition.forgetPosition();
    const search = this.search([partition]);
    // All of a topic that was made anew is new.
    const to: OffsetReset = reason === 'recreated' ? { type: 'earliest' } : offsetReset;
    void this.attempt([partition], () => this.byReset([partition], to, reason, search));
  }

  /** Asks new leaders whether they have what was consumed (KIP-320). */
  validate(partitions: readonly AssignedPartition[]): void {
    if (partitions.length === 0) return;
    const checks = partitions.map((partition) => ({ partition, ledger: partition.ledger }));
    for (const partition of partitions) partition.phase = 'validating';
    void this.attempt(partitions, async () => {
      const found = await this.endsOfEpochs(partitions);
      for (const { partition, ledger } of checks) {
        if (partition.phase !== 'validating' || partition.ledger !== ledger) continue;
        partition.phase = 'active';
        const end = found.get(partition.key);
        if (end === undefined) continue;
        if (end.endOffset < 0) this.reset(partition, 'out-of-range');
        else if (end.endOffset < partition.fetchOffset) {
          this.truncated(partition, end.endOffset, end.leaderEpoch);
        }
      }
    });
  }

  /** Takes in that a log ends before what was fetched of it. */
  truncated(partition: AssignedPartition, endOffset: number, leaderEpoch: number): void {
    const { position: consumedOffset, topic, partition: index } = partition;
    if (endOffset >= consumedOffset) {
      // Only records that nobody has seen are gone.
      partition.dropUndelivered();
      // Else a leader that knows an older epoch only would say the same again and again.
      partition.lastFetchedEpoch = Math.min(partition.lastFetchedEpoch, leaderEpoch);
      return;
    }
    this.context.emit({
      type: 'truncated',
      topic,
      partition: index,
      offset: endOffset,
      consumedOffset,
    });
    if (this.context.options.offsetReset.type === 'none') {
      this.hooks.onFatal(logTruncated(partition, endOffset), partition);
      return;
    }
    partition.begin(endOffset, leaderEpoch);
  }

  stop(): void {
    this.abort.abort();
  }

  private search(partitions: readonly AssignedPartition[]): Search {
    const search: Search = {};
    for (const partition of partitions) {
      partition.phase = 'resolving';
      partition.resolution = search;
    }
    return search;
  }

  private async attempt(
    partitions: readonly AssignedPartition[],
    task: () => Promise<void>,
  ): Promise<void> {
    try {
      await task();
      if (!this.abort.signal.aborted) this.hooks.onReady();
    } catch (error) {
      if (this.abort.signal.aborted) return;
      const failure = asKafkaError(error, 'Cannot find where to begin', 'POSITION_UNKNOWN');
      const { topic, partition } = failure.context;
      const guilty = partitions.find((p) => p.topic === topic && p.partition === partition);
      this.hooks.onFatal(failure, guilty ?? partitions[0]!);
    }
  }

  private async resolveAll(resolutions: readonly Resolution[], search: Search): Promise<void> {
    const at = (from: StartPosition['from']) =>
      resolutions.filter(({ start }) => start.from === from).map(({ partition }) => partition);
    for (const { partition, start } of resolutions) {
      if (start.from === 'offset') this.begin(partition, start.offset, -1, 'seek');
    }
    await Promise.all([
      this.fromCommitted(at('committed'), search),
      this.byReset(at('earliest'), { type: 'earliest' }, 'seek', search),
      this.byReset(at('latest'), { type: 'latest' }, 'seek', search),
      this.fromTimestamps(resolutions, search),
    ]);
  }

  private async fromTimestamps(resolutions: readonly Resolution[], search: Search): Promise<void> {
    const times = new Map<AssignedPartition, bigint>();
    for (const { partition, start } of resolutions) {
      if (start.from === 'timestamp') times.set(partition, BigInt(start.timestamp));
    }
    await this.byTime([...times.keys()], (partition) => times.get(partition)!, 'seek', search);
  }

  private async fromCommitted(
    partitions: readonly AssignedPartition[],
    search: Search,
  ): Promise<void> {
    if (partitions.length === 0) return;
    const { groupId, offsetReset } = this.context.options;
    const { member } = this.hooks;
    const committed =
      groupId === undefined
        ? new Map<string, never>()
        : await fetchCommitted(this.context, groupId, member, partitions, this.patience);
    const { sizes } = this.hooks;
    const without = partitions.filter(({ key }) => !committed.has(key));
    await sizes.known(without, this.abort.signal);
    const added: AssignedPartition[] = [];
    const others: AssignedPartition[] = [];
    for (const partition of partitions) {
      if (partition.resolution !== search) continue;
      const found = committed.get(partition.key);
      if (found === undefined) {
        // What came to be while we were subscribed is read whole, whatever the policy.
        (sizes.isNew(partition) ? added : others).push(partition);
        continue;
      }
      partition.committedOffset = found.offset;
      this.begin(partition, found.offset, found.leaderEpoch, 'committed');
    }
    if (others.length > 0 && offsetReset.type === 'none') throw noOffset(others[0]!, groupId);
    await Promise.all([
      this.byReset(added, { type: 'earliest' }, 'no-committed-offset', search),
      this.byReset(others, offsetReset, 'no-committed-offset', search),
    ]);
  }

  private byReset(
    partitions: readonly AssignedPartition[],
    reset: OffsetReset,
    reason: ResetReason,
    search: Search,
  ): Promise<void> {
    const time =
      reset.type === 'earliest'
        ? EARLIEST
        : reset.type === 'by-duration'
          ? BigInt(Math.max(0, Math.floor(this.context.clock.now()) - reset.durationMs))
          : LATEST;
    return this.byTime(partitions, () => time, reason, search);
  }

  private async byTime(
    partitions: readonly AssignedPartition[],
    timeOf: (partition: AssignedPartition) => bigint,
    reason: ResetReason,
    search: Search,
  ): Promise<void> {
    if (partitions.length === 0) return;
    const query = (partition: AssignedPartition, timestamp: bigint) => ({
      topic: partition.topic,
      partition: partition.partition,
      timestamp,
    });
    const queries = partitions.map((partition) => query(partition, timeOf(partition)));
    const found = await listOffsets(this.context, queries, this.patience);
    const beyond = partitions.filter(({ key }) => found.get(key)!.offset < 0);
    const ends = await listOffsets(
      this.context,
      beyond.map((partition) => query(partition, LATEST)),
      this.patience,
    );
    for (const partition of partitions) {
      if (partition.resolution !== search) continue;
      const { offset, leaderEpoch } = ends.get(partition.key) ?? found.get(partition.key)!;
      this.begin(partition, offset, leaderEpoch, reason);
    }
  }

  private begin(
    partition: AssignedPartition,
    offset: number,
    leaderEpoch: number,
    reason: ResetReason,
  ): void {
    const { topic, partition: index } = partition;
    partition.begin(offset, leaderEpoch);
    partition.topicId = this.context.cluster.metadata.topics.get(topic)?.id ?? ZERO_UUID;
    this.context.emit({ type: 'position-reset', topic, partition: index, offset, reason });
  }

  /** Nothing where it can't be told: the broker is too old, or doesn't allow it. */
  private async endsOfEpochs(
    partitions: readonly AssignedPartition[],
  ): Promise<ReadonlyMap<string, EpochEnd>> {
    const queries = partitions.map(({ topic, partition, lastFetchedEpoch: leaderEpoch }) => ({
      topic,
      partition,
      leaderEpoch,
    }));
    try {
      return await endOfEpochs(this.context, queries, this.patience);
    } catch (error) {
      if (error instanceof UnsupportedVersionError || error instanceof AuthorizationError) {
        return new Map();
      }
      throw error;
    }
  }
}

function outOfRange({ key, topic, partition, fetchOffset }: AssignedPartition): KafkaError {
  return new KafkaError(
    `Cannot consume ${key} from offset ${fetchOffset}: the log has no such offset, and ` +
      `autoOffsetReset is 'none'. Seek, or set autoOffsetReset to 'earliest' or 'latest'`,
    { code: 'OFFSET_OUT_OF_RANGE', context: { topic, partition, offset: fetchOffset } },
  );
}

function noOffset({ key, topic, partition }: AssignedPartition, groupId?: string): KafkaError {
  const who = groupId === undefined ? 'there is no group' : `group ${groupId} has committed none`;
  return new KafkaError(
    `Cannot tell at which offset of ${key} to begin: ${who}, and autoOffsetReset is 'none'`,
    { code: 'NO_OFFSET_FOR_PARTITION', context: { topic, partition } },
  );
}

function logTruncated(partition: AssignedPartition, endOffset: number): KafkaError {
  const { key, topic, partition: index, position } = partition;
  return new KafkaError(
    `The log of ${key} was cut off at offset ${endOffset}, though records up to ${position} were ` +
      `consumed: they are gone, and autoOffsetReset is 'none'`,
    { code: 'LOG_TRUNCATION', context: { topic, partition: index, offset: endOffset } },
  );
}
