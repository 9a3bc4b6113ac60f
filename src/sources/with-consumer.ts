import { Observable } from 'rxjs';
import {
  Consumer,
  type ConsumerOptions,
  type DeserializerOptions,
} from '../core/consumer/index.js';
import type { Kafka } from '../core/kafka.js';
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
  options: SourceOptions<K, V>,
  use: (consumer: Consumer<K, V>) => Observable<T>,
): Observable<T> {
  if (target instanceof Consumer) {
    const [given] = Object.keys(options);
    if (given === undefined) return use(target);
    throw new ConfigError(
      `${name}: option ${given} belongs to kafka.consumer(), since ${name} was given a consumer`,
    );
  }
  // Says now, and not at the first subscription, what is wrong.
  use(target.detachedConsumer(options));
  return new Observable<T>((subscriber) => {
    const consumer = target.consumer(options);
    const subscription = use(consumer).subscribe({
      next: (value) => subscriber.next(value),
      // Only after everything was given back, so that retry() begins with a clean slate.
      error: (error: unknown) => void consumer.close().then(() => subscriber.error(error)),
      complete: () => subscriber.complete(),
    });
    return () => {
      subscription.unsubscribe();
      void consumer.close();
    };
  });
}
