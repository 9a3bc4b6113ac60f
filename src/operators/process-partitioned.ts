import { from, Observable, type ObservableInput, type Subject, type OperatorFunction } from 'rxjs';
import type { ConsumerRecord, TopicPartition } from '../core/consumer/index.js';
import { custom, resolveOptions } from '../core/util/options.js';
import { observe } from './passing/observe.js';
import { Partitioning } from './processing/partitioning.js';

/** How many pipelines {@link processPartitioned} has. */
export interface ProcessPartitionedOptions {
  /**
   * Of how many partitions at once records are worked on; those of others wait until one of these is
   * given up, or its pipeline completes. Default: all.
   */
  readonly concurrency?: number;
}

const rules = {
  concurrency: custom(
    Infinity,
    'a whole number of at least 1, or Infinity',
    (value) => value === Infinity || (Number.isInteger(value) && (value as number) >= 1),
  ),
} as const;

/**
 * Gives the records of each partition to a pipeline of its own, and emits what comes out of them.
 *
 * ```
 * partition 0                    -a--b----R
 * partition 1                    --x--y------
 * pipeline of partition 0        -A--B----|
 * pipeline of partition 1        --X--Y------
 * processPartitioned(pipeline)   -AX-BY------
 * ```
 *
 * A pipeline begins with the first record of its partition. When the partition is being given up, its
 * records complete, so that operators let go of what they hold back. When it is assigned again, a new
 * pipeline begins, after the one before has ended. `fromTopicsByPartition` does the same at the
 * source, for a pipeline that begins with the assignment.
 *
 * **Guarantees.** Order is kept within a partition; none waits for another, but for `concurrency`. The
 * pipeline sees to acks. One that completes early, as with `take()`, gets nothing more until the next
 * assignment: what comes stays unacked and uncommitted. What waits is bounded by the consumer's window;
 * it goes back when its partition is being given up, and when the stream is unsubscribed.
 *
 * **Errors.** What a pipeline errors with ends the stream and the other pipelines.
 *
 * @example
 * orders.pipe(
 *   processPartitioned((records, { partition }) =>
 *     records.pipe(batchEach({ maxWaitMs: 100 }), processEach((batch) => print([partition, batch.length])))),
 * ).subscribe();
 */
export function processPartitioned<K, V, R>(
  pipeline: (
    records: Observable<ConsumerRecord<K, V>>,
    partition: TopicPartition,
  ) => ObservableInput<R>,
  options: ProcessPartitionedOptions = {},
): OperatorFunction<ConsumerRecord<K, V>, R> {
  const { concurrency } = resolveOptions('processPartitioned', rules, options);
  const open = (records: Subject<ConsumerRecord<K, V>>, partition: TopicPartition) =>
    from(pipeline(records.asObservable(), partition));
  return (source) =>
    new Observable<R>((subscriber) => {
      observe(source, subscriber, new Partitioning(open, concurrency, subscriber));
    });
}
