import type { Clock } from '../../../core/util/clock.js';
import { Errors } from '../../error-codes.js';
import type { Coordinators } from '../coordinators.js';
import { Rejection } from '../rejection.js';
import { Timers } from '../timers.js';
import {
  addToTransaction,
  checkAdded,
  checkGroupAdded,
  type Addition,
} from './add-to-transaction.js';
import {
  completed,
  endAndRaise,
  endTransaction,
  fenceTransaction,
  successorOf,
  type Ending,
} from './end-transaction.js';
import { initProducer, type InitQuery } from './init-producer.js';
import { writeMarkers, type MarkedPlaces } from './markers.js';
import {
  concurrent,
  isPrepared,
  newTransaction,
  notMapped,
  type Claim,
  type Place,
  type Transaction,
} from './transaction.js';

/** What transactions are run with. */
export interface TransactionWorld extends MarkedPlaces {
  readonly clock: Clock;
  readonly coordinators: Coordinators;
  /** Whether the cluster is of transaction.version 2 (KIP-890). */
  readonly risesAtEnd: boolean;
  /** Kafka's `transaction.max.timeout.ms`. */
  readonly maxTimeoutMs: number;
  /** Kafka's `transactional.id.expiration.ms`. */
  readonly idExpirationMs: number;
}

/** All transactional ids of a cluster. Each is run by the broker it is hashed to (KIP-98). */
export class Transactions {
  private readonly byId = new Map<string, Transaction>();
  private readonly usedAtMs = new Map<string, number>();
  private readonly timers: Timers;
  private nextProducerId = 0;
  private holders = 0;

  constructor(private readonly world: TransactionWorld) {
    this.timers = new Timers(world.clock);
  }

  get(transactionalId: string): Transaction | undefined {
    const transaction = this.byId.get(transactionalId);
    if (transaction === undefined || !this.isForgotten(transaction)) return transaction;
    this.byId.delete(transactionalId);
    this.usedAtMs.delete(transactionalId);
    return undefined;
  }

  get all(): Transaction[] {
    return [...this.byId.values()].filter((transaction) => !this.isForgotten(transaction));
  }

  /** Those that a broker coordinates. */
  on(brokerId: number): Transaction[] {
    return this.all.filter(({ transactionalId }) => this.hostOf(transactionalId) === brokerId);
  }

  /** @throws Rejection unless the broker coordinates the transactional id. */
  checkCoordinator(transactionalId: string, brokerId: number): void {
    if (this.hostOf(transactionalId) === brokerId) return;
    throw new Rejection(Errors.NOT_COORDINATOR, 'This is not the correct coordinator.');
  }

  /** A producer id that nobody has. */
  newProducerId(): number {
    return this.nextProducerId++;
  }

  /** @throws Rejection when a transaction may not last that long. */
  checkTimeout(timeoutMs: number): void {
    if (timeoutMs > 0 && timeoutMs <= this.world.maxTimeoutMs) return;
    const message = `The transaction timeout can't be ${timeoutMs} ms`;
    throw new Rejection(Errors.INVALID_TRANSACTION_TIMEOUT, message);
  }

  /** Makes somebody the producer of a transactional id, and fences whoever was. @throws Rejection */
  initProducer(transactionalId: string, query: InitQuery): Claim {
    const allocate = () => this.newProducerId();
    const known = this.get(transactionalId) ?? newTransaction(transactionalId, allocate());
    const ready = initProducer(known, query, allocate);
    if (ready === 'fence') {
      this.abort(known, this.world.risesAtEnd);
      throw concurrent(known);
    }
    this.put(ready);
    return { producerId: ready.producerId, epoch: ready.epoch };
  }

  /** Has partitions and groups take part in the producer's transaction. @throws Rejection */
  add(transactionalId: string, claim: Claim, addition: Addition): void {
    const transaction = this.require(transactionalId, claim);
    const now = this.world.clock.now();
    const changed = addToTransaction(transaction, claim, addition, now);
    this.put(changed);
    this.limit(changed);
  }

  /** @throws Rejection unless a partition takes part in the producer's transaction. */
  check(transactionalId: string, claim: Claim, place: Place): void {
    checkAdded(this.require(transactionalId, claim), claim, place);
  }

  /** @throws Rejection unless a group takes part in the producer's transaction. */
  checkGroup(transactionalId: string, claim: Claim, groupId: string): void {
    checkGroupAdded(this.require(transactionalId, claim), claim, groupId);
  }

  /** Ends the producer's transaction. @throws Rejection */
  end(transactionalId: string, claim: Claim, ending: Ending): void {
    const transaction = this.require(transactionalId, claim);
    this.conclude(transaction, endTransaction(transaction, claim, ending));
  }

  /** As {@link Transactions.end}, and raises the epoch (KIP-890); who the producer is now. */
  endAndRaise(transactionalId: string, claim: Claim, ending: Ending): Claim {
    const transaction = this.require(transactionalId, claim);
    const allocate = () => this.newProducerId();
    const now = this.world.clock.now();
    const ended = endAndRaise(transaction, claim, ending, now, allocate);
    this.conclude(transaction, ended);
    return successorOf(ended);
  }

  /** Aborts an open transaction as if it had taken too long. */
  expire(transactionalId: string): void {
    const transaction = this.get(transactionalId);
    if (transaction?.state === 'Ongoing') this.abort(transaction, transaction.risesAtEnd);
  }

  /** Writes no markers until the returned function is called. */
  holdMarkers(): () => void {
    let isHeld = true;
    this.holders++;
    return () => {
      if (isHeld) this.holders--;
      isHeld = false;
      this.finishAll();
    };
  }

  /** Brokers have started, stopped or swapped roles: what could not be done may be possible now. */
  reassign(): void {
    this.finishAll();
    for (const transaction of this.all) this.limit(transaction);
  }

  /** Writes the markers that there are still to be written. */
  finishAll(): void {
    for (const transaction of this.all.filter(isPrepared)) this.finish(transaction);
  }

  private hostOf(transactionalId: string): number | undefined {
    return this.world.coordinators.of(transactionalId);
  }

  private require(transactionalId: string, { producerId }: Claim): Transaction {
    const transaction = this.get(transactionalId);
    if (transaction !== undefined) return transaction;
    throw notMapped(transactionalId, producerId);
  }

  private put(transaction: Transaction): void {
    this.byId.set(transaction.transactionalId, transaction);
    this.usedAtMs.set(transaction.transactionalId, this.world.clock.now());
  }

  /** What was idle for so long is known no more; what has a transaction under way isn't idle. */
  private isForgotten(transaction: Transaction): boolean {
    if (transaction.state === 'Ongoing' || isPrepared(transaction)) return false;
    const { clock, idExpirationMs } = this.world;
    return clock.now() - this.usedAtMs.get(transaction.transactionalId)! > idExpirationMs;
  }

  private abort(transaction: Transaction, risesAtEnd: boolean): void {
    this.conclude(transaction, fenceTransaction(transaction, risesAtEnd));
  }

  private conclude(before: Transaction, after: Transaction): void {
    if (after === before) return;
    this.put(after);
    this.timers.cancel(after.transactionalId);
    this.finish(after);
  }

  private finish(transaction: Transaction): void {
    const { transactionalId } = transaction;
    const { clock, coordinators } = this.world;
    if (this.holders > 0 || this.hostOf(transactionalId) === undefined) return;
    const coordinatorEpoch = coordinators.epochOf(transactionalId);
    const left = writeMarkers(transaction, this.world, { coordinatorEpoch, nowMs: clock.now() });
    this.put(left.partitions.length === 0 ? completed(left) : left);
  }

  /** Sees to it that an open transaction does not stay so for longer than its producer allows. */
  private limit({ transactionalId, state, startedAtMs, timeoutMs }: Transaction): void {
    if (state !== 'Ongoing') return;
    if (this.hostOf(transactionalId) === undefined) {
      this.timers.cancel(transactionalId);
      return;
    }
    const leftMs = Math.max(0, startedAtMs + timeoutMs - this.world.clock.now());
    this.timers.setIfUnset(transactionalId, leftMs, () => this.expire(transactionalId));
  }
}
