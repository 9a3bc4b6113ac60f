/** What a derived record came from: settled once its result is safe, or can't be. */
export interface Origin {
  ack(): void;
  nack(reason: unknown): void;
}

const origins = Symbol('origins');

/** A value that remembers where it came from. */
export interface WithOrigins {
  readonly [origins]: readonly Origin[];
}

/**
 * What knows from its making where it came from, so that a sink can ack that when the broker has
 * acknowledged the result. Hidden, so that a copy of the fields is not taken for derived; in a field of
 * the class, because a property that is defined afterwards takes four times as long as all the rest.
 */
export abstract class Originating implements WithOrigins {
  readonly #from: readonly Origin[];

  constructor(from: readonly Origin[]) {
    this.#from = from;
  }

  get [origins](): readonly Origin[] {
    return this.#from;
  }
}

const none: readonly Origin[] = [];

/** The records that a value was derived from; empty for one that was not derived. */
export function originsOf(value: unknown): readonly Origin[] {
  if (typeof value !== 'object' || value === null) return none;
  return (value as Partial<WithOrigins>)[origins] ?? none;
}

/**
 * Origins for several results that are all to be written: each reports once, and the last to do so
 * settles them. Acked when all were, else nacked with the first reason.
 */
export function shareOrigins(from: readonly Origin[], results: number): readonly Origin[] {
  let left = results;
  let failure: { readonly reason: unknown } | undefined;
  const settle = () => {
    if (--left > 0) return;
    for (const origin of from) {
      if (failure === undefined) origin.ack();
      else origin.nack(failure.reason);
    }
  };
  const shared: Origin = {
    ack: settle,
    nack(reason) {
      failure ??= { reason };
      settle();
    },
  };
  return [shared];
}
