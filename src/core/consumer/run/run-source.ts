import {
  createMember,
  type GroupHandler,
  type GroupMetrics,
  type Member,
} from '../../group/index.js';
import type { Subscription, TopicPartition } from '../../group/index.js';
import type { ConsumerContext } from '../context.js';
import { nameOf } from '../errors.js';
import type { StartPosition } from '../positions/positions.js';
import { fixedAssignment, SelfAssigned } from './self-assigned.js';
import type { TopicSizes } from '../positions/topic-sizes.js';

/** A partition to be consumed, with where to begin and to end. */
export interface PartitionRange extends TopicPartition {
  readonly start: StartPosition;
  /** Delivery ends before this offset. */
  readonly endOffset?: number;
}

/** What a run consumes. */
export type RunSource =
  Subscription | { readonly type: 'partitions'; readonly ranges: readonly PartitionRange[] };

/** The ranges of a source by their partitions' names; none of one that is shared out. */
export function rangesOf(source: RunSource): ReadonlyMap<string, PartitionRange> {
  if (source.type !== 'partitions') return new Map();
  return new Map(source.ranges.map((range) => [nameOf(range), range]));
}

/** Who says which partitions a run has: the group, or nobody but itself. */
export function memberFor(
  context: ConsumerContext,
  source: RunSource,
  handler: GroupHandler,
  sizes: TopicSizes,
  metrics: GroupMetrics,
): Member {
  const { cluster, clock, options } = context;
  if (source.type === 'partitions') return fixedAssignment(source.ranges, handler);
  const { groupId, maxPollIntervalMs: rebalanceTimeoutMs } = options;
  if (groupId === undefined) {
    return new SelfAssigned(context, source, handler, (matched) => sizes.noteMatched(matched));
  }
  return createMember({
    cluster,
    clock,
    options: { ...options, groupId, rebalanceTimeoutMs },
    subscription: source,
    handler,
    metrics,
  });
}
