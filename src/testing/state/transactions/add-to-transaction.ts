import { Errors } from '../../error-codes.js';
import { Rejection } from '../rejection.js';
import {
  concurrent,
  fenced,
  isPrepared,
  isSamePlace,
  notMapped,
  type Claim,
  type Place,
  type Transaction,
} from './transaction.js';

/** What takes part in a transaction from now on. */
export interface Addition {
  readonly partitions: readonly Place[];
  readonly groups: readonly string[];
  /** Whether the client knows that the epoch rises with each end (KIP-890). */
  readonly risesAtEnd: boolean;
}

/**
 * Adds partitions and groups, which begins a transaction where none is open. The same object when
 * all take part already.
 *
 * @throws Rejection when somebody else is the producer, or when the last transaction is still ending.
 */
export function addToTransaction(
  transaction: Transaction,
  claim: Claim,
  addition: Addition,
  nowMs: number,
): Transaction {
  checkProducer(transaction, claim);
  const isOpen = transaction.state === 'Ongoing';
  const partitions = addition.partitions.filter((place) => !takesPart(transaction, place));
  const groups = addition.groups.filter((group) => !transaction.groups.includes(group));
  if (isOpen && partitions.length === 0 && groups.length === 0) return transaction;
  return {
    ...transaction,
    state: 'Ongoing',
    startedAtMs: isOpen ? transaction.startedAtMs : nowMs,
    risesAtEnd: addition.risesAtEnd,
    partitions: [...transaction.partitions, ...partitions],
    groups: [...transaction.groups, ...groups],
  };
}

/** @throws Rejection unless a partition was added to the producer's transaction. */
export function checkAdded(transaction: Transaction, claim: Claim, place: Place): void {
  checkProducer(transaction, claim);
  if (takesPart(transaction, place)) return;
  throw notAdded(`Partition ${place.topic}-${place.index}`);
}

/** @throws Rejection unless a group was added to the producer's transaction. */
export function checkGroupAdded(transaction: Transaction, claim: Claim, group: string): void {
  checkProducer(transaction, claim);
  if (transaction.groups.includes(group)) return;
  throw notAdded(`Group ${group}`);
}

function checkProducer(transaction: Transaction, { producerId, epoch }: Claim): void {
  const { transactionalId } = transaction;
  if (transaction.producerId !== producerId) throw notMapped(transactionalId, producerId);
  if (transaction.epoch !== epoch) throw fenced(transaction, epoch);
  if (isPrepared(transaction)) throw concurrent(transaction);
}

function takesPart({ partitions }: Transaction, place: Place): boolean {
  return partitions.some((known) => isSamePlace(known, place));
}

function notAdded(what: string): Rejection {
  return new Rejection(Errors.TRANSACTION_ABORTABLE, `${what} was not added to the transaction`);
}
