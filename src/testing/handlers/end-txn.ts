import { apis } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import { orRejection, Rejection } from '../state/rejection.js';
import type { Claim } from '../state/transactions/transaction.js';
import { defineHandler, type HandlerContext, type IncomingRequest } from './handler.js';
import { checkTransactionalId, transactionErrorOf } from './transactional.js';

type Request = IncomingRequest<typeof apis.EndTxn>;

const FIRST_VERSION_WITH_FENCED = 2;
const FIRST_VERSION_THAT_RAISES = 5;

/** Commits or aborts a transaction; from version 5 on the producer gets its next epoch (KIP-890). */
export const endTxn = defineHandler(apis.EndTxn, {
  handle(request, context) {
    const outcome = orRejection(() => end(request, context));
    if (outcome instanceof Rejection) {
      return { errorCode: transactionErrorOf(outcome, request.version, FIRST_VERSION_WITH_FENCED) };
    }
    if (outcome === undefined) return { errorCode: Errors.NONE };
    return { errorCode: Errors.NONE, producerId: outcome.producerId, producerEpoch: outcome.epoch };
  },
  fail: (_request, errorCode) => ({ errorCode }),
});

/** @throws Rejection */
function end({ body, version }: Request, context: HandlerContext): Claim | undefined {
  const { transactionalId, producerId, producerEpoch: epoch, committed } = body;
  const { transactions } = context.cluster;
  checkTransactionalId(transactionalId, context);
  const ending = committed ? 'commit' : 'abort';
  const claim = { producerId, epoch };
  if (version >= FIRST_VERSION_THAT_RAISES) {
    return transactions.endAndRaise(transactionalId, claim, ending);
  }
  transactions.end(transactionalId, claim, ending);
  return undefined;
}
