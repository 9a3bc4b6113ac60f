import { Errors } from '../../error-codes.js';
import { Rejection } from '../rejection.js';
import type { Claim } from '../transactions/transaction.js';
import type { CommittedOffset } from './committed-offsets.js';

/** An offset that a transaction commits when it ends. */
export interface PendingOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: CommittedOffset;
  /** Later ones win, in whatever order their transactions end. */
  readonly order: number;
}

/** Offsets of a group that open transactions have sent, by their producers. */
export class PendingOffsets {
  private readonly byProducer = new Map<number, PendingOffset[]>();
  /** With which each producer sent offsets, or ended a transaction, last. */
  private readonly epochs = new Map<number, number>();

  /** @throws Rejection when somebody else is the producer by now. */
  check({ producerId, epoch }: Claim): void {
    const known = this.epochs.get(producerId) ?? epoch;
    if (epoch >= known) return;
    const message = `The epoch of producer ${producerId} is ${known}, not ${epoch}`;
    throw new Rejection(Errors.INVALID_PRODUCER_EPOCH, message);
  }

  add({ producerId, epoch }: Claim, pending: PendingOffset): void {
    this.epochs.set(producerId, epoch);
    const known = this.byProducer.get(producerId);
    if (known === undefined) this.byProducer.set(producerId, [pending]);
    else known.push(pending);
  }

  has(topic: string, partition: number): boolean {
    return [...this.byProducer.values()]
      .flat()
      .some((pending) => pending.topic === topic && pending.partition === partition);
  }

  /** Removes those of a producer and returns them, in the order in which they came. */
  take({ producerId, epoch }: Claim): PendingOffset[] {
    this.epochs.set(producerId, epoch);
    const taken = this.byProducer.get(producerId) ?? [];
    this.byProducer.delete(producerId);
    return taken;
  }

  deleteTopic(topic: string): void {
    for (const [producerId, pending] of this.byProducer) {
      this.byProducer.set(
        producerId,
        pending.filter((each) => each.topic !== topic),
      );
    }
  }
}
