import { Observable } from 'rxjs';
import {
  Consumer,
  type ConsumerOptions,
  type DeserializerOptions,
} from '../core/consumer/index.js';
import { Kafka } from '../core/kafka.js';
import { ConfigError } from '../core/util/errors.js';

/** Options of the consumer that a source makes for itself when it is given `kafka`. */
export type SourceOptions<K, V> = ConsumerOptions & DeserializerOptions<K, V>;

/**
 * A stream over a consumer: a given one, or one of its own for each subscription, which is closed at
 * its end. Options are checked at once.
 */
export function withConsumer<K, V, T>(
  name: string,
  target: Kafka | Consumer<K, V>,
  given: SourceOptions<K, V>,
  use: (consumer: Consumer<K, V>) => Observable<T>,
): Observable<T> {
  if (target instanceof Consumer) {
    refuseOptions(name, given);
    return use(target);
  }
  if (!(target instanceof Kafka)) throw noTarget(name);
  const options = { ...given };
  // Says now, and not at the first subscription, what is wrong.
  use(target.detachedConsumer(options));
  const leaving = new Set<Promise<unknown>>();
  return new Observable<T>((subscriber) => {
    const start = () => {
      if (subscriber.closed) return;
      const consumer = target.consumer(options);
      // The very subscriber: a layer in between would cost each record, and know later of its end.
      use(consumer).subscribe(subscriber);
      subscriber.add(() => {
        const closed = consumer.close().finally(() => leaving.delete(closed));
        leaving.add(closed);
      });
    };
    // With retry() or repeat() the next one must not race with its predecessor, which may still
    // finish work and commit.
    if (leaving.size === 0) start();
    else void Promise.allSettled(leaving).then(start);
  });
}

function refuseOptions(name: string, options: object): void {
  const given = Object.entries(options).find(([, value]) => value !== undefined);
  if (given === undefined) return;
  throw new ConfigError(
    `${name}: option ${given[0]} belongs to the consumer, and one was given: set it in kafka.consumer()`,
  );
}

function noTarget(name: string): ConfigError {
  return new ConfigError(
    `${name}: give it what createKafka() or kafka.consumer() has returned as the first argument`,
  );
}
