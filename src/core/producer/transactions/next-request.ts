import {
  cleared,
  step,
  type TransactionRequest,
  type TransactionState,
  type TransactionStep,
} from './state.js';

/**
 * Sends what comes next, one request at a time. Who coordinates is found on the way, so the order of
 * the Java client remains: an identity first, then partitions and offsets, then the end, then a new
 * epoch.
 */
export function sendNext(state: TransactionState): TransactionStep {
  if (state.current !== undefined || state.isBackingOff) return step(state);
  const request = nextRequest(state);
  if (request === 'none') return step(state);
  if (request === 'nothing-to-end') return ended(state);
  const current: TransactionState = { ...state, current: request };
  return step(noteSent(current, request), { type: 'send', request });
}

/** The transaction is over, as far as the coordinator is concerned. */
export function ended(state: TransactionState): TransactionStep {
  const { phase, bump, protocol } = state;
  // The end itself has brought a new epoch with protocol 2.
  const isRaised = bump === 'none' || (bump === 'after-end' && protocol === 2);
  return isRaised
    ? over(state, phase === 'COMMITTING')
    : sendNext({ ...state, phase: 'INITIALIZING' });
}

/** The next transaction may begin. */
export function over(state: TransactionState, isCommitted: boolean): TransactionStep {
  const { transactionalId, error: reason } = state;
  const event = isCommitted
    ? ({ type: 'transaction-committed', transactionalId } as const)
    : ({ type: 'transaction-aborted', transactionalId, reason } as const);
  return step({ ...cleared(state), phase: 'READY' }, { type: 'emit', event }, { type: 'ended' });
}

function nextRequest(state: TransactionState): TransactionRequest | 'none' | 'nothing-to-end' {
  const { phase, identity, protocol, newPartitions, hasBegun, isDrained, bump } = state;
  if (phase === 'INITIALIZING') return { type: 'init-producer-id', identity };
  const isGoingOn = phase === 'IN_TRANSACTION' || phase === 'COMMITTING';
  if (identity === undefined || (!isGoingOn && phase !== 'ABORTING')) return 'none';
  if (isGoingOn && newPartitions.size > 0) {
    return { type: 'add-partitions', identity, partitions: [...newPartitions.values()] };
  }
  const offsets = isGoingOn ? nextOffsets(state) : undefined;
  if (offsets !== undefined) return state.isAdding ? 'none' : offsets;
  if (phase === 'IN_TRANSACTION' || !isDrained) return 'none';
  if (!hasBegun || bump === 'instead-of-end') return 'nothing-to-end';
  return { type: 'end', identity, protocol, isCommit: phase === 'COMMITTING' };
}

function nextOffsets({
  operations: [operation],
  identity,
  protocol,
  addedGroups,
}: TransactionState): TransactionRequest | undefined {
  if (operation === undefined || identity === undefined) return undefined;
  const { groupId } = operation.group;
  if (protocol === 1 && !addedGroups.has(groupId))
    return { type: 'add-offsets', identity, groupId };
  return { type: 'commit-offsets', identity, protocol, operation };
}

function noteSent(state: TransactionState, request: TransactionRequest): TransactionState {
  // Brokers add what comes with protocol 2 by themselves, whether or not their answer arrives.
  const begins = request.type === 'commit-offsets';
  return begins ? { ...state, hasBegun: true } : state;
}
