import { from, Observable, type ObservableInput, type OperatorFunction } from 'rxjs';
import type { Kafka } from '../core/kafka.js';
import {
  serializersOf,
  type ProducerOptions,
  type ProducerRecord,
  type Receipt,
  type SerializerOptions,
} from '../core/producer/index.js';
import { checkIsObject } from '../core/util/options.js';
import { feed } from './feed.js';
import { SinkRun, type OnFailure, type Overflow, type SendFailure } from './sink-run.js';
import {
  checkChoice,
  checkTarget,
  openTarget,
  topicFunction,
  type SinkProducer,
  type SinkTarget,
} from './target.js';

/** A record as a sink takes it: the topic is the sink's. */
export type SinkRecord<K = unknown, V = unknown> = Omit<ProducerRecord<K, V>, 'topic'>;

/** What {@link toTopic} makes of values, and what follows when one can't be sent or finds no room. */
export interface ToTopicOptions<T, K, V, R> extends SerializerOptions<K, V> {
  /** Makes a record of a value. Default: the value is one, as in `{ key, value, headers }`. */
  readonly toRecord?: (value: T) => SinkRecord<K, V>;
  /**
   * What to do when a single record can't be sent.
   * - `'fail'` (default): the stream errors, after what was accepted has been finished.
   * - `'emit'`: the {@link SendFailure} takes the place of the receipt.
   * - a function: what it returns is subscribed to and emitted in place of the receipt.
   *
   * A failed record's origin is nacked, but under `'emit'`, where that is up to you.
   */
  readonly onError?: 'fail' | 'emit' | ((failure: SendFailure<T>) => ObservableInput<R>);
  /**
   * What to do with a record that comes while `bufferMemory` is used up, unless it was derived from
   * a consumed one: those wait, bounded by the consumer's window. Default `'error'`.
   */
  readonly overflow?: Overflow;
  /**
   * Give records up that were accepted but not acknowledged when unsubscribed: what they were derived
   * from is nacked. Default false. Those that are in the batches of a shared producer are still sent; what
   * they were derived from is acked if they are acknowledged.
   */
  readonly abandonOnUnsubscribe?: boolean;
}

const ownOptions: readonly (keyof ToTopicOptions<unknown, unknown, unknown, unknown>)[] = [
  'keySerializer',
  'valueSerializer',
  'toRecord',
  'onError',
  'overflow',
  'abandonOnUnsubscribe',
];

/** Options of the producer that a sink makes for itself when it is given `kafka`. */
export type OwnProducerOptions<P> = P extends SinkProducer ? object : ProducerOptions;

/**
 * Writes each record to a topic and emits a receipt for each that is acknowledged, in the order of
 * acknowledgement.
 *
 * ```
 * source   -a-b-c----|
 * toTopic  ----A-B-C---|
 * ```
 *
 * Given `kafka`, each subscription makes a producer of its own and closes it at the end; given a
 * producer, many sinks can share it.
 *
 * **Guarantees.** Records for one partition are written in the order in which they came, also over
 * retries. Records made with `record.derive()` ack what they were derived from, once they are
 * acknowledged themselves. When the source completes or errors, what was accepted is finished first.
 * Unsubscribing stops accepting; what was accepted finishes in the background. Memory is bounded by
 * `bufferMemory`: there is no queue behind it.
 *
 * **Errors.** SerializationError, AuthorizationError, TimeoutError or KafkaError for a record that
 * can't be sent, see `onError`; KafkaError with code `OVERFLOW` when a source outruns the broker:
 * use {@link sendAll} for a source that can wait. ConfigError, at once, for an option that doesn't fit.
 *
 * @example
 * clicks.pipe(
 *   map((click) => ({ key: click.user, value: click })),
 *   toTopic(kafka, 'clicks', { valueSerializer: json() }),
 * ).subscribe((receipt) => console.log(receipt.partition, receipt.offset));
 */
export function toTopic<T, K = unknown, V = unknown, R = never, P extends SinkTarget = Kafka>(
  target: P,
  topic: string | ((value: T) => string),
  options: ToTopicOptions<T, K, V, R> & { readonly onError: 'emit' } & OwnProducerOptions<P>,
): OperatorFunction<T, Receipt<T> | SendFailure<T>>;
export function toTopic<T, K = unknown, V = unknown, R = never, P extends SinkTarget = Kafka>(
  target: P,
  topic: string | ((value: T) => string),
  options?: ToTopicOptions<T, K, V, R> & OwnProducerOptions<P>,
): OperatorFunction<T, Receipt<T> | R>;
export function toTopic<T, K, V, R>(
  target: SinkTarget,
  topic: string | ((value: T) => string),
  options: ToTopicOptions<T, K, V, R> & ProducerOptions = {},
): OperatorFunction<T, Receipt<T> | SendFailure<T> | R> {
  checkIsObject('toTopic', options);
  const {
    keySerializer,
    valueSerializer,
    toRecord = (value: T) => value as SinkRecord<K, V>,
    onError = 'fail',
    overflow = 'error',
    abandonOnUnsubscribe = false,
    ...producerOptions
  } = options;
  checkTarget('toTopic', target, producerOptions, ownOptions);
  checkChoice('toTopic', 'toRecord', toRecord, [], true);
  checkChoice('toTopic', 'onError', onError, ['fail', 'emit'], true);
  checkChoice('toTopic', 'overflow', overflow, ['error', 'drop-newest', 'drop-oldest']);
  checkChoice('toTopic', 'abandonOnUnsubscribe', abandonOnUnsubscribe, [true, false]);
  const serializers = serializersOf('toTopic', keySerializer, valueSerializer);
  const onFailure: OnFailure<T, R> =
    typeof onError === 'function' ? (failure) => from(onError(failure)) : onError;
  const topicOf = topicFunction('toTopic', topic);

  return (source) =>
    new Observable((subscriber) => {
      const { engine, close } = openTarget(target, producerOptions);
      const run = new SinkRun<T, R>({
        engine,
        close,
        serializers,
        topicOf,
        toRecord,
        onFailure,
        overflow,
        subscriber,
      });
      // Before the source, which may never return from subscribe().
      subscriber.add(() => run.leave(abandonOnUnsubscribe));
      feed(run, source);
    });
}
