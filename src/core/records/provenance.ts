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
 * Marks an outgoing record with the records it was made from, so that a sink can ack them when the
 * broker has acknowledged the result.
 */
export function withOrigins<T extends object>(record: T, from: readonly Origin[]): T & WithOrigins {
  return Object.defineProperty(record, origins, { value: from }) as T & WithOrigins;
}

/** What knows from the start where it came from: marking it afterwards takes longer than making it. */
export abstract class Originating implements WithOrigins {
  constructor(private readonly from: readonly Origin[]) {}

  get [origins](): readonly Origin[] {
    return this.from;
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
