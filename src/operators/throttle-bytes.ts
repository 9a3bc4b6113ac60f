import { Observable, type MonoTypeOperatorFunction } from 'rxjs';
import type { Cancel } from '../core/util/clock.js';
import { integer, resolveOptions } from '../core/util/options.js';
import { Gate } from './passing/gate.js';
import { observe } from './passing/observe.js';
import type { Work } from './processing/work.js';

/** How {@link throttleBytes} paces. */
export interface ThrottleBytesOptions {
  /** How many bytes may pass at once after a pause. Default: what passes in a second. */
  readonly burstBytes?: number;
}

/** What can be throttled: it says how large it is. */
type Sized = Work & { readonly sizeBytes: number };

/**
 * Lets so many bytes of keys and values through in a second, and holds the rest back.
 *
 * ```
 * source (400 bytes each)    (abcd)------
 * throttleBytes(400)         a---b---c---d     one a second
 * ```
 *
 * A throttled stream fetches no more than it lets through: what waits is unacked, and fills the
 * consumer's window.
 *
 * **Guarantees.** Order is kept. On the average no more passes than allowed; at once no more than
 * `burstBytes`, one record excepted that is larger. What waits is bounded by the consumer's window; it
 * goes back when its partition is being given up, and when the stream is unsubscribed. Nothing is acked
 * here.
 *
 * **Errors.** ConfigError, at once, for what is no whole number of at least 1. What the source errors with
 * isn't held back: what waits goes back unacked.
 *
 * @example
 * orders.pipe(throttleBytes(1_000_000), processEach((order) => charge(order.value))).subscribe();
 */
export function throttleBytes<T extends Sized>(
  bytesPerSecond: number,
  options: ThrottleBytesOptions = {},
): MonoTypeOperatorFunction<T> {
  const { bytesPerSecond: rate, burstBytes: burst } = resolveOptions(
    'throttleBytes',
    { bytesPerSecond: integer(1, { min: 1 }), burstBytes: integer(bytesPerSecond, { min: 1 }) },
    { bytesPerSecond, ...options },
  );
  return (source) =>
    new Observable<T>((subscriber) => {
      const bucket = new Bucket(rate, burst);
      let cancel: Cancel | undefined;
      const gate: Gate<T> = new Gate<T>(
        {
          mayPass(work) {
            const { clock } = work.pipeline.host;
            const waitMs = subscriber.closed ? 0 : bucket.take(work.sizeBytes, clock.monotonic());
            if (waitMs === 0) return !subscriber.closed;
            cancel?.();
            cancel = clock.schedule(waitMs, () => gate.open());
            return false;
          },
          onIdle: () => cancel?.(),
        },
        subscriber,
      );
      observe(source, subscriber, {
        next: (work: T) => gate.next(work),
        complete: () => gate.complete(),
        stop() {
          cancel?.();
          gate.stop();
        },
      });
    });
}

/** Fills with time, up to a limit; what is taken may make it negative, and then nothing is. */
class Bucket {
  private left: number;
  private filledAt: number | undefined;

  constructor(
    private readonly bytesPerSecond: number,
    private readonly size: number,
  ) {
    this.left = size;
  }

  /** Takes bytes out: 0; or the milliseconds until that can be done. */
  take(bytes: number, now: number): number {
    const passedMs = now - (this.filledAt ?? now);
    this.left = Math.min(this.size, this.left + (passedMs * this.bytesPerSecond) / 1000);
    this.filledAt = now;
    // One that is larger than the bucket passes when that is full.
    const missing = Math.min(bytes, this.size) - this.left;
    // Less than a byte is what rounding leaves.
    if (missing > 0.001) return Math.ceil((missing * 1000) / this.bytesPerSecond);
    this.left -= bytes;
    return 0;
  }
}
