import { step, type Effect, type Input } from '../machine.js';
import type { ConsumerState, ConsumerStep } from './state.js';

const LEAVES = -1;
/** A static member that will be back: its partitions wait for it. */
const LEAVES_FOR_A_WHILE = -2;

export function leave(state: ConsumerState, keepsMembership: boolean): ConsumerStep {
  const over: ConsumerState = { ...state, phase: 'over', owned: [], incoming: [], next: undefined };
  const stop: Effect = { type: 'stop-timers' };
  const isStatic = state.settings.groupInstanceId !== null;
  // One that was not answered may have arrived.
  const hasAsked = state.isHeartbeatUnderWay || state.failures > 0;
  const isUnknown = state.epoch === 0 && !hasAsked;
  if (isUnknown || (keepsMembership && !isStatic)) return step(over, stop, { type: 'left' });
  const epoch = keepsMembership ? LEAVES_FOR_A_WHILE : LEAVES;
  // Where the broker chooses the id (version 0), it is still to come.
  if (state.memberId === '') {
    return step({ ...over, phase: 'leaving', epoch }, stop, { type: 'repeat-no-more' });
  }
  return sayGoodbye({ ...over, epoch }, stop, { type: 'call-off' });
}

function sayGoodbye(state: ConsumerState, ...before: readonly Effect[]): ConsumerStep {
  const { memberId, epoch } = state;
  return step({ ...state, phase: 'leaving' }, ...before, {
    type: 'send',
    request: { type: 'consumer-heartbeat', memberId, memberEpoch: epoch, fields: {} },
  });
}

export function reduceLeaving(state: ConsumerState, input: Input): ConsumerStep {
  const done = step<ConsumerState>({ ...state, phase: 'over' }, { type: 'left' });
  if (input.type === 'unanswered' && input.request.type === 'consumer-heartbeat') {
    const isGoodbye = input.request.memberEpoch < 0;
    return isGoodbye || state.memberId === '' ? done : step(state);
  }
  if (input.type !== 'answered' || input.answer.type !== 'consumer-heartbeat') return step(state);
  const { body, request } = input.answer;
  if (request.memberEpoch < 0) return done;
  if (state.memberId !== '') return step(state);
  const memberId = body.memberId ?? '';
  return memberId === '' ? done : sayGoodbye({ ...state, memberId });
}
