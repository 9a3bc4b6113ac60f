import type { BrokerError } from '../../protocol/index.js';
import { unreachable } from '../../util/assert.js';
import {
  AuthorizationError,
  FencedError,
  KafkaError,
  TimeoutError,
  TransactionAbortedError,
  type ErrorContext,
} from '../../util/errors.js';
import { isFencing } from './judge.js';
import { nameOf, type TransactionAnswer, type TransactionRequest } from './state.js';

/** The failure that a coordinator's error means. */
export function transactionError(
  request: TransactionRequest,
  transactionalId: string,
  { error, place }: TransactionAnswer,
): KafkaError {
  const context = { api: apiOf[request.type], transactionalId, ...groupOf(request), ...place };
  if (isFencing(error.name)) return fenced(transactionalId, error, context);
  const what = deed(request, transactionalId);
  const where = place === undefined ? '' : ` of ${nameOf(place)}`;
  const message = `Cannot ${what}: the broker said ${error.name}${where}: ${error.message}`;
  const options = { code: error.name, context };
  return error.isAuthorization
    ? new AuthorizationError(message, options)
    : new KafkaError(message, options);
}

const apiOf: Readonly<Record<TransactionRequest['type'], string>> = {
  'init-producer-id': 'InitProducerId',
  'add-partitions': 'AddPartitionsToTxn',
  'add-offsets': 'AddOffsetsToTxn',
  'commit-offsets': 'TxnOffsetCommit',
  end: 'EndTxn',
};

function deed(request: TransactionRequest, transactionalId: string): string {
  switch (request.type) {
    case 'init-producer-id':
      return `take over '${transactionalId}'`;
    case 'add-partitions':
      return `add partitions to a transaction of '${transactionalId}'`;
    case 'add-offsets':
      return `add offsets of group '${request.groupId}' to a transaction of '${transactionalId}'`;
    case 'commit-offsets': {
      const { groupId } = request.operation.group;
      return `send offsets of group '${groupId}' in a transaction of '${transactionalId}'`;
    }
    case 'end':
      return `end a transaction of '${transactionalId}'`;
    default:
      return unreachable(request);
  }
}

function groupOf(request: TransactionRequest): { readonly groupId?: string } {
  if (request.type === 'add-offsets') return { groupId: request.groupId };
  if (request.type === 'commit-offsets') return { groupId: request.operation.group.groupId };
  return {};
}

function fenced(transactionalId: string, error: BrokerError, context: ErrorContext): FencedError {
  return new FencedError(
    `The producer with the transactional id '${transactionalId}' has been fenced (${error.name}): ` +
      `another one has taken over the id, or a transaction took longer than transactionTimeoutMs. ` +
      `Nothing more can be written with it; give each running instance an id of its own`,
    { code: error.name, context },
  );
}

/** Offsets that a group's coordinator has not stored in time. */
export function offsetsTimedOut(
  {
    transactionalId,
    groupId,
    maxBlockMs,
  }: { readonly transactionalId: string; readonly groupId: string; readonly maxBlockMs: number },
  cause: KafkaError | undefined,
): TimeoutError {
  const why = cause === undefined ? '' : `; the last error was ${cause.code}: ${cause.message}`;
  return new TimeoutError(
    `Cannot send offsets of group '${groupId}' in a transaction of '${transactionalId}': they were ` +
      `not stored within maxBlockMs (${maxBlockMs} ms)${why}`,
    { code: 'OFFSETS_TIMED_OUT', context: { transactionalId, groupId }, cause },
  );
}

/** What became of a transaction, and of everything in it, that had to be given up. */
export function aborted(
  transactionalId: string,
  cause: Error | undefined,
): TransactionAbortedError {
  const why = cause === undefined ? '' : `: ${cause.message}`;
  return new TransactionAbortedError(
    `The transaction of '${transactionalId}' has to be aborted${why}`,
    { cause },
  );
}

/** The producer was closed before the coordinator had answered. */
export function commitInDoubt(transactionalId: string): KafkaError {
  return new KafkaError(
    `The producer was closed while a transaction of '${transactionalId}' was being committed: it may ` +
      'have been committed, or will be aborted',
    { code: 'PRODUCER_CLOSED', context: { transactionalId }, mayBeWritten: true },
  );
}

export function notInTransaction(transactionalId: string): KafkaError {
  return new KafkaError(
    `Cannot send: the producer has the transactional id '${transactionalId}', and no transaction ` +
      `has begun; begin one with producer.beginTransaction() or producer.transaction()`,
    { code: 'NO_TRANSACTION' },
  );
}

export function notTransactional(): KafkaError {
  return new KafkaError(
    'Cannot begin a transaction: the producer has no transactionalId; give it one in kafka.producer()',
    { code: 'NOT_TRANSACTIONAL' },
  );
}

export function alreadyInTransaction(transactionalId: string): KafkaError {
  return new KafkaError(
    `Cannot begin a transaction: one of '${transactionalId}' is under way; end it first, or use ` +
      `transactionPool() for several side by side`,
    { code: 'TRANSACTION_IN_PROGRESS' },
  );
}

export function transactionEnded(transactionalId: string): KafkaError {
  return new KafkaError(
    `The transaction of '${transactionalId}' has ended; begin another one to go on`,
    { code: 'TRANSACTION_ENDED' },
  );
}

export function numberingLost(topic: string, partition: number): KafkaError {
  return new KafkaError(
    `Cannot go on with ${topic}-${partition} in this transaction: a batch was given up whose outcome ` +
      `is unknown`,
    { code: 'OUT_OF_ORDER_SEQUENCE_NUMBER', context: { topic, partition } },
  );
}
