import { Observable, type OperatorFunction } from 'rxjs';
import type { DerivedRecord } from '../core/consumer/index.js';
import {
  serializersOf,
  type ProducerRecord,
  type Receipt,
  type SerializerOptions,
  type Transaction,
} from '../core/producer/index.js';
import { KafkaError } from '../core/util/errors.js';
import { badOption, checkIsObject } from '../core/util/options.js';
import { feed } from './feed.js';
import { SinkRun } from './sink-run.js';

/** A record for a topic of its own: written down whole, or derived from a consumed one with a `topic`. */
export type OutgoingRecord<K = unknown, V = unknown> = ProducerRecord<K, V> | DerivedRecord<K, V>;

/**
 * Writes each record as part of a transaction, to the topic that it names, and emits a receipt for
 * each that is written. It completes when all are; the transaction is still to be committed then.
 *
 * ```
 * source              -a-b-|
 * toTransaction(txn)  ---A-B--|
 * ```
 *
 * **Guarantees.** As {@link toTopic}: order within a partition, also over retries. Records that find
 * no room in `bufferMemory` wait; how many that can be is for the source to bound.
 *
 * **Errors.** The first record that can't be sent ends the stream: the transaction can only be
 * aborted then. KafkaError with code `TRANSACTION_ENDED` when it has ended.
 *
 * @param options the serializers; what a producer was made with is for its own `send`.
 * @example
 * const producer = kafka.producer({ transactionalId: 'clicks-1' });
 * producer.transaction((txn) => clicks.pipe(
 *   take(100),
 *   map((click) => ({ topic: 'clicks', key: click.user, value: click })),
 *   toTransaction(txn, { valueSerializer: json() }),
 * )).subscribe({ complete: () => print('all 100, or none') });
 * @see transactional
 */
export function toTransaction<T extends OutgoingRecord<K, V>, K = unknown, V = unknown>(
  txn: Transaction<never, never> | Transaction,
  options: SerializerOptions<K, V> = {},
): OperatorFunction<T, Receipt<T>> {
  if (typeof (txn as { engine?: unknown } | undefined)?.engine !== 'object') {
    throw badOption('toTransaction', 'txn', txn, 'must be a Transaction, as in transaction()');
  }
  checkIsObject('toTransaction', options);
  const { keySerializer, valueSerializer } = options;
  const serializers = serializersOf('toTransaction', keySerializer, valueSerializer);
  return (source) =>
    new Observable<Receipt<T>>((subscriber) => {
      const run = new SinkRun<T, never>({
        engine: txn.engine,
        close: () => Promise.resolve(),
        serializers,
        topicOf,
        toRecord: (value) => value,
        onFailure: 'fail',
        overflow: 'wait',
        subscriber: subscriber,
      });
      feed(run, source);
      return () => run.leave(false);
    });
}

function topicOf({ topic }: OutgoingRecord): string {
  if (typeof topic === 'string') return topic;
  throw new KafkaError(
    `Cannot send a record of a transaction: it names no topic; give one, as in ` +
      `record.derive({ topic: 'invoices' })`,
    { code: 'NO_TOPIC' },
  );
}
