import { Subscription, takeWhile, type Observable, type Subscriber } from 'rxjs';

/** What an operator does with what comes from its source, and at its end. */
export interface Upstream<T> {
  next(value: T): void;
  /** Nothing more is wanted of the source, though the operator goes on. */
  readonly hasEnough?: boolean;
  /** Default: the operator completes at once, too. */
  complete?(): void;
  /** The operator's subscriber has had enough, in whatever way. */
  stop?(): void;
}

/**
 * Subscribes an operator to its source. Ends the source before `stop` is called, so that a consumer
 * knows that nothing more is wanted when records come back; and ends one that emits as it is
 * subscribed to, which can't be unsubscribed yet: what it emits too much goes back.
 */
export function observe<T extends { giveBack(): void }>(
  source: Observable<T>,
  subscriber: Subscriber<never>,
  upstream: Upstream<T>,
): void {
  const subscription = new Subscription();
  subscriber.add(subscription);
  if (upstream.stop !== undefined) subscriber.add(() => upstream.stop!());
  const isWanted = (value: T) => {
    const isOver = subscriber.closed || upstream.hasEnough === true;
    if (isOver) value.giveBack();
    return !isOver;
  };
  subscription.add(
    source.pipe(takeWhile(isWanted)).subscribe({
      next(value) {
        upstream.next(value);
        if (upstream.hasEnough === true) subscription.unsubscribe();
      },
      error: (error) => subscriber.error(error),
      complete: () => {
        if (upstream.complete === undefined) subscriber.complete();
        else upstream.complete();
      },
    }),
  );
}
