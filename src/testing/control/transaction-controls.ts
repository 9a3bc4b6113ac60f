import { ConfigError } from '../../core/util/errors.js';
import type { Cluster } from '../state/cluster.js';
import type { Undo } from './faults.js';
import { noSuch } from './lookup.js';

/** Has transactions end otherwise than their producers want. */
export interface TransactionControls {
  /**
   * Aborts the open transaction of a transactional id, as if it had taken too long: its producer is
   * fenced.
   *
   * @throws ConfigError when there is no such transactional id, or when its transaction is not open.
   * @example
   * cluster.expireTransaction('payments');
   */
  expireTransaction(transactionalId: string): void;

  /**
   * Has all transactions that end from now on stay about to: no markers are written, so that their
   * records stay undecided, and the next transaction is CONCURRENT_TRANSACTIONS.
   *
   * @returns A function that has the markers written, and those of later ends at once again.
   * @example
   * const release = cluster.holdMarkers();
   * await transaction.commit(); // read_committed consumers see nothing of it yet
   * release();
   */
  holdMarkers(): Undo;
}

export function transactionControls({ transactions }: Cluster): TransactionControls {
  return {
    expireTransaction(transactionalId) {
      const transaction = transactions.get(transactionalId);
      if (transaction === undefined) throw noSuch(`transactional id ${transactionalId}`);
      if (transaction.state !== 'Ongoing') {
        throw new ConfigError(`The transaction of ${transactionalId} is ${transaction.state}`);
      }
      transactions.expire(transactionalId);
    },
    holdMarkers: () => transactions.holdMarkers(),
  };
}
