import { apis } from '../../core/protocol/index.js';
import { Errors } from '../error-codes.js';
import { slotOf } from '../state/coordinators.js';
import { orRejection, Rejection } from '../state/rejection.js';
import type { Transaction } from '../state/transactions/transaction.js';
import { defineHandler, type HandlerContext } from './handler.js';
import { checkTransactionalId } from './transactional.js';

/** The topic that keeps groups' offsets in Kafka; a group that takes part stands for a partition. */
const OFFSETS_TOPIC = '__consumer_offsets';

/** How the transactions of some ids stand (KIP-664). */
export const describeTransactions = defineHandler(apis.DescribeTransactions, {
  handle: ({ body }, context) => ({
    transactionStates: body.transactionalIds.map((transactionalId) => {
      const found = orRejection(() => find(transactionalId, context));
      return found instanceof Rejection
        ? failed(transactionalId, found.errorCode)
        : described(found);
    }),
  }),
  fail: ({ body }, errorCode) => ({
    transactionStates: body.transactionalIds.map((id) => failed(id, errorCode)),
  }),
});

/** @throws Rejection */
function find(transactionalId: string, context: HandlerContext): Transaction {
  checkTransactionalId(transactionalId, context);
  const transaction = context.cluster.transactions.get(transactionalId);
  if (transaction !== undefined) return transaction;
  const message = `There is no transactional id ${transactionalId}`;
  throw new Rejection(Errors.TRANSACTIONAL_ID_NOT_FOUND, message);
}

function described(transaction: Transaction) {
  return {
    errorCode: Errors.NONE,
    transactionalId: transaction.transactionalId,
    transactionState: transaction.state,
    transactionTimeoutMs: transaction.timeoutMs,
    transactionStartTimeMs: transaction.startedAtMs,
    producerId: transaction.producerId,
    producerEpoch: transaction.epoch,
    topics: topicsOf(transaction),
  };
}

function topicsOf({ partitions, groups }: Transaction) {
  const byTopic = new Map<string, number[]>();
  const add = (topic: string, index: number) => {
    byTopic.set(topic, [...(byTopic.get(topic) ?? []), index]);
  };
  for (const { topic, index } of partitions) add(topic, index);
  for (const slot of new Set(groups.map(slotOf))) add(OFFSETS_TOPIC, slot);
  return [...byTopic].map(([topic, indexes]) => ({ topic, partitions: indexes }));
}

function failed(transactionalId: string, errorCode: number) {
  return {
    errorCode,
    transactionalId,
    transactionState: '',
    transactionTimeoutMs: 0,
    transactionStartTimeMs: 0,
    producerId: 0,
    producerEpoch: 0,
    topics: [],
  };
}
