import {
  concurrent,
  fenced,
  invalidState,
  isExhausted,
  isPrepared,
  isSamePlace,
  LAST_EPOCH,
  NONE,
  notMapped,
  type Claim,
  type Place,
  type Transaction,
} from './transaction.js';

export type Ending = 'commit' | 'abort';

/**
 * Decides how a transaction ends, as its producer asks; the markers are still to be written. The
 * same object when it has ended like that already.
 *
 * @throws Rejection when somebody else is the producer, or when it can't end like that.
 */
export function endTransaction(
  transaction: Transaction,
  claim: Claim,
  ending: Ending,
): Transaction {
  const { transactionalId, producerId, epoch } = transaction;
  if (producerId !== claim.producerId) throw notMapped(transactionalId, claim.producerId);
  if (epoch !== claim.epoch) throw fenced(transaction, claim.epoch);
  if (transaction.state === 'Ongoing') return { ...transaction, state: prepared(ending) };
  return endAgain(transaction, ending);
}

/**
 * As {@link endTransaction}, for clients of KIP-890: the epoch rises with each end, whereby a
 * repetition can be told from the end of the next transaction, which may be empty.
 *
 * @throws Rejection
 */
export function endAndRaise(
  transaction: Transaction,
  claim: Claim,
  ending: Ending,
  nowMs: number,
  newProducerId: () => number,
): Transaction {
  const { transactionalId, producerId, epoch, state } = transaction;
  const isRollover = isRepeatedAtRollover(transaction, claim);
  if (producerId !== claim.producerId && !isRollover) {
    throw notMapped(transactionalId, claim.producerId);
  }
  const isRepeated = isRollover || epoch === claim.epoch + 1;
  const isPresent = epoch === claim.epoch;
  const isEnding = isPrepared(transaction);
  const canRepeat = isEnding || state === 'CompleteCommit' || state === 'CompleteAbort';
  if (!(isPresent && !isEnding) && !(isRepeated && canRepeat))
    throw fenced(transaction, claim.epoch);
  if (isRepeated) return endAgain(transaction, ending);
  const isEmpty = state !== 'Ongoing';
  if (isEmpty && ending === 'commit') throw invalidState(transaction);
  return {
    ...transaction,
    ...raised(transaction, newProducerId),
    state: prepared(ending),
    startedAtMs: isEmpty ? nowMs : transaction.startedAtMs,
    risesAtEnd: true,
  };
}

/**
 * Aborts an open transaction in the coordinator's own name, which fences its producer; under KIP-890
 * one that nobody has succeeded may go on from the epoch it had.
 */
export function fenceTransaction(transaction: Transaction, risesAtEnd: boolean): Transaction {
  const { epoch } = transaction;
  return {
    ...transaction,
    state: 'PrepareAbort',
    epoch: epoch + 1,
    previousEpoch: risesAtEnd ? epoch : NONE,
  };
}

/** A marker stands in a partition, or the partition is no more. */
export function marked(transaction: Transaction, place: Place): Transaction {
  const partitions = transaction.partitions.filter((other) => !isSamePlace(other, place));
  return { ...transaction, partitions };
}

/** The same without groups, whose offsets are decided. */
export function settled(transaction: Transaction): Transaction {
  return { ...transaction, groups: [] };
}

/** All is written: the transaction has ended. */
export function completed(transaction: Transaction): Transaction {
  const { nextProducerId, producerId } = transaction;
  const state = transaction.state === 'PrepareCommit' ? 'CompleteCommit' : 'CompleteAbort';
  if (nextProducerId === NONE) return { ...transaction, state };
  return {
    ...transaction,
    state,
    previousProducerId: producerId,
    producerId: nextProducerId,
    nextProducerId: NONE,
    epoch: 0,
  };
}

/** Whom the producer is to be from now on. */
export function successorOf({ nextProducerId, producerId, epoch }: Transaction): Claim {
  return nextProducerId === NONE ? { producerId, epoch } : { producerId: nextProducerId, epoch: 0 };
}

function raised({ epoch }: Transaction, newProducerId: () => number) {
  return {
    epoch: epoch + 1,
    previousEpoch: epoch,
    nextProducerId: isExhausted(epoch) ? newProducerId() : NONE,
  };
}

/** The request came again after the epochs of the producer id were used up by it. */
function isRepeatedAtRollover(transaction: Transaction, claim: Claim): boolean {
  const { previousProducerId, epoch } = transaction;
  return previousProducerId === claim.producerId && claim.epoch === LAST_EPOCH && epoch === 0;
}

/** What to say to somebody who ends what has ended, or is about to. */
function endAgain(transaction: Transaction, ending: Ending): Transaction {
  switch (transaction.state) {
    case 'CompleteCommit':
    case 'CompleteAbort':
      if (transaction.state === (ending === 'commit' ? 'CompleteCommit' : 'CompleteAbort')) {
        return transaction;
      }
      throw invalidState(transaction);
    case 'PrepareCommit':
    case 'PrepareAbort':
      if (transaction.state === prepared(ending)) throw concurrent(transaction);
      throw invalidState(transaction);
    case 'Empty':
    case 'Ongoing':
      throw invalidState(transaction);
  }
}

function prepared(ending: Ending): 'PrepareCommit' | 'PrepareAbort' {
  return ending === 'commit' ? 'PrepareCommit' : 'PrepareAbort';
}
