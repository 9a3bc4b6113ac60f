import { from, mergeMap, tap, type Observable } from 'rxjs';
import type { Kafka } from '../core/kafka.js';
import type { ConsumerRecord } from '../core/consumer/index.js';
import type { ProducerOptions, Receipt } from '../core/producer/index.js';
import { KafkaError } from '../core/util/errors.js';
import { badOption, checkIsObject } from '../core/util/options.js';
import type { SinkTarget } from '../sinks/target.js';
import type { OwnProducerOptions } from '../sinks/to-topic.js';
import { copyWriter, type Copy } from './processing/copy-writer.js';
import type { ProcessFailure } from './processing/failure-policy.js';
import type { Work } from './processing/work.js';
import { messageOf } from '../core/util/message-of.js';

/** Names of the headers that a dead letter has besides those of the record. */
export const deadLetterHeaders = {
  topic: 'dead-letter.topic',
  partition: 'dead-letter.partition',
  offset: 'dead-letter.offset',
  timestamp: 'dead-letter.timestamp',
  attempt: 'dead-letter.attempt',
  error: 'dead-letter.error',
  code: 'dead-letter.code',
} as const;

/** Where {@link deadLetter} writes. */
export interface DeadLetterOptions {
  /** Where what failed for good is written. */
  readonly topic: string;
}

type AnyRecord = ConsumerRecord<unknown, unknown>;

/**
 * Writes what failed for good to a topic of its own: to be given as `onError` to {@link processEach} or
 * {@link retryEach}.
 *
 * ```
 * source                        -a--b--c------
 * b's work, for the last time       -#
 * dead letter                        --(B|)
 * emitted                       -A-----C-B----
 * ```
 *
 * A letter is the record as it was stored, key, value and headers, with headers that say where it came
 * from (`dead-letter.topic`, `.partition`, `.offset`, `.timestamp`), how often it was tried
 * (`.attempt`), and why it failed (`.error`, and `.code` where the error has one): all text. What is
 * emitted in place of a result is the letter's receipt. A batch becomes a letter for each record. Behind
 * {@link retryTopics} a record comes from the last retry topic; its `retry.*` headers, which the letter
 * keeps, name the topic that it was in at first.
 *
 * Given `kafka`, it makes a producer while letters are on the way, and closes it when none is; where
 * failures are frequent, give it a producer.
 *
 * **Guarantees.** A record is acked when its letter is acknowledged, not before; a `dead-lettered` event
 * tells of it. Its lane waits for that, so that order is kept by partition or key.
 *
 * **Errors.** A letter that can't be written ends the stream, and its record goes back unacked.
 *
 * @example
 * orders.pipe(
 *   retryEach((order) => charge(order.value), {
 *     count: 3,
 *     onError: deadLetter(kafka, { topic: 'orders.dead' }),
 *   }),
 * ).subscribe();
 */
export function deadLetter<P extends SinkTarget = Kafka>(
  target: P,
  options: DeadLetterOptions & OwnProducerOptions<P>,
): <T extends Work>(failure: ProcessFailure<T>) => Observable<Receipt<AnyRecord>> {
  checkIsObject('deadLetter', options);
  const { topic, ...producerOptions } = options as DeadLetterOptions & ProducerOptions;
  if (typeof topic !== 'string') throw badOption('deadLetter', 'topic', topic, 'must be a name');
  const write = copyWriter(target, producerOptions);
  return (failure) =>
    from(failure.record.everyRecord()).pipe(
      mergeMap((record) => {
        const letter = write(record, letterOf(record, topic, failure));
        return letter.pipe(tap((receipt) => tell(record, receipt, failure)));
      }),
    );
}

function tell(
  { topic, partition, offset, pipeline }: AnyRecord,
  { topic: letterTopic, partition: letterPartition, offset: letterOffset }: Receipt<AnyRecord>,
  { attempt, error: reason }: ProcessFailure<Work>,
): void {
  const letter = { topic: letterTopic, partition: letterPartition, offset: letterOffset };
  const { emit } = pipeline.host;
  emit({ type: 'dead-lettered', topic, partition, offset, letter, attempt, reason });
}

function letterOf(
  record: AnyRecord,
  topic: string,
  { error, attempt }: ProcessFailure<Work>,
): Copy {
  const { partition, offset, timestamp } = record;
  const names = deadLetterHeaders;
  return {
    topic,
    key: record.rawKey,
    value: record.rawValue,
    headers: [
      ...record.headers,
      [names.topic, record.topic],
      [names.partition, `${partition}`],
      [names.offset, `${offset}`],
      [names.timestamp, `${timestamp}`],
      [names.attempt, `${attempt}`],
      [names.error, messageOf(error)],
      ...(error instanceof KafkaError ? [[names.code, error.code] as const] : []),
    ],
  };
}
