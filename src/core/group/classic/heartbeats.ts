import { brokerError } from '../../protocol/index.js';
import { andThen, step } from '../machine.js';
import { rejoin } from './joining.js';
import { fenced, refused } from './losing.js';
import { sendHeartbeat } from './sending.js';
import { isBeating, type AnswerTo, type ClassicState, type ClassicStep } from './state.js';

export function heartbeatDue(state: ClassicState): ClassicStep {
  if (!isBeating(state)) return step(state);
  const delayMs = state.settings.heartbeatIntervalMs;
  return andThen(sendHeartbeat(state), (next) =>
    step(next, { type: 'schedule-heartbeat', delayMs }),
  );
}

export function heartbeatAnswered(
  before: ClassicState,
  { body, request }: AnswerTo<'heartbeat'>,
): ClassicStep {
  const state: ClassicState = { ...before, isHeartbeatUnderWay: false };
  const isStale =
    request.memberId !== state.memberId || request.generationId !== state.generationId;
  if (isStale || !isBeating(state)) return step(state);
  const { name } = brokerError(body.errorCode);
  switch (name) {
    case 'NONE':
      return step(state);
    case 'REBALANCE_IN_PROGRESS':
      return rebalanceSeen(state);
    case 'UNKNOWN_MEMBER_ID':
    case 'ILLEGAL_GENERATION':
      return fenced(state, name);
    default:
      return refused(state, 'Heartbeat', body.errorCode);
  }
}

function rebalanceSeen(state: ClassicState): ClassicStep {
  const reason = 'members came, went or changed their subscriptions';
  switch (state.phase) {
    case 'stable':
      return rejoin(state, reason);
    case 'completing':
      return step({ ...state, rejoinReason: state.rejoinReason ?? reason });
    default:
      // While revoking it is known; while syncing, SyncGroup is answered with it.
      return step(state);
  }
}
