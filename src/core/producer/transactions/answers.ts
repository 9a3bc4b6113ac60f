import { unreachable } from '../../util/assert.js';
import type { KafkaError } from '../../util/errors.js';
import { offsetsTimedOut, transactionError } from './errors.js';
import { abortable, fatal } from './failing.js';
import { judgeCoordinator, type Judgement } from './judge.js';
import { ended, over, sendNext } from './next-request.js';
import {
  andThen,
  cleared,
  nameOf,
  step,
  type Bump,
  type TransactionAnswer,
  type TransactionInput,
  type TransactionRequest,
  type TransactionState,
  type TransactionStep,
} from './state.js';

/** What an answer means. One to a request that nobody waits for any more means nothing. */
export function answered(
  before: TransactionState,
  request: TransactionRequest,
  answer: TransactionAnswer,
): TransactionStep {
  if (before.current !== request) return step(before);
  const judgement = judgeCoordinator(request.type, answer.error);
  const failure = () => transactionError(request, before.transactionalId, answer);
  const state = withoutRequest(before);
  if (judgement === 'retry' || judgement === 'retry-soon') {
    return isPointless(before, answer)
      ? sendNext(state)
      : retryLater(before, failure(), judgement === 'retry-soon');
  }
  if (judgement === 'success') return succeeded(state, request, answer);
  const error = failure();
  if (judgement === 'fatal' && !wasTimedOut(request, answer)) return fatal(state, error);
  const bump = bumps[judgement];
  return request.type === 'end' ? endRefused(state, error, bump) : spoilt(state, error, bump);
}

const bumps: Readonly<Record<Exclude<Judgement, 'success' | 'retry' | 'retry-soon'>, Bump>> = {
  fatal: 'none',
  abort: 'none',
  'abort-and-bump': 'after-end',
  bump: 'instead-of-end',
};

/** A topic that nobody knows may never come: what is to be aborted doesn't wait for it. */
function isPointless({ phase }: TransactionState, { error }: TransactionAnswer): boolean {
  return phase === 'ABORTING' && error.name === 'UNKNOWN_TOPIC_OR_PARTITION';
}

/**
 * The coordinator has aborted a transaction that took too long, so it can't be committed; whether
 * the producer can go on shows when it aborts, too: with protocol 2 it can (KIP-890).
 */
function wasTimedOut(request: TransactionRequest, { error }: TransactionAnswer): boolean {
  return request.type === 'end' && request.isCommit && error.name === 'INVALID_TXN_STATE';
}

/** No answer came: what retrying can cure is sent again, for as long as it takes. */
export function unanswered(
  before: TransactionState,
  request: TransactionRequest,
  error: KafkaError,
): TransactionStep {
  if (before.current !== request) return step(before);
  if (error.isRetriable) return retryLater(before, error, false);
  const state = withoutRequest(before);
  const isAboutGroup = request.type === 'add-offsets' || request.type === 'commit-offsets';
  return isAboutGroup ? spoilt(state, error, 'none') : fatal(state, error);
}

/** Offsets were not stored in time, of a topic that nobody knows, say. They may be stored yet. */
export function offsetsOverdue(
  state: TransactionState,
  { id, maxBlockMs }: Extract<TransactionInput, { type: 'offsets-overdue' }>,
): TransactionStep {
  const operation = state.operations.find((each) => each.id === id);
  if (operation === undefined) return step(state);
  const { transactionalId, hindrance } = state;
  const { groupId } = operation.group;
  const error = offsetsTimedOut({ transactionalId, groupId, maxBlockMs }, hindrance);
  return abortable(state, error, 'none');
}

/** The current request is done with, well or not. */
function withoutRequest(state: TransactionState): TransactionState {
  return { ...state, current: undefined, failures: 0, hindrance: undefined };
}

function retryLater(
  state: TransactionState,
  hindrance: KafkaError,
  isShort: boolean,
): TransactionStep {
  const failures = state.failures + 1;
  return step(
    { ...state, failures, hindrance, isBackingOff: true },
    { type: 'retry-later', failures, isShort },
  );
}

function spoilt(state: TransactionState, error: KafkaError, bump: Bump): TransactionStep {
  return andThen(abortable(state, error, bump), sendNext);
}

/** The coordinator doesn't end it as asked: a commit becomes an abort, an abort a new epoch. */
function endRefused(state: TransactionState, error: KafkaError, bump: Bump): TransactionStep {
  if (state.phase === 'COMMITTING') return abortable(state, error, bump);
  const next = abortable(state, error, 'instead-of-end');
  return next.state.phase === 'ABORTING' ? andThen(next, raise) : next;
}

function raise(state: TransactionState): TransactionStep {
  return sendNext({ ...state, phase: 'INITIALIZING' });
}

function succeeded(
  state: TransactionState,
  request: TransactionRequest,
  { identity }: TransactionAnswer,
): TransactionStep {
  switch (request.type) {
    case 'init-producer-id':
      return initialized({ ...state, identity: identity ?? state.identity });
    case 'add-partitions': {
      const added = request.partitions.map(nameOf);
      const newPartitions = new Map(state.newPartitions);
      for (const name of added) newPartitions.delete(name);
      const partitions = new Set([...state.partitions, ...added]);
      const next = sendNext({ ...state, partitions, newPartitions, hasBegun: true });
      return { ...next, effects: [...next.effects, { type: 'wake' }] };
    }
    case 'add-offsets': {
      const addedGroups = new Set([...state.addedGroups, request.groupId]);
      return sendNext({ ...state, addedGroups, hasBegun: true });
    }
    case 'commit-offsets': {
      const { id } = request.operation;
      const operations = state.operations.filter((operation) => operation.id !== id);
      const isAwaited = operations.length < state.operations.length;
      const next = sendNext({ ...state, operations });
      const sent = isAwaited ? [{ type: 'offsets-sent', id } as const] : [];
      return { ...next, effects: [...sent, ...next.effects, { type: 'wake' }] };
    }
    case 'end':
      return ended({ ...state, identity: identity ?? state.identity });
    default:
      return unreachable(request);
  }
}

function initialized(state: TransactionState): TransactionStep {
  if (state.bump !== 'none') return over(state, false);
  return step({ ...cleared(state), phase: 'READY' }, { type: 'initialized' }, { type: 'wake' });
}
