import type { Clock } from '../../../core/util/clock.js';
import { Timers } from '../timers.js';
import type { ConsumerMember } from './consumer-member.js';

/** What members of the consumer protocol have a time for. Who lets it pass is put out. */
export class MemberDeadlines {
  private readonly timers: Timers;

  constructor(
    clock: Clock,
    private readonly sessionTimeoutMs: number,
    private readonly expire: (memberId: string) => void,
  ) {
    this.timers = new Timers(clock);
  }

  /** Begins a member's session anew. */
  keepAlive({ id, classic }: ConsumerMember): void {
    const timeoutMs = classic?.sessionTimeoutMs ?? this.sessionTimeoutMs;
    this.timers.set(id, timeoutMs, () => this.expire(id));
  }

  /** Partitions are to be given back, for others wait for them. */
  awaitRevocation({ id, rebalanceTimeoutMs }: ConsumerMember): void {
    this.timers.set(revocationOf(id), rebalanceTimeoutMs, () => this.expire(id));
  }

  /** Nothing is to be given back any more. */
  revoked({ id }: ConsumerMember): void {
    this.timers.cancel(revocationOf(id));
  }

  /** A member of the classic protocol is to ask for its assignment. */
  awaitSync({ id, rebalanceTimeoutMs }: ConsumerMember): void {
    this.timers.cancel(rejoinOf(id));
    this.timers.set(syncOf(id), rebalanceTimeoutMs, () => this.expire(id));
  }

  synced({ id }: ConsumerMember): void {
    this.timers.cancel(syncOf(id));
  }

  /** A member of the classic protocol was told to join again. */
  awaitRejoin({ id, rebalanceTimeoutMs }: ConsumerMember): void {
    this.timers.setIfUnset(rejoinOf(id), rebalanceTimeoutMs, () => this.expire(id));
  }

  /** A member is gone. */
  forget(memberId: string): void {
    this.timers.cancel(memberId);
    for (const nameOf of [revocationOf, syncOf, rejoinOf]) this.timers.cancel(nameOf(memberId));
  }

  stop(): void {
    this.timers.cancelAll();
  }
}

function revocationOf(memberId: string): string {
  return `revocation of ${memberId}`;
}

function syncOf(memberId: string): string {
  return `sync of ${memberId}`;
}

function rejoinOf(memberId: string): string {
  return `rejoin of ${memberId}`;
}
