import type { GroupMetadata } from '../../group/index.js';
import { ZERO_UUID } from '../../protocol/index.js';
import { KafkaError } from '../../util/errors.js';
import { leaderEpochOf, type Answer } from './ask-leaders.js';
import type { AssignedPartition } from '../assigned-partition.js';
import type { ConsumerContext, Patience } from '../context.js';
import { asKafkaError } from '../errors.js';
import type { ConsumerEvent } from '../events.js';
import { fetchCommitted } from './group-offsets.js';
import { EARLIEST, findOffsets, LATEST, type FoundOffset } from './list-offsets.js';
import { LogValidator } from './log-validator.js';
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
  /** A partition begins somewhere, where the group may have committed another offset. */
  readonly onBegun: (partition: AssignedPartition) => void;
  readonly onReady: () => void;
  readonly onFatal: (error: KafkaError, partition: AssignedPartition) => void;
}

/** Finds out where partitions begin, and whether their logs were cut off. */
export class Positions {
  private readonly abort = new AbortController();
  private readonly patience: Patience = { deadline: Infinity, signal: this.abort.signal };

  private readonly validator: LogValidator;

  constructor(
    private readonly context: ConsumerContext,
    private readonly hooks: PositionHooks,
  ) {
    this.validator = new LogValidator(context, this.patience, {
      ...hooks,
      onUnknownEpoch: (partition) => this.reset(partition, 'out-of-range'),
    });
  }

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
      const failure = reason === 'recreated' ? recreated(partition) : outOfRange(partition);
      this.hooks.onFatal(failure, partition);
      return;
    }
    partition.forgetPosition();
    partition.committedOffset = undefined;
    const search = this.search([partition]);
    // All of a topic that was made anew is new.
    const to: OffsetReset = reason === 'recreated' ? { type: 'earliest' } : offsetReset;
    void this.attempt([partition], () => this.byReset([partition], to, reason, search));
  }

  /** Asks leaders whether they have what was consumed (KIP-320). Failures go to `onFatal`. */
  validate(partitions: readonly AssignedPartition[]): void {
    if (partitions.length === 0) return;
    void this.attempt(partitions, () => this.validator.validate(partitions));
  }

  /** Takes in that a log ends before what was fetched of it. */
  truncated(partition: AssignedPartition, endOffset: number, leaderEpoch: number): void {
    this.validator.truncated(partition, { endOffset, leaderEpoch });
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
    const { groupId } = this.context.options;
    const { member } = this.hooks;
    const committed =
      groupId === undefined
        ? new Map<string, never>()
        : await fetchCommitted(this.context, groupId, member, partitions, this.patience);
    const begun: AssignedPartition[] = [];
    const without: AssignedPartition[] = [];
    for (const partition of partitions) {
      if (partition.resolution !== search) continue;
      const found = committed.get(partition.key);
      if (found === undefined) {
        without.push(partition);
        continue;
      }
      partition.committedOffset = found.offset;
      this.begin(partition, found.offset, found.leaderEpoch, 'committed');
      begun.push(partition);
    }
    // Whoever heard of it may have sought. The log may be another than that which was consumed.
    this.validate(begun.filter((each) => each.phase === 'active' && each.lastFetchedEpoch >= 0));
    this.hooks.onReady();
    await this.withoutOffset(without, search);
  }

  private async withoutOffset(
    partitions: readonly AssignedPartition[],
    search: Search,
  ): Promise<void> {
    const { groupId, offsetReset } = this.context.options;
    const { sizes } = this.hooks;
    await sizes.known(partitions, this.abort.signal);
    const added: AssignedPartition[] = [];
    const others: AssignedPartition[] = [];
    for (const partition of partitions) {
      if (partition.resolution !== search) continue;
      // What came to be while we were subscribed is read whole, whatever the policy.
      (sizes.isNew(partition) ? added : others).push(partition);
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
    const queries = partitions.map((from) => {
      const { topic, partition } = from;
      return { topic, partition, timestamp: timeOf(from), from };
    });
    const later: Promise<void>[] = [];
    const onFound = (answers: readonly Answer<(typeof queries)[number], FoundOffset>[]) => {
      const beyond: AssignedPartition[] = [];
      for (const { target, value } of answers) {
        const { from } = target;
        if (value.offset < 0) beyond.push(from);
        else if (from.resolution === search) {
          this.begin(from, value.offset, value.leaderEpoch, reason);
        }
      }
      // No record is that young: what comes next will be.
      const rest = this.byTime(beyond, () => LATEST, reason, search);
      rest.catch(() => undefined);
      later.push(rest);
      this.hooks.onReady();
    };
    const isWanted = ({ from }: { readonly from: AssignedPartition }) => from.resolution === search;
    await findOffsets(this.context, queries, this.patience, onFound, isWanted);
    await Promise.all(later);
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
    partition.validatedEpoch = leaderEpochOf(this.context, partition);
    this.context.emit({ type: 'position-reset', topic, partition: index, offset, reason });
    this.hooks.onBegun(partition);
  }
}

function outOfRange({ key, topic, partition, fetchOffset }: AssignedPartition): KafkaError {
  return new KafkaError(
    `Cannot consume ${key} from offset ${fetchOffset}: the log has no such offset, and ` +
      `autoOffsetReset is 'none'. Seek, or set autoOffsetReset to 'earliest' or 'latest'`,
    { code: 'OFFSET_OUT_OF_RANGE', context: { topic, partition, offset: fetchOffset } },
  );
}

function recreated({ key, topic, partition }: AssignedPartition): KafkaError {
  return new KafkaError(
    `Cannot go on consuming ${key}: its topic was deleted and made anew, and autoOffsetReset is ` +
      `'none'. Subscribe again, or set autoOffsetReset to 'earliest'`,
    { code: 'TOPIC_RECREATED', context: { topic, partition } },
  );
}

function noOffset({ key, topic, partition }: AssignedPartition, groupId?: string): KafkaError {
  const who = groupId === undefined ? 'there is no group' : `group ${groupId} has committed none`;
  return new KafkaError(
    `Cannot tell at which offset of ${key} to begin: ${who}, and autoOffsetReset is 'none'`,
    { code: 'NO_OFFSET_FOR_PARTITION', context: { topic, partition } },
  );
}
