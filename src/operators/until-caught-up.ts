import { Observable, type MonoTypeOperatorFunction } from 'rxjs';
import type { Consumer, ConsumerEvent, TopicPartition } from '../core/consumer/index.js';

/** What an operator hears of a consumer. */
interface Heard {
  readonly lifecycle: Observable<ConsumerEvent | { readonly type: string }>;
}

/**
 * Completes when everything has been delivered that is there: when each partition that the consumer
 * holds has been read to its end once.
 *
 * ```
 * partition 0               -a-b-----e-
 * partition 1               ---x-y-----
 * untilCaughtUp(consumer)   -a-bxy|
 * ```
 *
 * The end is found by position, as the `caught-up` event tells it: transaction markers and compacted
 * records count as read. An empty partition is caught up with at once. A consumer that is given no
 * partitions by its group waits for some.
 *
 * **Guarantees.** Order is kept; nothing is held back; nothing is acked here. Completing unsubscribes
 * the source: the consumer waits for work in hand, commits and leaves.
 *
 * **Errors.** Those of its source.
 *
 * @param consumer the one whose records these are.
 * @example
 * consumer.records('orders').pipe(
 *   untilCaughtUp(consumer),
 *   processEach((order) => charge(order.value)),
 * ).subscribe({ complete: () => console.log('up to date') });
 * @see untilOffsets
 */
export function untilCaughtUp<T>(
  consumer: Pick<Consumer<unknown, unknown>, 'lifecycle'>,
): MonoTypeOperatorFunction<T> {
  return (source) =>
    new Observable<T>((subscriber) => {
      /** Whether each partition that is held has been caught up with. */
      const held = new Map<string, boolean>();
      const { lifecycle } = consumer as Heard;
      // Before the source: it may tell of its end as it is subscribed to.
      subscriber.add(
        lifecycle.subscribe((event) => {
          if (!note(held, event as ConsumerEvent)) return;
          if (held.size > 0 && [...held.values()].every((isCaughtUp) => isCaughtUp)) {
            subscriber.complete();
          }
        }),
      );
      source.subscribe(subscriber);
    });
}

/** Whether anything has changed. */
function note(held: Map<string, boolean>, event: ConsumerEvent): boolean {
  switch (event.type) {
    case 'assigned':
      for (const partition of event.partitions) held.set(nameOf(partition), false);
      return false;
    case 'revoked':
    case 'lost':
      for (const partition of event.partitions) held.delete(nameOf(partition));
      return true;
    case 'caught-up':
      held.set(nameOf(event), true);
      return true;
    default:
      return false;
  }
}

function nameOf({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`;
}
