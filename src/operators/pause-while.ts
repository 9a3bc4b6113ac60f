import { from, Observable, type MonoTypeOperatorFunction, type ObservableInput } from 'rxjs';
import { Gate } from './passing/gate.js';
import { observe } from './passing/observe.js';
import type { Work } from './processing/work.js';

/**
 * Holds records back while the latest value of another stream is true.
 *
 * ```
 * source               -a-b-c-d------e-
 * isBusy               ----t-----f-----
 * pauseWhile(isBusy)   -a-b------(cd)e-
 * ```
 *
 * Until `isPaused` has emitted, and after it has completed, nothing is held back. A paused stream
 * soon fetches nothing more: what waits is unacked, and fills the consumer's window. To stop fetching
 * at once there is `consumer.pause()`.
 *
 * **Guarantees.** Order is kept. What waits is bounded by the consumer's window; it goes back when its
 * partition is being given up, and when the stream is unsubscribed. A source that completes is waited
 * for until what waits was let through.
 *
 * **Errors.** What `isPaused` errors with ends the stream; what waits goes back unacked.
 *
 * @example
 * const isNight = timer(0, 60_000).pipe(map(() => new Date().getHours() < 6));
 * orders.pipe(pauseWhile(isNight), processEach((order) => charge(order.value))).subscribe();
 */
export function pauseWhile<T extends Work>(
  isPaused: ObservableInput<boolean>,
): MonoTypeOperatorFunction<T> {
  return (source) =>
    new Observable<T>((subscriber) => {
      let mayPass = true;
      const gate = new Gate<T>(
        { mayPass: () => mayPass && !subscriber.closed, onIdle: () => undefined },
        subscriber,
      );
      const change = (isPausedNow: boolean) => {
        mayPass = !isPausedNow;
        if (mayPass) gate.open();
      };
      // The source last: it may emit as it is subscribed to.
      subscriber.add(
        from(isPaused).subscribe({
          next: change,
          error: (error) => subscriber.error(error),
          complete: () => change(false),
        }),
      );
      observe(source, subscriber, gate);
    });
}
