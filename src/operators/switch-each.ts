import { Observable, type OperatorFunction } from 'rxjs';
import type { ConsumerRecord } from '../core/consumer/index.js';
import { checkIsFunction } from '../core/util/options.js';
import { checkGrouping, Exclusive, type ExclusiveProject } from './processing/exclusive.js';
import { observe } from './passing/observe.js';

/** What supersedes what in {@link switchEach}. */
export interface SwitchEachOptions<K = unknown, V = unknown> {
  /**
   * What a record supersedes: whatever is under way, what is of its partition, of its key in the
   * partition, or of its group as a function says. Default `'all'`.
   */
  readonly by?: 'all' | 'partition' | 'key' | ((record: ConsumerRecord<K, V>) => unknown);
}

/**
 * Works on the latest record only: a new one ends the work on the one before, which is acked when its
 * successor is.
 *
 * ```
 * source                  -a-------b-c-------
 * work of a               -----(A|)
 * work of b                        --!
 * work of c                          ----(C|)
 * switchEach(work)        -----A---------C---
 * acked                   -----a---------(bc)
 * ```
 *
 * **Guarantees.** One record of each group is worked on at a time. A superseded record is acked when
 * the one that took its place is, never before: when that fails or goes back, both are delivered
 * again. Its signal aborts, and its Observable is unsubscribed; what its promise resolves to is
 * dropped. A record whose work has made a derived record is acked by the sink that writes it, and
 * then its predecessors are. What waits is bounded by the consumer's window. Unsubscribing ends the
 * work, promises included, and its records go back; where the callback itself ends the stream, what
 * returns nothing is done, and acked.
 *
 * With RxJS's `switchMap` nobody would ack what is superseded, and commits would stop there.
 *
 * **Errors.** What `project` or `by` throws, or the result errors with, ends the stream; the records go
 * back unacked.
 *
 * @example
 * orders.pipe(
 *   switchEach((order, { signal }) => charge(order.value, signal), { by: 'key' }),
 * ).subscribe();
 * @see exhaustEach
 */
export function switchEach<K, V, R = never>(
  project: ExclusiveProject<K, V, R>,
  options: SwitchEachOptions<K, V> = {},
): OperatorFunction<ConsumerRecord<K, V>, R> {
  checkIsFunction('switchEach', 'project', project);
  const by = checkGrouping<K, V>('switchEach', options);
  return (source) =>
    new Observable<R>((subscriber) => {
      observe(source, subscriber, new Exclusive(project, () => 'start', by, subscriber));
    });
}
