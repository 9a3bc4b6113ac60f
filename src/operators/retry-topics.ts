import {
  ignoreElements,
  merge,
  Observable,
  Subject,
  takeUntil,
  tap,
  type OperatorFunction,
} from 'rxjs';
import type { ConsumerRecord } from '../core/consumer/index.js';
import { copyWriter } from './processing/copy-writer.js';
import {
  tellRetried,
  tellSkipped,
  type OnProcessError,
  type ProcessFailure,
} from './processing/failure-policy.js';
import { processEach } from './process-each.js';
import type { ProcessContext } from './processing/processing.js';
import { clockOf, recordsToRetry, type RetryTarget } from './retrying/retry-cluster.js';
import { attemptsBefore, dueAtOf, headersForRetry } from './retrying/retry-headers.js';
import {
  resolveRetryTopics,
  type RetryTopic,
  type RetryTopicsOptions,
} from './retrying/retry-topics-options.js';
import type { WorkResult } from './processing/work.js';

/**
 * Does something with each record, and where that fails, writes the record to a topic in which it
 * waits, so that nothing else has to: after its delay it is tried again here, and goes on to the next
 * retry topic when it fails once more. What has failed after the last one is left to `onError`.
 *
 * ```
 * source                      -a--b--c-------------
 * a's work, twice              -#          -(A|)
 * retry topic, 10 s            --a
 * a is due                     -----------a
 * retryTopics(...)            ----B--C-------A-----
 * ```
 *
 * The retry topics are read by a consumer of this operator's own, as long as it is subscribed to: every
 * instance shares the work on them. A retry record is the record as it was stored, with headers that
 * say when it is due (`retry.due-at`, in ms since 1970), how often it was tried (`retry.attempt`) and
 * where it came from (`retry.topic`, `.partition`, `.offset`, `.timestamp`): all text. `attempt` counts
 * over all of them. Each time is told by a `record-retried` event. The topics must be there.
 *
 * What comes to `onError` is the record of the last retry topic. So a dead letter has both: in
 * `dead-letter.topic` and the others where it lay when it failed for good, which is the last retry
 * topic, and in `retry.topic` and the others its origin.
 *
 * **Guarantees.** A record is acked when its retry record is acknowledged, not before. It is not tried
 * again before it is due, by the clock of whoever reads it. Until then its partition waits, with one
 * timer and at most one batch in memory; nothing of it is in hand, so that it is neither stalled nor
 * keeps others from anything. **Order is lost** for what fails: records of its key that come after it
 * are worked on before it. Where that must not be, use {@link retryEach}.
 *
 * When the source completes, work that was begun is finished; what waits in the retry topics is left
 * to whoever subscribes next. Unsubscribing: as {@link processEach}.
 *
 * **Errors.** What a source of records errors with, the retry topics' included. A retry record that
 * can't be written ends the stream, and its record goes back unacked.
 *
 * @example
 * orders.pipe(
 *   retryTopics(
 *     kafka,
 *     [{ topic: 'orders.retry.10s', delayMs: 10_000 }, { topic: 'orders.retry.10m', delayMs: 600_000 }],
 *     {
 *       consumer: { groupId: 'billing.retries', valueDeserializer: json<Order>() },
 *       onError: deadLetter(kafka, { topic: 'orders.dead' }),
 *     },
 *     (order) => charge(order.value),
 *   ),
 * ).subscribe();
 * @see deadLetter
 */
export function retryTopics<K, V, R = never, E = never>(
  target: RetryTarget,
  topics: readonly RetryTopic[],
  options: RetryTopicsOptions<K, V, E>,
  project: (record: ConsumerRecord<K, V>, context: ProcessContext) => WorkResult<R>,
): OperatorFunction<ConsumerRecord<K, V>, R | E> {
  const resolved = resolveRetryTopics(target, topics, options);
  const { concurrency, order, retry } = resolved;
  const names = resolved.topics.map(({ topic }) => topic);
  const retries = recordsToRetry(target, resolved.consumer, names, dueAtOf);
  const clock = clockOf(target);
  const write = copyWriter(target, resolved.producer);

  const onError = (failure: ProcessFailure<ConsumerRecord<K, V>>): WorkResult<E> => {
    const { record, error } = failure;
    const attempt = attemptsBefore(record) + failure.attempt;
    const next = resolved.topics[names.indexOf(record.topic) + 1];
    if (next === undefined) return giveUp({ record, error, attempt }, resolved.onError);
    const { topic, delayMs } = next;
    const headers = headersForRetry(record, attempt, clock.now() + delayMs);
    tellRetried(record, attempt + 1, delayMs, error);
    const { rawKey: key, rawValue: value } = record;
    return write(record, { topic, key, value, headers }).pipe(ignoreElements());
  };
  const work = (record: ConsumerRecord<K, V>, context: ProcessContext) =>
    project(record, new RetryContext(context, attemptsBefore(record)));

  return (source) =>
    new Observable<R | E>((subscriber) => {
      const isOver = new Subject<void>();
      // The source last: it may complete as it is subscribed to.
      merge(retries.pipe(takeUntil(isOver)), source.pipe(tap({ complete: () => isOver.next() })))
        .pipe(processEach(work, { concurrency, order, retry, onError }))
        .subscribe(subscriber);
    });
}

/** What follows when no retry topic is left. */
function giveUp<T extends ConsumerRecord<unknown, unknown>, E>(
  failure: ProcessFailure<T>,
  onError: OnProcessError<T, E>,
): WorkResult<E> {
  const { record, error } = failure;
  switch (onError) {
    case 'fail':
      throw error;
    case 'skip':
      tellSkipped(record, error);
      return;
    case 'nack':
      record.nack(error);
      return;
    default:
      return onError(failure);
  }
}

/** Counts over the topics that a record went through. */
class RetryContext implements ProcessContext {
  constructor(
    private readonly context: ProcessContext,
    private readonly attemptsBefore: number,
  ) {}

  get signal(): AbortSignal {
    return this.context.signal;
  }

  get attempt(): number {
    return this.attemptsBefore + this.context.attempt;
  }
}
