import { ignoreElements, type OperatorFunction } from 'rxjs';
import type { ConsumerRecord } from '../core/consumer/index.js';
import { fanOut } from './fan-out.js';

/**
 * Gives each record to a pipeline on the side as well, and passes it on. What the pipeline emits is
 * dropped; a record is acked when both it and what follows have acked it.
 *
 * ```
 * source         -a--b------
 * side           --x--y-----
 * tee(side)      -a--b------
 * ```
 *
 * **Guarantees.** Order is kept. Neither waits for the other, until the consumer's window is full of
 * what the slower one has not acked. A record that one of them nacks is delivered to both again. When
 * what follows has unsubscribed, the pipeline on the side has, too.
 *
 * **Errors.** What the pipeline errors with ends the stream.
 *
 * @example
 * orders.pipe(
 *   tee((records) => records.pipe(map((order) => order.derive()), toTopic(kafka, 'audit', { valueSerializer: json() }))),
 *   processEach((order) => charge(order.value)),
 * ).subscribe();
 * @see fanOut
 */
export function tee<K, V>(
  side: OperatorFunction<ConsumerRecord<K, V>, unknown>,
): OperatorFunction<ConsumerRecord<K, V>, ConsumerRecord<K, V>> {
  return fanOut<K, V, never, ConsumerRecord<K, V>>(
    (records) => records.pipe(side, ignoreElements()),
    (records) => records,
  );
}
