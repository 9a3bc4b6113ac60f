import type { Origin } from '../../records/index.js';
import type { ConsumerRecord } from './consumer-record.js';
import { Relay, type Outcome } from './relay.js';

/**
 * What one record is divided into. It is settled when all parts are, and whoever divides it has
 * settled the reference that it holds itself: acked when all were acked, else nacked, else given
 * back. Not before, so that it never comes again while work on it goes on.
 */
export class Parts<K, V> implements Outcome {
  /** Never by itself: what is awaited is the last of the parts. */
  readonly isNacked = false;
  readonly isOfParts = true;
  private readonly home: Relay;
  private unsettled = 1;
  private failure: { readonly reason: unknown } | undefined;
  private isReturned = false;
  private shown: ConsumerRecord<K, V> | undefined;
  /** Parts that results were derived for which have not come out yet. Most results are not derived. */
  private inside: Set<Origin> | undefined;

  constructor(readonly origin: ConsumerRecord<K, V>) {
    this.home = new Relay(origin.source, this, origin.owner);
  }

  /** One more part, with a value of its own. */
  divide<P>(value: P): ConsumerRecord<K, P> {
    this.unsettled++;
    return this.origin.relayedTo(this.home, value);
  }

  /** One more part, which is like the whole. */
  share(): ConsumerRecord<K, V> {
    this.unsettled++;
    return this.origin.shownIn(this.home);
  }

  /** The record as it is shown to whoever divides it: each result derived from it is a part. */
  get whole(): ConsumerRecord<K, V> {
    return (this.shown ??= this.origin.shownIn(this.home));
  }

  originFor(record: ConsumerRecord<unknown, unknown>): Origin {
    if (record !== this.shown) return record;
    const part = this.divide(undefined);
    (this.inside ??= new Set()).add(part);
    return part;
  }

  /** A result of these has come out: whoever has it settles them. */
  cameOut(origins: readonly Origin[]): void {
    for (const origin of origins) this.inside?.delete(origin);
  }

  /** Nothing more comes out: what was derived and did not come out goes back with the rest. */
  withdraw(): void {
    const left = this.inside?.size ?? 0;
    this.inside = undefined;
    for (let i = 0; i <= left; i++) this.giveBack();
  }

  ack(): void {
    this.settle();
  }

  nack(reason: unknown): void {
    this.failure ??= { reason };
    this.settle();
  }

  giveBack(): void {
    this.isReturned = true;
    this.settle();
  }

  private settle(): void {
    if (--this.unsettled > 0) return;
    const { origin, failure, isReturned } = this;
    if (failure !== undefined) origin.nack(failure.reason);
    else if (isReturned) origin.giveBack();
    else origin.ack();
  }
}
