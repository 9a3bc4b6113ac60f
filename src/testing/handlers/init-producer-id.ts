import { apis } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import { orRejection, Rejection } from '../state/rejection.js';
import type { Claim } from '../state/transactions/transaction.js';
import { defineHandler, type HandlerContext, type IncomingRequest } from './handler.js';
import { transactionErrorOf } from './transactional.js';

type Request = IncomingRequest<typeof apis.InitProducerId>;

const NONE = -1;
const FIRST_VERSION_WITH_FENCED = 4;

/** Hands out producer ids; a transactional id keeps its own and gets the next epoch (KIP-98). */
export const initProducerId = defineHandler(apis.InitProducerId, {
  handle(request, context) {
    const outcome = orRejection(() => init(request, context));
    if (outcome instanceof Rejection) {
      return failed(transactionErrorOf(outcome, request.version, FIRST_VERSION_WITH_FENCED));
    }
    const { producerId, epoch } = outcome;
    return { errorCode: Errors.NONE, producerId, producerEpoch: epoch };
  },
  fail: (_request, errorCode) => failed(errorCode),
});

/** @throws Rejection */
function init({ body }: Request, { cluster, brokerId }: HandlerContext): Claim {
  const { transactions } = cluster;
  const { transactionalId, transactionTimeoutMs: timeoutMs } = body;
  const claim = claimOf(body);
  if (transactionalId === null) return { producerId: transactions.newProducerId(), epoch: 0 };
  if (transactionalId === '') {
    throw new Rejection(Errors.INVALID_REQUEST, 'The transactional id is empty');
  }
  transactions.checkTimeout(timeoutMs);
  transactions.checkCoordinator(transactionalId, brokerId);
  return transactions.initProducer(transactionalId, { timeoutMs, claim });
}

/** Who the producer was so far; `undefined` when it does not say. @throws Rejection */
function claimOf({ producerId, producerEpoch: epoch }: Request['body']): Claim | undefined {
  if (producerId === NONE && epoch === NONE) return undefined;
  if (producerId !== NONE && epoch !== NONE) return { producerId, epoch };
  throw new Rejection(Errors.INVALID_REQUEST, 'Producer id and epoch come together or not at all');
}

function failed(errorCode: number) {
  return { errorCode, producerId: NONE, producerEpoch: NONE };
}
