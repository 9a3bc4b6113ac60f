import { tap, type MonoTypeOperatorFunction } from 'rxjs';

/**
 * Acks each record that reaches it, then lets it through: whatever comes before it is what has to be
 * done with a record.
 *
 * ```
 * source    -a--b--c-
 * acked     -a--b--c-
 * ackEach   -a--b--c-
 * ```
 *
 * **Guarantees.** Order is kept. A record that an operator before it has dropped is never acked:
 * its partition's commits stop there, and a `stalled` event names it. Use {@link filterEach} to drop.
 * Nothing is held back.
 *
 * **Errors.** Those of its source.
 *
 * @example
 * fromTopics(kafka, 'orders', { groupId: 'audit' })
 *   .pipe(concatMap((order) => save(order).then(() => order)), ackEach())
 *   .subscribe();
 * @see toCommit which emits nothing
 */
export function ackEach<T extends { ack(): void }>(): MonoTypeOperatorFunction<T> {
  return tap((record) => record.ack());
}
