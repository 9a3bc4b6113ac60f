import { unreachable } from '../../util/assert.js';
import type { KafkaError } from '../../util/errors.js';
import { answered, offsetsOverdue, unanswered } from './answers.js';
import { aborted, notInTransaction } from './errors.js';
import { abortable, fatal, refuseOffsets } from './failing.js';
import { sendNext } from './next-request.js';
import {
  cleared,
  nameOf,
  step,
  type Bump,
  type OffsetsOperation,
  type Place,
  type TransactionInput,
  type TransactionState,
  type TransactionStep,
} from './state.js';

/**
 * A transactional producer: what may be done in which phase, what is asked of the coordinators next,
 * and what their answers mean (KIP-98, 360, 447, 890). Without clock and I/O.
 */
export function reduceTransaction(
  state: TransactionState,
  input: TransactionInput,
): TransactionStep {
  switch (input.type) {
    case 'init':
      return init(state, input);
    case 'begin':
      return begin(state, input);
    case 'touched':
      return touched(state, input);
    case 'sent':
      return step({ ...state, hasBegun: true, isAdding: state.isAdding || input.isAdding });
    case 'added':
      return added(state, input.names);
    case 'offsets':
      return offsets(state, input.operation);
    case 'offsets-overdue':
      return offsetsOverdue(state, input);
    case 'commit':
      return commit(state);
    case 'abort':
      return abort(state);
    case 'drained':
      return isCompleting(state) ? sendNext({ ...state, isDrained: true }) : step(state);
    case 'record-failed':
      return recordFailed(state, input.error);
    case 'numbering-lost':
      return abortable(state, input.error, 'after-end');
    case 'answered':
      return answered(state, input.request, input.answer);
    case 'unanswered':
      return unanswered(state, input.request, input.error);
    case 'retry-due':
      return retry(state);
    default:
      return unreachable(input);
  }
}

/** Records may join the transaction. */
export function mayTakeRecords({ phase }: TransactionState): boolean {
  return phase === 'IN_TRANSACTION' || phase === 'COMMITTING';
}

/** Whether records of a partition may be sent that need not be part of the transaction yet. */
export function mayAdd({ isAdding, current }: TransactionState): boolean {
  return !isAdding && current?.type !== 'commit-offsets';
}

function isCompleting({ phase }: TransactionState): boolean {
  return phase === 'COMMITTING' || phase === 'ABORTING';
}

function init(
  state: TransactionState,
  { protocol, canBump }: Extract<TransactionInput, { type: 'init' }>,
): TransactionStep {
  if (state.phase !== 'UNINITIALIZED') return step(state);
  return sendNext({ ...state, phase: 'INITIALIZING', protocol, canBump });
}

function begin(
  state: TransactionState,
  { protocol, canBump }: Extract<TransactionInput, { type: 'begin' }>,
): TransactionStep {
  if (state.phase !== 'READY') return step(state);
  const { transactionalId } = state;
  return step(
    { ...cleared(state), phase: 'IN_TRANSACTION', protocol, canBump },
    { type: 'emit', event: { type: 'transaction-begun', transactionalId } },
  );
}

function touched(state: TransactionState, place: Place): TransactionStep {
  const name = nameOf(place);
  const { protocol, partitions, newPartitions } = state;
  const isKnown = partitions.has(name) || newPartitions.has(name);
  if (protocol === 2 || isKnown || !mayTakeRecords(state)) return step(state);
  const { topic, partition } = place;
  const more = new Map(newPartitions).set(name, { topic, partition });
  return sendNext({ ...state, newPartitions: more });
}

function added(state: TransactionState, names: readonly string[]): TransactionStep {
  const partitions = new Set([...state.partitions, ...names]);
  return sendNext({ ...state, partitions, isAdding: false });
}

function offsets(state: TransactionState, operation: OffsetsOperation): TransactionStep {
  if (state.phase === 'IN_TRANSACTION') {
    return sendNext({ ...state, operations: [...state.operations, operation] });
  }
  const error = state.error ?? notInTransaction(state.transactionalId);
  return step(state, { type: 'offsets-sent', id: operation.id, error });
}

function commit(state: TransactionState): TransactionStep {
  const { phase, transactionalId } = state;
  switch (phase) {
    case 'IN_TRANSACTION':
      return step({ ...state, phase: 'COMMITTING', isDrained: false }, { type: 'flush' });
    case 'ABORTABLE_ERROR':
      return step(state, { type: 'ended', error: aborted(transactionalId, state.error) });
    case 'FATAL_ERROR':
      return step(state, { type: 'ended', error: state.error! });
    default:
      return step(state, { type: 'ended', error: notInTransaction(transactionalId) });
  }
}

function abort(state: TransactionState): TransactionStep {
  const { phase, transactionalId } = state;
  switch (phase) {
    case 'IN_TRANSACTION':
    case 'ABORTABLE_ERROR': {
      const error = aborted(transactionalId, state.error);
      const next: TransactionState = {
        ...state,
        phase: 'ABORTING',
        isDrained: false,
        newPartitions: new Map<string, Place>(),
        operations: [],
      };
      return step(
        next,
        ...refuseOffsets(state, error),
        { type: 'doomed', error },
        { type: 'flush' },
      );
    }
    case 'FATAL_ERROR':
      return step(state, { type: 'ended', error: state.error! });
    case 'COMMITTING':
    case 'ABORTING':
      return step(state);
    default:
      return step(state, { type: 'ended', error: notInTransaction(transactionalId) });
  }
}

/** Errors of Produce after which the producer can't go on; all others spoil the transaction alone. */
const fatalForProducer: ReadonlySet<string> = new Set([
  'PRODUCER_FENCED',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
]);

/**
 * Those after which it goes on with a new epoch only. An id that was idle for long is forgotten, and the
 * coordinator says when another producer has it by now; to Java that is the end of the producer.
 */
const bumpAfter: ReadonlyMap<string, Bump> = new Map([
  ['UNKNOWN_PRODUCER_ID', 'after-end'],
  ['INVALID_PRODUCER_ID_MAPPING', 'instead-of-end'],
]);

function recordFailed(state: TransactionState, error: KafkaError): TransactionStep {
  if (fatalForProducer.has(error.code)) return fatal(state, error);
  return abortable(state, error, bumpAfter.get(error.code) ?? 'none');
}

function retry(state: TransactionState): TransactionStep {
  const { current } = state;
  const next = { ...state, isBackingOff: false };
  return current === undefined ? sendNext(next) : step(next, { type: 'send', request: current });
}
