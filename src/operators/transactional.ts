import { Observable, type OperatorFunction } from 'rxjs';
import type { ConsumerRecord } from '../core/consumer/index.js';
import { Kafka } from '../core/kafka.js';
import { Producer } from '../core/producer/index.js';
import { ConfigError } from '../core/util/errors.js';
import type { TransactionResult } from './transactions/lane.js';
import {
  resolveTransactionalOptions,
  type TransactionalOptions,
  type TransactionProject,
} from './transactions/options.js';
import { TransactionalRun } from './transactions/run.js';

/**
 * Consumes, transforms and produces, exactly once: cuts the stream into transactions, each with the
 * records that `project` makes of some incoming ones and the offsets of these. Emits what was
 * committed.
 *
 * ```
 * source                    -1-2-3---4-5-6----
 * project sees              -1-2-3|
 *                                    -4-5-6|
 * transactional             --------A-------B-
 * (maxRecords: 3)                   ^committed
 * ```
 *
 * A transaction takes records from its first on until there are `maxRecords`, `maxWaitMs` have
 * passed, or nothing more can come; the next begins when it is committed. `project` gets them as an
 * Observable that completes then, with any operators behind; the transaction is committed when all
 * that it returned is written. What `project` filters out, or makes nothing of, is done with the
 * transaction all the same, and so is everything when its result completes early. `ack()` means
 * nothing within it; `nack()` aborts.
 *
 * With `concurrency` several are under way at a time, of different partitions, so that one is worked
 * on while another is committed; a partition's records are in one transaction after the other.
 *
 * **Guarantees.** With a source of `isolationLevel: 'read_committed'` and readers that are so, each
 * record is reflected once in what is written, in order for each partition, through rebalances,
 * crashes and fencing. The partitions' offsets are stored by these transactions alone. When partitions
 * are revoked, the transaction that has records of them is finished within the drain deadline, or
 * aborted. What `project` does outside Kafka is not part of it: it may be done more than once.
 *
 * In front of it there may be operators that keep records whole: `mapEach`, `filterEach`, `dedupeEach`,
 * or `batchEach` flattened again. A record is committed as a whole, so `flatMapEach`, `fanOut` and `tee`
 * belong into `project`; and as only the transaction can say that a record is done, so do `processEach`,
 * `switchEach`, `exhaustEach` and `ackEach`. All of these are refused in front. What is filtered out there
 * is passed with the next transaction. Where `share()` gives the same records to others, they must leave
 * acks alone until the transaction is committed, or nothing of it is.
 *
 * When it is unsubscribed, as `take(n)` does after n transactions, what is under way is aborted and
 * its records go back, unless the commit is under way: that is awaited. When the source completes,
 * what came is committed first.
 *
 * **Errors.** After an abort `onAbort` decides; by default errors that pass are retried with the same
 * records, and what `project` or a record is to blame for ends the stream. FencedError when another
 * instance has taken the id over, at once and with nothing committed; AuthorizationError, likewise, that
 * names what may not be read, written or used; UnsupportedVersionError below
 * Kafka 2.5 unless `transactionalIdPer` is `'partition'`, and below 0.11; KafkaError with code
 * `NO_GROUP`, `MIXED_GROUPS`, `CONSUMER_SHARED`, `NOT_A_RECORD`, `RECORD_DIVIDED`, `RECORD_TAKEN` or
 * `RECORD_SETTLED`. All of them when nothing is left under way.
 *
 * @param target a client, of which each subscription takes a producer of its own, or a producer with a
 * `transactionalId` that nothing else begins transactions with.
 * @example
 * fromTopics(kafka, 'orders', {
 *   groupId: 'billing',
 *   isolationLevel: 'read_committed',
 *   valueDeserializer: json<Order>(),
 * })
 *   .pipe(transactional(kafka, { transactionalIdPrefix: 'billing' }, (records) =>
 *     records.pipe(map((order) => order.derive({ topic: 'invoices', value: invoice(order.value) })))))
 *   .subscribe();
 */
export function transactional<K, V, K2 = unknown, V2 = unknown>(
  target: Kafka | Producer,
  options: TransactionalOptions<K, V, K2, V2>,
  project: TransactionProject<K, V, K2, V2>,
): OperatorFunction<ConsumerRecord<K, V>, TransactionResult> {
  if (!(target instanceof Kafka) && !(target instanceof Producer)) {
    throw new ConfigError(
      'transactional: give it what createKafka() or kafka.producer() has returned as the first argument',
    );
  }
  if (typeof project !== 'function') {
    throw new ConfigError(
      'transactional: give it a function that makes outgoing records as the third argument',
    );
  }
  const resolved = resolveTransactionalOptions(target, options as TransactionalOptions);
  return (source) =>
    new Observable<TransactionResult>((subscriber) => {
      const run = new TransactionalRun<K, V>(target, resolved, project, subscriber);
      void run.start(source);
      return () => run.stop();
    });
}
