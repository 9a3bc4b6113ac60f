import { filter, map, Observable, share, Subject, take, throwIfEmpty } from 'rxjs';
import type { ConsumerRecord } from '../../core/consumer/index.js';
import type { Kafka } from '../../core/kafka.js';
import type { ProducerOptions, Receipt } from '../../core/producer/index.js';
import { Originating, type Content } from '../../core/records/index.js';
import { KafkaError } from '../../core/util/errors.js';
import type { SendFailure } from '../../sinks/sink-run.js';
import type { SinkTarget } from '../../sinks/target.js';
import { toTopic } from '../../sinks/to-topic.js';

type AnyRecord = ConsumerRecord<unknown, unknown>;

/** A record as it was stored, for another topic, with headers that say why. */
export interface Copy {
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [string, Content])[];
}

type Outcome = Receipt<Copy> | SendFailure<Copy>;

/** Remembers the record that it is a copy of. */
class CopyOf extends Originating implements Copy {
  readonly topic: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Copy['headers'];

  constructor(record: AnyRecord, { topic, key, value, headers }: Copy) {
    super([record]);
    this.topic = topic;
    this.key = key;
    this.value = value;
    this.headers = headers;
  }
}

/**
 * Writes copies of records, and acks each record when its copy is acknowledged. All that are on the way
 * share one sink, so one producer.
 */
export function copyWriter(
  target: SinkTarget,
  options: ProducerOptions,
): (record: AnyRecord, copy: Copy) => Observable<Receipt<AnyRecord>> {
  const copies = new Subject<Copy>();
  const sink = toTopic<Copy>(target as Kafka, ({ topic }) => topic, {
    ...options,
    onError: 'emit',
  });
  const outcomes = copies.pipe(sink, share());
  return (record, content) => {
    const copy = new CopyOf(record, content);
    return new Observable<Outcome>((subscriber) => {
      const isOurs = ({ origin }: Outcome) => origin === copy;
      const ours = outcomes.pipe(
        filter(isOurs),
        take(1),
        throwIfEmpty(() => notTaken(copy)),
      );
      subscriber.add(ours.subscribe(subscriber));
      copies.next(copy);
    }).pipe(
      map((outcome) => {
        if ('error' in outcome) throw outcome.error;
        return { ...outcome, origin: record };
      }),
    );
  };
}

/** The sink takes no more when its producer is closed or drained, and ends after what is on the way. */
function notTaken({ topic }: Copy): KafkaError {
  return new KafkaError(
    `Cannot write a record to ${topic}: the producer is being closed, and takes no more`,
    { code: 'PRODUCER_CLOSED', context: { topic } },
  );
}
