import { Observable, type OperatorFunction } from 'rxjs';
import type { ConsumerRecord } from '../core/consumer/index.js';
import { checkIsFunction, custom, resolveOptions } from '../core/util/options.js';
import { byRule, Exclusive, type ExclusiveProject, type OnBusy } from './processing/exclusive.js';
import type { Grouping } from './processing/groups.js';
import { observe } from './passing/observe.js';

/** What is busy in {@link exhaustEach}, and what becomes of what comes meanwhile. */
export interface ExhaustEachOptions<K = unknown, V = unknown> {
  /**
   * What is busy with a record: everything, its partition, its key in the partition, or its group as
   * a function says. Default `'all'`.
   */
  readonly by?: 'all' | 'partition' | 'key' | ((record: ConsumerRecord<K, V>) => unknown);
  /**
   * What becomes of a record that comes meanwhile.
   * - `'with-current'` (default): it is acked when the one in work is. When that fails or goes back,
   *   both are delivered again.
   * - `'ack'`: it is acked at once.
   * - `'redeliver'`: it is nacked, so that the consumer's `onNack` decides: by default it is delivered
   *   again after a backoff.
   * - a function, which sees to its ack.
   */
  readonly skipped?:
    'with-current' | 'ack' | 'redeliver' | ((record: ConsumerRecord<K, V>) => void);
}

const policies = new Set<unknown>(['with-current', 'ack', 'redeliver']);

const rules = {
  by: byRule,
  skipped: custom<unknown>(
    'with-current',
    "one of 'with-current', 'ack', 'redeliver', a function",
    (value) => policies.has(value) || typeof value === 'function',
  ),
} as const;

/**
 * Works on a record only when nothing is under way: what comes meanwhile is skipped, by a policy that
 * says what becomes of it.
 *
 * ```
 * source                  -a-b-----c----
 * work of a               -----(A|)
 * work of c                        --(C|)
 * exhaustEach(work)       -----A-----C--
 * acked                   -----(ab)--c--
 * ```
 *
 * **Guarantees.** One record of each group is worked on at a time. Nothing is lost by default: what is
 * skipped is acked when the one in work is. A record whose work has made a derived record is acked by
 * the sink that writes it. What waits is bounded by the consumer's window. Unsubscribing ends the
 * work, promises included, and its records go back; where the callback itself ends the stream, what
 * returns nothing is done, and acked.
 *
 * With RxJS's `exhaustMap` nobody would ack what is skipped, and commits would stop there.
 *
 * **Errors.** What `project`, `by` or `skipped` throws, or the result errors with, ends the stream; the
 * records go back unacked.
 *
 * @example
 * orders.pipe(
 *   exhaustEach((order) => charge(order.value), { by: 'key', skipped: 'ack' }),
 * ).subscribe();
 * @see switchEach
 */
export function exhaustEach<K, V, R = never>(
  project: ExclusiveProject<K, V, R>,
  options: ExhaustEachOptions<K, V> = {},
): OperatorFunction<ConsumerRecord<K, V>, R> {
  checkIsFunction('exhaustEach', 'project', project);
  const resolved = resolveOptions('exhaustEach', rules, options);
  const by = resolved.by as Grouping<K, V>;
  const skip = skipper(resolved.skipped as NonNullable<ExhaustEachOptions<K, V>['skipped']>);
  return (source) =>
    new Observable<R>((subscriber) => {
      observe(source, subscriber, new Exclusive(project, skip, by, subscriber));
    });
}

function skipper<K, V>(policy: NonNullable<ExhaustEachOptions<K, V>['skipped']>): OnBusy<K, V> {
  return (record, current) => {
    if (typeof policy === 'function') policy(record);
    else if (policy === 'ack') record.ack();
    else if (policy === 'redeliver') record.nack('exhaustEach was busy with another record');
    else current.add(record);
    return 'skip';
  };
}
