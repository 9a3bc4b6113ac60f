import { inspect } from 'node:util';
import { Subscriber, Subscription, type Observable } from 'rxjs';
import { KafkaError } from '../../core/util/errors.js';

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
  subscription.add(new Observation(subscriber, upstream).of(source));
}

/** One Subscriber between source and operator: each that there is more costs every record. */
class Observation<T extends { giveBack(): void }> {
  // The only way to a subscription before subscribe() has returned.
  // eslint-disable-next-line @typescript-eslint/no-deprecated
  private readonly inner = new Subscriber<T>(this);

  constructor(
    private readonly subscriber: Subscriber<never>,
    private readonly upstream: Upstream<T>,
  ) {}

  of(source: Observable<T>): Subscription {
    return source.subscribe(this.inner);
  }

  next(value: T): void {
    if (this.subscriber.closed || this.needsNoMore()) {
      value.giveBack();
      this.inner.complete();
      return;
    }
    try {
      this.upstream.next(value);
    } catch (error) {
      if (typeof (value as Partial<T> | null | undefined)?.giveBack === 'function') throw error;
      this.subscriber.error(noRecord(value));
      return;
    }
    if (this.needsNoMore()) this.inner.unsubscribe();
  }

  error(error: unknown): void {
    this.subscriber.error(error);
  }

  complete(): void {
    const { upstream } = this;
    if (upstream.complete === undefined) this.subscriber.complete();
    else upstream.complete();
  }

  private needsNoMore(): boolean {
    return this.upstream.hasEnough === true;
  }
}

function noRecord(value: unknown): KafkaError {
  const given = inspect(value, { depth: 0, breakLength: Infinity, maxStringLength: 40 });
  return new KafkaError(
    `An operator that acks was given ${given}, which is neither a record of a consumer nor a batch; ` +
      'use mapEach() in place of map(), or put map() behind it',
    { code: 'NO_RECORD' },
  );
}
