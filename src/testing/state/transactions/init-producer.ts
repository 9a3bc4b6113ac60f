import {
  concurrent,
  fenced,
  isExhausted,
  isPrepared,
  NONE,
  type Claim,
  type Transaction,
} from './transaction.js';

/** What InitProducerId asks for. */
export interface InitQuery {
  readonly timeoutMs: number;
  /** Who the producer was so far, where it says so (KIP-360). */
  readonly claim: Claim | undefined;
}

/**
 * Gives a producer the next epoch, or a new producer id when the epochs are used up. `'fence'` when
 * a transaction is open that has to be aborted first.
 *
 * @throws Rejection when the last transaction is still ending, or when the producer was fenced.
 */
export function initProducer(
  transaction: Transaction,
  query: InitQuery,
  newProducerId: () => number,
): Transaction | 'fence' {
  const { claim } = query;
  if (claim !== undefined && !isKnown(transaction, claim)) throw fenced(transaction, claim.epoch);
  if (isPrepared(transaction)) throw concurrent(transaction);
  if (transaction.state === 'Ongoing') return 'fence';
  const { timeoutMs } = query;
  const ready: Transaction = { ...transaction, state: 'Empty', timeoutMs, startedAtMs: NONE };
  const { epoch } = transaction;
  const isLast = isExhausted(epoch) && (claim === undefined || claim.epoch === epoch);
  if (!isLast) return { ...ready, ...nextEpoch(transaction, claim) };
  return {
    ...ready,
    previousProducerId: transaction.producerId,
    previousEpoch: claim === undefined ? NONE : epoch,
    producerId: newProducerId(),
    epoch: 0,
  };
}

/** The producer of now, or the one before whose request may be a repetition. */
function isKnown({ epoch, producerId, previousProducerId }: Transaction, claim: Claim): boolean {
  if (epoch === NONE || claim.producerId === producerId) return true;
  return claim.producerId === previousProducerId && isExhausted(claim.epoch);
}

function nextEpoch(transaction: Transaction, claim: Claim | undefined) {
  const { epoch, previousEpoch } = transaction;
  if (claim === undefined) return { epoch: epoch + 1, previousEpoch: NONE };
  if (epoch === NONE || claim.epoch === epoch) return { epoch: epoch + 1, previousEpoch: epoch };
  // The answer to the first request got lost.
  if (claim.epoch === previousEpoch) return { epoch, previousEpoch };
  throw fenced(transaction, claim.epoch);
}
