import { apis } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import { compileTopicRegex } from '../state/groups/topic-regex.js';
import { orRejection, Rejection } from '../state/rejection.js';
import { transactionStates, type Transaction } from '../state/transactions/transaction.js';
import { defineHandler, type IncomingRequest } from './handler.js';

/** States in which no transaction of this broker stays. */
const neverSeen: readonly string[] = ['PrepareEpochFence', 'Dead'];

type Query = IncomingRequest<typeof apis.ListTransactions>['body'];

/** The transactional ids that this broker coordinates, as far as they are wanted (KIP-664). */
export const listTransactions = defineHandler(apis.ListTransactions, {
  handle({ body }, { cluster, brokerId }) {
    const filter = orRejection(() => filterOf(body, cluster.clock.now()));
    if (filter instanceof Rejection) return failed(filter.errorCode);
    const found = cluster.transactions.on(brokerId).filter(filter);
    return {
      errorCode: Errors.NONE,
      unknownStateFilters: body.stateFilters.filter((name) => !isState(name)),
      transactionStates: found.map(({ transactionalId, producerId, state }) => ({
        transactionalId,
        producerId,
        transactionState: state,
      })),
    };
  },
  fail: (_request, errorCode) => failed(errorCode),
});

/** @throws Rejection when the pattern makes no sense. */
function filterOf(query: Query, nowMs: number): (transaction: Transaction) => boolean {
  const { stateFilters, producerIdFilters, durationFilter, transactionalIdPattern } = query;
  const pattern = transactionalIdPattern ? compileTopicRegex(transactionalIdPattern) : undefined;
  return ({ state, producerId, startedAtMs, transactionalId }) =>
    (stateFilters.length === 0 || stateFilters.includes(state)) &&
    (producerIdFilters.length === 0 || producerIdFilters.includes(producerId)) &&
    (durationFilter < 0 || nowMs - startedAtMs > durationFilter) &&
    (pattern?.test(transactionalId) ?? true);
}

function isState(name: string): boolean {
  return neverSeen.includes(name) || (transactionStates as readonly string[]).includes(name);
}

function failed(errorCode: number) {
  return { errorCode, unknownStateFilters: [], transactionStates: [] };
}
