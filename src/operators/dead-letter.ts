import { filter, from, map, mergeMap, Observable, share, Subject, take } from 'rxjs';
import type { Kafka } from '../core/kafka.js';
import type { ConsumerRecord } from '../core/consumer/index.js';
import type { ProducerOptions, Receipt } from '../core/producer/index.js';
import { withOrigins, type Content } from '../core/records/index.js';
import { KafkaError } from '../core/util/errors.js';
import type { SendFailure } from '../sinks/sink-run.js';
import type { SinkTarget } from '../sinks/target.js';
import { toTopic, type OwnProducerOptions } from '../sinks/to-topic.js';
import type { ProcessFailure } from './processing/failure-policy.js';
import type { Work } from './processing/work.js';

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

export interface DeadLetterOptions {
  /** Where what failed for good is written. */
  readonly topic: string;
}

type AnyRecord = ConsumerRecord<unknown, unknown>;

/** A record as it was stored, with why it failed. */
interface Letter {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [string, Content])[];
}

type Outcome = Receipt<Letter> | SendFailure<Letter>;

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
 * emitted in place of a result is the letter's receipt. A batch becomes a letter for each record.
 *
 * Given `kafka`, it makes a producer while letters are on the way, and closes it when none is; where
 * failures are frequent, give it a producer.
 *
 * **Guarantees.** A record is acked when its letter is acknowledged, not before. Its lane waits for
 * that, so that order is kept by partition or key.
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
  const { topic, ...producerOptions } = options as DeadLetterOptions & ProducerOptions;
  const letters = new Subject<Letter>();
  const sink = toTopic<Letter>(target as Kafka, topic, {
    ...producerOptions,
    onError: 'emit',
  });
  const outcomes = letters.pipe(sink, share());

  const write = (record: AnyRecord, failure: ProcessFailure<Work>) => {
    const letter = withOrigins(letterOf(record, failure), [record]);
    return new Observable<Outcome>((subscriber) => {
      const isOurs = ({ origin }: Outcome) => origin === letter;
      subscriber.add(outcomes.pipe(filter(isOurs), take(1)).subscribe(subscriber));
      letters.next(letter);
    }).pipe(
      map((outcome) => {
        if ('error' in outcome) throw outcome.error;
        return { ...outcome, origin: record };
      }),
    );
  };
  return (failure) =>
    from(failure.record.everyRecord()).pipe(mergeMap((record) => write(record, failure)));
}

function letterOf(record: AnyRecord, { error, attempt }: ProcessFailure<Work>): Letter {
  const { topic, partition, offset, timestamp } = record;
  const names = deadLetterHeaders;
  return {
    key: record.rawKey,
    value: record.rawValue,
    headers: [
      ...record.headers,
      [names.topic, topic],
      [names.partition, `${partition}`],
      [names.offset, `${offset}`],
      [names.timestamp, `${timestamp}`],
      [names.attempt, `${attempt}`],
      [names.error, error instanceof Error ? error.message : String(error)],
      ...(error instanceof KafkaError ? [[names.code, error.code] as const] : []),
    ],
  };
}
