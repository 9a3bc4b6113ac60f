import { step, type Effect } from '../machine.js';
import type { ClassicState, ClassicStep } from './state.js';

export function sendJoin(state: ClassicState): ClassicStep {
  const { memberId, generationId, topics, owned, rejoinReason = '' } = state;
  return step(
    { ...state, phase: 'joining', joinedTopics: topics, isLeader: false, watched: undefined },
    {
      type: 'send',
      request: {
        type: 'join',
        memberId,
        generationId,
        topics,
        ownedPartitions: owned,
        reason: rejoinReason,
      },
    },
  );
}

export function joinLater(state: ClassicState): ClassicStep {
  const { failures } = state;
  return step(
    { ...state, phase: 'backing-off', failures: failures + 1 },
    { type: 'schedule-retry', failures },
  );
}

export function sendSync(
  state: ClassicState,
  assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[],
): ClassicStep {
  const { memberId, generationId, assignor } = state;
  return step(
    { ...state, phase: 'syncing' },
    { type: 'send', request: { type: 'sync', memberId, generationId, assignor, assignments } },
  );
}

/** One at a time. */
export function sendHeartbeat(state: ClassicState): ClassicStep {
  if (state.isHeartbeatUnderWay) return step(state);
  const { memberId, generationId } = state;
  return step(
    { ...state, isHeartbeatUnderWay: true },
    { type: 'send', request: { type: 'heartbeat', memberId, generationId } },
  );
}

export function rebalancing({ settings }: ClassicState, reason: string): Effect {
  return { type: 'emit', event: { type: 'rebalancing', groupId: settings.groupId, reason } };
}
