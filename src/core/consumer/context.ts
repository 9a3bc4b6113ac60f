import type { Cluster } from '../cluster/index.js';
import type { TopicPartition } from '../group/index.js';
import type { Clock } from '../util/clock.js';
import type { ResolvedConsumerOptions } from './options.js';
import type { ConsumerEvent } from './events.js';

/** Where delivery of a partition stands. */
export interface PartitionPosition extends TopicPartition {
  /** The offset of the next record to be delivered. */
  readonly position: number;
}

/** What a consumer's parts share. */
export interface ConsumerContext {
  readonly cluster: Cluster;
  readonly clock: Clock;
  readonly options: ResolvedConsumerOptions;
  readonly emit: (event: ConsumerEvent) => void;
  /** The position of a partition may have moved on, with records or without. */
  readonly onMoved: (partition: PartitionPosition) => void;
}

/** A bound on something that waits. */
export interface Patience {
  /** On the monotonic clock; Infinity to go on until aborted. */
  readonly deadline: number;
  readonly signal: AbortSignal;
}
