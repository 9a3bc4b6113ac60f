import { KafkaError } from '../../util/errors.js';
import type { ConsumerRecord } from './consumer-record.js';
import { Derived, type DerivedRecord, type DeriveOptions } from './derived.js';

/** What a record that is made from several is to be: nothing is taken over from them. */
export type DeriveFromOptions<K, V> = DeriveOptions<K, V> & { readonly value: V };

/**
 * A record for another topic that remembers all those it was made from: a sink acks them all when it
 * is written. The way from n to 1; `record.derive()` is that from 1 to 1.
 *
 * @throws KafkaError with code `DERIVED_TWICE`.
 * @example
 * orders.pipe(
 *   bufferCount(2),
 *   map(([first, second]) => deriveFrom([first!, second!], { value: first!.value.total + second!.value.total })),
 *   toTopic(kafka, 'pairs', { valueSerializer: json() }),
 * ).subscribe();
 * @see batchEach
 */
export function deriveFrom<V, K = null>(
  records: readonly ConsumerRecord<unknown, unknown>[],
  changes: DeriveFromOptions<K, V>,
): DerivedRecord<K, V> {
  if (records.length === 0) {
    throw new KafkaError('Nothing was given to derive a record from', { code: 'NO_ORIGIN' });
  }
  const origins = records.map((record) => record.originOfResult());
  const { topic, partition, timestamp, key = null as K, value, headers = [] } = changes;
  return new Derived<K, V>(topic, partition, timestamp, key, value, headers, origins);
}
