import type { KafkaError } from '../../util/errors.js';
import { FencedError, KafkaError as Failure } from '../../util/errors.js';
import { aborted } from './errors.js';
import {
  step,
  type Bump,
  type TransactionEffect,
  type TransactionState,
  type TransactionStep,
} from './state.js';

/**
 * Something that spoils the transaction, but not the producer. With protocol 1 the producer goes on
 * with a new epoch, so that nothing which may still be on its way can be written later (KIP-360);
 * with protocol 2 each end brings one anyway.
 */
export function abortable(
  state: TransactionState,
  error: KafkaError,
  wanted: Bump,
): TransactionStep {
  const { phase, transactionalId } = state;
  const isOngoing = phase === 'IN_TRANSACTION' || phase === 'COMMITTING';
  if (!isOngoing && phase !== 'ABORTING' && phase !== 'ABORTABLE_ERROR') return step(state);
  const bump = bumpFor(state, wanted);
  if (bump === 'impossible') return fatal(state, cannotBump(transactionalId, error));
  if (!isOngoing) return step({ ...state, bump });
  const failed: TransactionState = { ...state, phase: 'ABORTABLE_ERROR', error, bump };
  const cause = aborted(transactionalId, error);
  return step(
    { ...failed, operations: [] },
    ...refuseOffsets(state, cause),
    { type: 'doomed', error: cause },
    ...(phase === 'COMMITTING' ? [{ type: 'ended', error: cause } as const] : []),
  );
}

/** The end of the producer: everything that waits is told why. */
export function fatal(state: TransactionState, error: KafkaError): TransactionStep {
  const { phase, transactionalId } = state;
  if (phase === 'FATAL_ERROR') return step(state);
  const failed: TransactionState = {
    ...state,
    phase: 'FATAL_ERROR',
    error,
    operations: [],
    current: undefined,
  };
  const effects: TransactionEffect[] = [...refuseOffsets(state, error)];
  if (error instanceof FencedError) {
    effects.push({ type: 'emit', event: { type: 'fenced', transactionalId, error } });
  }
  effects.push({ type: 'failed', error });
  if (phase === 'INITIALIZING' && state.bump === 'none') {
    effects.push({ type: 'initialized', error });
  } else if (phase === 'COMMITTING' || phase === 'ABORTING' || phase === 'INITIALIZING') {
    effects.push({ type: 'ended', error });
  }
  return step(failed, ...effects);
}

export function refuseOffsets(
  { operations }: TransactionState,
  error: KafkaError,
): TransactionEffect[] {
  return operations.map(({ id }) => ({ type: 'offsets-sent', id, error }));
}

const order: readonly Bump[] = ['none', 'after-end', 'instead-of-end'];

function bumpFor({ bump, protocol, canBump }: TransactionState, wanted: Bump): Bump | 'impossible' {
  const isNeeded = wanted !== 'none';
  if (protocol === 1 && !canBump) return isNeeded ? 'impossible' : bump;
  const atLeast: Bump = isNeeded || protocol === 2 ? wanted : 'after-end';
  return order.indexOf(atLeast) > order.indexOf(bump) ? atLeast : bump;
}

function cannotBump(transactionalId: string, cause: KafkaError): Failure {
  return new Failure(
    `The producer of '${transactionalId}' can't go on: the broker, older than Kafka 2.5, has no ` +
      `way to raise its epoch after: ${cause.message}. Make another producer`,
    { code: cause.code, cause },
  );
}
