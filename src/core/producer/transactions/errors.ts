import type { BrokerError } from '../../protocol/index.js';
import {
  AuthorizationError,
  FencedError,
  KafkaError,
  TransactionAbortedError,
} from '../../util/errors.js';
import { isFencing } from './judge.js';
import type { TransactionRequest } from './state.js';

const deeds: Readonly<Record<TransactionRequest['type'], readonly [what: string, api: string]>> = {
  'init-producer-id': ['take over', 'InitProducerId'],
  'add-partitions': ['add partitions to a transaction of', 'AddPartitionsToTxn'],
  'add-offsets': ['add offsets to a transaction of', 'AddOffsetsToTxn'],
  'commit-offsets': ['send offsets in a transaction of', 'TxnOffsetCommit'],
  end: ['end a transaction of', 'EndTxn'],
};

/** The failure that a coordinator's error means. */
export function transactionError(
  request: TransactionRequest['type'],
  transactionalId: string,
  error: BrokerError,
): KafkaError {
  const [what, api] = deeds[request];
  if (isFencing(error.name)) return fenced(transactionalId, error, api);
  const message = `Cannot ${what} '${transactionalId}': the broker said ${error.name}: ${error.message}`;
  const options = { code: error.name, context: { api } };
  return error.isAuthorization
    ? new AuthorizationError(message, options)
    : new KafkaError(message, options);
}

function fenced(transactionalId: string, error: BrokerError, api: string): FencedError {
  return new FencedError(
    `The producer with the transactional id '${transactionalId}' has been fenced (${error.name}): ` +
      `another one has taken over the id, or a transaction took longer than transactionTimeoutMs. ` +
      `Nothing more can be written with it; give each running instance an id of its own`,
    { code: error.name, context: { api } },
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
