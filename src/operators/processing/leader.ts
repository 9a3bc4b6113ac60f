import { standIn, type ConsumerRecord, type Outcome } from '../../core/consumer/index.js';

/**
 * A record that others were passed over for: when it is acked, so are they; when it fails or goes
 * back, they go back, too.
 */
export class Leader<K, V> implements Outcome {
  /** It, as it is passed on. */
  readonly record: ConsumerRecord<K, V>;
  /** Most have none. */
  private followers: ConsumerRecord<K, V>[] | undefined;
  private isSucceeded = false;
  private outcome: 'open' | 'acked' | 'returned' = 'open';

  constructor(
    private readonly origin: ConsumerRecord<K, V>,
    private readonly onSettled?: (isAcked: boolean) => void,
  ) {
    this.record = standIn(origin, this);
  }

  get isNacked(): boolean {
    return this.origin.isNacked;
  }

  /** A record is passed over for this one. */
  add(follower: ConsumerRecord<K, V>): void {
    follower.takeOver();
    if (this.outcome === 'acked') follower.ack();
    else if (this.outcome === 'returned') follower.giveBack();
    else (this.followers ??= []).push(follower);
  }

  /** Nothing follows it any more: whoever asks sees to them. */
  takeFollowers(): readonly ConsumerRecord<K, V>[] {
    return this.detachFollowers() ?? [];
  }

  /** Takes the place of another one, which becomes a follower with all of its own. */
  succeed(other: Leader<K, V>): void {
    this.followers = other.detachFollowers() ?? [];
    this.followers.push(other.origin);
    other.isSucceeded = true;
  }

  ack(): void {
    this.outcome = 'acked';
    if (this.followers !== undefined) for (const follower of this.followers) follower.ack();
    this.origin.ack();
    this.onSettled?.(true);
  }

  nack(reason: unknown): void {
    // Its successor decides: it must not come again after that.
    if (this.isSucceeded) return;
    this.origin.nack(reason);
    this.release();
  }

  giveBack(): void {
    if (this.isSucceeded) return;
    this.origin.giveBack();
    this.release();
  }

  private release(): void {
    this.outcome = 'returned';
    this.onSettled?.(false);
    if (this.followers !== undefined) for (const follower of this.followers) follower.giveBack();
  }

  private detachFollowers(): ConsumerRecord<K, V>[] | undefined {
    const { followers } = this;
    this.followers = undefined;
    return followers;
  }
}
