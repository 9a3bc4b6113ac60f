import { apis } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import { orRejection, Rejection } from '../state/rejection.js';
import { defineHandler } from './handler.js';
import { checkTransactionalId, transactionErrorOf } from './transactional.js';

const FIRST_VERSION_WITH_FENCED = 2;

/** Adds a group to a transaction, whose offsets are to be committed along (KIP-98). */
export const addOffsetsToTxn = defineHandler(apis.AddOffsetsToTxn, {
  handle({ body, version }, context) {
    const { transactionalId, groupId, producerId, producerEpoch: epoch } = body;
    const outcome = orRejection(() => {
      checkTransactionalId(transactionalId, context);
      context.cluster.transactions.add(
        transactionalId,
        { producerId, epoch },
        { partitions: [], groups: [groupId], risesAtEnd: false },
      );
    });
    if (!(outcome instanceof Rejection)) return { errorCode: Errors.NONE };
    return { errorCode: transactionErrorOf(outcome, version, FIRST_VERSION_WITH_FENCED) };
  },
  fail: (_request, errorCode) => ({ errorCode }),
});
