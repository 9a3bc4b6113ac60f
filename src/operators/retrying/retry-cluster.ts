import type { Observable } from 'rxjs';
import type { ConsumerRecord } from '../../core/consumer/index.js';
import { Kafka } from '../../core/kafka.js';
import type { Clock } from '../../core/util/clock.js';
import type { SinkProducer } from '../../sinks/target.js';
import { withConsumer, type SourceOptions } from '../../sources/with-consumer.js';

/** What stands where a client does in a test: retry topics that are written and read without one. */
export interface RetryCluster extends SinkProducer {
  /** @internal The records of topics, each not before its time. */
  recordsWhenDue<K, V>(
    options: SourceOptions<K, V>,
    topics: readonly string[],
    dueAt: (record: ConsumerRecord<unknown, unknown>) => number,
  ): Observable<ConsumerRecord<K, V>>;
}

/** Where retry topics are: on a client's cluster, or in a test. */
export type RetryTarget = Kafka | RetryCluster;

export function isRetryTarget(target: unknown): target is RetryTarget {
  if (target instanceof Kafka) return true;
  return typeof target === 'object' && target !== null && 'recordsWhenDue' in target;
}

/** The clock that says when something is due. */
export function clockOf(target: RetryTarget): Clock {
  return target instanceof Kafka ? target.clock : target.engine.clock;
}

/** What is to be tried again, when it is due. */
export function recordsToRetry<K, V>(
  target: RetryTarget,
  options: SourceOptions<K, V>,
  topics: readonly string[],
  dueAt: (record: ConsumerRecord<unknown, unknown>) => number,
): Observable<ConsumerRecord<K, V>> {
  if (!(target instanceof Kafka)) return target.recordsWhenDue(options, topics, dueAt);
  return withConsumer('retryTopics', target, options, (consumer) =>
    consumer.recordsWhenDue(topics, dueAt),
  );
}
