import { Observable, Subscription, takeWhile, type Subscriber } from 'rxjs';

/**
 * Lets a source through until something that is told elsewhere. Listens before the source is
 * subscribed to, so that nothing is missed.
 *
 * @param listen gets what ends the stream.
 * @param isWanted says of each value, before and after it was let through, whether to go on.
 */
export function until<T>(
  source: Observable<T>,
  listen: (finish: () => void) => Subscription,
  isWanted: (value: T) => boolean,
): Observable<T> {
  return new Observable<T>((subscriber: Subscriber<T>) => {
    subscriber.add(listen(() => subscriber.complete()));
    if (!subscriber.closed) {
      const upstream = new Subscription();
      subscriber.add(upstream);
      // What emits as it is subscribed to can't be unsubscribed yet.
      const isOpen = (value: T) => !subscriber.closed && isWanted(value);
      upstream.add(source.pipe(takeWhile(isOpen)).subscribe(subscriber));
    }
  });
}
