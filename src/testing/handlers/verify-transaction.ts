import type { RecordBatch } from '../../core/records/index.js';
import { Errors } from '../error-codes.js';
import type { Partition } from '../state/partition.js';
import { orRejection, Rejection } from '../state/rejection.js';
import type { HandlerContext } from './handler.js';
import { refusalOfWrite, type WritingClient } from './transactional.js';

const FIRST_VERSION_WITH_ABORTABLE = 11;
const FIRST_VERSION_THAT_ADDS = 12;

/** What Produce says of a transactional batch. */
export interface TransactionalWrite {
  readonly transactionalId: string;
  /** Of Produce. */
  readonly version: number;
}

/**
 * Has the transaction's coordinator agree that a batch belongs to an open transaction, or take the
 * partition in where the client leaves that to the broker (KIP-890).
 *
 * @throws Rejection
 */
export function verifyTransaction(
  { log, topic, index }: Partition,
  batch: RecordBatch,
  { transactionalId, version }: TransactionalWrite,
  { cluster }: HandlerContext,
): void {
  if (!cluster.profile.verifiesTransactions || log.producers.isInTransaction(batch)) return;
  const claim = { producerId: batch.producerId, epoch: batch.producerEpoch };
  const place = { topic, index };
  const client = clientOf(version);
  const outcome = orRejection(() => {
    if (client !== 'adding') cluster.transactions.check(transactionalId, claim, place);
    else {
      const addition = { partitions: [place], groups: [], risesAtEnd: true };
      cluster.transactions.add(transactionalId, claim, addition);
    }
  });
  if (outcome instanceof Rejection) throw refusal(outcome, client);
}

function refusal(cause: Rejection, client: WritingClient): Rejection {
  // Clients that do not expect this one here retry the other without asking for metadata anew.
  const isUnexpected = cause.errorCode === Errors.CONCURRENT_TRANSACTIONS && client !== 'adding';
  if (isUnexpected) return new Rejection(Errors.NOT_ENOUGH_REPLICAS, cause.message);
  return refusalOfWrite(cause, client);
}

function clientOf(version: number): WritingClient {
  if (version >= FIRST_VERSION_THAT_ADDS) return 'adding';
  return version >= FIRST_VERSION_WITH_ABORTABLE ? 'aborting' : 'old';
}
