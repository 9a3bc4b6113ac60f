import { unreachable } from '../../util/assert.js';
import { andThen, step, type Answer, type Input, type Layouts } from '../machine.js';
import { heartbeatAnswered, heartbeatDue } from './heartbeats.js';
import { joinAnswered, rejoin } from './joining.js';
import { layoutsDiffer } from './layouts.js';
import { leave, reduceLeaving } from './leaving.js';
import { fail, giveUp } from './losing.js';
import { joinLater, sendHeartbeat, sendJoin, sendSync } from './sending.js';
import { isBeating, type ClassicState, type ClassicStep } from './state.js';
import { calledBack, settle, syncAnswered } from './syncing.js';

/**
 * Membership in a group of the classic protocol: the coordinator gathers the members (JoinGroup), one
 * of them shares out the partitions, the coordinator hands the shares on (SyncGroup), and heartbeats
 * tell of the next rebalance. Eager members give up everything before they join again, cooperative
 * ones only what they then don't get (KIP-429).
 */
export function reduceClassic(state: ClassicState, input: Input): ClassicStep {
  if (state.phase === 'over') return step(state);
  if (state.phase === 'leaving') return reduceLeaving(state, input);
  switch (input.type) {
    case 'join':
      return state.phase === 'idle' ? sendJoin(state) : step(state);
    case 'answered':
      return answered(state, input.answer);
    case 'unanswered':
      return unanswered(state, input);
    case 'heartbeat-due':
      return heartbeatDue(state);
    case 'retry-due':
      return state.phase === 'backing-off' ? sendJoin(state) : step(state);
    case 'called-back':
      return input.call === state.call ? calledBack(state) : step(state);
    case 'shared-out':
    case 'not-shared-out':
      return sharedOut(state, input);
    case 'topics-matched':
      return topicsMatched(state, input.topics);
    case 'layouts-seen':
      return layoutsSeen(state, input.layouts);
    case 'check-wanted':
      return isBeating(state) ? sendHeartbeat(state) : step(state);
    case 'broke':
      return giveUp(state, input.error);
    case 'leave':
      return leave(state, input.keepsMembership);
    case 'topics-resolved':
      return step(state);
    default:
      return unreachable(input);
  }
}

function answered(state: ClassicState, answer: Answer): ClassicStep {
  switch (answer.type) {
    case 'join':
      return joinAnswered(state, answer);
    case 'sync':
      return syncAnswered(state, answer);
    case 'heartbeat':
      return heartbeatAnswered(state, answer);
    case 'leave':
    case 'consumer-heartbeat':
      return step(state);
    default:
      return unreachable(answer);
  }
}

function unanswered(
  before: ClassicState,
  { request, error }: Extract<Input, { type: 'unanswered' }>,
): ClassicStep {
  const isHeartbeat = request.type === 'heartbeat';
  const state = isHeartbeat ? { ...before, isHeartbeatUnderWay: false } : before;
  if (!error.isRetriable) return fail(state, error);
  const { groupId } = state.settings;
  const api = request.type === 'join' ? 'JoinGroup' : isHeartbeat ? 'Heartbeat' : 'SyncGroup';
  const next = step(state, {
    type: 'emit',
    event: { type: 'group-retried', groupId, api, reason: error.message },
  });
  const isAwaited =
    (request.type === 'join' && state.phase === 'joining') ||
    (request.type === 'sync' && state.phase === 'syncing');
  // A share that was not heard of can't be asked for again: the group goes through a new round.
  return isAwaited ? andThen(next, joinLater) : next;
}

function sharedOut(
  state: ClassicState,
  input: Extract<Input, { type: 'shared-out' | 'not-shared-out' }>,
): ClassicStep {
  if (state.phase !== 'sharing-out' || state.generationId !== input.generationId) {
    return step(state);
  }
  if (input.type === 'not-shared-out') return giveUp(state, input.error);
  return sendSync({ ...state, watched: input.layouts }, input.assignments);
}

function topicsMatched(state: ClassicState, topics: readonly string[]): ClassicStep {
  const next: ClassicState = { ...state, topics };
  return state.phase === 'stable' ? settle(next) : step(next);
}

function layoutsSeen(state: ClassicState, layouts: Layouts): ClassicStep {
  const { watched, phase, rejoinReason, settings } = state;
  if (watched === undefined) return step(state);
  const change = layoutsDiffer(watched, layouts, settings.isRackAware);
  if (change === undefined) return step(state);
  if (phase === 'stable') return rejoin(state, change);
  return step({ ...state, rejoinReason: rejoinReason ?? change });
}
