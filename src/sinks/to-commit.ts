import { ignoreElements, tap, type OperatorFunction } from 'rxjs';

/**
 * The end of a pipeline whose work is done when a record, or a batch, reaches it: acks it, and emits
 * nothing. What is acked is committed by the consumer, when all before it is.
 *
 * ```
 * source     -a-b-c--|
 * acked      -a-b-c---
 * toCommit   --------|
 * ```
 *
 * **Guarantees.** Nothing is held back. It completes with its source.
 *
 * **Errors.** Those of its source.
 *
 * @example
 * fromTopics(kafka, 'orders', { groupId: 'audit' })
 *   .pipe(concatMap((order) => save(order).then(() => order)), toCommit())
 *   .subscribe({ complete: () => console.log('nothing left') });
 * @see ackEach which passes on what it acks
 */
export function toCommit<T extends { ack(): void }>(): OperatorFunction<T, never> {
  return (source) =>
    source.pipe(
      tap((record) => record.ack()),
      ignoreElements(),
    );
}
