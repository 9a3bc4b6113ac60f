import type { OperatorFunction } from 'rxjs';
import type { ConsumerRecord } from '../core/consumer/index.js';
import { checkIsFunction, checkIsObject } from '../core/util/options.js';
import type { OnProcessError, RetryOptions } from './processing/failure-policy.js';
import type { LaneOrder } from './processing/lanes.js';
import { processEach } from './process-each.js';
import type { ProcessContext } from './processing/processing.js';
import type { Work, WorkResult } from './processing/work.js';

/** When {@link retryEach} tries again, and how it works on several records. */
export interface RetryEachOptions<T, E = never> extends Partial<RetryOptions> {
  /** How often at most work is tried again. Default `Infinity`: until it succeeds. */
  readonly count?: number;
  /** How many records are worked on at once. Default 1. */
  readonly concurrency?: number;
  /** What is kept in order: as for `processEach`. Default `'partition'`. */
  readonly order?: LaneOrder;
  /** What to do when `count` is used up: as for `processEach`. Default `'fail'`. */
  readonly onError?: OnProcessError<T, E>;
}

/**
 * Does something with each record until it succeeds, and acks it then: {@link processEach} with its
 * retries as the subject.
 *
 * ```
 * source               -a-b-------------
 * a's work, twice       -#   --(A|)
 * b's work, other key     -(B|)
 * retryEach(work,      ----B-----A------
 *   { order: 'key' })
 * ```
 *
 * **Guarantees.** As {@link processEach}. While a record waits to be tried again, its lane (partition
 * or key) waits, so that order is kept, and the others go on. The wait begins with `backoffMs` and
 * doubles up to `backoffMaxMs`, spread by chance; each is told by a `record-retried` event. How long a
 * record may hold its partition's commits is not limited by `count: Infinity`: after
 * `stallTimeoutMs` a `stalled` event names it.
 *
 * **Errors.** When `count` is used up, `onError` decides: the stream fails by default.
 *
 * @example
 * orders.pipe(
 *   retryEach((order) => charge(order.value), { count: 5, backoffMs: 200, order: 'key', concurrency: 16 }),
 * ).subscribe();
 * @see deadLetter
 */
export function retryEach<T extends Work = ConsumerRecord<unknown, unknown>, R = never, E = never>(
  project: (record: T, context: ProcessContext) => WorkResult<R>,
  options: RetryEachOptions<NoInfer<T>, E> = {},
): OperatorFunction<T, R | E> {
  checkIsFunction('retryEach', 'project', project);
  checkIsObject('retryEach', options);
  const { count = Infinity, backoffMs, backoffMaxMs, ...rest } = options;
  const retry = {
    count,
    ...(backoffMs !== undefined && { backoffMs }),
    ...(backoffMaxMs !== undefined && { backoffMaxMs }),
  };
  return processEach(project, { ...rest, retry });
}
