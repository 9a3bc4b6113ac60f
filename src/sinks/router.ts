import { Subscriber } from 'rxjs';
import { Originating, originsOf, shareOrigins, type Origin } from '../core/records/index.js';

/** Topics that were chosen for a value. */
type Chosen = string | readonly string[] | undefined;

/** A value on its way to one of its topics. */
export class Routed<T> extends Originating {
  constructor(
    readonly value: T,
    readonly topic: string,
    origins: readonly Origin[],
  ) {
    super(origins);
  }
}

/**
 * Passes each value on once for each of its topics. A Subscriber between the source and the sink: an
 * Observable for each value, as `mergeMap` wants it, costs more than all the rest.
 */
export class Router<T> extends Subscriber<T> {
  constructor(
    private readonly to: Subscriber<Routed<T>>,
    private readonly route: (value: T) => Chosen,
  ) {
    // The only way to end with the subscriber also while a source emits as it is subscribed to.
    // eslint-disable-next-line @typescript-eslint/no-deprecated
    super(to);
  }

  protected override _next(value: T): void {
    let chosen: Chosen;
    try {
      chosen = this.route(value);
    } catch (error) {
      this.error(error);
      return;
    }
    if (chosen === undefined) this.passToAll(value, []);
    else if (isList(chosen)) this.passToAll(value, chosen);
    else this.to.next(new Routed(value, chosen, originsOf(value)));
  }

  /** What the value was derived from waits for all of them. */
  private passToAll(value: T, topics: readonly string[]): void {
    const origins = originsOf(value);
    if (topics.length === 0) {
      for (const origin of origins) origin.ack();
      return;
    }
    const shared = origins.length === 0 ? origins : shareOrigins(origins, topics.length);
    for (const topic of topics) this.to.next(new Routed(value, topic, shared));
  }
}

function isList(chosen: string | readonly string[]): chosen is readonly string[] {
  return Array.isArray(chosen);
}
